// Claims, from the first to the result.

#include "db/owner.h"
#include "db/sqlite/leaderboard.h"
#include "db/sqlite/provisional.h"
#include "db/sqlite/store.h"
#include "db/sqlite/trial.h"

namespace actsearch {
namespace {

using sqlite::Connection;
using sqlite::Transaction;

/// When a lease ends, by both clocks that may judge it.
struct LeaseEnd {
  explicit LeaseEnd(std::chrono::seconds lease)
      : wall_ms(now_ms() + std::chrono::milliseconds(lease).count()), boot_ms(boot_clock_ms() + std::chrono::milliseconds(lease).count()) {}
  std::int64_t wall_ms, boot_ms;
};

/// A trial that is running under the owner waits from now on, and how far it came is known; false if it is not running under the owner.
/// Within the caller's transaction.
bool give_back(Connection& connection, Id trial, std::string_view owner, const TrialProgress& reached) {
  const auto changed = connection.run(
      "UPDATE trial SET status = 'released', owner = '', trained_epochs = ?3, trained_steps = ?4, epoch_steps = ?5"
      " WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, owner, reached.epochs, reached.steps, reached.epoch_steps);
  if (changed > 0) note_reached(connection, trial);
  return changed > 0;
}

/// Whole epochs that are stored of a trial.
int stored_epochs(Connection& connection, Id trial) {
  return static_cast<int>(sqlite::first_row(connection, "SELECT count(*) FROM epoch WHERE trial = ?1", sqlite::integer_of, trial).value());
}

/// Writes one epoch if the trial is running under the owner; false if it is not.
bool store_epoch(Connection& connection, Id trial, std::string_view owner, const EpochRecord& epoch) {
  const auto changed = connection.run(
      "INSERT OR REPLACE INTO epoch (trial, epoch, learning_rate, train_loss, train_accuracy, validation_loss, validation_accuracy,"
      " test_accuracy, seconds) SELECT id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, owner, epoch.epoch, epoch.learning_rate, epoch.train_loss, epoch.train_accuracy, epoch.validation_loss,
      epoch.validation_accuracy, epoch.test_accuracy, epoch.seconds);
  return changed > 0;
}

/// Whether a trial is running under the owner. Within the caller's transaction.
bool holds(Connection& connection, Id trial, std::string_view owner) {
  return connection.prepare("SELECT 1 FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running'", trial, owner).step();
}

/// Whoever has come further with a trial has not died of it. Within the caller's transaction.
void forget_deaths(Connection& connection, Id trial) { connection.run("UPDATE trial SET deaths = 0 WHERE id = ?1 AND deaths > 0", trial); }

/// Of a trial in the caller's transaction: claimed for the owner if it is free, and what came of it.
ClaimState take(Connection& connection, const StoredTrial& trial, std::chrono::seconds lease, Turn turn, const std::string& owner,
                Claim* claim) {
  if (const auto state = settled(trial)) return *state;
  // A trial found running died with its process: that attempt counts. One given back does not.
  const int died = trial.status == "running" ? 1 : 0;
  const std::int64_t deaths = trial.deaths + died;
  if (deaths > kDeathsToPutLast) {
    connection.run(
        "UPDATE trial SET status = 'failed', finished = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), deaths = ?2, failure = ?3,"
        " failure_detail = ?4, epochs = (SELECT count(*) FROM epoch WHERE trial = ?1) WHERE id = ?1",
        trial.id, deaths, kDiedReason,
        std::to_string(deaths) +
            " processes in a row ended while they trained it, without a further epoch: the program crashed, or memory ran out");
    *claim = {trial.id, static_cast<int>(trial.attempts)};
    return ClaimState::kGivenUp;
  }
  if (deaths == kDeathsToPutLast && turn != Turn::kLast) return ClaimState::kPutLast;
  const Claim taken{trial.id, static_cast<int>(trial.attempts + died)};
  const LeaseEnd end(lease);
  connection.run(
      "UPDATE trial SET attempts = ?2, deaths = ?3, status = 'running', owner = ?4, lease_until_ms = ?5, lease_until_boot_ms = ?6,"
      " started = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?1",
      trial.id, taken.attempt, deaths, owner, end.wall_ms, end.boot_ms);
  *claim = taken;
  return ClaimState::kClaimed;
}

}  // namespace

ClaimState SqliteStore::claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                              std::optional<std::uint64_t> place, Turn turn) {
  return file_.with([&](sqlite::Connection& connection) -> ClaimState {
    auto trial = find_trial(connection, study, candidate, recipe, seed);
    if (trial && trial->in_study) {
      if (const auto state = settled(*trial)) return *state;  // a resumed study passes its finished trials without the write lock
    }
    Transaction transaction(connection);
    trial = find_trial(connection, study, candidate, recipe, seed);
    if (!trial) {
      connection.run(
          "INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms) VALUES (?1, ?2, ?3, 'released', 1, '', 0)",
          candidate, recipe, seed);
      trial = StoredTrial{connection.last_insert_id(), "released", "", 0, 0, 1, 0, false};
    }
    connection.run("INSERT OR IGNORE INTO study_trial (study, trial) VALUES (?1, ?2)", study, trial->id);
    if (place) connection.run("UPDATE study_trial SET place = ?3 WHERE study = ?1 AND trial = ?2", study, trial->id, *place);
    const ClaimState state = take(connection, *trial, lease, turn, owner_, claim);
    transaction.commit();
    return state;
  });
}

std::vector<Id> SqliteStore::renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress) {
  return file_.with_in_haste([&](sqlite::Connection& connection) -> std::vector<Id> {
    Transaction transaction(connection);
    const LeaseEnd end(lease);
    connection.run("UPDATE trial SET lease_until_ms = ?2, lease_until_boot_ms = ?3 WHERE owner = ?1 AND status = 'running'", owner_,
                   end.wall_ms, end.boot_ms);
    std::vector<Id> lost;
    for (const auto& [trial, reached] : progress) {
      const auto changed = connection.run(
          "UPDATE trial SET trained_epochs = ?3, trained_steps = ?4, epoch_steps = ?5 WHERE id = ?1 AND owner = ?2 AND status = 'running'",
          trial, owner_, reached.epochs, reached.steps, reached.epoch_steps);
      if (changed == 0) lost.push_back(trial);
    }
    transaction.commit();
    return lost;
  });
}

bool SqliteStore::release(Id trial) {
  return file_.with([&](sqlite::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) return false;
    // Its epochs, its pauses and its place in studies go with it. Of one that processes died with, that stays known.
    if (connection.run("DELETE FROM trial WHERE id = ?1 AND deaths = 0", trial) == 0) {
      actsearch::give_back(connection, trial, owner_, {stored_epochs(connection, trial), 0, 0});
    }
    transaction.commit();
    return true;
  });
}

bool SqliteStore::give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached) {
  return file_.with([&](sqlite::Connection& connection) -> bool {
    Transaction transaction(connection);
    for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, owner_, epoch);
    const bool ours = actsearch::give_back(connection, trial, owner_, reached);
    transaction.commit();
    return ours;
  });
}

bool SqliteStore::add_epoch(Id trial, const EpochRecord& epoch) {
  return file_.with_in_haste([&](sqlite::Connection& connection) -> bool {
    Transaction transaction(connection);
    const bool ours = store_epoch(connection, trial, owner_, epoch);
    if (ours) forget_deaths(connection, trial);
    transaction.commit();
    return ours;
  });
}

bool SqliteStore::pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause) {
  return file_.with([&](sqlite::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) return false;
    for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, owner_, epoch);
    if (pause) {
      connection.run(
          "INSERT OR REPLACE INTO pause (trial, epoch, step, epoch_steps, train_loss, train_accuracy, seconds)"
          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
          trial, pause->epoch, pause->step, pause->epoch_steps, pause->train_loss, pause->train_accuracy, pause->seconds);
    }
    forget_deaths(connection, trial);
    const TrialProgress reached{stored_epochs(connection, trial), pause ? pause->step : 0, pause ? pause->epoch_steps : 0};
    actsearch::give_back(connection, trial, owner_, reached);
    transaction.commit();
    return true;
  });
}

bool SqliteStore::finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs) {
  return file_.with([&](sqlite::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!epochs.empty()) {
      connection.run("DELETE FROM epoch WHERE trial = (SELECT id FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running')", trial,
                     owner_);
    }
    for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, owner_, epoch);
    const bool done = result.failure.empty();
    const auto changed = connection.run(
        "UPDATE trial SET status = ?3, finished = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), validation_accuracy = ?4, best_test_accuracy = ?5,"
        " final_test_accuracy = ?6, train_loss = ?7, beta = ?8, seconds = ?9, failure = ?10, failure_detail = ?11,"
        " epochs = (SELECT count(*) FROM epoch WHERE trial = ?1) WHERE id = ?1 AND owner = ?2 AND status = 'running'",
        trial, owner_, done ? "done" : "failed", result.validation_accuracy, result.best_test_accuracy, result.final_test_accuracy,
        result.train_loss, result.beta.empty() ? "[]" : result.beta, result.seconds, result.failure, result.failure_detail);
    if (changed == 0) return false;  // someone took the trial over: nothing of ours is kept
    if (done) {
      const auto [candidate, recipe] = sqlite::first_row(
                                           connection, "SELECT candidate, recipe FROM trial WHERE id = ?1",
                                           [](const sqlite::Statement& row) { return std::pair(row.integer(0), row.integer(1)); }, trial)
                                           .value();
      connection.run("UPDATE recipe SET done = done + 1 WHERE id = ?1", recipe);
      refresh_standing(connection, candidate, recipe);
      refresh_spread(connection, recipe);
    }
    transaction.commit();
    return true;
  });
}

}  // namespace actsearch
