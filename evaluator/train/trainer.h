/// What an activation is worth: one training run of a recipe's network with it, and everything measured on the way.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/data/dataset.h"
#include "evaluator/network/recipe.h"
#include "evaluator/train/learner.h"
#include "grammar/program.h"

namespace actsearch {

struct EpochMetrics {
  int epoch = 0;               ///< from 0
  double learning_rate = 0;    ///< of the last step
  double train_loss = 0;       ///< mean cross-entropy of the epoch's batches, nats
  double train_accuracy = 0;   ///< as trained on (augmented, weights moving), 0..1
  double validation_loss = 0;  ///< 0 where the recipe has no validation images
  double validation_accuracy = 0;
  std::optional<double> test_accuracy;  ///< only where asked for
  double seconds = 0;                   ///< training and evaluation of this epoch
};

/// How far a trial has come: so many whole epochs, and steps of the one after them.
struct TrainingPoint {
  int epochs = 0;
  std::int64_t steps = 0;
  friend auto operator<=>(const TrainingPoint&, const TrainingPoint&) = default;
};

/// What is known of an epoch that a trial has paused in. Loss and accuracy are over the later half of its steps so far. These tell more of
/// the end than all steps do (docs/results/early-epochs.md).
struct PartialEpoch {
  int epoch = 0;                 ///< from 0
  std::int64_t steps = 0;        ///< trained
  std::int64_t epoch_steps = 0;  ///< of the whole epoch
  double train_loss = 0;         ///< mean cross-entropy, nats
  double train_accuracy = 0;
  double seconds = 0;  ///< of all its steps so far
};

/// Why a trial ended early. A diverged candidate is a result, not an error.
enum class Failure : std::uint8_t {
  kNone,
  kNonFiniteLoss,  ///< the training loss became NaN or infinite
  kDiverged,       ///< after the first, an epoch's mean training loss was over twice that of guessing, which is ln(classes)
  kTimeOut,        ///< took longer than TrialOptions::time_limit
  kCompilation,    ///< the activation's kernels do not compile
  // Of the user's own training (evaluator/external):
  kExitCode,         ///< its command ended with an exit code other than 0
  kSignal,           ///< a signal ended it
  kNoScore,          ///< it ended without telling what it was asked for
  kNonFiniteScore,   ///< its score is NaN or infinite
  kScoreOutOfRange,  ///< its score is no possible one
  kForeignAnswer     ///< it answered for another trial
};
std::string_view to_text(Failure failure);

/// A checkpoint that no trial can go on from: of another run, of another version or damaged. Without the file the trial begins anew.
class CheckpointError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct BetaStatistics {  ///< over all channels of all activation layers, of one parameter
  double mean = 0, deviation = 0, minimum = 0, maximum = 0;
};

struct TrialOutcome {
  Failure failure = Failure::kNone;
  std::string detail;         ///< of a failure: where and what
  bool interrupted = false;   ///< stopped through TrialOptions::stop before its end, to be gone on with as if paused: no result
  bool paused = false;        ///< ended at TrialOptions::pause_after, to be gone on with from the checkpoint: no result yet
  TrainingPoint begun;        ///< where the checkpoint let this call begin
  double seconds_before = 0;  ///< of `seconds`, those before that
  std::vector<EpochMetrics> epochs;
  std::optional<PartialEpoch> partial;  ///< the begun epoch, after a pause or stop inside it
  double score = 0;                     ///< what ranks, of the last epoch, higher is better: a loss is negated; 0 where failed
  std::vector<BetaStatistics> beta;     ///< one a parameter, at the end
  std::vector<float> beta_values;       ///< all channels of parameter 0, at the end, layer by layer (empty without parameters)
  double seconds = 0;
};

struct TrialOptions {
  std::uint64_t seed = 0;  ///< initial weights, data order, augmentation, dropout: the same for every candidate
  Precision precision = Precision::kFp32;
  int threads = 1;                                          ///< inside this run
  bool report_test = false;                                 ///< also measure test accuracy after each epoch
  std::optional<std::chrono::duration<double>> time_limit;  ///< of all calls that trained the trial
  /// Where to pause, before the recipe's end; absent: train to the end. A trial that is there or further already pauses at once.
  std::optional<TrainingPoint> pause_after;
  const std::atomic<bool>* stop = nullptr;            ///< looked at between batches
  std::function<void(const EpochMetrics&)> on_epoch;  ///< called on the training thread, after the checkpoint is on disk
  /// Called on the training thread with how far the trial has come and the steps of an epoch. That is at its begin, then after every
  /// batch, or after as many as the learner trains at once. It is to be cheap.
  std::function<void(const TrainingPoint& reached, std::int64_t epoch_steps)> on_progress;
  /// A file for the state, or empty. It is written after every epoch, at a pause and at a stop (temporary name, fsync, rename). A file that
  /// exists is read first; CheckpointError if it is damaged, or has another recipe, precision, seed or program. The outcome includes its
  /// epochs.
  std::filesystem::path checkpoint;
  /// Asked before each write of the checkpoint. False means that another process owns the trial now: the file stays as it is, and the trial
  /// ends as at a stop.
  std::function<bool()> may_save;
};

/// Training steps of an epoch. Where images are shuffled these are whole batches: what is left over takes part in the next epoch. Else
/// there are as many as show each image. `training_images` are those of the data set, of which some validate. std::invalid_argument if they
/// do not fill a batch.
std::int64_t steps_per_epoch(const Recipe& recipe, std::size_t training_images);

/// Trains `recipe` with a learner that was made for the activation, the recipe, the data set and the options' seed. With or without pauses
/// and stops on the way the outcome is the same. CheckpointError where the checkpoint cannot be gone on from, std::runtime_error where it
/// cannot be written. std::invalid_argument if an epoch has no such step to pause after. Also what the learner throws.
TrialOutcome train(Learner& learner, const Program& activation, const Recipe& recipe, const Dataset& dataset, const TrialOptions& options);

}  // namespace actsearch
