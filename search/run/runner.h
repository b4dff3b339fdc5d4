/// The loop of every run: candidates are claimed in the database, trained by workers and their results stored.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"
#include "search/run/budget.h"
#include "search/run/progress.h"
#include "search/run/race.h"

namespace actsearch {

/// Scores a candidate: evaluator's train() with a data set, or a stand-in. Called from several threads at once.
using Evaluator = std::function<TrialOutcome(const Program&, const Recipe&, const TrialOptions&)>;

/// Where a run's candidates come from, in a fixed order. Called by one thread at a time.
class CandidateSource {
 public:
  virtual ~CandidateSource() = default;
  /// The next candidate, each once; absent when there is none left.
  virtual std::optional<Candidate> next() = 0;
  /// A trial of the candidate has ended in this run: its accuracy, or absent where it failed.
  virtual void observe(const Candidate& candidate, std::optional<double> accuracy);
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
  std::string recipe_text;  ///< with precision and data: what makes trials comparable
  std::uint64_t seed = 0;   ///< of the first trial of every candidate
  int seeds = 1;            ///< trials a candidate: seed, seed + 1, …
  Budget budget;
  int jobs = 1;                                              ///< trials at once
  int threads = 1;                                           ///< inside each
  std::optional<std::chrono::duration<double>> trial_limit;  ///< a longer trial fails with a time-out
  bool report_test = false;                                  ///< test accuracy every epoch
  std::filesystem::path
      checkpoints;  ///< directory for a checkpoint a trial: after every epoch, at each pause and where it is cut off; or empty
  std::chrono::seconds lease{60};
  bool goes_on = false;          ///< first with the study's trials that were cut off: its candidates alone are in the study
  bool tells_epochs = false;     ///< a line for each epoch
  std::optional<Racing> racing;  ///< needs `checkpoints`
  int ahead = 0;                 ///< candidates that are drawn before a worker is free for them,
  std::function<void(const Candidate&)> upcoming;  ///< and told to this one, which prepares what their training will need
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
  std::int64_t judged = 0;   ///< trials that ended in this run or came to a rung
  std::int64_t paused = 0;   ///< left at a rung by this run, some of them to go on in it
  std::int64_t cut_off = 0;  ///< given back by this run where its end found them, with what they had trained
  std::int64_t skipped = 0;  ///< found finished
  double epochs = 0;         ///< trained in this run; those of failed trials as far as they are whole
  double seconds = 0;
};

/// Runs every candidate's trials under the plan, `jobs` at once. Trials that others have finished are passed; those that others
/// work on are waited for at the end, and taken over if they are left. When `interrupt` becomes true or the time is up, trials in
/// progress stop between batches and are given back: with a checkpoint where the plan has a place for it, so that the next run goes on
/// there. With such a place a trial is begun as long as there is time; without, only if it will probably end in time. Nothing that finished
/// is lost in any case.
///
/// Whatever of the following happens is said, and costs one trial at most. A checkpoint that is damaged or of another run: its trial begins
/// anew. A trial that another process has taken over: its training ends here, and nothing of it is written or removed any more. A database
/// that others keep locked: training goes on, and its results wait. A trial that kDeathsToPutLast processes died with: it is trained last
/// and alone, and with one more it fails. Another exception of the evaluator or the database ends the run as an interrupt does and is
/// thrown on.
RunReport run_trials(Database& database, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator,
                     Progress& progress, const std::atomic<bool>& interrupt);

/// Removes a directory for checkpoints that holds none any more. Nothing where it is not there, or is no name.
void remove_if_empty(const std::filesystem::path& checkpoints);

}  // namespace actsearch
