#include "search/run/finalists.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "db/comparisons.h"
#include "db/reads.h"
#include "search/run/records.h"

namespace actsearch {
namespace {

/// Accuracies of finished trials, by seed.
using Scores = std::map<std::uint64_t, double>;

std::optional<Mean> mean_over(const Scores& scores) {
  if (scores.empty()) return std::nullopt;
  std::vector<double> values;
  for (const auto& [seed, score] : scores) values.push_back(score);
  return mean_of(values);
}

/// What ranks: below every score where there is none.
double value_of(const std::optional<Mean>& mean) { return mean ? mean->value : -std::numeric_limits<double>::infinity(); }

class Finalists {
 public:
  Finalists(Store& database, const FinalistsPlan& plan)
      : database_(database),
        plan_(plan),
        search_recipe_(database.recipe(plan.fresh.recipe.name, plan.search_text)),
        fresh_recipe_(database.recipe(plan.fresh.recipe.name, plan.fresh.recipe_text)),
        full_recipe_(database.recipe(plan.full.run.recipe.name, plan.full.run.recipe_text)),
        all_(plan.finalists) {
    if (std::none_of(all_.begin(), all_.end(), [&](const Candidate& c) { return c.fingerprint == plan.reference.fingerprint; })) {
      all_.push_back(plan.reference);
    }
  }

  /// Misuse, before anything is trained.
  void require_fresh_seeds() const {
    const std::uint64_t last = plan_.fresh.seed + static_cast<std::uint64_t>(plan_.fresh.seeds) - 1;
    if (const auto seed = database_.reads().highest_seed(search_recipe_, plan_.fresh.seed, last)) {
      throw std::invalid_argument("seed " + std::to_string(*seed) +
                                  " was used by the search, so a score with it would not be fresh; --seed " + std::to_string(last + 1) +
                                  " begins after it");
    }
  }

  Ending run_fresh(const Evaluator& evaluator, Progress& progress, const std::atomic<bool>& interrupt) {
    const nlohmann::ordered_json conditions = {{"epochs", plan_.fresh.recipe.epochs}, {"seeds", plan_.fresh.seeds}};
    const Id study = database_.study({.kind = "finalists",
                                      .space = "",
                                      .strategy = "",
                                      .seed = plan_.fresh.seed,
                                      .recipe = plan_.fresh.recipe_text,
                                      .data = plan_.data,
                                      .conditions = conditions.dump(),
                                      .commit = plan_.commit,
                                      .machine = plan_.machine});
    ListedCandidates source(all_);
    const Ending ending = run_trials(database_, study, plan_.fresh, source, evaluator, progress, interrupt).ending;
    remove_if_empty(plan_.fresh.checkpoints);
    return ending;
  }

  Ending run_full(const Evaluator& evaluator, Progress& progress, const std::atomic<bool>& interrupt) {
    RerunPlan full = plan_.full;
    std::vector<FinalistRow> by_fresh = rows();
    std::stable_sort(by_fresh.begin(), by_fresh.end(),
                     [](const FinalistRow& a, const FinalistRow& b) { return value_of(a.fresh) > value_of(b.fresh); });
    for (const FinalistRow& row : by_fresh) {
      const bool reference = row.candidate.fingerprint == plan_.reference.fingerprint;
      const bool chosen = row.fresh && full.candidates.size() < static_cast<std::size_t>(plan_.full_top);
      if (chosen && !reference) full.candidates.push_back(row.candidate);
    }
    full.candidates.push_back(plan_.reference);
    return run_reruns(database_, full, evaluator, progress, interrupt).run.ending;
  }

  std::vector<FinalistRow> rows() {
    const Id reference = keep(database_, plan_.reference).id;
    const Reads& reads = database_.reads();
    const std::vector<SeedScore> fresh = trials(fresh_recipe_, Score::kValidation), full = trials(full_recipe_, Score::kFinalTest);
    const auto fresh_compared = compared_with(reference, fresh), full_compared = compared_with(reference, full);
    const auto ranks = simultaneous_ranks(fresh);
    std::vector<FinalistRow> rows;
    for (const Candidate& candidate : all_) {
      const Id id = keep(database_, candidate).id;
      FinalistRow& row = rows.emplace_back();
      row.candidate = candidate;
      row.search = mean_over(reads.scores(id, search_recipe_, Score::kValidation));
      row.fresh = mean_over(reads.scores(id, fresh_recipe_, Score::kValidation));
      row.full = mean_over(reads.scores(id, full_recipe_, Score::kFinalTest));
      row.full_best = mean_over(reads.scores(id, full_recipe_, Score::kBestTest));
      row.failure = reads.failure(id, fresh_recipe_, full_recipe_);
      if (const auto one = fresh_compared.find(id); one != fresh_compared.end()) row.fresh_compared = one->second;
      if (const auto one = ranks.find(id); one != ranks.end()) row.ranks = one->second;
      if (const auto one = full_compared.find(id); one != full_compared.end()) row.full_compared = one->second;
    }
    std::stable_sort(rows.begin(), rows.end(), [](const FinalistRow& a, const FinalistRow& b) {
      return std::pair(value_of(a.full), value_of(a.fresh)) > std::pair(value_of(b.full), value_of(b.fresh));
    });
    return rows;
  }

 private:
  /// Every function's finished trials under a recipe.
  std::vector<SeedScore> trials(Id recipe, Score score) const {
    const Reads& reads = database_.reads();
    std::vector<SeedScore> trials;
    for (const FunctionScore& function : reads.function_scores(recipe)) {
      for (const auto& [seed, value] : reads.scores(function.candidate, recipe, score)) trials.push_back({function.candidate, seed, value});
    }
    return trials;
  }

  Store& database_;
  const FinalistsPlan& plan_;
  const Id search_recipe_, fresh_recipe_, full_recipe_;
  std::vector<Candidate> all_;
};

}  // namespace

FinalistsReport run_finalists(Store& database, const FinalistsPlan& plan, const Evaluator& fresh, const Evaluator& full, Progress& progress,
                              const std::atomic<bool>& interrupt) {
  Finalists finalists(database, plan);
  finalists.require_fresh_seeds();
  FinalistsReport report;
  report.ending = finalists.run_fresh(fresh, progress, interrupt);
  if (report.ending != Ending::kInterrupted && plan.full_top > 0) report.ending = finalists.run_full(full, progress, interrupt);
  report.rows = finalists.rows();
  return report;
}

}  // namespace actsearch
