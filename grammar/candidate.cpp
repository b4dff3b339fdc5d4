#include "grammar/candidate.h"

#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "grammar/fingerprint.h"
#include "grammar/notation.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

/// What is known of a function by its fingerprint: the well-known activation that it is.
struct Known {
  std::string_view name;
  Expression definition;
};
const std::map<std::string, Known>& known_functions() {
  static const auto functions = [] {
    std::map<std::string, Known> table;
    for (const OperatorInfo& activation : activations()) {
      const Expression definition = activation.build({Expression::input()}, Expression::parameter(0)).with_parameters_in_order();
      table.emplace(examine(lower(definition)).fingerprint, Known{activation.name, definition});
    }
    return table;
  }();
  return functions;
}

/// The same node, or the same parameter.
bool is_same(const Expression& a, const Expression& b) {
  constexpr auto kParameter = Expression::Kind::kParameter;
  if (a.kind() == kParameter && b.kind() == kParameter) return a.parameter_index() == b.parameter_index();
  return a.identity() == b.identity();
}

/// The formula with one part, wherever it stands, replaced.
Expression replaced(const Expression& formula, const Expression& wanted, const Expression& by) {
  std::map<const void*, Expression> of;
  for (const Expression& part : nodes_in_order(formula)) {
    if (is_same(part, wanted)) {
      of.emplace(part.identity(), by);
    } else if (part.arguments().empty()) {
      of.emplace(part.identity(), part);
    } else {
      std::vector<Expression> arguments;
      for (const Expression& argument : part.arguments()) arguments.push_back(of.at(argument.identity()));
      of.emplace(part.identity(), Expression::call(part.function(), std::move(arguments)));
    }
  }
  return of.at(formula.identity());
}

/// What may stand for a part of a formula if it does not matter.
std::vector<Expression> simpler_than(const Expression& part) {
  if (part.kind() == Expression::Kind::kParameter) return {Expression(kBetaStart)};
  if (part.kind() != Expression::Kind::kCall) return {};
  std::vector<Expression> simpler{Expression(0.0), Expression(1.0)};
  simpler.insert(simpler.end(), part.arguments().begin(), part.arguments().end());
  return simpler;
}

bool is_simpler(const Expression& a, const Expression& b) {
  return std::pair(a.parameter_count(), a.size()) < std::pair(b.parameter_count(), b.size());
}

/// The simplest formula with the fingerprint that one replacement makes; the formula itself where none does.
Expression one_step_simpler(const Expression& formula, const std::string& fingerprint) {
  Expression best = formula;
  for (const Expression& part : nodes_in_order(formula)) {
    for (const Expression& by : simpler_than(part)) {
      const Expression simpler = replaced(formula, part, by).with_parameters_in_order();
      if (is_simpler(simpler, best) && examine(lower(simpler)).fingerprint == fingerprint) best = simpler;
    }
  }
  return best;
}

Expression simplified(const Expression& formula, const std::string& fingerprint) {
  const Expression simpler = one_step_simpler(formula, fingerprint);
  return is_simpler(simpler, formula) ? simplified(simpler, fingerprint) : formula;
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
  const auto known = known_functions().find(examination.fingerprint);
  std::string name(known == known_functions().end() ? std::string_view() : known->second.name);
  return Candidate{std::move(formula), std::move(name), std::move(examination.fingerprint), std::move(program), std::nullopt};
}

Candidate canonical(const Candidate& candidate) {
  const auto known = known_functions().find(candidate.fingerprint);
  const Expression formula = known == known_functions().end() ? simplified(parse(candidate.formula), candidate.fingerprint)  //
                                                              : known->second.definition;
  Candidate canonical = candidate;
  canonical.formula = to_text(formula);
  canonical.program = lower(formula);
  return canonical;
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
