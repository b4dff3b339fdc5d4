/// What is remembered: studies, candidates, trials, epoch curves and failures in one SQLite file. Schema: docs/schema.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/statistics.h"

namespace actsearch {

/// A database that cannot be used: not one of ours, newer than this program, locked, read-only, on a full disk. The message names the
/// file, SQLite's call, code and text, and what to do.
class DatabaseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  virtual bool busy() const { return false; }  ///< another process locked the file for too long: a later try may work
};
/// A statement of `query` that is not one read-only SELECT, or that SQLite rejects: the user's mistake.
class QueryError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

using Id = std::int64_t;

/// The conditions of a study. Equal conditions are the same study; that is how a search is resumed.
struct StudyRecord {
  std::string kind;   ///< "search", "rerun" or "finalists"
  std::string space;  ///< "core1", with the operator subsets in `conditions`
  std::string strategy;
  std::uint64_t seed = 0;
  std::string recipe;      ///< full text
  std::string data;        ///< Dataset::source
  std::string conditions;  ///< JSON: operators, epochs, seeds and whatever else identifies the study
  std::string commit;      ///< the program's. Commit and machine are recorded; they do not identify the study
  std::string machine;
};

/// A candidate activation: one function, by its fingerprint.
struct CandidateRecord {
  std::string fingerprint;  ///< unique
  std::string formula;      ///< the notation: the one spelling of the function that is trained
  std::string name;         ///< a well-known name, or empty
  int parameters = 0;       ///< how many betas
};

struct StoredCandidate {
  Id id = 0;
  CandidateRecord record;
};

/// A study with a finished trial of some candidate.
struct CandidateStudy {
  Id study = 0;
  StudyRecord record;
};

struct EpochRecord {
  int epoch = 0;
  double learning_rate = 0, train_loss = 0, train_accuracy = 0;
  std::optional<double> validation_loss, validation_accuracy, test_accuracy;
  double seconds = 0;
};

/// How far a trial has come: whole epochs, then steps of the next epoch, which has `epoch_steps` in all.
struct TrialProgress {
  int epochs = 0;
  std::int64_t steps = 0, epoch_steps = 0;
};

/// A pause inside an epoch.
struct PauseRecord {
  int epoch = 0;                              ///< from 0; equals the number of whole epochs before it
  std::int64_t step = 0;                      ///< steps of the epoch that are trained, fewer than `epoch_steps`
  std::int64_t epoch_steps = 0;               ///< steps of the whole epoch
  double train_loss = 0, train_accuracy = 0;  ///< over the later half of the trained steps
  double seconds = 0;                         ///< for the trained steps
};

/// How a trial ended.
struct TrialRecord {
  std::optional<double> validation_accuracy;
  std::optional<double> best_test_accuracy, final_test_accuracy;
  std::optional<double> train_loss;  ///< of the last epoch
  std::string beta;                  ///< JSON array of {mean, deviation, min, max} per parameter; "[]" without
  double seconds = 0;
  std::string failure;  ///< empty, or the reason's name
  std::string failure_detail;
};

/// A trial that this process has claimed.
struct Claim {
  Id trial = 0;
  /// 1 at first, 2 after another process died with the trial, and so on. Two processes that both believe they hold the trial have
  /// different attempts.
  int attempt = 1;
};

enum class ClaimState : std::uint8_t {
  kClaimed,  ///< this process holds it now
  kDone,     ///< it finished or failed earlier
  kTaken,    ///< another live process works on it
  kPutLast,  ///< kDeathsToPutLast processes in a row died with it; Turn::kLast claims it when nothing else is left
  kGivenUp   ///< one more process died; the trial has failed now, with kDiedReason
};
inline constexpr int kDeathsToPutLast = 3;                       ///< in a row, without a further epoch between them
inline constexpr std::string_view kDiedReason = "process died";  ///< TrialRecord::failure of a trial that is given up

/// When a trial is claimed: kLast also takes those that are put last.
enum class Turn : std::uint8_t { kUsual, kLast };

/// The conditions that a leaderboard ranks.
struct RankedRecipe {
  Id id = 0;
  std::string text;       ///< whole
  std::int64_t done = 0;  ///< finished trials
  int epochs = 0;         ///< of a whole trial, as the text says; 0 where it does not
};

struct LeaderboardQuery {
  /// A recipe's name, its whole text, or its name and some fields of the text ("vgg16-slim epochs=12 peak=0.1"). Absent: any recipe.
  /// Where several texts fit (other epochs, rate, precision or data), only one is ranked. A search's text comes before those of reruns
  /// and finalists; among equals the text with the most finished trials wins.
  std::optional<std::string> recipe = std::nullopt;
  int top = 20;
  enum class Sort : std::uint8_t { kAccuracy, kLowerBound, kTime, kTrials } sort = Sort::kAccuracy;  ///< kLowerBound: by `bound`
  std::optional<std::string> reference = std::nullopt;  ///< fingerprint of the function that each row is compared with
  /// The deviation of a seed under some conditions (their whole text), measured elsewhere. It counts where the file's own functions with
  /// several seeds have fewer than kOwnDegrees degrees of freedom together.
  using KnownSpread = std::function<std::optional<SeedSpread>(const std::string& conditions)>;
  KnownSpread known_spread = nullptr;
  static constexpr int kOwnDegrees = 10;
};

/// The ranks that a function may really have. Its score differs from all scores before and after this range by more than seeds explain
/// (SeedSpread). Counting ends after 10,000 functions and five times the rows asked for; `last` is then where it ended.
struct RankRange {
  int first = 0, last = 0;
};

struct LeaderboardRow {
  int rank = 0;  ///< from 1; equal rows in the order of their formulas
  std::string formula, name, recipe;
  double mean = 0;                  ///< validation accuracy (test accuracy, final, where the recipe has no validation images)
  int n = 0;                        ///< finished trials (seeds)
  std::optional<double> low, high;  ///< 95 % interval (Student's t over seeds) where n > 1
  /// The mean less t·s/√n, a careful estimate for few seeds. s is the deviation of a trial, pooled over the candidates with several
  /// seeds. Absent where no candidate has several.
  std::optional<double> bound;
  std::optional<double> margin;   ///< half of the mean's 95 % interval, by the deviation of a seed (Database::seed_spread)
  std::optional<RankRange> tied;  ///< by the same deviation, in orders by accuracy or bound; contains `rank`
  std::optional<double> best;     ///< the best single trial
  std::optional<double> beta;     ///< mean of the learned beta0 over channels and seeds
  int epochs = 0;
  double seconds = 0;  ///< mean per trial
  /// The difference from the query's reference, over the seeds that both have. p_holm is corrected for every function that can be compared
  /// under these conditions, shown or not. Absent for fewer than two common seeds, and for the reference itself.
  std::optional<PairedComparison> compared;
  Id candidate = 0;  ///< as in the views
};

/// A function without a finished trial, whose trials a race has stopped.
struct ProvisionalRow {
  Id candidate = 0;  ///< as in the views
  std::string formula, name;
  double epochs = 0;      ///< of its furthest trial, with the part of an epoch
  double train_loss = 0;  ///< of that trial there; the race judged by it
  int n = 0;              ///< stopped trials
};

/// What races have stopped under one recipe text.
struct Provisional {
  RankedRecipe recipe;               ///< without a text where nothing has stopped or finished
  std::int64_t trials = 0;           ///< all that are stopped, also those of functions with finished trials
  std::vector<ProvisionalRow> rows;  ///< the furthest first; at the same place the lowest loss first
};

struct FailureRow {
  std::string formula, recipe, reason, detail;
  std::uint64_t seed = 0;
};

/// How a trial ended whose place in the study's space is known.
struct Observation {
  std::uint64_t place = 0;
  std::optional<double> accuracy;  ///< absent where it failed
};

/// How far a trial had come when its process gave it back unfinished.
struct GivenBack {
  int epochs = 0;          ///< whole ones
  std::int64_t steps = 0;  ///< of the next epoch
  bool in_study = false;   ///< whether the trial belongs to the study that was asked about
};

/// A trial that has reached a rung.
struct RungTrial {
  Id candidate = 0;
  CandidateRecord record;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> place;   ///< in the study's space, where it is known
  std::optional<GivenBack> given_back;  ///< absent where the trial has ended or a process trains it
};

/// A trial of a study that was begun, has not ended, and has no process at work on it.
struct UnfinishedTrial {
  Id candidate = 0;
  CandidateRecord record;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> place;   ///< in the study's space, where it is known
  std::optional<GivenBack> given_back;  ///< absent where the process died: how far the trial came is then unknown
};

/// Counts the trials that a study claimed, or found finished by another study.
struct StudyCounts {
  std::int64_t candidates = 0, done = 0, failed = 0, running = 0, rejected = 0;
};

namespace sqlite {
class Connection;
}

/// A result of `query`: column names, and cells as text (NULL is an absent cell).
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::vector<bool> numeric;  ///< per column: every non-null cell is a number
};

/// One open file. Safe to use from several threads; several processes may have the same file open.
class Database {
 public:
  enum class Access : std::uint8_t { kCreate, kReadOnly };
  /// Opens, creating and migrating where asked to write (WAL, synchronous=FULL). DatabaseError as described above. Every call
  /// waits at most `busy_timeout` for another process's lock.
  Database(const std::filesystem::path& file, Access access, std::chrono::milliseconds busy_timeout = std::chrono::seconds(20));
  /// Throws what opening with kCreate would throw because of the file or its directory. Creates and changes nothing. Commands call it
  /// early, before they know whether they will need the file.
  static void require_usable(const std::filesystem::path& file);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  Id study(const StudyRecord& study);              ///< finds the study with these conditions, or creates it
  Id candidate(const CandidateRecord& candidate);  ///< finds it by fingerprint, or creates it; names a nameless one
  /// The candidate with the fingerprint, if the file has it.
  std::optional<StoredCandidate> candidate_with(std::string_view fingerprint) const;
  /// The candidate's fingerprint in files of schema 6 and older; its older checkpoints are named after it. Empty where it had none.
  std::string former_fingerprint(Id candidate) const;
  Id recipe(std::string_view name, std::string_view text);  ///< finds it by text, or creates it. `text` includes precision and data
  /// Remembers, once a study, why a formula was refused before training: "constant", "not finite", ….
  void reject(Id study, std::string_view formula, std::string_view reason);

  /// `wait_on` is asked whenever a call has waited `busy_timeout` for another process's lock; true means: wait as long again. Without it,
  /// or where it says false, the call throws a DatabaseError that is busy(). It runs on the waiting thread and must not call this object.
  /// `renew` and `add_epoch` never ask. They throw, so that training is not held up.
  void when_busy(std::function<bool()> wait_on);

  /// Claims the trial of (candidate, recipe, seed) for this process, in one transaction. A claim is taken over when its lease has run out,
  /// or when its process on this machine is gone. `claim` is set for kClaimed and kGivenUp. `place` is the candidate's place in the
  /// study's space.
  ///
  /// Leases of this machine are judged by the time since it started, suspension included. Leases of other machines are judged by the
  /// wall clock.
  ClaimState claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                   std::optional<std::uint64_t> place = std::nullopt, Turn turn = Turn::kUsual);
  /// Prolongs every claim of this Database object and stores how far some of its trials have come, in one transaction. Returns the trials
  /// of `progress` that this object has lost to another process.
  std::vector<Id> renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress = {});

  // The next five change a trial that this object has claimed. They return false, and change nothing, where it has lost the claim.

  /// Undoes a claim. The trial's epochs and pauses are deleted.
  bool release(Id trial);
  /// Ends a claim before the trial's end, so that any process may go on with it. Stores `epochs` beside those that are stored already. One
  /// transaction.
  bool give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached);
  /// Stores an epoch of a running trial, in place of one with the same number.
  bool add_epoch(Id trial, const EpochRecord& epoch);
  /// Ends a claim at a pause. Stores the trial's epochs and, for a pause inside an epoch, what is known there. One transaction.
  bool pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause);
  /// Ends a claim with a result. `epochs` replace those that are stored; an empty list leaves them. One transaction.
  bool finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs);

  /// The deviation of a seed that the leaderboard of this query uses. It is pooled over the file's functions with several seeds, where
  /// these have at least LeaderboardQuery::kOwnDegrees. Otherwise it is the known one; without that, what little can be pooled. Absent
  /// where there is none of these.
  std::optional<SeedSpread> seed_spread(const LeaderboardQuery& query) const;
  /// The conditions that a query with this recipe ranks. Absent where nothing has finished under it.
  std::optional<RankedRecipe> ranked_recipe(const std::optional<std::string>& recipe) const;
  std::vector<LeaderboardRow> leaderboard(const LeaderboardQuery& query) const;
  /// The first `top` functions that races have stopped, ranked functions left out. The conditions are those that `leaderboard` ranks or,
  /// where nothing has finished, those with the most stopped trials.
  Provisional provisional(const std::optional<std::string>& recipe, int top) const;
  std::vector<FailureRow> failures(const std::optional<std::string>& recipe) const;
  StudyCounts counts(Id study) const;
  /// The ended trials of a study whose places are known, in the order in which they ended.
  std::vector<Observation> observations(Id study) const;
  /// The study's trials that have reached a rung: the point after `epochs` whole epochs and `steps` steps of the next. For steps > 0 these
  /// are the trials that paused exactly there; for steps = 0 all with at least so many epochs. By training loss there, lowest first.
  std::vector<RungTrial> rung(Id study, Id recipe, int epochs, std::int64_t steps) const;
  /// The study's trials under the recipe that were given back, or whose process is gone. In the order of their first claims.
  std::vector<UnfinishedTrial> unfinished(Id study, Id recipe) const;
  /// How far a trial had come when it was given back. Absent where it was not given back, or does not exist.
  std::optional<GivenBack> given_back(Id study, Id candidate, Id recipe, std::uint64_t seed) const;
  /// A function's mean accuracy under a recipe. The outer value is absent without an ended trial, the inner one where all trials failed.
  std::optional<std::optional<double>> score(std::string_view fingerprint, Id recipe) const;
  /// The number of trials, in any state, of the recipe with this whole text.
  std::int64_t trials(std::string_view recipe_text) const;
  std::vector<StudyRecord> studies() const;
  /// The studies with a finished trial of this function under the recipe (as in LeaderboardQuery), oldest first.
  std::vector<CandidateStudy> studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const;
  /// The best candidates in the order of the leaderboard.
  std::vector<CandidateRecord> top_candidates(const LeaderboardQuery& query) const;
  /// One read-only SELECT (or WITH … SELECT) on the documented views. QueryError otherwise, and for more than `row_limit` rows.
  Table query(std::string_view sql, std::size_t row_limit = 1'000'000) const;

  /// The name under which this object claims trials. It is unique: host, boot, pid namespace, process, its start, and a counter. Claims
  /// that the object leaves behind stay claimed until their lease runs out or the process ends.
  const std::string& owner() const;

 private:
  friend class Reads;
  friend class ReportReads;
  /// Calls `body` with the file's connection, alone with it.
  void read(const std::function<void(sqlite::Connection&)>& body) const;
  std::string view_names() const;  ///< what `query` reads, with commas between

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
