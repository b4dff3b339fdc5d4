/// What ask and tell share: the conditions of trials that the user's own loop trains, and how people write a ticket.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/store.h"

namespace actsearch {

inline constexpr std::string_view kToldRecipe = "told";         ///< the recipe's name of every such trial
inline constexpr std::string_view kToldFailed = "told failed";  ///< TrialRecord::failure of one that was told to have failed
inline constexpr std::size_t kLongestConditions = 1'000;        ///< bytes
inline constexpr std::size_t kLongestMetric = 50;               ///< bytes
inline constexpr std::size_t kLongestFailure = 500;             ///< characters

/// What a user's trials are: their scores are comparable only where all of it is equal.
struct ToldConditions {
  std::string text;              ///< the user's own words
  int epochs = 1;                ///< of a whole trial
  std::string metric = "score";  ///< what a score is called: one word
  bool minimize = false;         ///< whether a lower score is better
  double lowest = 0;             ///< the range of a score; one outside is refused
  double highest = 1;

  /// What is stored and ranks, higher is better: the score, or its negative where a lower one is better. It is its own inverse.
  double stored(double score) const { return minimize ? -score : score; }
  /// Whether a score is a share, such as an accuracy: 0 to 1, higher is better.
  bool share() const { return !minimize && lowest == 0 && highest == 1; }
  bool operator==(const ToldConditions&) const = default;
};

/// The recipe's text, one line: told epochs=N metric=score conditions="…", the words quoted and escaped as in JSON. Before the words
/// stands goal=minimize range=0,inf where a score is no share. std::invalid_argument where the words are empty or too long, the epochs are
/// not above 0, the metric's name is no word, or the range is empty.
std::string to_text(const ToldConditions& conditions);
/// Absent where the text is of other trials.
std::optional<ToldConditions> read_told(std::string_view recipe_text);

/// A note for people whose conditions are new to the store, where it has the same words with other epochs or another metric: these rank
/// separately. Empty where there is nothing to say.
std::string note_on_epochs(const Store& database, const ToldConditions& conditions);

/// "17" for a trial's first ticket, "17.2" for its second.
std::string ticket_text(const Claim& ticket);
/// std::invalid_argument where the text is no ticket.
Claim read_ticket(std::string_view text);

}  // namespace actsearch
