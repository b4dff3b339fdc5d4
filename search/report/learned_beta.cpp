#include "search/report/learned_beta.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "db/reads.h"

namespace actsearch {
namespace {

using nlohmann::json;

/// `beta` of each finished trial of the row's function under the conditions that the leaderboard ranks.
std::vector<json> stored_statistics(const Store& database, const LeaderboardRow& row, const std::optional<std::string>& recipe) {
  std::vector<json> all;
  for (const std::string& betas : database.reads().learned_betas(row.candidate, database.ranked_recipe(recipe).value().id))
    all.push_back(json::parse(betas, nullptr, /*allow_exceptions=*/false));
  return all;
}

/// Trials weigh the same; the deviation is that of a channel of any of them from the mean of all.
std::vector<LearnedBeta> pooled(const std::vector<json>& trials) {
  std::vector<LearnedBeta> result(trials.empty() ? 0 : trials.front().size());
  const auto n = static_cast<double>(trials.size());
  for (std::size_t k = 0; k < result.size(); ++k) {
    const auto of = [&](const json& trial, const char* key) { return trial.at(k).at(key).get<double>(); };
    double sum = 0, squares = 0;
    LearnedBeta& beta = result[k];
    beta.min = of(trials.front(), "min"), beta.max = of(trials.front(), "max");
    for (const json& trial : trials) {
      sum += of(trial, "mean");
      beta.min = std::min(beta.min, of(trial, "min"));
      beta.max = std::max(beta.max, of(trial, "max"));
    }
    beta.mean = sum / n;
    for (const json& trial : trials) squares += std::pow(of(trial, "deviation"), 2) + std::pow(of(trial, "mean") - beta.mean, 2);
    beta.deviation = std::sqrt(squares / n);
  }
  return result;
}

}  // namespace

std::vector<RankedFunction> ranked_functions(const Store& database, const std::vector<int>& ranks,
                                             const std::optional<std::string>& recipe) {
  if (ranks.empty()) return {};
  const int top = *std::max_element(ranks.begin(), ranks.end());
  const auto rows = database.leaderboard({recipe, top, LeaderboardQuery::Sort::kLowerBound});
  std::vector<RankedFunction> result;
  for (const int rank : ranks) {
    if (rank < 1 || static_cast<std::size_t>(rank) > rows.size()) {
      throw std::invalid_argument("no rank " + std::to_string(rank) + ": the leaderboard has " +
                                  (rows.empty() ? "no finished trials" + (recipe ? " under recipe " + *recipe : "")
                                                : std::to_string(rows.size()) + (rows.size() == 1 ? " row" : " rows")));
    }
    const LeaderboardRow& row = rows[static_cast<std::size_t>(rank) - 1];
    try {
      result.push_back({row.formula, row.name, pooled(stored_statistics(database, row, recipe))});
    } catch (const json::exception& error) {
      throw std::runtime_error("the database's beta statistics of '" + row.formula + "' are not as they should be: " + error.what());
    }
  }
  return result;
}

}  // namespace actsearch
