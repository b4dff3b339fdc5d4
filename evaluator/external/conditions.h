/// What a score of the user's own training means: the command that trains, and how its score is read.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace actsearch {

/// The name under which leaderboards show the conditions of evaluator commands.
inline constexpr std::string_view kExternalRecipe = "evaluator";

/// The conditions of trials that a command of the user's trains. Scores are comparable only where all of it is equal.
struct ExternalConditions {
  std::string command;             ///< with its placeholders (CommandTemplate)
  std::string target = "pytorch";  ///< the export target of {module}
  std::string version;             ///< what the user calls this state of the script; any text
  std::string metric = "score";    ///< the key of the score in the script's answers
  bool minimize = false;           ///< whether a lower score is better
  double lowest = 0;               ///< the range of a score; one outside fails its trial
  double highest = 1;
  int epochs = 1;      ///< of a whole trial
  bool fresh = false;  ///< of `finalists`: the same command with seeds that the search did not use

  /// What is stored and ranks, higher is better: the score, or its negative where a lower one is better.
  double stored(double score) const { return minimize ? -score : score; }
  bool operator==(const ExternalConditions&) const = default;
};

/// All of it in one line, which read_external_conditions reads back. The command and the version are JSON strings.
std::string to_text(const ExternalConditions& conditions);
/// Absent for any other text.
std::optional<ExternalConditions> read_external_conditions(std::string_view text);

}  // namespace actsearch
