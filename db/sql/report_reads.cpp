#include "db/sql/report_reads.h"

#include <utility>

namespace actsearch {
namespace {

using sql::integer_of;
using sql::Statement;
using sql::text_of;

/// A JSON array of numbers, which json_each() reads: how a statement takes a list.
std::string listed(std::span<const Id> ids) {
  std::string text = "[";
  for (const Id id : ids) text += (text.size() > 1 ? "," : "") + std::to_string(id);
  return text + "]";
}

/// From columns that begin with trial, candidate, formula, name, seed.
TrialOf trial_of(const Statement& row) {
  return {row.integer(0), row.integer(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4))};
}

}  // namespace

std::string SqlReportReads::now() const { return database_.first_row("SELECT strftime('%Y-%m-%d %H:%M', 'now')", text_of).value(); }

std::vector<DatedStudy> SqlReportReads::studies() const {
  return database_.rows(
      "SELECT study, kind, space, strategy, seed, recipe, data, conditions, program_commit, machine, created FROM studies ORDER BY study",
      [](const Statement& row) {
        return DatedStudy{row.integer(0),
                          {row.text(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4)), row.text(5), row.text(6),
                           row.text(7), row.text(8), row.text(9)},
                          row.text(10)};
      });
}

std::vector<RejectionCount> SqlReportReads::rejections() const {
  return database_.rows("SELECT study, reason, count(*) AS n FROM rejections GROUP BY study, reason ORDER BY study, n DESC",
                        [](const Statement& row) {
                          return RejectionCount{row.integer(0), row.text(1), row.integer(2)};
                        });
}

std::vector<StateCount> SqlReportReads::states() const {
  return database_.rows(
      "SELECT recipe_id, CASE WHEN status = 'running' AND trial NOT IN (SELECT trial FROM running) THEN 'left' ELSE status END AS state,"
      " count(*) FROM trials GROUP BY recipe_id, state",
      [](const Statement& row) {
        return StateCount{row.integer(0), row.text(1), row.integer(2)};
      });
}

bool SqlReportReads::has_function_named(std::string_view name) const {
  return database_.first_row("SELECT 1 FROM candidates WHERE name = ?1", integer_of, name).has_value();
}

std::vector<ReportReads::RecipeText> SqlReportReads::recipes() const {
  return database_.rows(
      "SELECT recipe_id, recipe, text FROM recipes"
      " ORDER BY text IN (SELECT recipe FROM studies WHERE kind = 'search') DESC, done DESC, recipe_id",
      [](const Statement& row) {
        return RecipeText{row.integer(0), row.text(1), row.text(2)};
      });
}

std::int64_t SqlReportReads::ranked_functions(Id recipe) const {
  return database_.first_row("SELECT count(*) FROM standings WHERE recipe_id = ?1", integer_of, recipe).value();
}

std::int64_t SqlReportReads::paused_functions(Id recipe) const {
  return database_
      .first_row(
          "SELECT count(DISTINCT candidate) FROM paused WHERE recipe_id = ?1"
          " AND candidate NOT IN (SELECT candidate FROM standings WHERE recipe_id = ?1)",
          integer_of, recipe)
      .value();
}

std::vector<Id> SqlReportReads::searches(Id recipe) const {
  return database_.rows(
      "SELECT s.study FROM studies s JOIN recipes r ON r.text = s.recipe WHERE r.recipe_id = ?1 AND s.kind = 'search' ORDER BY s.study",
      integer_of, recipe);
}

std::vector<FinishedTrial> SqlReportReads::finished(Id recipe, std::span<const Id> candidates) const {
  return database_.rows(
      "SELECT trial, candidate, seed, accuracy, best_test_accuracy, final_test_accuracy, train_loss, beta, epochs, seconds FROM trials"
      " WHERE recipe_id = ?1 AND status = 'done' AND candidate IN (SELECT value FROM json_each(?2)) ORDER BY trial",
      [](const Statement& row) {
        return FinishedTrial{row.integer(0), row.integer(1), static_cast<std::uint64_t>(row.integer(2)),
                             row.real(3),    row.real(4),    row.real(5),
                             row.real(6),    row.text(7),    row.real(8),
                             row.real(9)};
      },
      recipe, listed(candidates));
}

std::vector<UnfinishedRow> SqlReportReads::unfinished(Id recipe, int limit) const {
  return database_.rows(
      "SELECT t.trial, t.candidate, t.formula, t.name, t.seed, t.status, count(*) AS epochs FROM trials t"
      " JOIN epochs e ON e.trial = t.trial WHERE t.recipe_id = ?1 AND t.status IN ('running', 'released')"
      " GROUP BY t.trial, t.candidate, t.formula, t.name, t.seed, t.status"
      " ORDER BY t.status = 'running' DESC, epochs DESC LIMIT ?2",
      [](const Statement& row) {
        return UnfinishedRow{trial_of(row), row.text(5), row.integer(6)};
      },
      recipe, limit);
}

std::vector<RunningRow> SqlReportReads::running(Id recipe, int limit) const {
  return database_.rows(
      "SELECT trial, candidate, formula, name, seed, epochs, planned_epochs, 86400 * (julianday(lease_until) - julianday('now')),"
      " 86400 * (julianday('now') - julianday(started)) FROM running WHERE recipe_id = ?1 ORDER BY trial LIMIT ?2",
      [](const Statement& row) {
        return RunningRow{trial_of(row), row.real(5), row.real(6), row.real(7), row.real(8)};
      },
      recipe, limit);
}

std::vector<EpochRow> SqlReportReads::epochs(Id recipe, std::span<const Id> candidates, std::span<const Id> trials) const {
  return database_.rows(
      "SELECT e.trial, e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.test_accuracy"
      " FROM epochs e JOIN trials t ON t.trial = e.trial WHERE t.recipe_id = ?1"
      " AND ((t.status = 'done' AND t.candidate IN (SELECT value FROM json_each(?2))) OR t.trial IN (SELECT value FROM json_each(?3)))"
      " ORDER BY e.trial, e.epoch",
      [](const Statement& row) {
        return EpochRow{row.integer(0), row.integer(1), row.real(2), row.real(3), row.real(4), row.real(5), row.real(6)};
      },
      recipe, listed(candidates), listed(trials));
}

std::vector<FailedRow> SqlReportReads::failures(Id recipe, int limit) const {
  return database_.rows(
      "SELECT t.trial, t.candidate, f.formula, f.name, f.seed, f.reason, f.detail, f.epochs, f.seconds FROM failures f"
      " JOIN trials t ON t.trial = f.trial WHERE t.recipe_id = ?1 ORDER BY f.trial LIMIT ?2",
      [](const Statement& row) {
        return FailedRow{trial_of(row), row.text(5), row.text(6), row.real(7), row.real(8)};
      },
      recipe, limit);
}

std::vector<std::pair<std::string, std::int64_t>> SqlReportReads::failure_reasons(Id recipe) const {
  return database_.rows(
      "SELECT f.reason, count(*) AS n FROM failures f JOIN trials t ON t.trial = f.trial WHERE t.recipe_id = ?1"
      " GROUP BY f.reason ORDER BY n DESC, f.reason",
      [](const Statement& row) { return std::pair(row.text(0), row.integer(1)); }, recipe);
}

}  // namespace actsearch
