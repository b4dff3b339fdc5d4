#include "db/sqlite/store.h"

#include "db/owner.h"
#include "db/sqlite/leaderboard.h"
#include "db/sqlite/provisional.h"

namespace actsearch {

SqliteStore::SqliteStore(const std::filesystem::path& file, Access access, std::chrono::milliseconds busy_timeout)
    : file_(file, access, busy_timeout), owner_(new_owner()) {}

std::optional<RankedRecipe> SqliteStore::ranked_recipe(const std::optional<std::string>& recipe) const {
  return file_.with(
      [&](sqlite::Connection& connection) -> std::optional<RankedRecipe> { return actsearch::ranked_recipe(connection, recipe); });
}

std::vector<LeaderboardRow> SqliteStore::leaderboard(const LeaderboardQuery& query) const {
  return file_.with([&](sqlite::Connection& connection) -> std::vector<LeaderboardRow> {
    std::vector<LeaderboardRow> rows;
    for (auto& standing : standings(connection, query)) rows.push_back(std::move(standing.row));
    return rows;
  });
}

std::optional<SeedSpread> SqliteStore::seed_spread(const LeaderboardQuery& query) const {
  return file_.with([&](sqlite::Connection& connection) -> std::optional<SeedSpread> {
    const auto ranked = actsearch::ranked_recipe(connection, query.recipe);
    return ranked ? actsearch::seed_spread(connection, *ranked, query.known_spread) : std::nullopt;
  });
}

Provisional SqliteStore::provisional(const std::optional<std::string>& recipe, int top) const {
  return file_.with([&](sqlite::Connection& connection) -> Provisional { return actsearch::provisional(connection, recipe, top); });
}

std::vector<CandidateRecord> SqliteStore::top_candidates(const LeaderboardQuery& query) const {
  return file_.with([&](sqlite::Connection& connection) -> std::vector<CandidateRecord> {
    std::vector<CandidateRecord> candidates;
    for (auto& standing : standings(connection, query)) candidates.push_back(std::move(standing.candidate));
    return candidates;
  });
}

std::vector<CandidateStudy> SqliteStore::studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const {
  return file_.with([&](sqlite::Connection& connection) -> std::vector<CandidateStudy> {
    return actsearch::studies_with(connection, fingerprint, recipe);
  });
}

}  // namespace actsearch
