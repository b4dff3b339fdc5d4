/// What becomes of a claimed trial: its training, its checkpoint, and the rows of its result.
#pragma once

#include "search/run/context.h"

namespace actsearch {

/// Owns nothing but the way from claim to result. Several threads may call it, each with a task of its own.
class Worker {
 public:
  explicit Worker(RunContext& run) : run_(run) {}
  /// Trains a task that the dispatcher gave, and stores what came of it. On an exception the trial is given back first.
  void operator()(const Task& task);

 private:
  TrialOutcome trained(const Task& task, const TrialOptions& options);
  void lose(const Task& task, const TrialOutcome* outcome);
  void pause(const Task& task, const TrialOutcome& outcome);
  void cut_off(const Task& task, const TrialOutcome& outcome);
  bool give_back(const Task& task);
  void tell_epoch(const Task& task, const EpochMetrics& epoch);
  bool store(const Task& task, const TrialOutcome& outcome);

  RunContext& run_;
};

}  // namespace actsearch
