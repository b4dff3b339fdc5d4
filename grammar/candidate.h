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
  std::string name;         ///< name of the function, or empty
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

/// The spelling of a candidate's function that is trained and stored. A well-known activation has its definition. Any other function has
/// the candidate's own formula without the parts that do not matter: calls become an argument, 0 or 1, and parameters become 1, as long as
/// the fingerprint stays. Of several such formulas it is the one with the fewest parameters and parts. Keeps name and index. Takes up to a
/// second for a formula of three core units.
Candidate canonical(const Candidate& candidate);

/// The formula, or named function, as a candidate. std::invalid_argument with the reason where it is refused, NotationError where it is no
/// formula.
Candidate candidate_of(std::string_view formula);
/// All of them, each function once. Errors as candidate_of.
std::vector<Candidate> candidates_of(const std::vector<std::string>& formulas);

}  // namespace actsearch
