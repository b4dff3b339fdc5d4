/// What a Python Study calls: the asking and the telling side of one study of one file, for any number of threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "db/store.h"
#include "search/run/ask.h"
#include "search/run/tell.h"
#include "search/text/score_scale.h"

namespace actsearch::python {

/// The seed of a study's first trials may be no larger, so that every seed fits the file's integers.
inline constexpr std::uint64_t kLargestSeed = 1'000'000'000'000'000'000;

/// The leaderboard of a file, as db/records.h has it, and how its scores are written.
struct Ranking {
  std::vector<LeaderboardRow> rows;
  std::vector<ProvisionalRow> paused;
  ScoreScale scale;
};

/// Thread-safe. It must not cross a fork: SQLite's connections do not. Every call may throw a DatabaseError.
class Session {
 public:
  /// Finds the study or begins it; creates the file where it is not there. std::invalid_argument for a plan that cannot be; then there is
  /// no file. `wait_on` is asked as Store::when_busy says.
  Session(const std::string& path, const AskPlan& plan, std::function<bool()> wait_on);

  Id study() const { return study_; }
  Id recipe() const { return recipe_; }
  /// The conditions' whole text, by which they are ranked.
  const std::string& recipe_text() const { return recipe_text_; }
  /// Whether a lower score is better; then the file has its negative.
  bool minimizes() const { return conditions_.minimize; }
  /// A note for people on conditions that differ in their epochs alone; empty without.
  const std::string& note() const { return note_; }

  /// The next trial, for a lease; absent where there is none now.
  std::optional<AskedTrial> ask(std::chrono::seconds lease);

  // As Teller has them.
  Reply epoch(const Claim& ticket, const ToldEpoch& told) { return Teller(*store_).epoch(ticket, told); }
  Reply result(const Claim& ticket, const ToldResult& told) { return Teller(*store_).result(ticket, told); }
  Reply renew(const Claim& ticket, std::optional<std::chrono::seconds> lease) { return Teller(*store_).renew(ticket, lease); }
  Reply give_back(const Claim& ticket) { return Teller(*store_).give_back(ticket); }
  /// A result from elsewhere, of a formula or name under the study's conditions.
  Reply elsewhere(const std::string& formula, std::uint64_t seed, const ToldResult& told);

  /// The study's trial with this number; std::invalid_argument where there is none under its conditions.
  TicketTrial find(Id trial) const;
  /// The trials under the study's conditions that are out.
  std::vector<TicketTrial> out() const;

  /// The best `top` under the study's conditions, each compared with `reference` (a formula or name).
  Ranking ranking(int top, LeaderboardQuery::Sort sort, const std::optional<std::string>& reference) const;
  /// One read-only SELECT on the views of docs/schema.md.
  Table query(const std::string& sql) const;

 private:
  const ToldConditions conditions_;
  const std::string commit_, machine_, recipe_text_;
  const std::unique_ptr<Store> store_;
  const std::string note_;
  std::mutex asking_;  ///< held while asker_ is used
  Asker asker_;
  const Id study_, recipe_;
};

/// "lower-bound", "accuracy", "time" or "trials". std::invalid_argument for any other.
LeaderboardQuery::Sort sort_named(const std::string& name);

/// The ranking of a file that is only read. `recipe` as in LeaderboardQuery.
Ranking ranking_of(const std::string& path, const std::optional<std::string>& recipe, int top, LeaderboardQuery::Sort sort,
                   const std::optional<std::string>& reference);

}  // namespace actsearch::python
