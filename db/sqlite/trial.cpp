#include "db/sqlite/trial.h"

#include <chrono>

#include "db/owner.h"

namespace actsearch {

TrialStatus status_of(const std::string& text) {
  if (text == "done") return TrialStatus::kDone;
  if (text == "failed") return TrialStatus::kFailed;
  return text == "released" ? TrialStatus::kReleased : TrialStatus::kRunning;
}

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::optional<StoredTrial> find_trial(sqlite::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed) {
  auto row = connection.prepare(
      "SELECT id, status, owner, lease_until_ms, lease_until_boot_ms, attempts, deaths,"
      " EXISTS (SELECT 1 FROM study_trial WHERE study = ?4 AND trial = trial.id)"
      " FROM trial WHERE candidate = ?1 AND recipe = ?2 AND seed = ?3",
      candidate, recipe, seed, study);
  if (!row.step()) return std::nullopt;
  return StoredTrial{row.integer(0), row.text(1),    row.text(2),    row.integer(3),
                     row.integer(4), row.integer(5), row.integer(6), row.integer(7) != 0};
}

/// Machines' wall clocks may differ, and are set; the clock since a machine's start is the same for all its processes.
std::int64_t lease_left_ms(const StoredTrial& trial) {
  const bool one_clock = trial.lease_until_boot_ms > 0 && shares_boot_clock(trial.owner);
  const std::int64_t end = one_clock ? trial.lease_until_boot_ms : trial.lease_until_ms, now = one_clock ? boot_clock_ms() : now_ms();
  return end > now ? end - now : 0;
}

std::optional<ClaimState> settled(const StoredTrial& trial) {
  if (trial.status == "done" || trial.status == "failed") return ClaimState::kDone;
  if (trial.status == "running" && lease_left_ms(trial) > 0 && !owner_is_gone(trial.owner)) return ClaimState::kTaken;
  return std::nullopt;
}

}  // namespace actsearch
