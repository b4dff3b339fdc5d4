/// The account of a run: which trials are at work, what the run has come to, and what its budget has left.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "db/reads.h"
#include "search/run/progress.h"
#include "search/run/race.h"
#include "search/run/runner.h"
#include "search/run/task.h"

namespace actsearch {

/// What a budget has left for a stretch of training.
enum class Room : std::uint8_t {
  kNone,   ///< nothing: it is not begun
  kTight,  ///< it will probably not end in time
  kAmple
};

/// Owns all that the threads of a run tell each other. Any thread may call it. A task's stretch is at work from begin() to the call that
/// ends it: lose, pause, cut_off, give_back or finish.
class Account {
 public:
  using Seconds = std::chrono::duration<double>;
  /// A stretch ends at the next batch once this is set. Each stretch has its own, which tells it from a later stretch of the same trial.
  using Stop = std::shared_ptr<std::atomic<bool>>;

  /// Plan and race outlive the account; without a race `race` is null. `best` is what the store had before.
  Account(const RunPlan& plan, const Race* race, std::optional<BestFunction> best);

  // The end of the run.

  void stop_all();  ///< trials at work stop between batches, and nothing new is begun
  bool stopped() const { return stop_; }
  bool out_of_time();  ///< and then the budget is reached
  /// What the run came to, once nothing is at work.
  RunReport report(bool interrupted);
  ProgressState state();

  // What may be begun.

  Room room_for(const Stretch& stretch);
  /// Whether it depends on the racers at work if the budget allows another trial: they may use it up, or pause and leave some of it.
  bool racers_decide();
  bool racers_in_progress();
  bool reference_at_work();  ///< one that goes on whatever its loss
  bool anything_at_work();

  // A stretch at work.

  void begin(const Task& task);
  Stop stop_of(const Task& task);
  void note_progress(const Task& task, const TrainingPoint& reached, std::int64_t epoch_steps);
  /// How far a checkpoint of the stretch certainly reaches; absent where another process has taken the trial over.
  std::optional<TrialProgress> saved(const Task& task);
  /// The stretches at work: how far each has come, and the flag that stops it.
  struct Reached {
    std::vector<std::pair<Id, TrialProgress>> progress;
    std::map<Id, Stop> stops;
  };
  Reached reached();

  // Trials that another process has taken over.

  void note_lost(Id trial, const Stop& stretch);  ///< unless that stretch of the trial has ended meanwhile
  void note_lost(const Task& task);
  bool lost(const Task& task);
  /// Stops a stretch of the trial that is still at work though the trial is ours anew; false where none is.
  bool stop_earlier_stretch(Id trial);
  std::list<std::shared_ptr<Task>> take_lost();  ///< those that lose() has ended since the last call

  // The end of a stretch. `outcome` is what it came to.

  void lose(const Task& task, const TrialOutcome* outcome);  ///< null where the evaluator threw
  void pause(const Task& task, const TrialOutcome& outcome);
  void cut_off(const Task& task, const TrialOutcome& outcome, bool kept);
  void give_back(const Task& task);
  /// `say` is called with the number of ended trials, alone: so numbers come in order. It must not call the account.
  using SayEnd = std::function<void(std::int64_t done)>;
  void finish(const Task& task, const TrialOutcome& outcome, std::optional<double> accuracy, const SayEnd& say);

  // Trials that come to no stretch.

  void skip();                                        ///< one that was finished before
  void give_up(const Task& task, const SayEnd& say);  ///< one that process after process died with

 private:
  struct AtWork {
    std::shared_ptr<const Candidate> candidate;
    std::uint64_t seed = 0;
    bool to_the_end = false;                        ///< rather than to a rung of a race, where it may stay
    bool begun = false;                             ///< whether it has told where it begins
    double begun_epochs = 0;                        ///< the point where it began
    std::chrono::steady_clock::time_point since{};  ///< when it began
    TrialProgress reached;
    TrialProgress saved;  ///< the part of `reached` that a checkpoint holds for certain
    Stop stop = std::make_shared<std::atomic<bool>>(false);
    bool lost = false;  ///< another process has taken the trial over
  };

  Seconds elapsed() const { return std::chrono::steady_clock::now() - start_; }
  double epochs_of(const Stretch& stretch) const;

  // Under the mutex already:
  std::optional<Seconds> until_first_score() const;
  void end_stretch(const Task& task);
  void add(const TrialOutcome& outcome);

  const RunPlan& plan_;
  const Race* const race_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<bool> stop_{false};
  std::atomic<bool> budget_reached_{false};

  std::mutex mutex_;  ///< around everything below
  RunReport report_;
  std::int64_t running_ = 0;
  double running_epochs_ = 0;  ///< sum of the epochs that the stretches at work will train
  std::map<Id, AtWork> at_work_;
  std::list<std::shared_ptr<Task>> lost_;
  std::set<Id> judged_;       ///< trials that have ended or come to a rung in this run
  double timed_epochs_ = 0;   ///< epochs of the stretches that came to their end
  Seconds timed_seconds_{0};  ///< how long those took
  std::optional<double> best_;
  std::string best_label_;
};

/// Where a stretch ended.
TrainingPoint reached_by(const TrialOutcome& outcome);

}  // namespace actsearch
