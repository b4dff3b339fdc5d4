#include "search/report/agreement.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

namespace actsearch {
namespace {

/// What is known of the functions under a recipe.
struct Scores {
  std::map<std::string, double> accuracy;  ///< by candidate
  int trials = 0, finished = 0;            ///< finished ones, and the functions they are of
  double seconds = 0;                      ///< of all finished trials
};

Scores scores_of(const Database& database, const std::string& recipe_id) {
  const Table rows = database.query(
      "SELECT candidate, avg(accuracy) AS mean, count(accuracy) AS n, sum(CASE WHEN accuracy IS NOT NULL THEN seconds END) AS seconds"
      " FROM trials WHERE status IN ('done', 'failed') AND recipe_id = " +
      recipe_id + " GROUP BY candidate");
  Scores scores;
  for (const auto& row : rows.rows) {
    scores.accuracy[row[0].value()] = row[1] ? std::stod(*row[1]) : 0;
    const int n = std::stoi(row[2].value());
    scores.trials += n;
    scores.finished += n > 0 ? 1 : 0;
    scores.seconds += row[3] ? std::stod(*row[3]) : 0;
  }
  return scores;
}

/// The places of the `top` highest; equal ones in their order.
std::set<std::size_t> best(const std::vector<double>& values, int top) {
  std::vector<std::size_t> order(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return {order.begin(), order.begin() + std::min<std::ptrdiff_t>(top, static_cast<std::ptrdiff_t>(order.size()))};
}

Agreement compared(const Scores& truth, const Scores& proxy, int top) {
  std::vector<double> ours, theirs;
  for (const auto& [candidate, accuracy] : truth.accuracy) {
    const auto found = proxy.accuracy.find(candidate);
    if (found == proxy.accuracy.end()) continue;
    theirs.push_back(accuracy);
    ours.push_back(found->second);
  }
  Agreement result;
  result.functions = static_cast<int>(ours.size());
  result.seeds = proxy.finished > 0 ? static_cast<double>(proxy.trials) / proxy.finished : 0;
  result.seconds = proxy.trials > 0 ? proxy.seconds / proxy.trials : 0;
  result.rank = rank_correlation(ours, theirs);
  result.top = std::min(top, result.functions);
  const std::set<std::size_t> best_theirs = best(theirs, top);
  for (const std::size_t place : best(ours, top)) result.top_shared += best_theirs.contains(place) ? 1 : 0;
  return result;
}

}  // namespace

std::vector<Agreement> agreements(const Database& database, const std::string& truth, int top) {
  const auto ranked = database.ranked_recipe(truth);
  if (!ranked) throw std::invalid_argument("no finished trials under recipe " + truth);
  const std::string truth_id = std::to_string(ranked->id);
  const Scores true_scores = scores_of(database, truth_id);
  const int fewest = std::max(kFewestPanelFunctions, top);
  if (static_cast<int>(true_scores.accuracy.size()) < fewest) {
    throw std::invalid_argument("recipe " + truth + " has tried " + std::to_string(true_scores.accuracy.size()) +
                                " functions, and the comparison needs at least " + std::to_string(fewest) +
                                ": run more of them, with rerun or search");
  }
  std::vector<Agreement> result;
  for (const auto& row : database.query("SELECT recipe_id, text FROM recipes WHERE done > 0 AND recipe_id <> " + truth_id).rows) {
    Agreement agreement = compared(true_scores, scores_of(database, row[0].value()), top);
    agreement.recipe = row[1].value();
    if (agreement.functions >= kFewestPanelFunctions) result.push_back(std::move(agreement));
  }
  if (result.empty()) {
    throw std::invalid_argument("no other recipe of the database has tried " + std::to_string(kFewestPanelFunctions) +
                                " of the functions of recipe " + truth);
  }
  const auto rho = [](const Agreement& agreement) { return agreement.rank ? agreement.rank->rho : -2; };
  std::stable_sort(result.begin(), result.end(), [&](const Agreement& a, const Agreement& b) { return rho(a) > rho(b); });
  return result;
}

}  // namespace actsearch
