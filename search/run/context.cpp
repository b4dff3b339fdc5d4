#include "search/run/context.h"

namespace actsearch {

RunContext::RunContext(Store& store, Patience& waits, Id study_id, const RunPlan& run_plan, CandidateSource& candidates,
                       const Evaluator& evaluate, Progress& says, const std::atomic<bool>& interrupted)
    : database(store),
      patience(waits),
      study(study_id),
      plan(run_plan),
      source(candidates),
      evaluator(evaluate),
      progress(says),
      interrupt(interrupted),
      validates(plan.recipe.validation_size > 0),
      recipe(database.recipe(plan.recipe.name, plan.recipe_text)),
      files(plan.checkpoints, recipe),
      end{plan.recipe.epochs, 0},
      race(plan.racing ? std::optional<Race>(std::in_place, database, study, recipe, *plan.racing, plan.recipe.epochs) : std::nullopt),
      account(plan, race ? &*race : nullptr, database.reads().best(recipe)) {}

CheckpointFiles::Trial RunContext::files_of(const Task& task) const {
  return {task.candidate->fingerprint, task.seed, task.claim.attempt, database.former_fingerprint(task.candidate_id)};
}

}  // namespace actsearch
