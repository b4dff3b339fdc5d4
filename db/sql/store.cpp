#include "db/sql/store.h"

#include "db/owner.h"
#include "db/sql/leaderboard.h"
#include "db/sql/provisional.h"

namespace actsearch {

SqlStore::SqlStore(std::unique_ptr<sql::Database> database) : owned_(std::move(database)), owner_(new_owner()) {}

std::optional<RankedRecipe> SqlStore::ranked_recipe(const std::optional<std::string>& recipe) const {
  return database_.with(
      [&](sql::Connection& connection) -> std::optional<RankedRecipe> { return actsearch::ranked_recipe(connection, recipe); });
}

std::vector<LeaderboardRow> SqlStore::leaderboard(const LeaderboardQuery& query) const {
  return database_.with([&](sql::Connection& connection) -> std::vector<LeaderboardRow> {
    std::vector<LeaderboardRow> rows;
    for (auto& standing : standings(connection, query)) rows.push_back(std::move(standing.row));
    return rows;
  });
}

std::optional<SeedSpread> SqlStore::seed_spread(const LeaderboardQuery& query) const {
  return database_.with([&](sql::Connection& connection) -> std::optional<SeedSpread> {
    const auto ranked = actsearch::ranked_recipe(connection, query.recipe);
    return ranked ? actsearch::seed_spread(connection, *ranked, query.known_spread) : std::nullopt;
  });
}

Provisional SqlStore::provisional(const std::optional<std::string>& recipe, int top) const {
  return database_.with([&](sql::Connection& connection) -> Provisional { return actsearch::provisional(connection, recipe, top); });
}

std::vector<CandidateRecord> SqlStore::top_candidates(const LeaderboardQuery& query) const {
  return database_.with([&](sql::Connection& connection) -> std::vector<CandidateRecord> {
    std::vector<CandidateRecord> candidates;
    for (auto& standing : standings(connection, query)) candidates.push_back(std::move(standing.candidate));
    return candidates;
  });
}

std::vector<CandidateStudy> SqlStore::studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const {
  return database_.with(
      [&](sql::Connection& connection) -> std::vector<CandidateStudy> { return actsearch::studies_with(connection, fingerprint, recipe); });
}

}  // namespace actsearch
