#include "search/report/agreement.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "db/reads.h"

namespace actsearch {
namespace {

/// What is known of the functions under a recipe.
struct Scores {
  std::map<Id, double> accuracy;  ///< by candidate
  int trials = 0, finished = 0;   ///< finished ones, and the functions they are of
  double seconds = 0;             ///< of all finished trials
};

Scores scores_of(const Store& database, Id recipe) {
  Scores scores;
  for (const FunctionScore& function : database.reads().function_scores(recipe)) {
    scores.accuracy[function.candidate] = function.accuracy.value_or(0);
    scores.trials += function.finished;
    scores.finished += function.finished > 0 ? 1 : 0;
    scores.seconds += function.seconds;
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

std::vector<Agreement> agreements(const Store& database, const std::string& truth, int top) {
  const auto ranked = database.ranked_recipe(truth);
  if (!ranked) throw std::invalid_argument("no finished trials under recipe " + truth);
  const Scores true_scores = scores_of(database, ranked->id);
  const int fewest = std::max(kFewestPanelFunctions, top);
  if (static_cast<int>(true_scores.accuracy.size()) < fewest) {
    throw std::invalid_argument("recipe " + truth + " has tried " + std::to_string(true_scores.accuracy.size()) +
                                (true_scores.accuracy.size() == 1 ? " function" : " functions") + ", and the comparison needs at least " +
                                std::to_string(fewest) + ": run more of them, with rerun or search");
  }
  std::vector<Agreement> result;
  for (const StoredRecipe& recipe : database.reads().recipes()) {
    if (recipe.finished == 0 || recipe.id == ranked->id) continue;
    Agreement agreement = compared(true_scores, scores_of(database, recipe.id), top);
    agreement.recipe = recipe.text;
    if (agreement.functions >= fewest) result.push_back(std::move(agreement));
  }
  if (result.empty()) {
    throw std::invalid_argument("no other recipe of the database has tried " + std::to_string(fewest) + " of the functions of recipe " +
                                truth);
  }
  const auto rho = [](const Agreement& agreement) { return agreement.rank ? agreement.rank->rho : -2; };
  std::stable_sort(result.begin(), result.end(), [&](const Agreement& a, const Agreement& b) { return rho(a) > rho(b); });
  return result;
}

}  // namespace actsearch
