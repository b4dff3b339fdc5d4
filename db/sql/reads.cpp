#include "db/sql/reads.h"

#include <array>

#include "db/sql/trial.h"

namespace actsearch {
namespace {

using sql::Connection;
using sql::integer_of;
using sql::seed_of;
using sql::Statement;
using sql::text_of;

/// Columns of the view `trials`, by Score.
constexpr std::array<std::string_view, 3> kScoreColumns{"validation_accuracy", "final_test_accuracy", "best_test_accuracy"};

}  // namespace

std::map<std::uint64_t, double> SqlReads::scores(Id candidate, Id recipe, Score score) const {
  const std::string column(kScoreColumns.at(static_cast<std::size_t>(score)));
  const auto by_seed = database_.rows(
      "SELECT seed, " + column + " FROM trials WHERE status = 'done' AND " + column + " IS NOT NULL AND candidate = ?1 AND recipe_id = ?2",
      [](const Statement& row) { return std::pair(seed_of(row), row.real(1).value()); }, candidate, recipe);
  return {by_seed.begin(), by_seed.end()};
}

std::optional<std::uint64_t> SqlReads::highest_seed(Id recipe, std::uint64_t first, std::uint64_t last) const {
  return database_.first_row("SELECT seed FROM trials WHERE recipe_id = ?1 AND seed BETWEEN ?2 AND ?3 ORDER BY seed DESC LIMIT 1", seed_of,
                             recipe, first, last);
}

std::vector<std::uint64_t> SqlReads::ended_seeds(std::string_view fingerprint, Id recipe) const {
  return database_.rows(
      "SELECT t.seed FROM candidates c JOIN trials t ON t.candidate = c.candidate WHERE c.fingerprint = ?1 AND t.recipe_id = ?2"
      " AND t.status IN ('done', 'failed')",
      seed_of, fingerprint, recipe);
}

std::string SqlReads::failure(Id candidate, Id recipe, Id other_recipe) const {
  return database_
      .first_row(
          "SELECT f.reason FROM failures f JOIN trials t ON t.trial = f.trial WHERE t.candidate = ?1 AND t.recipe_id IN (?2, ?3)"
          " ORDER BY f.trial LIMIT 1",
          text_of, candidate, recipe, other_recipe)
      .value_or("");
}

std::vector<FunctionScore> SqlReads::function_scores(Id recipe) const {
  return database_.rows(
      "SELECT candidate, avg(accuracy), count(accuracy), sum(CASE WHEN accuracy IS NOT NULL THEN seconds END) FROM trials"
      " WHERE status IN ('done', 'failed') AND recipe_id = ?1 GROUP BY candidate",
      [](const Statement& row) {
        return FunctionScore{row.integer(0), row.real(1), static_cast<int>(row.integer(2)), row.real(3).value_or(0)};
      },
      recipe);
}

std::optional<BestFunction> SqlReads::best(Id recipe) const {
  return database_.first_row(
      "SELECT coalesce(nullif(name, ''), formula), mean FROM standings WHERE recipe_id = ?1 ORDER BY mean DESC LIMIT 1",
      [](const Statement& row) {
        return BestFunction{row.text(0), row.real(1).value_or(0)};
      },
      recipe);
}

std::vector<std::string> SqlReads::learned_betas(Id candidate, Id recipe) const {
  return database_.rows("SELECT beta FROM trials WHERE status = 'done' AND candidate = ?1 AND recipe_id = ?2 ORDER BY seed", text_of,
                        candidate, recipe);
}

std::optional<std::string> SqlReads::conditions(Id study) const {
  return database_.first_row("SELECT conditions FROM studies WHERE study = ?1", text_of, study);
}

std::int64_t SqlReads::epoch_steps(Id study) const {
  return database_
      .first_row("SELECT max(epoch_steps) FROM pauses p JOIN study_trials s ON s.trial = p.trial WHERE s.study = ?1", integer_of, study)
      .value_or(0);
}

std::vector<StudyTrial> SqlReads::trials(Id study, Id recipe) const {
  return database_.rows(
      "WITH trial AS (SELECT t.trial, t.status, (SELECT coalesce(max(epoch) + 1, 0) FROM epochs e WHERE e.trial = t.trial) AS whole"
      " FROM study_trials s JOIN trials t ON t.trial = s.trial WHERE s.study = ?1 AND t.recipe_id = ?2)"
      " SELECT status, whole, (SELECT max(step) FROM pauses p WHERE p.trial = trial.trial AND p.epoch = whole) FROM trial",
      [](const Statement& row) {
        return StudyTrial{status_of(row.text(0)), static_cast<int>(row.integer(1)), row.integer(2)};
      },
      study, recipe);
}

std::vector<StoredRecipe> SqlReads::recipes() const {
  return database_.rows("SELECT recipe_id, recipe, text, done FROM recipes ORDER BY recipe_id", [](const Statement& row) {
    return StoredRecipe{row.integer(0), row.text(1), row.text(2), row.integer(3)};
  });
}

TrialCounts SqlReads::counts(Id recipe) const {
  return database_
      .first_row(
          "SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'failed'),"
          " count(*) FILTER (WHERE status IN ('released', 'running')) FROM trials WHERE recipe_id = ?1",
          [](const Statement& row) {
            return TrialCounts{row.integer(0), row.integer(1), row.integer(2)};
          },
          recipe)
      .value_or(TrialCounts{});
}

Table SqlReads::reruns(Id candidate, Id recipe, std::uint64_t first, std::uint64_t last) const {
  Table table;
  database_.with([&](Connection& connection) {
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

std::string SqlReads::change_token() const {
  const auto token = database_.first_row(
      "SELECT (SELECT count(*) FROM studies), (SELECT count(*) FROM rejections), (SELECT max(finished) FROM trials),"
      " (SELECT count(*) || ' ' || sum(epoch) FROM epochs WHERE trial IN (SELECT trial FROM trials WHERE status = 'running')),"
      " (SELECT group_concat(trial || ' ' || CAST(100 * epochs / coalesce(planned_epochs, 1) AS INTEGER), ' ')"
      "  FROM (SELECT * FROM running ORDER BY trial) AS r),"
      " (SELECT group_concat(recipe_id || status || n, ' ') FROM (SELECT recipe_id, status, count(*) AS n FROM trials GROUP BY 1, 2 ORDER "
      "BY 1, 2) AS s)",
      [](const Statement& row) {
        std::string text;
        for (int column = 0; column < row.columns(); ++column) text += row.text(column) + "|";
        return text;
      });
  return token.value_or("");
}

}  // namespace actsearch
