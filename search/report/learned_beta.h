/// What training made of a candidate's parameters, for candidates by their rank in a database.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/store.h"

namespace actsearch {

/// One parameter over all channels of a network and all finished trials under one recipe.
struct LearnedBeta {
  double mean = 1, deviation = 0, min = 1, max = 1;
};

struct RankedFunction {
  std::string formula, name;         ///< as stored; the name may be empty
  std::vector<LearnedBeta> learned;  ///< one for each parameter
};

/// The candidates of these ranks (from 1) of the leaderboard in its usual order, under the recipe as in LeaderboardQuery.
/// std::invalid_argument for a rank that does not exist; std::runtime_error for stored statistics that cannot be read.
std::vector<RankedFunction> ranked_functions(const Store& database, const std::vector<int>& ranks,
                                             const std::optional<std::string>& recipe);

}  // namespace actsearch
