/// What is remembered, as values: studies, candidates, trials, epochs, rankings. Nothing here knows how it is stored.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "db/comparisons.h"
#include "db/statistics.h"

namespace actsearch {

/// A store that cannot be used: not one of ours, newer than this program, locked, read-only, on a full disk. The message names the
/// store, what failed, and what to do.
class DatabaseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  virtual bool busy() const { return false; }  ///< another process locked the store for too long: a later try may work
};
/// A statement of `query` that is not one read-only SELECT, or that the store rejects: the user's mistake.
class QueryError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

using Id = std::int64_t;

/// The conditions of a study. Equal conditions are the same study; that is how a search is resumed.
struct StudyRecord {
  std::string kind;   ///< "search", "rerun", "finalists", or "told" for results from elsewhere
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

/// What is known of an epoch. A trainer outside of this program may tell only some of it.
struct EpochRecord {
  int epoch = 0;  ///< from 0
  std::optional<double> learning_rate, train_loss, train_accuracy;
  std::optional<double> validation_loss, validation_accuracy, test_accuracy;
  std::optional<double> seconds;
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
  std::optional<double> seconds;
  std::string failure;  ///< empty, or the reason's name
  std::string failure_detail;
};

/// A trial that this process, or a ticket (db/tickets.h), has claimed.
struct Claim {
  Id trial = 0;
  /// 1 at first. One more whenever a process died with the trial, and with each new ticket. So two holders that both believe they hold
  /// the trial have different attempts.
  int attempt = 1;
  friend bool operator==(const Claim&, const Claim&) = default;
};

enum class ClaimState : std::uint8_t {
  kClaimed,  ///< this process holds it now
  kDone,     ///< it finished or failed earlier
  kTaken,    ///< another live process works on it
  kPutLast,  ///< kDeathsToPutLast processes in a row died with it; Turn::kLast claims it when nothing else is left
  kGivenUp   ///< one more process died; the trial has failed now, with kDiedReason
};
/// A trial that needs no claim.
struct SettledTrial {
  std::string fingerprint;  ///< of its function
  bool named = false;       ///< whether the function has a well-known name in the store
  std::uint64_t seed = 0;
  ClaimState state = ClaimState::kDone;  ///< or kTaken
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
  bool losses = false;  ///< also LeaderboardRow::validation_loss, which no index holds
};

struct LeaderboardRow {
  int rank = 0;  ///< from 1; equal rows in the order of their formulas
  std::string formula, name, recipe;
  double mean = 0;                  ///< score, higher is better: validation accuracy, or what the conditions name (final test accuracy
                                    ///< where the recipe has no validation images)
  int n = 0;                        ///< finished trials (seeds)
  std::optional<double> low, high;  ///< 95 % interval (Student's t over seeds) where n > 1
  /// The mean less t·s/√n, a careful estimate for few seeds. s is the deviation of a trial, pooled over the candidates with several
  /// seeds. Absent where no candidate has several.
  std::optional<double> bound;
  std::optional<double> margin;  ///< half of the mean's 95 % interval, by the deviation of a seed (Store::seed_spread)
  /// The ranks that the row is not told apart from, by the same deviation; contains `rank`. Counting stops after 10,000 functions and five
  /// times the rows asked for; `last` is then the place where it stopped. Absent in orders other than by accuracy or bound.
  std::optional<RankRange> tied;
  std::optional<double> best;             ///< the best single trial
  std::optional<double> validation_loss;  ///< mean over its finished trials, after the last epoch; where asked for and stored
  std::optional<double> beta;             ///< mean of the learned beta0 over channels and seeds
  int epochs = 0;
  double seconds = 0;  ///< mean per trial
  /// The difference from the query's reference. The comparisons are made together with those of every other function that has several
  /// trials under these conditions, shown or not. Absent for a single trial, where nothing can be said, and for the reference itself.
  std::optional<Comparison> compared;
  Id candidate = 0;  ///< as in the views
};

/// A function without a finished trial, whose trials a race has stopped.
struct ProvisionalRow {
  Id candidate = 0;  ///< as in the views
  std::string formula, name;
  double epochs = 0;      ///< of its furthest trial, with the part of an epoch
  double train_loss = 0;  ///< of that trial there
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

/// How a trial ended. Its place in the study's space is known.
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

/// A trial that has come to its end with a score.
struct TrialEnd {
  double score = 0;      ///< validation accuracy, or what stands for it; higher is better
  std::string finished;  ///< when, as in the views
};

/// A trial that has reached a rung.
struct RungTrial {
  Id candidate = 0;
  CandidateRecord record;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> place;   ///< in the study's space, where it is known
  std::optional<GivenBack> given_back;  ///< absent where the trial has ended or a process trains it
  double train_loss = 0;                ///< at the rung; 0 where nobody told it
  std::optional<TrialEnd> end = {};     ///< absent where the trial has not ended, or has failed
  bool earlier = false;                 ///< it ended before there was the study, which found it so
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

/// A result of `query`: column names, and cells as text (NULL is an absent cell).
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::vector<bool> numeric;  ///< per column: every non-null cell is a number
};

}  // namespace actsearch
