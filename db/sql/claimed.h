/// The steps of a claim's life, whether a process or a ticket holds it. Each is for the caller's transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "db/sql/database.h"
#include "db/sql/trial.h"

namespace actsearch {

/// When a lease ends that begins now, by the clocks that may judge it. `boot_ms` is 0 where a server's clock does.
struct LeaseEnd {
  LeaseEnd(std::chrono::seconds lease, const sql::Clock& now);
  std::int64_t wall_ms, boot_ms;
};

/// Who takes a trial, and for how long.
struct Taker {
  std::string owner;
  std::chrono::seconds lease;
  Turn turn;
};

/// Claims the trial, which the caller holds (hold_trial), for the taker if it is free. Says what came of it.
ClaimState take(sql::Connection& connection, const StoredTrial& trial, const Taker& taker, Claim* claim);

/// Notes that the study wants the trial, and where in its space it found it.
void want(sql::Connection& connection, Id study, Id trial, const std::optional<std::uint64_t>& place);

/// Whether a trial is running under the owner. If so, nobody else can change it within the caller's transaction.
bool holds(sql::Connection& connection, Id trial, std::string_view owner);

/// Writes one epoch if the trial is running under the owner; false if it is not.
bool store_epoch(sql::Connection& connection, Id trial, std::string_view owner, const EpochRecord& epoch);

/// Whoever has come further with a trial has not died of it.
void forget_deaths(sql::Connection& connection, Id trial);

/// A trial that is running under the owner waits from now on, and how far it came is known; false if it is not running under the owner.
/// `keeper` is what the row says of its owner while it waits.
bool give_back(sql::Connection& connection, Id trial, std::string_view owner, const TrialProgress& reached, std::string_view keeper = "");

/// Ends a trial that is running under the owner, and brings the standings up to date; false if it is not running under the owner.
bool finish(sql::Connection& connection, Id trial, std::string_view owner, const TrialRecord& result);

}  // namespace actsearch
