// Claims of processes, from the first to the result.

#include "db/sql/claimed.h"
#include "db/sql/store.h"
#include "db/sql/trial.h"

namespace actsearch {
namespace {

using sql::Connection;
using sql::Transaction;

/// Whole epochs that are stored of a trial.
int stored_epochs(Connection& connection, Id trial) {
  return static_cast<int>(sql::first_row(connection, "SELECT count(*) FROM epoch WHERE trial = ?1", sql::integer_of, trial).value());
}

/// Whether the owner has stored a trial's result. It has where the answer to that was lost on its way.
bool has_ended(Connection& connection, Id trial, const std::string& owner) {
  return connection.prepare("SELECT 1 FROM trial WHERE id = ?1 AND owner = ?2 AND status IN ('done', 'failed')", trial, owner).step();
}

/// Whether a trial that the owner no longer holds is where the owner gave it back, and nobody has it since. It is where the answer to
/// giving back was lost on its way.
bool was_given_back(Connection& connection, Id trial, const TrialProgress& reached) {
  return connection
      .prepare("SELECT 1 FROM trial WHERE id = ?1 AND status = 'released' AND trained_epochs = ?2 AND trained_steps = ?3", trial,
               reached.epochs, reached.steps)
      .step();
}

}  // namespace

ClaimState SqlStore::claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                           std::optional<std::uint64_t> place, Turn turn) {
  return database_.with([&](sql::Connection& connection) -> ClaimState {
    const auto seen = find_trial(connection, study, candidate, recipe, seed);
    if (database_.again() && seen && seen->status == "running" && seen->owner == owner_) {
      *claim = {seen->id, static_cast<int>(seen->attempts)};  // this very call's, whose answer was lost on its way
      return ClaimState::kClaimed;
    }
    if (seen && seen->in_study) {
      if (const auto state = settled(*seen, connection.clock()))
        return *state;  // a resumed study passes its finished trials without the write lock
    }
    Transaction transaction(connection);
    const StoredTrial trial = hold_trial(connection, study, candidate, recipe, seed, 1);
    want(connection, study, trial.id, place);
    const ClaimState state = take(connection, trial, {owner_, lease, turn}, claim);
    transaction.commit();
    return state;
  });
}

std::vector<SettledTrial> SqlStore::settled_trials(Id study, Id recipe, const std::vector<std::string>& fingerprints) const {
  static const std::string sql = [] {
    std::string text =
        "SELECT c.fingerprint, c.name <> '', t.seed, t.id, t.status, t.owner, t.lease_until_ms, t.lease_until_boot_ms FROM candidate c"
        " JOIN trial t ON t.candidate = c.id JOIN study_trial s ON s.trial = t.id WHERE s.study = ?1 AND t.recipe = ?2"
        " AND c.fingerprint IN (";
    for (std::size_t i = 0; i < kMostAsked; ++i) text += (i == 0 ? "?" : ", ?") + std::to_string(3 + i);
    return text + ")";
  }();
  if (fingerprints.size() > kMostAsked) throw std::invalid_argument("settled_trials: too many functions at once");
  std::vector<sql::Value> values{sql::Value(study), sql::Value(recipe)};
  for (const std::string& fingerprint : fingerprints) values.emplace_back(fingerprint);
  while (values.size() < 2 + kMostAsked) values.emplace_back("");  // which no function has
  return database_.with([&](sql::Connection& connection) -> std::vector<SettledTrial> {
    const sql::Clock now = connection.clock();
    std::vector<SettledTrial> trials;
    auto row = connection.prepare_with(sql, values);
    while (row.step()) {
      const StoredTrial trial{.id = row.integer(3),
                              .status = row.text(4),
                              .owner = row.text(5),
                              .lease_until_ms = row.integer(6),
                              .lease_until_boot_ms = row.integer(7),
                              .attempts = 1,
                              .deaths = 0,
                              .in_study = true};
      if (const auto state = settled(trial, now))
        trials.push_back({row.text(0), row.integer(1) != 0, static_cast<std::uint64_t>(row.integer(2)), *state});
    }
    return trials;
  });
}

std::vector<Id> SqlStore::renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress) {
  return database_.with_in_haste([&](sql::Connection& connection) -> std::vector<Id> {
    Transaction transaction(connection);
    const LeaseEnd end(lease, connection.clock());
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

bool SqlStore::release(Id trial) {
  return database_.with([&](sql::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) {  // gone, or given back, where the answer was lost on its way
      return database_.again() && !connection.prepare("SELECT 1 FROM trial WHERE id = ?1 AND status <> 'released'", trial).step();
    }
    // Its epochs, its pauses and its place in studies go with it. Of one that processes died with, that stays known.
    if (connection.run("DELETE FROM trial WHERE id = ?1 AND deaths = 0", trial) == 0) {
      actsearch::give_back(connection, trial, owner_, {stored_epochs(connection, trial), 0, 0});
    }
    transaction.commit();
    return true;
  });
}

bool SqlStore::give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached) {
  return database_.with([&](sql::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) return database_.again() && was_given_back(connection, trial, reached);
    for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, owner_, epoch);
    actsearch::give_back(connection, trial, owner_, reached);
    transaction.commit();
    return true;
  });
}

bool SqlStore::add_epoch(Id trial, const EpochRecord& epoch) {
  return database_.with_in_haste([&](sql::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) return false;
    store_epoch(connection, trial, owner_, epoch);
    forget_deaths(connection, trial);
    transaction.commit();
    return true;
  });
}

bool SqlStore::pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause) {
  return database_.with([&](sql::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) {
      return database_.again() && was_given_back(connection, trial, {stored_epochs(connection, trial), pause ? pause->step : 0, 0});
    }
    for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, owner_, epoch);
    if (pause) {
      connection.run(
          "INSERT INTO pause (trial, epoch, step, epoch_steps, train_loss, train_accuracy, seconds) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
          " ON CONFLICT (trial, epoch, step) DO UPDATE SET epoch_steps = excluded.epoch_steps, train_loss = excluded.train_loss,"
          " train_accuracy = excluded.train_accuracy, seconds = excluded.seconds",
          trial, pause->epoch, pause->step, pause->epoch_steps, pause->train_loss, pause->train_accuracy, pause->seconds);
    }
    forget_deaths(connection, trial);
    const TrialProgress reached{stored_epochs(connection, trial), pause ? pause->step : 0, pause ? pause->epoch_steps : 0};
    actsearch::give_back(connection, trial, owner_, reached);
    transaction.commit();
    return true;
  });
}

bool SqlStore::finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs) {
  return database_.with([&](sql::Connection& connection) -> bool {
    Transaction transaction(connection);
    if (!holds(connection, trial, owner_)) return database_.again() && has_ended(connection, trial, owner_);
    if (!epochs.empty()) connection.run("DELETE FROM epoch WHERE trial = ?1", trial);
    for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, owner_, epoch);
    actsearch::finish(connection, trial, owner_, result);
    transaction.commit();
    return true;
  });
}

}  // namespace actsearch
