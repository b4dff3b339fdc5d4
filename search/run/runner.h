/// The loop of every run: it claims candidates in the database, workers train them, and it stores the results.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/store.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"
#include "search/run/budget.h"
#include "search/run/progress.h"
#include "search/run/race.h"

namespace actsearch {

/// Trains and scores a candidate: train() with a data set, the user's own command, or a stand-in. Called from several threads at once.
using Evaluator = std::function<TrialOutcome(const Candidate&, const Recipe&, const TrialOptions&)>;

/// Where a run's candidates come from, in a fixed order. Called by one thread at a time.
class CandidateSource {
 public:
  virtual ~CandidateSource() = default;
  /// The next candidate; each comes once. Absent when none is left.
  virtual std::optional<Candidate> next() = 0;
  /// Whether what comes next depends on what was observed, so that asking for several at once would change it.
  virtual bool learns() const { return false; }
  /// A trial of the candidate has ended in this run: its accuracy, or absent where it failed.
  virtual void observe(const Candidate& candidate, std::optional<double> accuracy);
  /// What the source expected of a candidate when it chose it, for people; empty where it expects nothing.
  virtual std::string expected(const Candidate& candidate) const;
};

/// The candidates of a list, in its order. The list outlives the object.
class ListedCandidates : public CandidateSource {
 public:
  explicit ListedCandidates(const std::vector<Candidate>& candidates) : candidates_(candidates) {}
  std::optional<Candidate> next() override;

 private:
  const std::vector<Candidate>& candidates_;
  std::size_t next_ = 0;
};

/// The conditions of a run and what it may use.
struct RunPlan {
  Recipe recipe;
  Precision precision = Precision::kFp32;
  std::string recipe_text;  ///< with precision and data: the conditions of its trials
  ScoreScale scale = {};    ///< how its scores are written (score_scale)
  std::uint64_t seed = 0;   ///< of the first trial of every candidate
  int seeds = 1;            ///< trials of each candidate: seed, seed + 1, …
  Budget budget;
  int jobs = 1;                                              ///< trials at once
  int threads = 1;                                           ///< inside each
  std::optional<std::chrono::duration<double>> trial_limit;  ///< a longer trial fails with a time-out
  bool report_test = false;                                  ///< test accuracy every epoch
  std::filesystem::path
      checkpoints;  ///< directory for one checkpoint a trial, written after each epoch, at pauses and when cut off; or empty
  std::chrono::seconds lease{60};
  bool goes_on = false;          ///< begins with the study's cut-off trials; only candidates of this source are in the study
  bool tells_epochs = false;     ///< says a line for each epoch
  std::optional<Racing> racing;  ///< needs `checkpoints`
  int ahead = 0;                 ///< candidates drawn before a worker is free for them
  std::function<void(const Candidate&)> upcoming;  ///< is called with each of these, to prepare its training
};

enum class Ending : std::uint8_t {
  kFinished,     ///< every candidate has all its trials
  kBudget,       ///< a budget was reached
  kInterrupted,  ///< asked to stop
};

struct RunReport {
  Ending ending = Ending::kFinished;
  std::int64_t done = 0;  ///< trials finished in this run, failed ones too
  std::int64_t failed = 0;
  std::int64_t judged = 0;   ///< trials that ended in this run or reached a rung
  std::int64_t paused = 0;   ///< times that a trial paused at a rung in this run
  std::int64_t cut_off = 0;  ///< unfinished trials that the end of the run gave back, with their training so far
  std::int64_t skipped = 0;  ///< trials that were finished before
  double epochs = 0;         ///< trained in this run; of failed trials only whole ones
  double seconds = 0;
};

/// Runs every candidate's trials under the plan, `jobs` at once. Trials that another process has finished are skipped. For trials that
/// another process is training, the run waits at its end, and takes over those that are abandoned.
///
/// When `interrupt` becomes true or the time is up, trials in progress stop between batches and are given back. With a directory for
/// checkpoints the next run continues them, so trials begin as long as there is time. Without one, a trial begins only if it will probably
/// end in time. Finished work is never lost.
///
/// The following errors are reported, and cost at most one trial. A damaged or foreign checkpoint: the trial begins anew. A trial that
/// another process has taken over: its training stops, and this process no longer writes or removes its files. A locked database: training
/// goes on, and results wait. A trial that kDeathsToPutLast processes died with: it is trained last and alone; after one more death it
/// fails. Any other exception of the evaluator or the database ends the run as an interrupt does, and is rethrown.
RunReport run_trials(Store& database, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator,
                     Progress& progress, const std::atomic<bool>& interrupt);

/// Removes a directory for checkpoints if it is empty. Does nothing where there is no such directory, or the path is empty.
void remove_if_empty(const std::filesystem::path& checkpoints);

}  // namespace actsearch
