/// Ask: a study whose trials somebody else trains. It chooses what is worth a trial, and hands it out on a ticket (db/tickets.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/store.h"
#include "db/tickets.h"
#include "grammar/candidate.h"
#include "grammar/space.h"
#include "search/run/race.h"
#include "search/run/study.h"
#include "search/run/told.h"

namespace actsearch {

/// What a study asks for. Equal plans are the same study, whatever baselines and given functions they have.
struct AskPlan {
  ToldConditions conditions;
  Space space;
  std::string strategy = "random";
  std::uint64_t seed = 0;  ///< of the first trial of every function; the order of proposals follows from it too
  int seeds = 1;           ///< trials of each function: seed, seed + 1, …
  bool baselines = false;
  std::vector<Candidate> given = {};
  struct Race {
    std::vector<int> rungs;  ///< whole epochs that ascend, each before the last of a trial
    RaceChoice choice = {};
  };
  std::optional<Race> race = std::nullopt;
  std::string commit, machine;
};

/// std::invalid_argument, with the reason, for a plan that cannot be.
void require_valid(const AskPlan& plan);

/// A trial to be trained by whoever asked.
struct AskedTrial {
  HandedOut handed_out;
  Candidate candidate;  ///< in the one spelling of its function that is trained
  std::uint64_t seed = 0;
  int to_epoch = 1;  ///< of a whole trial
};

/// The asking side of a study. Any number of objects, in any number of processes, may ask for the same study: its whole state is in the
/// store. Not thread-safe.
class Asker {
 public:
  /// Finds the study or begins it. The store outlives the object. Errors as require_valid.
  Asker(Store& database, const AskPlan& plan);
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  /// Hands out up to `count` trials for a lease. First come those that were given back or whose lease is over, then those that the race
  /// lets go on, then further seeds of functions that have some, then new functions. There may be fewer: the rest is told, out or
  /// paused. A strategy that learns knows all scores told so far. After an exception nothing stays handed out.
  std::vector<AskedTrial> ask(int count, std::chrono::seconds lease);

  Id study() const { return study_; }
  Id recipe() const { return recipe_; }

 private:
  class Round;  ///< one call of ask
  std::optional<AskedTrial> hand_out(const Candidate& candidate, Id candidate_id, std::uint64_t seed, std::chrono::seconds lease);
  /// What proposes, up to date with what was told.
  StudyCandidates& candidates();

  Store& database_;
  const SearchPlan plan_;
  const Id study_, recipe_;
  std::optional<Race> race_;
  const std::atomic<bool> interrupt_{false};
  std::optional<StudyCandidates> candidates_;
  std::size_t observed_ = 0;  ///< results that candidates_ knows
};

}  // namespace actsearch
