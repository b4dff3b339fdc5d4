#include "grammar/candidate.h"

#include <map>
#include <set>
#include <stdexcept>

#include "grammar/fingerprint.h"
#include "grammar/notation.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

/// Fingerprint to name, for every well-known activation.
const std::map<std::string, std::string_view>& known_names() {
  static const auto names = [] {
    std::map<std::string, std::string_view> table;
    for (const OperatorInfo& activation : activations()) {
      const Expression expression = activation.build({Expression::input()}, Expression::parameter(0));
      table.emplace(examine(lower(expression.with_parameters_in_order())).fingerprint, activation.name);
    }
    return table;
  }();
  return names;
}

}  // namespace

std::variant<Candidate, Refusal> consider(const Expression& expression) {
  const Expression ordered = expression.with_parameters_in_order();
  std::string formula = to_text(ordered);
  Program program;
  try {
    program = lower(ordered);
  } catch (const std::invalid_argument&) {  // the one thing lower refuses
    return Refusal{std::move(formula), "too long"};
  }
  Examination examination = examine(program);
  if (examination.rejection) return Refusal{std::move(formula), std::string(to_text(*examination.rejection))};
  const auto known = known_names().find(examination.fingerprint);
  std::string name(known == known_names().end() ? std::string_view() : known->second);
  return Candidate{std::move(formula), std::move(name), std::move(examination.fingerprint), std::move(program), std::nullopt};
}

Candidate candidate_of(std::string_view formula) {
  auto considered = consider(parse(formula));
  if (const auto* refusal = std::get_if<Refusal>(&considered)) {
    throw std::invalid_argument("'" + refusal->formula + "' cannot be trained: " + refusal->reason);
  }
  return std::get<Candidate>(std::move(considered));
}

std::vector<Candidate> candidates_of(const std::vector<std::string>& formulas) {
  std::vector<Candidate> candidates;
  std::set<std::string> met;
  for (const std::string& formula : formulas) {
    Candidate candidate = candidate_of(formula);
    if (met.insert(candidate.fingerprint).second) candidates.push_back(std::move(candidate));
  }
  return candidates;
}

}  // namespace actsearch
