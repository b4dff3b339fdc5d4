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
#include "search/run/told.h"

namespace actsearch {

struct OwnTraining {
  ExternalConditions conditions;
  std::vector<std::string> gpus;
  std::chrono::duration<double> grace{10};
  int jobs = 1;
};

/// What a score of the user's own training is called, and its range.
struct Metric {
  std::string name;
  bool minimize = false;
  double lowest = 0, highest = 1;
};
/// Adds --metric, --minimize and --score-range. `with` is "with --formula: " where they belong to another flag; `name` says what --metric
/// is.
void declare_metric(Options& options, const std::string& with, const std::string& name);
Metric chosen_metric(const Options& options);
/// --conditions, --epochs and the metric.
ToldConditions chosen_conditions(const Options& options);

/// Adds --evaluator and the flags that go with it.
void declare_own_training(Options& options);
/// Absent without --evaluator. UsageError for a flag of the built-in trainer beside it, or for one of these flags without it.
std::optional<OwnTraining> chosen_own_training(const Options& options);
/// Adds --gpus and --grace: what `finalists` needs beside the stored conditions.
void declare_fresh_training(Options& options);
/// The training of the finalists of a search with a command. UsageError for a flag of the built-in trainer.
OwnTraining fresh_training(const Options& options, const ExternalConditions& searched);
/// A note for people whose conditions are new to the store, where it has trials of another command, version, metric or length: these rank
/// separately. Empty where there is nothing to say.
std::string note_on_others(const Store& database, const ExternalConditions& conditions);
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
