#include "evaluator/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "evaluator/data/augmentation.h"
#include "evaluator/data/random.h"
#include "evaluator/train/checkpoint.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;

/// Guessing costs ln(classes) nats; an epoch whose mean is twice that is moving away. The first epoch may: it is where the start's
/// large steps are taken.
double diverged_loss(int classes) { return 2 * std::log(static_cast<double>(classes)); }

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Identity of a formula: its instructions.
std::uint64_t program_hash(const Program& program) {
  std::uint64_t state = hash(program.forward_size, program.y);
  for (const Instruction& i : program.instructions) {
    state = hash(state, static_cast<std::uint64_t>(i.kind), i.function, i.a, i.b, i.parameter, std::bit_cast<std::uint64_t>(i.number));
  }
  return state;
}

/// One training run.
class Run {
 public:
  Run(Learner& learner, const Program& program, const Recipe& recipe, const Dataset& dataset, const TrialOptions& options)
      : learner_(learner),
        program_(program),
        recipe_(recipe),
        dataset_(dataset),
        options_(options),
        split_(stratified_split(dataset.train.labels, static_cast<std::size_t>(recipe.validation_size),
                                static_cast<std::size_t>(recipe.validation_fold), static_cast<std::size_t>(recipe.train_size))),
        steps_per_epoch_(steps_per_epoch(recipe, dataset.train.size())) {
    if (options.pause_after && options.pause_after->steps >= steps_per_epoch_) {
      throw std::invalid_argument("an epoch of " + std::to_string(steps_per_epoch_) + " steps has no pause after step " +
                                  std::to_string(options.pause_after->steps));
    }
  }

  TrialOutcome operator()() {
    resume();
    start_ = Clock::now();
    tell_progress();
    bool goes_on = true;
    while (goes_on && epochs_done() < recipe_.epochs && !(options_.pause_after && *options_.pause_after <= point())) goes_on = run_epoch();
    outcome_.epochs = history_.epochs;
    outcome_.paused = goes_on && epochs_done() < recipe_.epochs;
    if ((outcome_.paused || outcome_.interrupted) && !history_.steps.empty()) outcome_.partial = partial();
    if (outcome_.failure == Failure::kNone && !outcome_.interrupted && !outcome_.paused && !outcome_.epochs.empty()) {
      const EpochMetrics& last = outcome_.epochs.back();
      outcome_.score = recipe_.score == ScoreMeasure::kValidationLoss ? -last.validation_loss : last.validation_accuracy;
    }
    record_beta();
    outcome_.seconds = outcome_.failure == Failure::kNone ? seconds_of(history_) : seconds_so_far();
    return std::move(outcome_);
  }

 private:
  std::string identity() const {
    return "data " + dataset_.source + "; seed " + std::to_string(options_.seed) + "; activation " +
           std::to_string(program_hash(program_)) + "; " + to_text(recipe_, options_.precision);
  }

  void resume() {
    if (options_.checkpoint.empty() || !std::filesystem::exists(options_.checkpoint)) return;
    history_ = read_checkpoint(options_.checkpoint, identity(), learner_.state());
    learner_.restore();
    outcome_.begun = point();
    outcome_.seconds_before = seconds_of(history_);
  }

  static double seconds_of(const TrainingHistory& history) {
    double seconds = history.steps_seconds;
    for (const EpochMetrics& epoch : history.epochs) seconds += epoch.seconds;
    return seconds;
  }
  double seconds_so_far() const { return outcome_.seconds_before + seconds_since(start_); }

  int epochs_done() const { return static_cast<int>(history_.epochs.size()); }
  TrainingPoint point() const { return {epochs_done(), static_cast<std::int64_t>(history_.steps.size())}; }

  void tell_progress() const {
    if (options_.on_progress) options_.on_progress(point(), steps_per_epoch_);
  }

  /// False where the checkpoint is not ours any more: the trial ends here then.
  bool save() {
    if (options_.checkpoint.empty()) return true;
    if (options_.may_save && !options_.may_save()) {
      outcome_.interrupted = true;
      return false;
    }
    write_checkpoint(options_.checkpoint, identity(), learner_.state(), history_);
    return true;
  }

  EpochPlan plan(int epoch) const {
    const auto order = epoch_order(recipe_.augmentation, split_.train, options_.seed, static_cast<std::uint32_t>(epoch));
    EpochPlan plan;
    plan.images.reserve(static_cast<std::size_t>(steps_per_epoch_ * recipe_.batch));
    for (std::size_t i = 0; i < static_cast<std::size_t>(steps_per_epoch_ * recipe_.batch); ++i) {
      const std::uint32_t index = order[i % order.size()];
      plan.images.push_back({index, draw_transform(recipe_.augmentation, options_.seed, static_cast<std::uint32_t>(epoch), index)});
    }
    for (std::int64_t step = 0; step < steps_per_epoch_; ++step) {
      const std::int64_t global_step = epoch * steps_per_epoch_ + step;
      plan.rates.push_back(recipe_.schedule.rate(global_step, steps_per_epoch_, recipe_.epochs));
      plan.dropout_keys.push_back(hash(static_cast<std::uint64_t>(Draw::kDropout), options_.seed, global_step));
    }
    return plan;
  }

  /// From where the epoch stands to its end, or to the pause in it. False when the trial is over before its time.
  bool run_epoch() {
    const auto start = Clock::now();
    const int epoch = epochs_done();
    const EpochPlan epoch_plan = plan(epoch);
    learner_.begin_epoch(epoch_plan);
    const bool pauses = options_.pause_after && options_.pause_after->epochs == epoch;
    const TrainingPoint begun = point();
    const bool ran = run_steps(epoch, pauses ? options_.pause_after->steps : steps_per_epoch_);
    history_.steps_seconds += seconds_since(start);
    if (outcome_.interrupted && point() != begun) save();
    if (!ran) return false;
    if (pauses) return save();
    return finish_epoch(epoch_plan.rates.back());
  }

  bool run_steps(int epoch, std::int64_t end) {
    for (std::int64_t step = point().steps; step < end;) {
      if (options_.stop && options_.stop->load(std::memory_order_relaxed)) {
        outcome_.interrupted = true;
        return false;
      }
      if (options_.time_limit && seconds_so_far() > options_.time_limit->count()) {
        return fail(Failure::kTimeOut, epoch, step, "longer than " + std::to_string(options_.time_limit->count()) + " s");
      }
      for (const BatchResult& result : learner_.train(step, std::min(learner_.steps_at_once(), end - step))) {
        if (!std::isfinite(result.loss_sum)) return fail(Failure::kNonFiniteLoss, epoch, step, "the training loss is not finite");
        history_.steps.push_back(result);
        ++step;
      }
      tell_progress();
    }
    return true;
  }

  struct Score {
    double mean_loss, accuracy;
  };

  /// Of the epoch's steps so far, from `first` on.
  Score trained_since(std::int64_t first) const {
    double loss = 0;
    std::int64_t correct = 0;
    for (const BatchResult& step : std::span(history_.steps).subspan(static_cast<std::size_t>(first))) {
      loss += step.loss_sum;
      correct += step.correct;
    }
    const auto images = static_cast<double>((point().steps - first) * recipe_.batch);
    return {loss / images, static_cast<double>(correct) / images};
  }

  PartialEpoch partial() const {
    const auto [mean_loss, accuracy] = trained_since(point().steps / 2);
    return {.epoch = epochs_done(),
            .steps = point().steps,
            .epoch_steps = steps_per_epoch_,
            .train_loss = mean_loss,
            .train_accuracy = accuracy,
            .seconds = history_.steps_seconds};
  }

  bool finish_epoch(double learning_rate) {
    const auto start = Clock::now();
    const auto [train_loss, train_accuracy] = trained_since(0);
    EpochMetrics metrics;
    metrics.epoch = epochs_done();
    metrics.learning_rate = learning_rate;
    metrics.train_loss = train_loss;
    metrics.train_accuracy = train_accuracy;
    if (metrics.epoch > 0 && metrics.train_loss > diverged_loss(dataset_.shape.classes)) {
      return fail(Failure::kDiverged, metrics.epoch, steps_per_epoch_, "the epoch's mean loss is " + std::to_string(metrics.train_loss));
    }
    if (!split_.validation.empty()) {
      const auto [mean_loss, accuracy] = evaluate(ImageRole::kTraining, split_.validation);
      if (!std::isfinite(mean_loss))
        return fail(Failure::kNonFiniteLoss, metrics.epoch, steps_per_epoch_, "the validation loss is not finite");
      metrics.validation_loss = mean_loss;
      metrics.validation_accuracy = accuracy;
    }
    if (options_.report_test) {
      std::vector<std::uint32_t> all(dataset_.test.size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
      metrics.test_accuracy = evaluate(ImageRole::kTest, all).accuracy;
    }
    metrics.seconds = history_.steps_seconds + seconds_since(start);
    history_.epochs.push_back(metrics);
    history_.steps.clear();
    history_.steps_seconds = 0;
    if (!save()) return false;
    if (options_.on_epoch) options_.on_epoch(metrics);
    tell_progress();
    return true;
  }

  bool fail(Failure failure, int epoch, std::int64_t step, const std::string& what) {
    outcome_.failure = failure;
    outcome_.detail =
        what + ", in epoch " + std::to_string(epoch) + " at step " + std::to_string(step) + " of " + std::to_string(steps_per_epoch_);
    return false;
  }

  Score evaluate(ImageRole role, std::span<const std::uint32_t> indices) {
    const BatchResult total = learner_.evaluate(role, indices);
    const auto n = static_cast<double>(indices.size());
    return {total.loss_sum / n, total.correct / n};
  }

  void record_beta() {
    for (int k = 0; k < program_.parameter_count(); ++k) {
      const std::vector<float> values = learner_.beta(k);
      BetaStatistics statistics{0, 0, values[0], values[0]};
      double squares = 0;
      for (const float value : values) {
        statistics.mean += value;
        statistics.minimum = std::min<double>(statistics.minimum, value);
        statistics.maximum = std::max<double>(statistics.maximum, value);
      }
      statistics.mean /= static_cast<double>(values.size());
      for (const float value : values) squares += (value - statistics.mean) * (value - statistics.mean);
      statistics.deviation = std::sqrt(squares / static_cast<double>(values.size()));
      outcome_.beta.push_back(statistics);
      if (k == 0) outcome_.beta_values = values;
    }
  }

  Learner& learner_;
  const Program& program_;
  const Recipe& recipe_;
  const Dataset& dataset_;
  const TrialOptions& options_;
  Split split_;
  std::int64_t steps_per_epoch_;
  Clock::time_point start_;
  TrainingHistory history_;
  TrialOutcome outcome_;
};

}  // namespace

std::string_view to_text(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return "none";
    case Failure::kNonFiniteLoss:
      return "non-finite loss";
    case Failure::kDiverged:
      return "diverged";
    case Failure::kTimeOut:
      return "time-out";
    case Failure::kCompilation:
      return "does not compile";
    case Failure::kExitCode:
      return "exit code";
    case Failure::kSignal:
      return "signal";
    case Failure::kNoScore:
      return "no score";
    case Failure::kNonFiniteScore:
      return "non-finite score";
    case Failure::kScoreOutOfRange:
      return "score out of range";
    case Failure::kForeignAnswer:
      return "answer for another trial";
  }
  return "unknown";
}

std::int64_t steps_per_epoch(const Recipe& recipe, std::size_t training_images) {
  const std::int64_t batch = recipe.batch, all = static_cast<std::int64_t>(training_images) - recipe.validation_size,
                     images = recipe.train_size > 0 ? recipe.train_size : all;
  // Shuffled, the images left over take part in the next epoch; in fixed order the last batch is filled up from the start.
  const std::int64_t steps = recipe.augmentation.shuffle ? images / batch : (images + batch - 1) / batch;
  if (steps < 1) throw std::invalid_argument("the training set has fewer images than one batch of " + std::to_string(batch));
  return steps;
}

TrialOutcome train(Learner& learner, const Program& activation, const Recipe& recipe, const Dataset& dataset, const TrialOptions& options) {
  return Run(learner, activation, recipe, dataset, options)();
}

}  // namespace actsearch
