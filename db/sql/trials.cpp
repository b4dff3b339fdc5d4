// What a study goes on from: its trials, and how far each has come.

#include <set>

#include "db/sql/leaderboard.h"
#include "db/sql/store.h"
#include "db/sql/trial.h"

namespace actsearch {
namespace {

using sql::Statement;

/// The columns of trial_of_study: trial t of candidate c, at place s.place of a study.
const std::string kTrialOfStudy =
    "SELECT c.id, c.fingerprint, c.formula, c.name, c.parameters, t.seed, s.place, t.trained_epochs, t.trained_steps";

/// A RungTrial or an UnfinishedTrial. `waits`: it was given back, and how far it came is known.
template <class Trial>
Trial trial_of_study(const Statement& row, bool waits) {
  Trial trial{row.integer(0),
              {row.text(1), row.text(2), row.text(3), static_cast<int>(row.integer(4))},
              static_cast<std::uint64_t>(row.integer(5)),
              {},
              {}};
  if (!row.is_null(6)) trial.place = static_cast<std::uint64_t>(row.integer(6));
  if (waits) trial.given_back = {static_cast<int>(row.integer(7)), row.integer(8), true};
  return trial;
}

}  // namespace

std::vector<FailureRow> SqlStore::failures(const std::optional<std::string>& recipe) const {
  return database_.with([&](sql::Connection& connection) -> std::vector<FailureRow> {
    std::set<Id> selected;
    for (const RankedRecipe& one : selected_recipes(connection, recipe)) selected.insert(one.id);
    std::vector<FailureRow> rows;
    auto row = connection.prepare(
        "SELECT c.formula, r.name, t.failure, t.failure_detail, t.seed, r.id FROM trial t JOIN candidate c ON c.id = t.candidate"
        " JOIN recipe r ON r.id = t.recipe WHERE t.status = 'failed' ORDER BY t.id");
    while (row.step()) {
      if (!selected.contains(row.integer(5))) continue;
      rows.push_back({row.text(0), row.text(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4))});
    }
    return rows;
  });
}

std::vector<Observation> SqlStore::observations(Id study) const {
  return database_.rows(
      "SELECT s.place, coalesce(t.validation_accuracy, t.final_test_accuracy) FROM study_trial s JOIN trial t ON t.id = s.trial"
      " WHERE s.study = ?1 AND s.place IS NOT NULL AND t.status IN ('done', 'failed') ORDER BY t.finished, t.id",
      [](const Statement& row) {
        return Observation{static_cast<std::uint64_t>(row.integer(0)), row.real(1)};
      },
      study);
}

std::vector<RungTrial> SqlStore::rung(Id study, Id recipe, int epochs, std::int64_t steps) const {
  const std::string reached =
      steps > 0 ? "pause l ON l.trial = t.id AND l.epoch = ?3 AND l.step = ?4" : "epoch l ON l.trial = t.id AND l.epoch = ?3 - 1 + ?4";
  return database_.rows(
      kTrialOfStudy +
          ", t.status = 'released', l.train_loss, CASE WHEN t.status = 'done' THEN coalesce(t.validation_accuracy, t.final_test_accuracy) "
          "END,"
          " t.finished, CASE WHEN t.finished < (SELECT created FROM study WHERE id = ?1) THEN 1 ELSE 0 END FROM study_trial s JOIN trial t "
          "ON t.id = s.trial JOIN candidate c ON c.id = t.candidate JOIN " +
          reached + " WHERE s.study = ?1 AND t.recipe = ?2 ORDER BY l.train_loss NULLS FIRST, t.id",
      [](const Statement& row) {
        auto trial = trial_of_study<RungTrial>(row, row.integer(9) != 0);
        trial.train_loss = row.real(10).value_or(0);
        if (const auto score = row.real(11)) trial.end = {*score, row.text(12)};
        trial.earlier = row.integer(13) != 0;
        return trial;
      },
      study, recipe, epochs, steps);
}

std::vector<UnfinishedTrial> SqlStore::unfinished(Id study, Id recipe) const {
  struct Row {
    UnfinishedTrial trial;
    StoredTrial stored;
  };
  auto rows = database_.rows(
      kTrialOfStudy +
          ", t.status, t.owner, t.lease_until_ms, t.lease_until_boot_ms"
          " FROM study_trial s JOIN trial t ON t.id = s.trial JOIN candidate c ON c.id = t.candidate"
          " WHERE s.study = ?1 AND t.recipe = ?2 AND t.status IN ('running', 'released') ORDER BY t.id",
      [](const Statement& row) {
        return Row{trial_of_study<UnfinishedTrial>(row, row.text(9) == "released"),
                   {0, row.text(9), row.text(10), row.integer(11), row.integer(12), 1, 0, true}};
      },
      study, recipe);
  std::vector<UnfinishedTrial> all;
  const sql::Clock now = database_.with([](sql::Connection& connection) { return connection.clock(); });
  for (Row& row : rows) {
    if (!settled(row.stored, now)) all.push_back(std::move(row.trial));  // else somebody is at work on it
  }
  return all;
}

std::optional<GivenBack> SqlStore::given_back(Id study, Id candidate, Id recipe, std::uint64_t seed) const {
  return database_.first_row(
      "SELECT EXISTS (SELECT 1 FROM study_trial WHERE study = ?1 AND trial = t.id), t.trained_epochs, t.trained_steps"
      " FROM trial t WHERE t.candidate = ?2 AND t.recipe = ?3 AND t.seed = ?4 AND t.status = 'released'",
      [](const Statement& row) {
        return GivenBack{static_cast<int>(row.integer(1)), row.integer(2), row.integer(0) != 0};
      },
      study, candidate, recipe, seed);
}

std::optional<std::optional<double>> SqlStore::score(std::string_view fingerprint, Id recipe) const {
  const auto [ended, mean] =
      database_
          .first_row(
              "SELECT count(*), avg(CASE WHEN t.status = 'done' THEN coalesce(t.validation_accuracy, t.final_test_accuracy) END)"
              " FROM trial t JOIN candidate c ON c.id = t.candidate"
              " WHERE c.fingerprint = ?1 AND t.recipe = ?2 AND t.status IN ('done', 'failed')",
              [](const Statement& row) { return std::pair(row.integer(0), row.real(1)); }, fingerprint, recipe)
          .value();
  if (ended == 0) return std::nullopt;
  return mean;
}

std::int64_t SqlStore::trials(std::string_view recipe_text) const {
  return database_
      .first_row("SELECT count(*) FROM trial t JOIN recipe r ON r.id = t.recipe WHERE r.text = ?1", sql::integer_of, recipe_text)
      .value();
}

StudyCounts SqlStore::counts(Id study) const {
  return database_
      .first_row(
          "SELECT count(DISTINCT t.candidate), count(*) FILTER (WHERE t.status = 'done'), count(*) FILTER (WHERE t.status = 'failed'),"
          " count(*) FILTER (WHERE t.status = 'running'), (SELECT count(*) FROM rejection WHERE study = ?1)"
          " FROM study_trial s JOIN trial t ON t.id = s.trial WHERE s.study = ?1",
          [](const Statement& row) {
            return StudyCounts{row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)};
          },
          study)
      .value();
}

}  // namespace actsearch
