/// What a search remembers, as an interface in the search's own words. db/open/open_store.h opens one; db/sqlite/ is one.
///
/// Several threads may use a store, and several processes may have the same one open. Every call may throw a DatabaseError.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/records.h"

namespace actsearch {

class Reads;
class ReportReads;
class Tickets;
struct IntakeListener;
struct TakenIn;

/// Questions in SQL: a feature that a store may have.
class Queries {
 public:
  virtual ~Queries() = default;
  static constexpr std::size_t kRowLimit = 1'000'000;
  /// One read-only SELECT (or WITH … SELECT) on the documented views. QueryError otherwise, and for more than `row_limit` rows.
  virtual Table query(std::string_view sql, std::size_t row_limit) const = 0;
  Table query(std::string_view sql) const { return query(sql, kRowLimit); }
};

class Store {
 public:
  enum class Access : std::uint8_t { kCreate, kReadOnly };

  Store() = default;
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // What trials belong to.

  virtual Id study(const StudyRecord& study) = 0;              ///< finds the study with these conditions, or creates it
  virtual Id candidate(const CandidateRecord& candidate) = 0;  ///< finds it by fingerprint, or creates it; names a nameless one
  /// The candidate with the fingerprint, if the store has it.
  virtual std::optional<StoredCandidate> candidate_with(std::string_view fingerprint) const = 0;
  /// The candidate's fingerprint in files of schema 6 and older; its older checkpoints are named after it. Empty where it had none.
  virtual std::string former_fingerprint(Id candidate) const = 0;
  virtual Id recipe(std::string_view name,
                    std::string_view text) = 0;  ///< finds it by text, or creates it. `text` includes precision and data
  /// Remembers, once a study, why a formula was refused before training: "constant", "not finite", ….
  virtual void reject(Id study, std::string_view formula, std::string_view reason) = 0;

  /// `wait_on` is called whenever a call has waited its usual time for another process's lock. If it returns true, the call waits as long
  /// again. If it returns false, or if there is none, the call throws a DatabaseError that is busy(). `wait_on` runs on the waiting thread
  /// and must not call this object. `renew` and `add_epoch` never call it: they throw, so that training is not held up.
  virtual void when_busy(std::function<bool()> wait_on) = 0;

  /// Claims that no process holds: db/tickets.h. They live as long as the store.
  virtual Tickets& tickets() = 0;
  virtual const Tickets& tickets() const = 0;

  // Claims. A claim belongs to this object until its lease runs out, its process ends, or one of the calls below ends it.

  /// Claims the trial of (candidate, recipe, seed), in one transaction. A claim is taken over when its lease has run out, or when its
  /// process on this machine is gone. `claim` is set for kClaimed and kGivenUp. `place` is the candidate's place in the study's space.
  ///
  /// Leases of this machine are judged by the time since it started, suspension included. Leases of other machines are judged by the
  /// wall clock.
  virtual ClaimState claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                           std::optional<std::uint64_t> place, Turn turn) = 0;
  ClaimState claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claimed,
                   std::optional<std::uint64_t> place = std::nullopt) {
    return claim(study, candidate, recipe, seed, lease, claimed, place, Turn::kUsual);
  }
  /// Of these functions' trials in the study, those that claim() would find done or taken: several at once, so that a process passes what
  /// others have in few calls. At most kMostAsked functions; std::invalid_argument for more.
  virtual std::vector<SettledTrial> settled_trials(Id study, Id recipe, const std::vector<std::string>& fingerprints) const = 0;
  static constexpr std::size_t kMostAsked = 64;
  /// Prolongs every claim of this object and stores how far some of its trials have come, in one transaction. Returns the trials of
  /// `progress` that this object has lost to another process.
  virtual std::vector<Id> renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress) = 0;
  std::vector<Id> renew(std::chrono::seconds lease) { return renew(lease, {}); }

  // The next five change a trial that this object has claimed. They return false, and change nothing, where it has lost the claim.

  /// Undoes a claim. The trial's epochs and pauses are deleted.
  virtual bool release(Id trial) = 0;
  /// Ends a claim before the trial's end, so that any process may go on with it. Stores `epochs` beside those that are stored already. One
  /// transaction.
  virtual bool give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached) = 0;
  /// Stores an epoch of a running trial, in place of one with the same number.
  virtual bool add_epoch(Id trial, const EpochRecord& epoch) = 0;
  /// Ends a claim at a pause. Stores the trial's epochs and, for a pause inside an epoch, what is known there. One transaction.
  virtual bool pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause) = 0;
  /// Ends a claim with a result. `epochs` replace those that are stored; an empty list leaves them. One transaction.
  virtual bool finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs) = 0;

  // Rankings.

  /// The deviation of a seed that the leaderboard of this query uses. It is pooled over the store's functions with several seeds, where
  /// these have at least LeaderboardQuery::kOwnDegrees. Otherwise it is the known one; without that, what little can be pooled. Absent
  /// where there is none of these.
  virtual std::optional<SeedSpread> seed_spread(const LeaderboardQuery& query) const = 0;
  /// The conditions that a query with this recipe ranks. Absent where nothing has finished under it.
  virtual std::optional<RankedRecipe> ranked_recipe(const std::optional<std::string>& recipe) const = 0;
  virtual std::vector<LeaderboardRow> leaderboard(const LeaderboardQuery& query) const = 0;
  /// The best candidates in the order of the leaderboard.
  virtual std::vector<CandidateRecord> top_candidates(const LeaderboardQuery& query) const = 0;
  /// The first `top` functions that races have stopped, ranked functions left out. The conditions are those that `leaderboard` ranks or,
  /// where nothing has finished, those with the most stopped trials.
  virtual Provisional provisional(const std::optional<std::string>& recipe, int top) const = 0;
  virtual std::vector<FailureRow> failures(const std::optional<std::string>& recipe) const = 0;

  // What a study goes on from.

  virtual StudyCounts counts(Id study) const = 0;
  /// The ended trials of a study whose places are known, in the order in which they ended.
  virtual std::vector<Observation> observations(Id study) const = 0;
  /// The study's trials that have reached a rung: the point after `epochs` whole epochs and `steps` steps of the next. For steps > 0 these
  /// are the trials that paused exactly there; for steps = 0 all with at least so many epochs. By training loss there, lowest first.
  virtual std::vector<RungTrial> rung(Id study, Id recipe, int epochs, std::int64_t steps) const = 0;
  /// The study's trials under the recipe that were given back, or whose process is gone. In the order of their first claims.
  virtual std::vector<UnfinishedTrial> unfinished(Id study, Id recipe) const = 0;
  /// How far a trial had come when it was given back. Absent where it was not given back, or does not exist.
  virtual std::optional<GivenBack> given_back(Id study, Id candidate, Id recipe, std::uint64_t seed) const = 0;
  /// A function's mean accuracy under a recipe. The outer value is absent without an ended trial, the inner one where all trials failed.
  virtual std::optional<std::optional<double>> score(std::string_view fingerprint, Id recipe) const = 0;
  /// The number of trials, in any state, of the recipe with this whole text.
  virtual std::int64_t trials(std::string_view recipe_text) const = 0;
  virtual std::vector<StudyRecord> studies() const = 0;
  /// The studies with a finished trial of this function under the recipe (as in LeaderboardQuery), oldest first.
  virtual std::vector<CandidateStudy> studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const = 0;

  /// Takes in all that `from` holds (db/taken_in.h): studies, functions, refusals, trials with their epochs and pauses. `from` is only
  /// read.
  ///
  /// - A trial that is not here is added. One that has ended here stays as it is.
  /// - One that has not ended here takes the other's result, or the other's epochs where the other was given back later in its training.
  ///   Who trained it here learns that the claim is lost. One that runs here stays where the other has not ended.
  /// - One that runs there comes as given back with its whole epochs, for nobody here trains it. If a ticket holds it there, it comes as
  ///   given back at its start: whoever trains it tells the store that handed it out.
  ///
  /// Each batch of trials is one transaction. So a call that was killed in the middle, made again, does the rest, and one that was made
  /// before changes nothing. std::invalid_argument if both are the same store, or if this kind of store cannot read that one.
  virtual TakenIn take_in(const Store& from, const IntakeListener& listener) = 0;

  // Everything else that is read. What these return lives as long as the store.

  virtual const Reads& reads() const = 0;               ///< db/reads.h
  virtual const ReportReads& report_reads() const = 0;  ///< db/report_reads.h
  /// Equal texts mean that what a page shows has not changed. Progress inside a trial counts in whole per cent.
  virtual std::string change_token() const = 0;
  virtual const Queries* queries() const { return nullptr; }  ///< absent where the store has none

  /// The name under which this object claims trials. It is unique: host, boot, pid namespace, process, its start, and a counter. Claims
  /// that the object leaves behind stay claimed until their lease runs out or the process ends.
  virtual const std::string& owner() const = 0;
};

}  // namespace actsearch
