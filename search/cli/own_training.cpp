#include "search/cli/own_training.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>

#include "db/reads.h"
#include "evaluator/external/command_template.h"
#include "evaluator/external/external_trainer.h"
#include "kernels/export/export.h"
#include "search/cli/interrupt.h"
#include "search/cli/run_files.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

// Flags that say how the built-in trainer trains, and those that belong to --evaluator.
constexpr const char* kBuiltIn[] = {"recipe",    "recipe-file", "network", "score",         "batch",      "rate",
                                    "precision", "data",        "device",  "deterministic", "image-side", "skip-unreadable"};
constexpr const char* kOwn[] = {"target", "metric", "minimize", "score-range", "evaluator-version", "gpus", "grace", "check-evaluator"};

void refuse_built_in(const Options& options) {
  for (const char* const flag : kBuiltIn) {
    if (options.has(flag)) throw UsageError("--" + std::string(flag) + " is of the built-in trainer: here your own command trains");
  }
}

/// --gpus, --grace and --jobs. UsageError where they do not suit the command.
void choose_resources(const Options& options, OwnTraining* own) {
  own->gpus = options.list("gpus").value_or(std::vector<std::string>{});
  own->grace = options.duration("grace").value_or(own->grace);
  constexpr std::int64_t kMostJobs = 1'024;
  own->jobs = static_cast<int>(
      options.integer("jobs", 1, kMostJobs).value_or(std::max<std::int64_t>(1, static_cast<std::int64_t>(own->gpus.size()))));
  (void)ExternalTrainer(own->conditions,
                        {.logs = {}, .gpus = own->gpus, .grace = own->grace, .say = {}, .trusted = false});  // or says what is wrong
}

/// A directory for one call, removed with all that is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (fs::temp_directory_path() / "actsearch-check-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error(name + ": this directory cannot be created");
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string number(double value) { return std::isnan(value) ? "-" : exact(value); }

}  // namespace

void declare_metric(Options& options, const std::string& with, const std::string& name) {
  options.value("metric", "NAME", with + name + " [score]");
  options.flag("minimize", with + "a lower score is better");
  options.value("score-range", "A,B", with + "the lowest and highest possible score [0,1; 0,inf with --minimize]");
}

Metric chosen_metric(const Options& options) {
  Metric metric;
  metric.name = options.text("metric").value_or("score");
  metric.minimize = options.has("minimize");
  if (metric.minimize) metric.highest = std::numeric_limits<double>::infinity();
  const auto range = options.any_numbers("score-range");
  if (!range) return metric;
  if (range->size() != 2 || !((*range)[0] < (*range)[1]))
    throw UsageError("--score-range is the lowest and the highest score, such as 0,1 or 0,inf");
  metric.lowest = (*range)[0];
  metric.highest = (*range)[1];
  return metric;
}

ToldConditions chosen_conditions(const Options& options) {
  Metric metric = chosen_metric(options);
  return {.text = options.required("conditions"),
          .epochs = static_cast<int>(options.integer("epochs", 1, 100'000).value_or(1)),
          .metric = std::move(metric.name),
          .minimize = metric.minimize,
          .lowest = metric.lowest,
          .highest = metric.highest};
}

void declare_own_training(Options& options) {
  options.value(
      "evaluator", "COMMAND",
      "train by this shell command rather than by the built-in trainer. It says {module}, {formula}, {seed}, {epochs}, {state} or {gpu} "
      "where these belong, and answers in lines of JSON");
  options.value("target", "T",
                "with --evaluator: what {module} is a file for, an export target such as pytorch, jax, keras, onnx or c [pytorch]",
                names_of(export_targets()));
  declare_metric(options, "with --evaluator: ", "the key of the score in its answers");
  options.value("evaluator-version", "V",
                "with --evaluator: a text of yours for this state of the script; scores of different versions rank apart");
  declare_fresh_training(options);
  options.flag("check-evaluator", "with --evaluator: only train ReLU for one epoch, and say what would be stored");
}

void declare_fresh_training(Options& options) {
  options.value("gpus", "A,B,...", "of an evaluator command: what {gpu} may be; trials share them evenly");
  options.value("grace", "T", "of an evaluator command: how long it may take to end after SIGTERM [10s]");
}

OwnTraining fresh_training(const Options& options, const ExternalConditions& searched) {
  for (const char* const flag : {"epochs", "full"}) {
    if (options.has(flag) && options.integer(flag, 0, 1'000'000) != 0)
      throw UsageError("--" + std::string(flag) +
                       ": the search's trials are of an evaluator command, whose length is the search's --epochs");
  }
  refuse_built_in(options);
  OwnTraining own;
  own.conditions = searched;
  own.conditions.fresh = true;
  choose_resources(options, &own);
  return own;
}

std::optional<OwnTraining> chosen_own_training(const Options& options) {
  const auto command = options.text("evaluator");
  if (!command) {
    for (const char* const flag : kOwn) {
      if (options.has(flag)) throw UsageError("--" + std::string(flag) + " belongs to --evaluator");
    }
    return std::nullopt;
  }
  refuse_built_in(options);
  OwnTraining own;
  own.conditions.command = *command;
  own.conditions.target = options.text("target").value_or("pytorch");
  const Metric metric = chosen_metric(options);
  own.conditions.metric = metric.name;
  own.conditions.minimize = metric.minimize;
  own.conditions.lowest = metric.lowest;
  own.conditions.highest = metric.highest;
  own.conditions.version = options.text("evaluator-version").value_or("");
  own.conditions.epochs = static_cast<int>(options.integer("epochs", 1, 1'000'000).value_or(1));
  choose_resources(options, &own);
  if (own.conditions.epochs > 1) require_epochs(own);
  return own;
}

std::string note_on_others(const Store& database, const ExternalConditions& conditions) {
  std::optional<ExternalConditions> other;
  for (const StoredRecipe& recipe : database.reads().recipes()) {
    const auto known = read_external_conditions(recipe.text);
    if (!known || known->fresh) continue;
    if (*known == conditions) return "";
    other = known;
  }
  if (!other) return "";
  std::string flags;
  const auto compare = [&](bool equal, const char* flag) {
    if (!equal) flags.append(flags.empty() ? "" : ", ").append(flag);
  };
  compare(other->command == conditions.command, "--evaluator");
  compare(other->version == conditions.version, "--evaluator-version");
  compare(other->target == conditions.target, "--target");
  compare(other->metric == conditions.metric, "--metric");
  compare(other->minimize == conditions.minimize, "--minimize");
  compare(other->lowest == conditions.lowest && other->highest == conditions.highest, "--score-range");
  compare(other->epochs == conditions.epochs, "--epochs");
  return "note: the file has trials of an evaluator command that differ in " + flags + ": they and the new ones are ranked separately";
}

void require_epochs(const OwnTraining& own) {
  if (CommandTemplate(own.conditions.command).uses("epochs") || own.conditions.command.find("ACTSEARCH_EPOCHS") != std::string::npos)
    return;
  throw UsageError(
      "the evaluator's command has no {epochs}, so it cannot know how far to train; a script that reads the variable\n"
      "ACTSEARCH_EPOCHS itself says so by 'ACTSEARCH_EPOCHS=$ACTSEARCH_EPOCHS' before the command");
}

Recipe recipe_of(const ExternalConditions& conditions) {
  Recipe recipe;
  recipe.name = kExternalRecipe;
  recipe.epochs = conditions.epochs;
  return recipe;
}

Evaluator make_evaluator(const OwnTraining& own, const Store& database, const std::string& file, const RunPlan& plan,
                         std::function<void(const std::string&)> say) {
  const bool scored = database.ranked_recipe(plan.recipe_text).has_value();
  const auto trainer = std::make_shared<ExternalTrainer>(
      own.conditions,
      ExternalSettings{.logs = log_directory(file), .gpus = own.gpus, .grace = own.grace, .say = std::move(say), .trusted = scored});
  return [trainer](const Candidate& candidate, const Recipe&, const TrialOptions& options) { return trainer->train(candidate, options); };
}

int check_evaluator(const OwnTraining& own, const Candidate& candidate, std::uint64_t seed,
                    const std::optional<std::chrono::duration<double>>& time_limit, const std::function<void(const std::string&)>& say) {
  const ScratchDirectory scratch;
  OwnTraining once = own;
  once.conditions.epochs = 1;
  ExternalTrainer trainer(once.conditions, {.logs = scratch.path(), .gpus = own.gpus, .grace = own.grace, .say = say, .trusted = true});
  TrialOptions options;
  options.seed = seed;
  options.time_limit = time_limit;
  options.stop = &catch_interrupts();
  options.checkpoint = scratch.path() / "trial.checkpoint";
  say("check: ReLU for one epoch, seed " + std::to_string(seed) + ": " + own.conditions.command);
  const TrialOutcome outcome = trainer.train(candidate, options);
  if (outcome.interrupted) return kInterruptedExit;
  for (const EpochMetrics& epoch : outcome.epochs) {
    std::cout << "epoch " << epoch.epoch + 1 << ": train_loss " << number(epoch.train_loss) << ", train_accuracy "
              << number(epoch.train_accuracy) << ", validation_loss " << number(epoch.validation_loss) << ", accuracy "
              << number(epoch.validation_accuracy) << "\n";
  }
  if (outcome.failure != Failure::kNone) {
    std::cout << "failed (" << to_text(outcome.failure) << "): " << outcome.detail << "\n";
    return 1;
  }
  if (outcome.epochs.empty()) std::cout << "no epochs: fine without --racing\n";
  std::cout << own.conditions.metric << ": " << exact(own.conditions.minimize ? -outcome.score : outcome.score) << "\n"
            << "seconds: " << fixed(outcome.seconds, 2) << "\n";
  return 0;
}

}  // namespace actsearch
