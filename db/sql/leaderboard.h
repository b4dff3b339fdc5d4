/// Standings: the statistics of each (candidate, recipe) over its finished trials, and the queries on them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/records.h"
#include "db/sql/connection.h"

namespace actsearch {

/// Recomputes the standing of a candidate under a recipe from its finished trials; how many those are. Within the caller's transaction.
int refresh_standing(sql::Connection& connection, Id candidate, Id recipe);
/// The same for every pair that has a finished trial.
void refresh_every_standing(sql::Connection& connection);
/// Recomputes, from the standings of a recipe, the deviation of a single trial pooled over the functions that have several.
void refresh_spread(sql::Connection& connection, Id recipe);
void refresh_every_spread(sql::Connection& connection);
/// Both of everything.
void refresh_all_standings(sql::Connection& connection);

/// As Store::seed_spread, of one recipe.
std::optional<SeedSpread> seed_spread(sql::Connection& connection, const RankedRecipe& recipe, const LeaderboardQuery::KnownSpread& known);

/// What a selector (LeaderboardQuery::recipe) means, those of searches first, then by finished trials; all of them where it is absent.
std::vector<RankedRecipe> selected_recipes(sql::Connection& connection, const std::optional<std::string>& selector);
/// The one that a query with this selector ranks, as LeaderboardQuery says; absent where nothing of it has been finished.
std::optional<RankedRecipe> ranked_recipe(sql::Connection& connection, const std::optional<std::string>& selector);

struct Standing {
  LeaderboardRow row;
  CandidateRecord candidate;
};
/// The best by the query's order; equal ones by formula. A recipe name with several texts (other epochs, precision or data) stands for
/// one text, as LeaderboardQuery says. Takes time in the rows asked for, not in the trials stored.
std::vector<Standing> standings(sql::Connection& connection, const LeaderboardQuery& query);

/// The studies of Store::studies_with.
std::vector<CandidateStudy> studies_with(sql::Connection& connection, std::string_view fingerprint,
                                         const std::optional<std::string>& recipe);

}  // namespace actsearch
