/// Can a proxy be trusted: how well the scores of one recipe's trials agree with those of another that stands for the truth.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/statistics.h"
#include "db/store.h"

namespace actsearch {

/// A recipe beside the truth, over the functions that both have tried. A function's score is its mean over seeds; where all its trials
/// failed it is 0, the worst there is.
struct Agreement {
  std::string recipe;  ///< whole text
  int functions = 0;   ///< how many both have tried
  double seeds = 0;    ///< mean number of finished trials a function, of those that did not fail
  std::optional<RankCorrelation> rank;
  int top = 0;         ///< how many of the truth's best are looked at
  int top_shared = 0;  ///< how many of these are also among the recipe's `top` best
  double seconds = 0;  ///< mean of a finished trial
};

inline constexpr int kFewestPanelFunctions = 5;

/// Every recipe of the database that shares at least kFewestPanelFunctions functions, and at least `top`, with `truth` (a recipe's name or
/// text, as LeaderboardQuery takes it), by rank correlation, best first. std::invalid_argument if the truth has no finished trial or fewer
/// functions than that, or if nothing shares enough with it.
std::vector<Agreement> agreements(const Store& database, const std::string& truth, int top);

}  // namespace actsearch
