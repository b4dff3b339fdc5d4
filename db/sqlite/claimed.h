/// The steps of a claim's life, whether a process or a ticket holds it. Each is for the caller's transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "db/sqlite/file.h"
#include "db/sqlite/trial.h"

namespace actsearch {

/// When a lease ends, by both clocks that may judge it.
struct LeaseEnd {
  explicit LeaseEnd(std::chrono::seconds lease);
  std::int64_t wall_ms, boot_ms;
};

/// Who takes a trial, and for how long.
struct Taker {
  std::string owner;
  std::chrono::seconds lease;
  Turn turn;
};

/// Claims the trial for the taker if it is free, and says what came of it.
ClaimState take(sqlite::Connection& connection, const StoredTrial& trial, const Taker& taker, Claim* claim);

/// Notes that the study wants the trial, and where in its space it found it.
void want(sqlite::Connection& connection, Id study, Id trial, const std::optional<std::uint64_t>& place);

/// Whether a trial is running under the owner.
bool holds(sqlite::Connection& connection, Id trial, std::string_view owner);

/// Writes one epoch if the trial is running under the owner; false if it is not.
bool store_epoch(sqlite::Connection& connection, Id trial, std::string_view owner, const EpochRecord& epoch);

/// Whoever has come further with a trial has not died of it.
void forget_deaths(sqlite::Connection& connection, Id trial);

/// A trial that is running under the owner waits from now on, and how far it came is known; false if it is not running under the owner.
/// `keeper` is what the row says of its owner while it waits.
bool give_back(sqlite::Connection& connection, Id trial, std::string_view owner, const TrialProgress& reached,
               std::string_view keeper = "");

/// Ends a trial that is running under the owner, and brings the standings up to date; false if it is not running under the owner.
bool finish(sqlite::Connection& connection, Id trial, std::string_view owner, const TrialRecord& result);

}  // namespace actsearch
