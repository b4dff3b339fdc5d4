#include "search/run/rerun.h"

#include <nlohmann/json.hpp>

#include "search/run/records.h"
#include "search/run/study.h"

namespace actsearch {
namespace {

Table results(Database& database, const RerunPlan& plan) {
  const Id recipe = database.recipe(plan.run.recipe.name, plan.run.recipe_text);
  Table table;
  for (const Candidate& candidate : plan.candidates) {
    const Id id = keep(database, candidate).id;
    Table rows = database.query(
        "SELECT t.formula, t.name, t.seed, t.status, (SELECT count(*) FROM epochs e WHERE e.trial = t.trial) AS epochs,"
        " (SELECT round(100 * max(test_accuracy), 8) FROM epochs e WHERE e.trial = t.trial) AS \"best test accuracy %\","
        " round(100 * t.final_test_accuracy, 8) AS \"final test accuracy %\", t.seconds"
        " FROM trials t WHERE t.recipe_id = " +
        std::to_string(recipe) + " AND t.candidate = " + std::to_string(id) + " AND t.seed BETWEEN " + std::to_string(plan.run.seed) +
        " AND " + std::to_string(plan.run.seed + static_cast<std::uint64_t>(plan.run.seeds) - 1) + " ORDER BY t.seed");
    table.columns = rows.columns;
    table.rows.insert(table.rows.end(), rows.rows.begin(), rows.rows.end());
  }
  constexpr std::size_t kTexts[] = {0, 1, 3};  // formula, name, status
  table.numeric.assign(table.columns.size(), true);
  for (const std::size_t column : kTexts) table.numeric.at(column) = false;
  return table;
}

}  // namespace

std::filesystem::path checkpoint_directory(const std::filesystem::path& database_file) {
  return std::filesystem::path(database_file) += ".checkpoints";
}

std::string rerun_conditions_text(const Recipe& recipe, Precision precision, const std::string& data) {
  return conditions_text(recipe, precision, data) + " rerun";
}

RerunReport run_reruns(Database& database, const RerunPlan& plan, const Evaluator& evaluator, Progress& progress,
                       const std::atomic<bool>& interrupt) {
  RunPlan run = plan.run;
  run.report_test = true;
  run.tells_epochs = true;
  run.checkpoints = checkpoint_directory(plan.database_file);
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
