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

/// A database that cannot be used: not one of ours, newer than this program, locked, read-only, on a full disk. The message
/// names the file, SQLite's call, code and text, and what to do.
class DatabaseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  virtual bool busy() const { return false; }  ///< another process kept the file locked for longer than the wait: later it may work
};
/// A statement of `query` that is not one read-only SELECT, or that SQLite rejects: the user's mistake.
class QueryError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

using Id = std::int64_t;

/// The conditions of a search; equal conditions are the same study, which is how a search is resumed.
struct StudyRecord {
  std::string kind;   ///< "search", "rerun" or "finalists"
  std::string space;  ///< "core1", with the operator subsets in `conditions`
  std::string strategy;
  std::uint64_t seed = 0;
  std::string recipe;      ///< full text
  std::string data;        ///< Dataset::source
  std::string conditions;  ///< JSON: operators, epochs, seeds: what else makes it this study
  std::string commit;      ///< of the program, and the machine: recorded, not part of the identity
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

/// A study that has a candidate among its finished trials.
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

/// How far a trial has come: whole epochs, and steps of the one after them, of so many.
struct TrialProgress {
  int epochs = 0;
  std::int64_t steps = 0, epoch_steps = 0;
};

struct PauseRecord {      ///< a trial that paused inside an epoch
  int epoch = 0;          ///< from 0: the whole epochs before it
  std::int64_t step = 0;  ///< steps of the epoch that it has trained, fewer than
  std::int64_t epoch_steps = 0;
  double train_loss = 0, train_accuracy = 0;  ///< over the later half of these steps
  double seconds = 0;                         ///< that they took
};

struct TrialRecord {  ///< how a trial ended
  std::optional<double> validation_accuracy;
  std::optional<double> best_test_accuracy, final_test_accuracy;
  std::optional<double> train_loss;  ///< of the last epoch
  std::string beta;                  ///< JSON array of {mean, deviation, min, max} per parameter; "[]" without
  double seconds = 0;
  std::string failure;  ///< empty, or the reason's name
  std::string failure_detail;
};

/// One trial taken for work by this process.
struct Claim {
  Id trial = 0;
  /// 2 when another process died with it, and so on. Of two processes that both believe to have claimed the trial it differs.
  int attempt = 1;
};

enum class ClaimState : std::uint8_t {
  kClaimed,  ///< it is ours now
  kDone,     ///< finished or failed before: nothing to do
  kTaken,    ///< another live process works on it
  kPutLast,  ///< kDeathsToPutLast processes in a row died with it: claim it with Turn::kLast when nothing else is left
  kGivenUp   ///< one more died: it has failed now, for kDiedReason
};
inline constexpr int kDeathsToPutLast = 3;                       ///< processes in a row that left a trial without a further epoch
inline constexpr std::string_view kDiedReason = "process died";  ///< TrialRecord::failure of a trial that is given up

/// Whether a trial whose processes died may be claimed now.
enum class Turn : std::uint8_t { kUsual, kLast };

/// The conditions that a leaderboard ranks.
struct RankedRecipe {
  Id id = 0;
  std::string text;       ///< whole
  std::int64_t done = 0;  ///< finished trials
  int epochs = 0;         ///< of a whole trial, as the text says; 0 where it does not
};

struct LeaderboardQuery {
  /// A recipe's name, its whole text, or its name and some of the text's fields ("vgg16-slim epochs=12 peak=0.1"); absent: any. Of
  /// several texts that fit (other epochs, rate, precision or data) one is ranked, alone: one of a search rather than of reruns or
  /// finalists, and among these the one with the most finished trials.
  std::optional<std::string> recipe = std::nullopt;
  int top = 20;
  enum class Sort : std::uint8_t { kAccuracy, kLowerBound, kTime, kTrials } sort = Sort::kAccuracy;  ///< kLowerBound: by `bound`
  std::optional<std::string> reference = std::nullopt;  ///< fingerprint of the function that each row is compared with
  /// The deviation of a seed that is known of conditions (their whole text) from elsewhere: what counts where the file's own functions with
  /// several seeds have fewer than kOwnDegrees degrees of freedom together.
  using KnownSpread = std::function<std::optional<SeedSpread>(const std::string& conditions)>;
  KnownSpread known_spread = nullptr;
  static constexpr int kOwnDegrees = 10;
};

/// The ranks that a function may have by what is known: it is told apart (SeedSpread) from all that stand before and after. Of a tie that
/// goes beyond 10,000 functions and five times the rows asked for, `last` is where counting ended.
struct RankRange {
  int first = 0, last = 0;
};

struct LeaderboardRow {
  int rank = 0;  ///< from 1; equal rows in the order of their formulas
  std::string formula, name, recipe;
  double mean = 0;                  ///< validation accuracy (test accuracy, final, where the recipe has no validation images)
  int n = 0;                        ///< finished trials (seeds)
  std::optional<double> low, high;  ///< 95 % interval (Student's t over seeds) where n > 1
  /// Below the mean by t·s/√n, with s the deviation of a trial pooled over the candidates with several: what a mean of few seeds is worth.
  /// Absent where no candidate has several.
  std::optional<double> bound;
  std::optional<double> margin;   ///< ± of the mean by the deviation of a seed (Database::seed_spread): half of a 95 % interval
  std::optional<RankRange> tied;  ///< by that deviation, in orders by accuracy or bound; `rank` is within it
  std::optional<double> best;     ///< the best single trial
  std::optional<double> beta;     ///< mean of the learned beta0 over channels and seeds
  int epochs = 0;
  double seconds = 0;  ///< mean per trial
  /// With the query's reference, over the seeds that both have; p_holm is corrected for all functions of the conditions that can be
  /// compared with it, whatever the answer shows. Absent with fewer than two such seeds, and for the reference itself.
  std::optional<PairedComparison> compared;
  Id candidate = 0;  ///< as in the views
};

/// A function that has no finished trial, and whose trials a race has stopped.
struct ProvisionalRow {
  Id candidate = 0;  ///< as in the views
  std::string formula, name;
  double epochs = 0;      ///< that the furthest of its trials has trained, a part of one included
  double train_loss = 0;  ///< of that trial at that place: what the race judged by
  int n = 0;              ///< trials that have been stopped
};

/// What a race has stopped under the conditions of a leaderboard.
struct Provisional {
  RankedRecipe recipe;               ///< no text where no trial has been stopped, and none has finished
  std::int64_t trials = 0;           ///< stopped under it, also of functions that have finished others
  std::vector<ProvisionalRow> rows;  ///< those that came furthest first; of those that came as far, by loss, lowest first
};

struct FailureRow {
  std::string formula, recipe, reason, detail;
  std::uint64_t seed = 0;
};

/// How a trial of a place in a study's space ended.
struct Observation {
  std::uint64_t place = 0;
  std::optional<double> accuracy;  ///< absent where it failed
};

/// How far a trial has come that was given back: whole epochs, and steps of the one after them.
struct GivenBack {
  int epochs = 0;
  std::int64_t steps = 0;
  bool in_study = false;
};

/// A trial that has come as far as a rung.
struct RungTrial {
  Id candidate = 0;
  CandidateRecord record;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> place;   ///< in the study's space, where it is known
  std::optional<GivenBack> given_back;  ///< absent where it has ended or somebody goes on with it
};

/// A trial of a study that somebody began, and that nobody is at work on now.
struct UnfinishedTrial {
  Id candidate = 0;
  CandidateRecord record;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> place;   ///< in the study's space, where it is known
  std::optional<GivenBack> given_back;  ///< absent where its process died: how far it came is not known then
};

/// Of the trials that a study has claimed or found done by another.
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
  /// Throws what opening with kCreate would throw for the sake of the file or its directory; creates and changes nothing. For commands that
  /// have more to find out before they may leave a file behind.
  static void require_usable(const std::filesystem::path& file);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  Id study(const StudyRecord& study);              ///< found by its conditions, or created
  Id candidate(const CandidateRecord& candidate);  ///< found by fingerprint, or created; a non-empty name is added to a nameless one
  /// The candidate with the fingerprint, if the file has it.
  std::optional<StoredCandidate> candidate_with(std::string_view fingerprint) const;
  /// The fingerprint that a candidate had in a file of schema 6 or older, after which its checkpoints are named; else empty.
  std::string former_fingerprint(Id candidate) const;
  Id recipe(std::string_view name, std::string_view text);  ///< found by text, or created. `text` includes the precision and data
  /// A formula refused before training ("constant", "not finite", …): kept once per study.
  void reject(Id study, std::string_view formula, std::string_view reason);

  /// Asked each time that a call has waited `busy_timeout` for another process's lock: true to wait on. Without it, and where it says
  /// false, the call throws a DatabaseError that is busy(). It is called on the thread that waits, and must not call this object. `renew`
  /// and `add_epoch` never ask: they throw, so that training is not held up.
  void when_busy(std::function<bool()> wait_on);

  /// Takes (candidate, recipe, seed) for this process in one transaction. A claim whose lease ran out, or whose process on this
  /// machine is gone, is taken over. `claim` is set when kClaimed or kGivenUp. `place` is where in its space the study found the candidate.
  ///
  /// A lease on this machine is judged by the clock that runs since it was started, through suspension; one of another machine by
  /// the wall clock.
  ClaimState claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                   std::optional<std::uint64_t> place = std::nullopt, Turn turn = Turn::kUsual);
  /// Prolongs every claim of this Database object, and tells how far some of its trials have come, in one transaction. Returns those of
  /// `progress` that are no longer ours.
  std::vector<Id> renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress = {});
  // What follows changes a trial that this object has claimed. False where it is another's by now: then nothing is changed.

  /// Gives a claim back as if it had never been made: its epochs and pauses go.
  bool release(Id trial);
  /// Gives a claim back unfinished for somebody to go on with, in one transaction with its epochs so far (those told before stay).
  bool give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached);
  /// Stores an epoch of a running trial (replacing one of the same number).
  bool add_epoch(Id trial, const EpochRecord& epoch);
  /// Gives a claim back at a pause, in one transaction with the trial's epochs and, where it lies inside an epoch, what is known there.
  bool pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause);
  /// Stores the result in one transaction, with `epochs` in place of those stored before (none given: those stay).
  bool finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs);

  /// The deviation of a seed that a leaderboard with this query goes by: pooled over the file's own functions with several seeds where they
  /// have at least LeaderboardQuery::kOwnDegrees, else the known one, else pooled over what there is; absent without any of these.
  std::optional<SeedSpread> seed_spread(const LeaderboardQuery& query) const;
  /// Which conditions a query with this recipe ranks; absent where it finds no finished trial.
  std::optional<RankedRecipe> ranked_recipe(const std::optional<std::string>& recipe) const;
  std::vector<LeaderboardRow> leaderboard(const LeaderboardQuery& query) const;
  /// The first `top` functions that a race has stopped under the conditions that `leaderboard` ranks or, where nothing has finished, under
  /// those with the most stopped trials. A function that is ranked is not among them.
  Provisional provisional(const std::optional<std::string>& recipe, int top) const;
  std::vector<FailureRow> failures(const std::optional<std::string>& recipe) const;
  StudyCounts counts(Id study) const;
  /// The ended trials of a study whose places are known, in the order in which they ended.
  std::vector<Observation> observations(Id study) const;
  /// The study's trials that have paused after `steps` steps of the epoch after `epochs` whole ones, or with steps = 0 those that have
  /// trained for at least so many epochs; by the training loss of that epoch, lowest first.
  std::vector<RungTrial> rung(Id study, Id recipe, int epochs, std::int64_t steps) const;
  /// The study's trials under the recipe that were given back or whose process is gone, in the order in which they were first claimed.
  std::vector<UnfinishedTrial> unfinished(Id study, Id recipe) const;
  /// How far a trial has come that was given back, with whether it is one of the study's; absent for one that was not, or does not exist.
  std::optional<GivenBack> given_back(Id study, Id candidate, Id recipe, std::uint64_t seed) const;
  /// What is known of a function under a recipe: absent without an ended trial, else the mean accuracy, absent where all failed.
  std::optional<std::optional<double>> score(std::string_view fingerprint, Id recipe) const;
  /// How many trials there are of the recipe with this whole text, in any state.
  std::int64_t trials(std::string_view recipe_text) const;
  std::vector<StudyRecord> studies() const;
  /// The studies in which a candidate's trials under the recipe (as in LeaderboardQuery) ended with a result, oldest first.
  std::vector<CandidateStudy> studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const;
  /// (candidate formula, name) pairs of the best by leaderboard order, for rerun --top.
  std::vector<CandidateRecord> top_candidates(const LeaderboardQuery& query) const;
  /// One read-only SELECT (or WITH … SELECT) on the documented views. QueryError otherwise, and for more than `row_limit` rows.
  Table query(std::string_view sql, std::size_t row_limit = 1'000'000) const;

  /// Who claims for this object: host, boot, pid namespace, process and its start, and a counter; unique. Claims not finished or
  /// released before the object goes stay with it until their lease runs out or the process ends.
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
