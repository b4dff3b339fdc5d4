/// One stored trial, as those see it who may want to take it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "db/reads.h"
#include "db/sqlite/connection.h"

namespace actsearch {

struct StoredTrial {
  Id id = 0;
  std::string status, owner;
  std::int64_t lease_until_ms = 0, lease_until_boot_ms = 0;  ///< the latter 0 where an older version claimed it
  std::int64_t attempts = 1, deaths = 0;
  bool in_study = false;
};

TrialStatus status_of(const std::string& text);  ///< as the column has it

std::int64_t now_ms();  ///< of the wall clock, which processes compare

std::optional<StoredTrial> find_trial(sqlite::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed);

/// What is left of the lease of a running trial; 0 once it is over.
std::int64_t lease_left_ms(const StoredTrial& trial);

/// kDone or kTaken; nothing where the trial is free to be taken.
std::optional<ClaimState> settled(const StoredTrial& trial);

}  // namespace actsearch
