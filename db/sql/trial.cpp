#include "db/sql/trial.h"

#include "db/owner.h"
#include "db/sql/database.h"

namespace actsearch {

TrialStatus status_of(const std::string& text) {
  if (text == "done") return TrialStatus::kDone;
  if (text == "failed") return TrialStatus::kFailed;
  return text == "released" ? TrialStatus::kReleased : TrialStatus::kRunning;
}

namespace {

std::optional<StoredTrial> read_trial(sql::Connection& connection, std::string_view ending, Id study, Id candidate, Id recipe,
                                      std::uint64_t seed) {
  return sql::first_row(
      connection,
      "SELECT id, status, owner, lease_until_ms, lease_until_boot_ms, attempts, deaths,"
      " EXISTS (SELECT 1 FROM study_trial WHERE study = ?4 AND trial = trial.id)"
      " FROM trial WHERE candidate = ?1 AND recipe = ?2 AND seed = ?3" +
          std::string(ending),
      [](const sql::Statement& row) {
        return StoredTrial{row.integer(0), row.text(1),    row.text(2),    row.integer(3),
                           row.integer(4), row.integer(5), row.integer(6), row.integer(7) != 0};
      },
      candidate, recipe, seed, study);
}

}  // namespace

std::optional<StoredTrial> find_trial(sql::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed) {
  return read_trial(connection, "", study, candidate, recipe, seed);
}

StoredTrial hold_trial(sql::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed, int attempts) {
  for (;;) {
    if (const auto trial = read_trial(connection, connection.for_update(), study, candidate, recipe, seed)) return *trial;
    connection.run(
        "INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms) VALUES (?1, ?2, ?3, 'released', ?4, '', 0)"
        " ON CONFLICT DO NOTHING",
        candidate, recipe, seed, attempts);
  }
}

/// Machines' wall clocks may differ, and are set; the clock since a machine's start is the same for all its processes.
std::int64_t lease_left_ms(const StoredTrial& trial, const sql::Clock& now) {
  const bool one_clock = now.boot_ms && trial.lease_until_boot_ms > 0 && shares_boot_clock(trial.owner);
  const std::int64_t end = one_clock ? trial.lease_until_boot_ms : trial.lease_until_ms, at = one_clock ? *now.boot_ms : now.wall_ms;
  return end > at ? end - at : 0;
}

std::optional<ClaimState> settled(const StoredTrial& trial, const sql::Clock& now) {
  if (trial.status == "done" || trial.status == "failed") return ClaimState::kDone;
  if (trial.status == "running" && lease_left_ms(trial, now) > 0 && !owner_is_gone(trial.owner)) return ClaimState::kTaken;
  return std::nullopt;
}

}  // namespace actsearch
