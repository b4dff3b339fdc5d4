#include "search/run/rerun.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "db/reads.h"
#include "search/run/records.h"
#include "search/run/study.h"

namespace actsearch {
namespace {

Table results(Store& database, const RerunPlan& plan) {
  const Id recipe = database.recipe(plan.run.recipe.name, plan.run.recipe_text);
  Table table;
  for (const Candidate& candidate : plan.candidates) {
    const Id id = keep(database, candidate).id;
    Table rows = database.reads().reruns(id, recipe, plan.run.seed, plan.run.seed + static_cast<std::uint64_t>(plan.run.seeds) - 1);
    table.columns = rows.columns;
    table.numeric = rows.numeric;
    table.rows.insert(table.rows.end(), rows.rows.begin(), rows.rows.end());
  }
  return table;
}

}  // namespace

std::string rerun_conditions_text(const Recipe& recipe, Precision precision, const std::string& data) {
  return conditions_text(recipe, precision, data) + " rerun";
}

RerunReport run_reruns(Store& database, const RerunPlan& plan, const Evaluator& evaluator, Progress& progress,
                       const std::atomic<bool>& interrupt) {
  RunPlan run = plan.run;
  run.report_test = true;
  run.tells_epochs = true;
  std::filesystem::create_directories(run.checkpoints);

  const nlohmann::ordered_json conditions = {{"epochs", run.recipe.epochs}, {"seeds", run.seeds}};
  const Id study = database.study({.kind = "rerun",
                                   .space = "",
                                   .strategy = "",
                                   .seed = run.seed,
                                   .recipe = run.recipe_text,
                                   .data = plan.data,
                                   .conditions = conditions.dump(),
                                   .commit = plan.commit,
                                   .machine = plan.machine});
  ListedCandidates source(plan.candidates);
  RerunReport report;
  report.run = run_trials(database, study, run, source, evaluator, progress, interrupt);
  report.results = results(database, plan);
  remove_if_empty(run.checkpoints);
  return report;
}

}  // namespace actsearch
