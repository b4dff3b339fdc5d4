#include "search/run/funnel.h"

#include <algorithm>
#include <string>

#include "db/reads.h"
#include "search/run/race.h"
#include "search/run/study.h"

namespace actsearch {
namespace {

/// Where a trial is, and whether it stays there.
struct Position {
  std::size_t rungs = 0;  ///< that it has reached; one more than there are where it has come to its end
  bool failed = false, waits = false;
};

Position position_of(TrialStatus status, const TrainingPoint& at, const std::vector<TrainingPoint>& rungs) {
  if (status == TrialStatus::kDone) return {.rungs = rungs.size() + 1};
  const auto next = std::upper_bound(rungs.begin(), rungs.end(), at);
  Position position{.rungs = static_cast<std::size_t>(next - rungs.begin()), .failed = status == TrialStatus::kFailed};
  position.waits = status == TrialStatus::kReleased && position.rungs > 0 && rungs[position.rungs - 1] == at;
  return position;
}

}  // namespace

std::vector<FunnelStage> race_funnel(const Store& database, Id study, Id recipe) {
  const Reads& reads = database.reads();
  const auto conditions = reads.conditions(study);
  if (!conditions) return {};
  const std::vector<TrainingPoint> rungs = read_rungs(*conditions);
  if (rungs.empty()) return {};
  const std::int64_t epoch_steps = std::max<std::int64_t>(1, reads.epoch_steps(study));
  std::vector<FunnelStage> stages(rungs.size() + 1);
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    stages[i].epochs = rungs[i].epochs + static_cast<double>(rungs[i].steps) / static_cast<double>(epoch_steps);
    stages[i].judged = static_cast<std::int64_t>(database.rung(study, recipe, rungs[i].epochs, rungs[i].steps).size());
  }
  for (const StudyTrial& one : reads.trials(study, recipe)) {
    const Position trial = position_of(one.status, {one.epochs, one.steps}, rungs);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const bool there = trial.rungs > i;
      const bool stops = trial.waits && trial.rungs == i + 1;
      const bool entered = there || (trial.rungs == i && !trial.waits);
      stages[i].entered += entered;
      stages[i].failed += entered && !there && trial.failed;
      stages[i].under_way += entered && !there && !trial.failed;
      stages[i].stopped += stops;
      stages[i].went_on += there && !stops;
    }
  }
  FunnelStage& end = stages.back();
  end.judged = end.went_on;
  end.went_on = 0;
  return stages;
}

}  // namespace actsearch
