// Claims of processes, from the first to the result.

#include "db/sqlite/claimed.h"
#include "db/sqlite/store.h"
#include "db/sqlite/trial.h"

namespace actsearch {
namespace {

using sqlite::Connection;
using sqlite::Transaction;

/// Whole epochs that are stored of a trial.
int stored_epochs(Connection& connection, Id trial) {
  return static_cast<int>(sqlite::first_row(connection, "SELECT count(*) FROM epoch WHERE trial = ?1", sqlite::integer_of, trial).value());
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
    want(connection, study, trial->id, place);
    const ClaimState state = take(connection, *trial, {owner_, lease, turn}, claim);
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
    if (!actsearch::finish(connection, trial, owner_, result)) return false;  // someone took the trial over: nothing of ours is kept
    transaction.commit();
    return true;
  });
}

}  // namespace actsearch
