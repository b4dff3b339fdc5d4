/// The flags of a search whose trials the user's own command trains.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/store.h"
#include "evaluator/external/conditions.h"
#include "search/cli/options.h"
#include "search/run/runner.h"

namespace actsearch {

struct OwnTraining {
  ExternalConditions conditions;
  std::vector<std::string> gpus;
  std::chrono::duration<double> grace{10};
  int jobs = 1;
};

/// Adds --evaluator and the flags that go with it.
void declare_own_training(Options& options);
/// Absent without --evaluator. UsageError for a flag of the built-in trainer beside it, or for one of these flags without it.
std::optional<OwnTraining> chosen_own_training(const Options& options);
/// Adds --gpus and --grace: what `finalists` needs beside the stored conditions.
void declare_fresh_training(Options& options);
/// The training of the finalists of a search with a command. UsageError for a flag of the built-in trainer.
OwnTraining fresh_training(const Options& options, const ExternalConditions& searched);
/// UsageError where the command has no {epochs}: then it cannot train up to a rung.
void require_epochs(const OwnTraining& own);
/// What a run needs of a recipe: its name and how many epochs a trial has.
Recipe recipe_of(const ExternalConditions& conditions);

/// Training by the command, into the plan's checkpoints. Logs go to FILE.logs beside the database.
Evaluator make_evaluator(const OwnTraining& own, const Store& database, const std::string& file, const RunPlan& plan,
                         std::function<void(const std::string&)> say);

/// Trains one epoch of a function in a directory that is removed afterwards, and says on standard output what would be stored. The exit
/// code: 0, or 1 where the command fails.
int check_evaluator(const OwnTraining& own, const Candidate& candidate, std::uint64_t seed,
                    const std::optional<std::chrono::duration<double>>& time_limit, const std::function<void(const std::string&)>& say);

}  // namespace actsearch
