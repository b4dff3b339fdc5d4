/// What the parts of one run share and none of them owns alone.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>

#include "db/store.h"
#include "search/run/account.h"
#include "search/run/checkpoint_files.h"
#include "search/run/patience.h"
#include "search/run/progress.h"
#include "search/run/race.h"
#include "search/run/runner.h"

namespace actsearch {

/// Made by run_trials for one run. The account guards itself, the source has its mutex, all else does not change.
struct RunContext {
  RunContext(Store& store, Patience& waits, Id study_id, const RunPlan& run_plan, CandidateSource& candidates, const Evaluator& evaluate,
             Progress& says, const std::atomic<bool>& interrupted);

  /// Whether a trial that is cut off goes on where it was.
  bool keeps() const { return !plan.checkpoints.empty(); }
  bool stopping() const { return account.stopped() || interrupt; }
  CheckpointFiles::Trial files_of(const Task& task) const;

  Store& database;
  Patience& patience;
  const Id study;
  const RunPlan& plan;
  CandidateSource& source;
  std::mutex source_mutex;  ///< around every use of source
  const Evaluator& evaluator;
  Progress& progress;
  const std::atomic<bool>& interrupt;

  const bool validates;
  const Id recipe;
  const CheckpointFiles files;
  const TrainingPoint end;
  std::optional<Race> race;
  Account account;
};

}  // namespace actsearch
