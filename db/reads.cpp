#include "db/reads.h"

#include <array>
#include <functional>

#include "db/sqlite.h"

namespace actsearch {
namespace {

using sqlite::Connection;

/// Columns of the view `trials`, by Score.
constexpr std::array<std::string_view, 3> kScoreColumns{"validation_accuracy", "final_test_accuracy", "best_test_accuracy"};

TrialStatus status_of(const std::string& text) {
  if (text == "done") return TrialStatus::kDone;
  if (text == "failed") return TrialStatus::kFailed;
  return text == "released" ? TrialStatus::kReleased : TrialStatus::kRunning;
}

}  // namespace

std::map<std::uint64_t, double> Reads::scores(Id candidate, Id recipe, Score score) const {
  const std::string column(kScoreColumns.at(static_cast<std::size_t>(score)));
  std::map<std::uint64_t, double> scores;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT seed, " + column + " FROM trials WHERE status = 'done' AND " + column +
                                      " IS NOT NULL AND candidate = ?1 AND recipe_id = ?2",
                                  candidate, recipe);
    while (row.step()) scores[static_cast<std::uint64_t>(row.integer(0))] = row.real(1).value();
  });
  return scores;
}

std::optional<std::uint64_t> Reads::highest_seed(Id recipe, std::uint64_t first, std::uint64_t last) const {
  std::optional<std::uint64_t> highest;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT max(seed) FROM trials WHERE recipe_id = ?1 AND seed BETWEEN ?2 AND ?3", recipe, first, last);
    if (row.step() && !row.is_null(0)) highest = static_cast<std::uint64_t>(row.integer(0));
  });
  return highest;
}

std::vector<std::uint64_t> Reads::ended_seeds(std::string_view fingerprint, Id recipe) const {
  std::vector<std::uint64_t> seeds;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT t.seed FROM candidates c JOIN trials t ON t.candidate = c.candidate WHERE c.fingerprint = ?1 AND t.recipe_id = ?2"
        " AND t.status IN ('done', 'failed')",
        fingerprint, recipe);
    while (row.step()) seeds.push_back(static_cast<std::uint64_t>(row.integer(0)));
  });
  return seeds;
}

std::string Reads::failure(Id candidate, Id recipe, Id other_recipe) const {
  std::string reason;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT f.reason FROM failures f JOIN trials t ON t.trial = f.trial WHERE t.candidate = ?1 AND t.recipe_id IN (?2, ?3)"
        " ORDER BY f.trial LIMIT 1",
        candidate, recipe, other_recipe);
    if (row.step()) reason = row.text(0);
  });
  return reason;
}

std::vector<FunctionScore> Reads::function_scores(Id recipe) const {
  std::vector<FunctionScore> scores;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT candidate, avg(accuracy), count(accuracy), sum(CASE WHEN accuracy IS NOT NULL THEN seconds END) FROM trials"
        " WHERE status IN ('done', 'failed') AND recipe_id = ?1 GROUP BY candidate",
        recipe);
    while (row.step()) scores.push_back({row.integer(0), row.real(1), static_cast<int>(row.integer(2)), row.real(3).value_or(0)});
  });
  return scores;
}

std::optional<BestFunction> Reads::best(Id recipe) const {
  std::optional<BestFunction> best;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT coalesce(nullif(name, ''), formula), mean FROM standings WHERE recipe_id = ?1 ORDER BY mean DESC LIMIT 1", recipe);
    if (row.step()) best = BestFunction{row.text(0), row.real(1).value_or(0)};
  });
  return best;
}

std::vector<std::string> Reads::learned_betas(Id candidate, Id recipe) const {
  std::vector<std::string> betas;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT beta FROM trials WHERE status = 'done' AND candidate = ?1 AND recipe_id = ?2 ORDER BY seed",
                                  candidate, recipe);
    while (row.step()) betas.push_back(row.is_null(0) ? "" : row.text(0));
  });
  return betas;
}

std::optional<std::string> Reads::conditions(Id study) const {
  std::optional<std::string> conditions;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT conditions FROM studies WHERE study = ?1", study);
    if (row.step()) conditions = row.text(0);
  });
  return conditions;
}

std::int64_t Reads::epoch_steps(Id study) const {
  std::int64_t steps = 0;
  database_.read([&](Connection& connection) {
    auto row =
        connection.prepare("SELECT max(epoch_steps) FROM pauses p JOIN study_trials s ON s.trial = p.trial WHERE s.study = ?1", study);
    if (row.step() && !row.is_null(0)) steps = row.integer(0);
  });
  return steps;
}

std::vector<StudyTrial> Reads::trials(Id study, Id recipe) const {
  std::vector<StudyTrial> trials;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "WITH trial AS (SELECT t.trial, t.status, (SELECT count(*) FROM epochs e WHERE e.trial = t.trial) AS whole"
        " FROM study_trials s JOIN trials t ON t.trial = s.trial WHERE s.study = ?1 AND t.recipe_id = ?2)"
        " SELECT status, whole, (SELECT max(step) FROM pauses p WHERE p.trial = trial.trial AND p.epoch = whole) FROM trial",
        study, recipe);
    while (row.step()) {
      trials.push_back({status_of(row.text(0)), static_cast<int>(row.integer(1)), row.is_null(2) ? 0 : row.integer(2)});
    }
  });
  return trials;
}

std::vector<StoredRecipe> Reads::recipes() const {
  std::vector<StoredRecipe> recipes;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT recipe_id, recipe, text, done FROM recipes ORDER BY recipe_id");
    while (row.step()) recipes.push_back({row.integer(0), row.text(1), row.text(2), row.integer(3)});
  });
  return recipes;
}

TrialCounts Reads::counts(Id recipe) const {
  TrialCounts counts;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'failed'),"
        " count(*) FILTER (WHERE status IN ('released', 'running')) FROM trials WHERE recipe_id = ?1",
        recipe);
    if (row.step()) counts = {row.integer(0), row.integer(1), row.integer(2)};
  });
  return counts;
}

Table Reads::reruns(Id candidate, Id recipe, std::uint64_t first, std::uint64_t last) const {
  Table table;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT t.formula, t.name, t.seed, t.status, (SELECT count(*) FROM epochs e WHERE e.trial = t.trial) AS epochs,"
        " (SELECT round(100 * max(test_accuracy), 8) FROM epochs e WHERE e.trial = t.trial) AS \"best test accuracy %\","
        " round(100 * t.final_test_accuracy, 8) AS \"final test accuracy %\", t.seconds"
        " FROM trials t WHERE t.candidate = ?1 AND t.recipe_id = ?2 AND t.seed BETWEEN ?3 AND ?4 ORDER BY t.seed",
        candidate, recipe, first, last);
    for (int column = 0; column < row.columns(); ++column) table.columns.push_back(row.column_name(column));
    while (row.step()) {
      auto& cells = table.rows.emplace_back();
      for (int column = 0; column < row.columns(); ++column)
        cells.push_back(row.is_null(column) ? std::nullopt : std::optional(row.text(column)));
    }
  });
  table.numeric = {false, false, true, false, true, true, true, true};
  return table;
}

std::string Reads::change_token() const {
  std::string token;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT (SELECT count(*) FROM studies), (SELECT count(*) FROM rejections), (SELECT max(finished) FROM trials),"
        " (SELECT count(*) || ' ' || sum(epoch) FROM epochs WHERE trial IN (SELECT trial FROM trials WHERE status = 'running')),"
        " (SELECT group_concat(trial || ' ' || CAST(100 * epochs / coalesce(planned_epochs, 1) AS INTEGER), ' ') FROM running),"
        " (SELECT group_concat(recipe_id || status || n, ' ') FROM (SELECT recipe_id, status, count(*) AS n FROM trials GROUP BY 1, 2))");
    if (!row.step()) return;
    for (int column = 0; column < row.columns(); ++column) token += (row.is_null(column) ? "" : row.text(column)) + "|";
  });
  return token;
}

}  // namespace actsearch
