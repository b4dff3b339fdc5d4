/// One stored trial, as those see it who may want to take it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "db/records.h"
#include "db/sqlite/connection.h"

namespace actsearch {

struct StoredTrial {
  Id id = 0;
  std::string status, owner;
  std::int64_t lease_until_ms = 0, lease_until_boot_ms = 0;  ///< the latter 0 where an older version claimed it
  std::int64_t attempts = 1, deaths = 0;
  bool in_study = false;
};

std::int64_t now_ms();  ///< of the wall clock, which processes compare

std::optional<StoredTrial> find_trial(sqlite::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed);

/// kDone or kTaken; nothing where the trial is free to be taken.
std::optional<ClaimState> settled(const StoredTrial& trial);

}  // namespace actsearch
