#include "db/sql/claimed.h"

#include "db/owner.h"
#include "db/sql/leaderboard.h"
#include "db/sql/provisional.h"

namespace actsearch {

using sql::Connection;

LeaseEnd::LeaseEnd(std::chrono::seconds lease, const sql::Clock& now)
    : wall_ms(now.wall_ms + std::chrono::milliseconds(lease).count()),
      boot_ms(now.boot_ms ? *now.boot_ms + std::chrono::milliseconds(lease).count() : 0) {}

ClaimState take(Connection& connection, const StoredTrial& trial, const Taker& taker, Claim* claim) {
  const sql::Clock now = connection.clock();
  if (const auto state = settled(trial, now)) return *state;
  // A trial found running died with its process: that attempt counts. One given back does not, and a ticket is no process.
  const bool left = trial.status == "running";
  const std::int64_t deaths = trial.deaths + (left && !ticket_terms(trial.owner) ? 1 : 0);
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
  if (deaths == kDeathsToPutLast && taker.turn != Turn::kLast) return ClaimState::kPutLast;
  const bool another = left || ticket_terms(taker.owner);
  const Claim taken{trial.id, static_cast<int>(trial.attempts + (another ? 1 : 0))};
  const LeaseEnd end(taker.lease, now);
  connection.run(
      "UPDATE trial SET attempts = ?2, deaths = ?3, status = 'running', owner = ?4, lease_until_ms = ?5, lease_until_boot_ms = ?6,"
      " started = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?1",
      trial.id, taken.attempt, deaths, taker.owner, end.wall_ms, end.boot_ms);
  *claim = taken;
  return ClaimState::kClaimed;
}

void want(Connection& connection, Id study, Id trial, const std::optional<std::uint64_t>& place) {
  connection.run("INSERT INTO study_trial (study, trial) VALUES (?1, ?2) ON CONFLICT DO NOTHING", study, trial);
  if (place) connection.run("UPDATE study_trial SET place = ?3 WHERE study = ?1 AND trial = ?2", study, trial, *place);
}

bool holds(Connection& connection, Id trial, std::string_view owner) {
  return connection
      .prepare("SELECT 1 FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running'" + std::string(connection.for_update()), trial,
               owner)
      .step();
}

bool store_epoch(Connection& connection, Id trial, std::string_view owner, const EpochRecord& epoch) {
  const auto changed = connection.run(
      "INSERT INTO epoch (trial, epoch, learning_rate, train_loss, train_accuracy, validation_loss, validation_accuracy,"
      " test_accuracy, seconds) SELECT id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running'"
      " ON CONFLICT (trial, epoch) DO UPDATE SET learning_rate = excluded.learning_rate, train_loss = excluded.train_loss,"
      " train_accuracy = excluded.train_accuracy, validation_loss = excluded.validation_loss,"
      " validation_accuracy = excluded.validation_accuracy, test_accuracy = excluded.test_accuracy, seconds = excluded.seconds",
      trial, owner, epoch.epoch, epoch.learning_rate, epoch.train_loss, epoch.train_accuracy, epoch.validation_loss,
      epoch.validation_accuracy, epoch.test_accuracy, epoch.seconds);
  return changed > 0;
}

void forget_deaths(Connection& connection, Id trial) { connection.run("UPDATE trial SET deaths = 0 WHERE id = ?1 AND deaths > 0", trial); }

bool give_back(Connection& connection, Id trial, std::string_view owner, const TrialProgress& reached, std::string_view keeper) {
  const auto changed = connection.run(
      "UPDATE trial SET status = 'released', owner = ?6, trained_epochs = ?3, trained_steps = ?4, epoch_steps = ?5"
      " WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, owner, reached.epochs, reached.steps, reached.epoch_steps, keeper);
  if (changed > 0) note_reached(connection, trial);
  return changed > 0;
}

bool finish(Connection& connection, Id trial, std::string_view owner, const TrialRecord& result) {
  const bool done = result.failure.empty();
  const auto changed = connection.run(
      "UPDATE trial SET status = ?3, finished = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), validation_accuracy = ?4, best_test_accuracy = ?5,"
      " final_test_accuracy = ?6, train_loss = ?7, beta = ?8, seconds = ?9, failure = ?10, failure_detail = ?11,"
      " epochs = (SELECT count(*) FROM epoch WHERE trial = ?1) WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, owner, done ? "done" : "failed", result.validation_accuracy, result.best_test_accuracy, result.final_test_accuracy,
      result.train_loss, result.beta.empty() ? "[]" : result.beta, result.seconds, result.failure, result.failure_detail);
  if (changed == 0) return false;
  if (!done) return true;
  const auto [candidate, recipe] = sql::first_row(
                                       connection, "SELECT candidate, recipe FROM trial WHERE id = ?1",
                                       [](const sql::Statement& row) { return std::pair(row.integer(0), row.integer(1)); }, trial)
                                       .value();
  connection.run("UPDATE recipe SET done = done + 1 WHERE id = ?1", recipe);
  const int trials = refresh_standing(connection, candidate, recipe);
  if (trials > 1) refresh_spread(connection, recipe);  // a single trial tells nothing of its deviation
  return true;
}

}  // namespace actsearch
