#include "search/run/worker.h"

#include <chrono>
#include <cstdio>
#include <string>

#include "search/run/records.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

}  // namespace

void Worker::operator()(const Task& task) {
  TrialOptions options;
  options.seed = task.seed;
  options.precision = run_.plan.precision;
  options.threads = run_.plan.threads;
  options.report_test = run_.plan.report_test;
  options.time_limit = run_.plan.trial_limit;
  const auto stop = run_.account.stop_of(task);
  options.stop = stop.get();
  if (task.stretch.to < run_.end) options.pause_after = task.stretch.to;
  options.checkpoint = run_.files.of(run_.files_of(task));
  options.may_save = [&] { return !run_.account.lost(task); };
  options.on_progress = [&](const TrainingPoint& reached, std::int64_t epoch_steps) {
    run_.account.note_progress(task, reached, epoch_steps);
  };
  if (run_.keeps()) options.on_epoch = [&](const EpochMetrics& epoch) { tell_epoch(task, epoch); };

  TrialOutcome outcome;
  try {
    outcome = trained(task, options);
  } catch (...) {
    if (!give_back(task)) return lose(task, nullptr);
    throw;
  }
  if (run_.account.lost(task)) return lose(task, &outcome);
  if (outcome.interrupted) return cut_off(task, outcome);
  if (outcome.paused) return pause(task, outcome);
  if (store(task, outcome)) run_.files.remove_all(run_.files_of(task));
}

/// A checkpoint that cannot be gone on from costs what it held.
TrialOutcome Worker::trained(const Task& task, const TrialOptions& options) {
  try {
    return run_.evaluator(*task.candidate, run_.plan.recipe, options);
  } catch (const CheckpointError& error) {
    run_.progress.say(std::string(error.what()) + ": " + long_label(*task.candidate) + " begins again");
    run_.files.drop(run_.files_of(task));
    return run_.evaluator(*task.candidate, run_.plan.recipe, options);
  }
}

/// Another process has taken the trial over: nothing of it is ours any more, neither its rows nor its checkpoint.
void Worker::lose(const Task& task, const TrialOutcome* outcome) {
  run_.account.lose(task, outcome);
  run_.progress.say(long_label(*task.candidate) + " seed " + std::to_string(task.seed) +
                    ": another process has taken this trial over, so its training ends here");
}

void Worker::pause(const Task& task, const TrialOutcome& outcome) {
  // All epochs, for a process may have died between a checkpoint and what it told of it.
  const bool ours = run_.database.pause(task.claim.trial, to_records(outcome.epochs, run_.validates),
                                        outcome.partial ? std::optional(to_record(*outcome.partial)) : std::nullopt);
  if (!ours) return lose(task, &outcome);
  run_.account.pause(task, outcome);
}

/// What it has trained stays with the trial, if it has a checkpoint.
void Worker::cut_off(const Task& task, const TrialOutcome& outcome) {
  const TrainingPoint reached = reached_by(outcome);
  const bool kept = run_.keeps() && reached > TrainingPoint{};
  const bool ours = kept ? run_.database.give_back(task.claim.trial, to_records(outcome.epochs, run_.validates),
                                                   {reached.epochs, reached.steps, outcome.partial ? outcome.partial->epoch_steps : 0})
                         : run_.database.release(task.claim.trial);
  if (!ours) return lose(task, &outcome);
  run_.account.cut_off(task, outcome, kept);
}

/// After an exception: what lies before the last checkpoint stays with the trial. False where the trial is another's by now.
bool Worker::give_back(const Task& task) {
  const auto saved = run_.account.saved(task);
  if (!saved) return false;
  const bool ours = run_.keeps() && TrainingPoint{saved->epochs, saved->steps} > TrainingPoint{}
                        ? run_.database.give_back(task.claim.trial, {}, *saved)
                        : run_.database.release(task.claim.trial);
  if (!ours) return false;
  run_.account.give_back(task);
  return true;
}

void Worker::tell_epoch(const Task& task, const EpochMetrics& epoch) {
  try {
    if (!run_.database.add_epoch(task.claim.trial, to_record(epoch, run_.validates))) return run_.account.note_lost(task);
  } catch (const DatabaseError& error) {
    if (!error.busy()) throw;
    run_.patience.say();  // the trial's end, or its next pause, tells all its epochs
  }
  if (!run_.plan.tells_epochs) return;
  std::string line = label(*task.candidate) + " seed " + std::to_string(task.seed) + "  epoch " + std::to_string(epoch.epoch + 1) + "/" +
                     std::to_string(run_.plan.recipe.epochs) + "  train loss " + digits(epoch.train_loss) + " accuracy " +
                     digits(epoch.train_accuracy);
  if (run_.validates) line += "  validation " + digits(epoch.validation_accuracy);
  if (epoch.test_accuracy) line += "  test " + digits(*epoch.test_accuracy);
  run_.progress.say(line + "  " + format_duration(std::chrono::duration<double>{epoch.seconds}));
}

/// False where the trial is another's by now.
bool Worker::store(const Task& task, const TrialOutcome& outcome) {
  const TrialRecord record = to_record(outcome, run_.validates);
  if (!run_.database.finish(task.claim.trial, record, to_records(outcome.epochs, run_.validates))) {
    lose(task, &outcome);
    return false;
  }
  const bool failed = outcome.failure != Failure::kNone;
  const auto accuracy = record.validation_accuracy ? record.validation_accuracy : record.final_test_accuracy;
  std::string expected;
  {
    const std::lock_guard lock(run_.source_mutex);
    expected = run_.source.expected(*task.candidate);
    run_.source.observe(*task.candidate, failed ? std::nullopt : accuracy);
  }
  run_.account.finish(task, outcome, accuracy, [&](std::int64_t done) {
    run_.progress.say("trial " + std::to_string(done) + ": " +
                      (failed     ? "failed (" + record.failure + ")"
                       : accuracy ? run_.plan.scale.value(*accuracy) + (run_.plan.scale.share ? " %" : "")
                                  : std::string("done")) +
                      (expected.empty() ? "" : " (" + expected + ")") + "  " + long_label(*task.candidate) + "  seed " +
                      std::to_string(task.seed) + "  " + format_duration(std::chrono::duration<double>{outcome.seconds}));
  });
  return true;
}

}  // namespace actsearch
