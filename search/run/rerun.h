/// Full-length runs of chosen candidates, with test accuracy every epoch and a checkpoint to go on from.
#pragma once

#include <string>
#include <vector>

#include "search/run/runner.h"

namespace actsearch {

struct RerunPlan {
  RunPlan run;  ///< with the directory of checkpoints; report_test and tells_epochs are set by run_reruns
  std::vector<Candidate> candidates;
  std::string data;
  std::string commit, machine;
};

/// The conditions of reruns, apart from those of searches under the same recipe: a rerun also measures test accuracy.
std::string rerun_conditions_text(const Recipe& recipe, Precision precision, const std::string& data);

struct RerunReport {
  RunReport run;
  /// One row for each (candidate, seed) of the plan, in the order of the candidates: formula, name, seed, status, epochs,
  /// best_test_accuracy, final_test_accuracy, seconds.
  Table results;
};

/// Runs all candidates and seeds that are not finished yet, going on from the last checkpoint. Epochs are in the database as they
/// finish. Errors as run_trials.
RerunReport run_reruns(Store& database, const RerunPlan& plan, const Evaluator& evaluator, Progress& progress,
                       const std::atomic<bool>& interrupt);

}  // namespace actsearch
