#include "search/run/funnel.h"

#include <algorithm>
#include <string>

#include "search/run/race.h"
#include "search/run/study.h"

namespace actsearch {
namespace {

/// Where a trial is, and whether it stays there.
struct Position {
  std::size_t rungs = 0;  ///< that it has reached; one more than there are where it has come to its end
  bool failed = false, waits = false;
};

Position position_of(const std::string& status, const TrainingPoint& at, const std::vector<TrainingPoint>& rungs) {
  if (status == "done") return {.rungs = rungs.size() + 1};
  const auto next = std::upper_bound(rungs.begin(), rungs.end(), at);
  Position position{.rungs = static_cast<std::size_t>(next - rungs.begin()), .failed = status == "failed"};
  position.waits = status == "released" && position.rungs > 0 && rungs[position.rungs - 1] == at;
  return position;
}

std::int64_t number(const std::optional<std::string>& cell) { return cell ? std::stoll(*cell) : 0; }

/// The trials of a study under a recipe.
std::vector<Position> positions(const Database& database, Id study, Id recipe, const std::vector<TrainingPoint>& rungs) {
  const Table trials = database.query(
      "WITH trial AS (SELECT t.trial, t.status, (SELECT count(*) FROM epochs e WHERE e.trial = t.trial) AS whole"
      " FROM study_trials s JOIN trials t ON t.trial = s.trial WHERE s.study = " +
      std::to_string(study) + " AND t.recipe_id = " + std::to_string(recipe) +
      ") SELECT status, whole, (SELECT max(step) FROM pauses p WHERE p.trial = trial.trial AND p.epoch = whole) FROM trial");
  std::vector<Position> all;
  for (const auto& row : trials.rows)
    all.push_back(position_of(row[0].value_or(""), {static_cast<int>(number(row[1])), number(row[2])}, rungs));
  return all;
}

}  // namespace

std::vector<FunnelStage> race_funnel(const Database& database, Id study, Id recipe) {
  const std::string id = std::to_string(study);
  const Table stored = database.query(
      "SELECT conditions, (SELECT max(epoch_steps) FROM pauses p JOIN study_trials s ON s.trial = p.trial"
      " WHERE s.study = " +
      id + ") FROM studies WHERE study = " + id);
  if (stored.rows.empty()) return {};
  const std::vector<TrainingPoint> rungs = read_rungs(stored.rows[0][0].value_or(""));
  if (rungs.empty()) return {};
  const std::int64_t epoch_steps = std::max<std::int64_t>(1, number(stored.rows[0][1]));
  std::vector<FunnelStage> stages(rungs.size() + 1);
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    stages[i].epochs = rungs[i].epochs + static_cast<double>(rungs[i].steps) / static_cast<double>(epoch_steps);
    stages[i].judged = static_cast<std::int64_t>(database.rung(study, recipe, rungs[i].epochs, rungs[i].steps).size());
  }
  for (const Position& trial : positions(database, study, recipe, rungs)) {
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
