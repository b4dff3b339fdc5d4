/// Trials that the user's own command trains: what `search --evaluator` uses in place of train().
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evaluator/external/conditions.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"

namespace actsearch {

struct ExternalSettings {
  std::filesystem::path logs;               ///< a directory; it gets one log a trial, named as its checkpoint, or no logs where it is empty
  std::vector<std::string> gpus;            ///< what {gpu} may be; each goes to as few trials at once as possible
  std::chrono::duration<double> grace{10};  ///< between SIGTERM and SIGKILL
  std::function<void(const std::string&)> say = [](const std::string&) {};
  bool trusted = false;  ///< whether the script has scored a function before: then its failures are the functions'
};

/// Trains by calling a command, which answers in lines of JSON (docs/own-training.md). Safe for several threads at once.
///
/// A trial is a directory, the options' checkpoint: the module {module}, the script's own {state}, and what it has told so far. So a trial
/// that paused, was stopped or whose process was killed goes on from there.
class ExternalTrainer {
 public:
  /// std::invalid_argument for a command with a placeholder that does not exist or has no value, and for an unknown target.
  ExternalTrainer(ExternalConditions conditions, ExternalSettings settings);
  ~ExternalTrainer();

  /// One call of the command: up to options.pause_after, or to the end. Of the options, precision, threads and report_test do not matter.
  /// A script that fails is an outcome with its reason. std::runtime_error where the first three functions have failed, ReLU among them,
  /// and none has succeeded: then it is the script that fails. std::invalid_argument without a checkpoint, or for a pause inside an epoch.
  TrialOutcome train(const Candidate& candidate, const TrialOptions& options);

 private:
  class Trial;
  class Gpus;
  void judge(const Candidate& candidate, const TrialOutcome& outcome);
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace actsearch
