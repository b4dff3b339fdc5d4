#include "search/study.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace actsearch {
namespace {

std::vector<std::string> names(const std::vector<const OperatorInfo*>& operators) {
  std::vector<std::string> list;
  for (const OperatorInfo* info : operators) list.emplace_back(info->name);
  return list;
}

StudyRecord to_record(const SearchPlan& plan) {
  nlohmann::ordered_json conditions = {{"unary", names(plan.space.unary())},
                                       {"binary", names(plan.space.binary())},
                                       {"epochs", plan.run.recipe.epochs},
                                       {"seeds", plan.run.seeds}};
  if (plan.run.trial_limit) conditions["trial_seconds"] = plan.run.trial_limit->count();
  return {.kind = "search",
          .space = plan.space.name(),
          .strategy = plan.strategy,
          .seed = plan.run.seed,
          .recipe = plan.run.recipe_text,
          .data = plan.data,
          .conditions = conditions.dump(),
          .commit = plan.commit,
          .machine = plan.machine};
}

}  // namespace

Recipe fitted(Recipe recipe, const Dataset& dataset) {
  recipe.validation_size = std::min(recipe.validation_size, static_cast<int>(dataset.train.size() / 10));
  return recipe;
}

std::string conditions_text(const Recipe& recipe, Precision precision, const std::string& data) {
  return to_text(recipe, precision) + " data=" + data;
}

StudyCandidates::StudyCandidates(Database& database, Id study, const SearchPlan& plan, const std::atomic<bool>& interrupt)
    : database_(database),
      study_(study),
      plan_(plan),
      interrupt_(interrupt),
      strategy_(make_strategy(plan.strategy, plan.space, plan.run.seed)),
      next_baseline_(plan.baselines ? 0 : baselines().size()) {}

std::optional<Candidate> StudyCandidates::next() {
  while (next_baseline_ < baselines().size()) {
    const NamedActivation& baseline = baselines()[next_baseline_++];
    if (auto candidate = accept(baseline.expression)) {
      candidate->name = baseline.name;
      return candidate;
    }
  }
  while (!interrupt_) {
    const auto place = strategy_->propose();
    if (!place) return std::nullopt;
    if (auto candidate = accept(plan_.space.at(*place))) {
      candidate->index = place;
      return candidate;
    }
  }
  return std::nullopt;
}

void StudyCandidates::observe(const Candidate& candidate, std::optional<double> accuracy) {
  if (candidate.index) strategy_->observe(*candidate.index, accuracy);
}

std::optional<Candidate> StudyCandidates::accept(const Expression& expression) {
  auto considered = consider(expression);
  if (const auto* refusal = std::get_if<Refusal>(&considered)) {
    ++rejected_;
    database_.reject(study_, refusal->formula, refusal->reason);
    return std::nullopt;
  }
  auto& candidate = std::get<Candidate>(considered);
  if (!fingerprints_.insert(candidate.fingerprint).second) {
    ++repeated_;
    return std::nullopt;
  }
  return std::move(candidate);
}

SearchReport run_search(Database& database, const SearchPlan& plan, const Evaluator& evaluator, Progress& progress,
                        const std::atomic<bool>& interrupt) {
  SearchReport report;
  report.study = database.study(to_record(plan));
  StudyCandidates candidates(database, report.study, plan, interrupt);
  report.run = run_trials(database, report.study, plan.run, candidates, evaluator, progress, interrupt);
  report.candidates = candidates.candidates();
  report.rejected = candidates.rejected();
  report.repeated = candidates.repeated();
  return report;
}

}  // namespace actsearch
