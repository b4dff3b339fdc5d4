#include "db/report_reads.h"

#include <utility>

#include "db/sqlite.h"

namespace actsearch {
namespace {

using sqlite::Connection;
using sqlite::Statement;

/// A JSON array of numbers, which json_each() reads: how a statement takes a list.
std::string listed(std::span<const Id> ids) {
  std::string text = "[";
  for (const Id id : ids) text += (text.size() > 1 ? "," : "") + std::to_string(id);
  return text + "]";
}

std::string text(const Statement& row, int column) { return row.is_null(column) ? "" : row.text(column); }

/// From columns that begin with trial, candidate, formula, name, seed.
TrialOf trial_of(const Statement& row) {
  return {row.integer(0), row.integer(1), text(row, 2), text(row, 3), static_cast<std::uint64_t>(row.integer(4))};
}

}  // namespace

std::string ReportReads::now() const {
  std::string now;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT strftime('%Y-%m-%d %H:%M', 'now')");
    row.step();
    now = row.text(0);
  });
  return now;
}

std::vector<DatedStudy> ReportReads::studies() const {
  std::vector<DatedStudy> studies;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT study, kind, space, strategy, seed, recipe, data, conditions, program_commit, machine, created FROM studies ORDER BY "
        "study");
    while (row.step()) {
      studies.push_back({row.integer(0),
                         {text(row, 1), text(row, 2), text(row, 3), static_cast<std::uint64_t>(row.integer(4)), text(row, 5), text(row, 6),
                          text(row, 7), text(row, 8), text(row, 9)},
                         text(row, 10)});
    }
  });
  return studies;
}

std::vector<RejectionCount> ReportReads::rejections() const {
  std::vector<RejectionCount> rejections;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT study, reason, count(*) AS n FROM rejections GROUP BY study, reason ORDER BY study, n DESC");
    while (row.step()) rejections.push_back({row.integer(0), text(row, 1), row.integer(2)});
  });
  return rejections;
}

std::vector<StateCount> ReportReads::states() const {
  std::vector<StateCount> states;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT recipe_id, CASE WHEN status = 'running' AND trial NOT IN (SELECT trial FROM running) THEN 'left' ELSE status END AS state,"
        " count(*) FROM trials GROUP BY recipe_id, state");
    while (row.step()) states.push_back({row.integer(0), text(row, 1), row.integer(2)});
  });
  return states;
}

bool ReportReads::has_function_named(std::string_view name) const {
  bool has = false;
  database_.read([&](Connection& connection) { has = connection.prepare("SELECT 1 FROM candidates WHERE name = ?1", name).step(); });
  return has;
}

std::vector<ReportReads::RecipeText> ReportReads::recipes() const {
  std::vector<RecipeText> recipes;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT recipe_id, recipe, text FROM recipes"
        " ORDER BY text IN (SELECT recipe FROM studies WHERE kind = 'search') DESC, done DESC, recipe_id");
    while (row.step()) recipes.push_back({row.integer(0), text(row, 1), text(row, 2)});
  });
  return recipes;
}

std::int64_t ReportReads::ranked_functions(Id recipe) const {
  std::int64_t n = 0;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare("SELECT count(*) FROM standings WHERE recipe_id = ?1", recipe);
    row.step();
    n = row.integer(0);
  });
  return n;
}

std::int64_t ReportReads::paused_functions(Id recipe) const {
  std::int64_t n = 0;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT count(DISTINCT candidate) FROM paused WHERE recipe_id = ?1"
        " AND candidate NOT IN (SELECT candidate FROM standings WHERE recipe_id = ?1)",
        recipe);
    row.step();
    n = row.integer(0);
  });
  return n;
}

std::vector<Id> ReportReads::searches(Id recipe) const {
  std::vector<Id> studies;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT s.study FROM studies s JOIN recipes r ON r.text = s.recipe WHERE r.recipe_id = ?1 AND s.kind = 'search' ORDER BY s.study",
        recipe);
    while (row.step()) studies.push_back(row.integer(0));
  });
  return studies;
}

std::vector<FinishedTrial> ReportReads::finished(Id recipe, std::span<const Id> candidates) const {
  std::vector<FinishedTrial> trials;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT trial, candidate, seed, accuracy, best_test_accuracy, final_test_accuracy, train_loss, beta, epochs, seconds FROM trials"
        " WHERE recipe_id = ?1 AND status = 'done' AND candidate IN (SELECT value FROM json_each(?2)) ORDER BY trial",
        recipe, listed(candidates));
    while (row.step()) {
      trials.push_back({row.integer(0), row.integer(1), static_cast<std::uint64_t>(row.integer(2)), row.real(3), row.real(4), row.real(5),
                        row.real(6), text(row, 7), row.real(8), row.real(9)});
    }
  });
  return trials;
}

std::vector<UnfinishedRow> ReportReads::unfinished(Id recipe, int limit) const {
  std::vector<UnfinishedRow> trials;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT t.trial, t.candidate, t.formula, t.name, t.seed, t.status, count(*) AS epochs FROM trials t"
        " JOIN epochs e ON e.trial = t.trial WHERE t.recipe_id = ?1 AND t.status IN ('running', 'released') GROUP BY t.trial"
        " ORDER BY t.status = 'running' DESC, epochs DESC LIMIT ?2",
        recipe, limit);
    while (row.step()) trials.push_back({trial_of(row), text(row, 5), row.integer(6)});
  });
  return trials;
}

std::vector<RunningRow> ReportReads::running(Id recipe, int limit) const {
  std::vector<RunningRow> trials;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT trial, candidate, formula, name, seed, epochs, planned_epochs, 86400 * (julianday(lease_until) - julianday('now')),"
        " 86400 * (julianday('now') - julianday(started)) FROM running WHERE recipe_id = ?1 ORDER BY trial LIMIT ?2",
        recipe, limit);
    while (row.step()) trials.push_back({trial_of(row), row.real(5), row.real(6), row.real(7), row.real(8)});
  });
  return trials;
}

std::vector<EpochRow> ReportReads::epochs(Id recipe, std::span<const Id> candidates, std::span<const Id> trials) const {
  std::vector<EpochRow> epochs;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT e.trial, e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.test_accuracy"
        " FROM epochs e JOIN trials t ON t.trial = e.trial WHERE t.recipe_id = ?1"
        " AND ((t.status = 'done' AND t.candidate IN (SELECT value FROM json_each(?2))) OR t.trial IN (SELECT value FROM json_each(?3)))"
        " ORDER BY e.trial, e.epoch",
        recipe, listed(candidates), listed(trials));
    while (row.step()) epochs.push_back({row.integer(0), row.integer(1), row.real(2), row.real(3), row.real(4), row.real(5), row.real(6)});
  });
  return epochs;
}

std::vector<FailedRow> ReportReads::failures(Id recipe, int limit) const {
  std::vector<FailedRow> trials;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT t.trial, t.candidate, f.formula, f.name, f.seed, f.reason, f.detail, f.epochs, f.seconds FROM failures f"
        " JOIN trials t ON t.trial = f.trial WHERE t.recipe_id = ?1 ORDER BY f.trial LIMIT ?2",
        recipe, limit);
    while (row.step()) trials.push_back({trial_of(row), text(row, 5), text(row, 6), row.real(7), row.real(8)});
  });
  return trials;
}

std::vector<std::pair<std::string, std::int64_t>> ReportReads::failure_reasons(Id recipe) const {
  std::vector<std::pair<std::string, std::int64_t>> reasons;
  database_.read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT f.reason, count(*) AS n FROM failures f JOIN trials t ON t.trial = f.trial WHERE t.recipe_id = ?1"
        " GROUP BY f.reason ORDER BY n DESC, f.reason",
        recipe);
    while (row.step()) reasons.emplace_back(text(row, 0), row.integer(1));
  });
  return reasons;
}

}  // namespace actsearch
