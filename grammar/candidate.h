/// A candidate activation: a formula that passed the examination, ready to be trained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "grammar/expression.h"
#include "grammar/program.h"

namespace actsearch {

struct Candidate {
  std::string formula;      ///< the notation
  std::string name;         ///< well-known name of the function, or empty
  std::string fingerprint;  ///< equal for the same function
  Program program;
  std::optional<std::uint64_t> index;  ///< in the space it was drawn from
};

/// What other functions are compared with, by its well-known names: a search with baselines trains these first, and to their end.
inline constexpr std::string_view kReferences[] = {"relu", "swish", "swish1"};

/// A formula that is no candidate, and why.
struct Refusal {
  std::string formula;
  std::string reason;
};

/// Lowers and examines the formula. A well-known function gets its name, however it is spelled.
std::variant<Candidate, Refusal> consider(const Expression& expression);

/// The formula, or named function, as a candidate. std::invalid_argument with the reason where it is refused, ParseError where it is no
/// formula.
Candidate candidate_of(std::string_view formula);
/// All of them, each function once. Errors as candidate_of.
std::vector<Candidate> candidates_of(const std::vector<std::string>& formulas);

}  // namespace actsearch
