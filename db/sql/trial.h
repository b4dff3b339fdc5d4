/// One stored trial, as those see it who may want to take it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "db/reads.h"
#include "db/sql/connection.h"

namespace actsearch {

struct StoredTrial {
  Id id = 0;
  std::string status, owner;
  std::int64_t lease_until_ms = 0, lease_until_boot_ms = 0;  ///< the latter 0 where an older version claimed it
  std::int64_t attempts = 1, deaths = 0;
  bool in_study = false;
};

TrialStatus status_of(const std::string& text);  ///< as the column has it

/// The trial as it stands, for a first look.
std::optional<StoredTrial> find_trial(sql::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed);
/// The trial, made where there is none, as one that was given back after `attempts`. Nobody else can change it within the caller's
/// transaction.
StoredTrial hold_trial(sql::Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed, int attempts);

/// What is left of the lease of a running trial; 0 once it is over.
std::int64_t lease_left_ms(const StoredTrial& trial, const sql::Clock& now);

/// kDone or kTaken; nothing where the trial is free to be taken.
std::optional<ClaimState> settled(const StoredTrial& trial, const sql::Clock& now);

}  // namespace actsearch
