#include "search/runner.h"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "grammar/notation.h"
#include "search/heartbeat.h"
#include "search/records.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto kBeat = std::chrono::milliseconds(100);
/// How long to wait before asking again for a trial that another process works on.
constexpr auto kPatience = std::chrono::milliseconds(250);

/// Parts of epochs do not add up exactly; a step of an epoch is more than this.
constexpr double kRounding = 1e-6;

/// One trial to do.
struct Task {
  std::shared_ptr<const Candidate> candidate;
  Id candidate_id = 0;
  std::uint64_t seed = 0;
  Stretch stretch;
  Claim claim;
};

std::string label(const Candidate& candidate) { return candidate.name.empty() ? candidate.formula : candidate.name; }
std::string long_label(const Candidate& candidate) {
  return candidate.formula + (candidate.name.empty() || candidate.name == candidate.formula ? "" : " (" + candidate.name + ")");
}

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

class Runner {
 public:
  Runner(Database& database, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator, Progress& progress,
         const std::atomic<bool>& interrupt)
      : database_(database),
        study_(study),
        plan_(plan),
        source_(source),
        evaluator_(evaluator),
        progress_(progress),
        interrupt_(interrupt),
        validates_(plan.recipe.validation_size > 0),
        recipe_id_(database.recipe(plan.recipe.name, plan.recipe_text)) {
    if (plan.racing) race_.emplace(database, study, recipe_id_, *plan.racing, plan.recipe.epochs);
    const Table best =
        database.query("SELECT coalesce(nullif(name, ''), formula), mean FROM standings WHERE recipe_id = " + std::to_string(recipe_id_) +
                       " ORDER BY mean DESC LIMIT 1");
    if (!best.rows.empty()) {
      best_label_ = best.rows[0][0].value_or("");
      best_ = std::stod(best.rows[0][1].value_or("0"));
    }
  }

  RunReport operator()() {
    {
      const Heartbeat heartbeat(kBeat, [this] { beat(); });
      run_pipeline();
    }
    progress_.clear();
    if (error_) std::rethrow_exception(error_);
    report_.ending = interrupt_ ? Ending::kInterrupted : budget_reached_ ? Ending::kBudget : Ending::kFinished;
    report_.seconds = elapsed().count();
    return report_;
  }

 private:
  Seconds elapsed() const { return Clock::now() - start_; }
  bool stopping() const { return stop_ || interrupt_; }

  /// One task comes out of the source for each that a worker is free to take, so claims are taken in order and never early.
  void run_pipeline() {
    using Item = std::shared_ptr<const Task>;
    tbb::task_arena arena(plan_.jobs);
    arena.execute([&] {
      tbb::parallel_pipeline(
          static_cast<std::size_t>(plan_.jobs),
          tbb::make_filter<void, Item>(tbb::filter_mode::serial_in_order, [this](tbb::flow_control& flow) -> Item {
            Item task;
            guarded([&] { task = next_task(); });
            if (!task) flow.stop();
            return task;
          }) & tbb::make_filter<Item, void>(tbb::filter_mode::parallel, [this](const Item& task) { guarded([&] { work(*task); }); }));
    });
  }

  /// The first exception ends the run; it is thrown on when all workers have stopped.
  template <class Body>
  void guarded(Body&& body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      stop_ = true;
    }
  }

  void beat() {
    guarded([this] {
      if (interrupt_) stop_ = true;
      if (plan_.budget.time && elapsed() >= *plan_.budget.time) {
        budget_reached_ = true;
        stop_ = true;
      }
      if (Clock::now() - renewed_ >= plan_.lease / 4) {
        database_.renew(plan_.lease);
        renewed_ = Clock::now();
      }
      progress_.update(state());
    });
  }

  ProgressState state() {
    const std::lock_guard lock(mutex_);
    ProgressState state{.done = report_.done,
                        .failed = report_.failed,
                        .paused = report_.paused,
                        .planned = plan_.budget.trials,
                        .best = best_,
                        .best_label = best_label_,
                        .elapsed = elapsed(),
                        .left = std::nullopt};
    const auto limit = [&](Seconds left) { state.left = state.left ? std::min(*state.left, left) : left; };
    if (plan_.budget.time) limit(std::max(*plan_.budget.time - state.elapsed, Seconds{0}));
    if (report_.done > 0) {
      const auto at_this_rate = [&](std::int64_t all, double done) {
        if (done > 0) limit(state.elapsed * (std::max(static_cast<double>(all) - done, 0.0) / done));
      };
      if (plan_.budget.trials) at_this_rate(*plan_.budget.trials, static_cast<double>(report_.done));
      if (plan_.budget.epochs) at_this_rate(*plan_.budget.epochs, report_.epochs);
    }
    return state;
  }

  double epochs_of(const Stretch& stretch) const {
    const double epochs = stretch.to.epochs - stretch.from.epochs;
    if (!plan_.racing) return epochs;
    return epochs + static_cast<double>(stretch.to.steps - stretch.from.steps) / static_cast<double>(plan_.racing->steps_per_epoch);
  }

  /// Whether the budget does not allow a trial's stretch to begin. One that will probably not end in time is not begun.
  bool budget_spent(const Stretch& stretch) {
    const std::lock_guard lock(mutex_);
    const Budget& budget = plan_.budget;
    const double epochs = epochs_of(stretch);
    bool spent = false;
    if (budget.trials) spent = spent || report_.done + running_ >= *budget.trials;
    if (budget.epochs) spent = spent || report_.epochs + running_epochs_ + epochs > static_cast<double>(*budget.epochs) + kRounding;
    if (budget.time) {
      const Seconds usual = timed_epochs_ > 0 ? 0.9 * timed_seconds_ * (epochs / timed_epochs_) : Seconds{0};
      spent = spent || elapsed() + usual >= *budget.time;
    }
    if (spent) budget_reached_ = true;
    return spent;
  }

  /// Whether racers at work may turn out to be the last trials of the budget, or may pause and leave it to others.
  bool racers_decide() {
    const std::lock_guard lock(mutex_);
    const auto& trials = plan_.budget.trials;
    return race_ && running_ > 0 && trials && report_.done < *trials && report_.done + running_ >= *trials;
  }

  /// The next trial, claimed; nothing when the run is over.
  std::shared_ptr<const Task> next_task() {
    Clock::time_point ask_again{};  // who may go on: that reads whole rungs, so not for each candidate that is passed over
    for (;;) {
      if (stopping()) return nullptr;
      if (racers_decide()) {
        std::this_thread::sleep_for(kPatience);
        continue;
      }
      if (Clock::now() >= ask_again) {
        if (auto promoted = promotion()) return promoted;
        ask_again = Clock::now() + kPatience;
      }
      if (!candidate_ || next_seed_ == plan_.seeds) {
        auto candidate = next_candidate();
        if (!candidate) {
          if (racers_in_progress()) {  // who pauses may be, or make another, the next to go on
            std::this_thread::sleep_for(kPatience);
            continue;
          }
          if (auto promoted = promotion()) return promoted;  // by what has paused since it was asked
          return next_postponed();
        }
        candidate_ = std::make_shared<const Candidate>(std::move(*candidate));
        candidate_id_ =
            database_.candidate({candidate_->fingerprint, candidate_->formula, candidate_->name, candidate_->program.parameter_count()});
        next_seed_ = 0;
      }
      const std::uint64_t seed = plan_.seed + static_cast<std::uint64_t>(next_seed_);
      const std::optional<Stretch> stretch = race_ ? race_->entry(candidate_id_, seed) : Stretch{{}, end_};
      if (stretch && budget_spent(*stretch)) return nullptr;
      ++next_seed_;
      if (!stretch) {
        ++report_.skipped;  // it waits at a rung
        continue;
      }
      auto task = std::make_shared<Task>(Task{candidate_, candidate_id_, seed, *stretch, {}});
      switch (claim(*task)) {
        case ClaimState::kClaimed:
          return task;
        case ClaimState::kDone:
          ++report_.skipped;
          break;
        case ClaimState::kTaken:
          postponed_.push_back(std::move(task));
          break;
      }
    }
  }

  bool racers_in_progress() {
    const std::lock_guard lock(mutex_);
    return race_ && running_ > 0;
  }

  /// A trial that the race lets go on, claimed.
  std::shared_ptr<const Task> promotion() {
    if (!race_) return nullptr;
    for (const Race::Promotion& promoted : race_->promotions()) {
      if (budget_spent(promoted.stretch)) continue;  // one with less before it may still fit
      auto considered = consider(parse(promoted.trial.record.formula));
      auto* const candidate = std::get_if<Candidate>(&considered);
      if (!candidate) throw std::logic_error("a candidate of the database is none: " + promoted.trial.record.formula);
      candidate->name = promoted.trial.record.name;
      candidate->index = promoted.trial.place;
      auto task = std::make_shared<Task>(Task{
          std::make_shared<const Candidate>(std::move(*candidate)), promoted.trial.candidate, promoted.trial.seed, promoted.stretch, {}});
      if (claim(*task) == ClaimState::kClaimed) return task;
    }
    return nullptr;
  }

  std::optional<Candidate> next_candidate() {
    const std::lock_guard lock(source_mutex_);
    for (auto space = static_cast<std::size_t>(plan_.ahead) + 1; drawn_.size() < space;) {
      auto candidate = source_.next();
      if (!candidate) break;
      if (plan_.upcoming) plan_.upcoming(*candidate);
      drawn_.push_back(std::move(*candidate));
    }
    if (drawn_.empty()) return std::nullopt;
    Candidate candidate = std::move(drawn_.front());
    drawn_.pop_front();
    return candidate;
  }

  /// Other processes' trials, when all others are done: waited for, and taken over where they are left.
  std::shared_ptr<const Task> next_postponed() {
    if (!postponed_.empty()) progress_.say("waiting for " + std::to_string(postponed_.size()) + " trials of other processes");
    while (!postponed_.empty()) {
      for (auto place = postponed_.begin(); place != postponed_.end();) {
        const auto task = *place;
        if (stopping() || budget_spent(task->stretch)) return nullptr;
        const ClaimState state = claim(*task);
        place = state == ClaimState::kTaken ? std::next(place) : postponed_.erase(place);
        if (state == ClaimState::kClaimed) return task;
      }
      if (!postponed_.empty()) std::this_thread::sleep_for(kPatience);
    }
    return nullptr;
  }

  ClaimState claim(Task& task) {
    const ClaimState state =
        database_.claim(study_, task.candidate_id, recipe_id_, task.seed, plan_.lease, &task.claim, task.candidate->index);
    if (state == ClaimState::kClaimed) {
      const std::lock_guard lock(mutex_);
      ++running_;
      running_epochs_ += epochs_of(task.stretch);
    }
    return state;
  }

  std::filesystem::path checkpoint(const Task& task) const {
    if (plan_.checkpoints.empty()) return {};
    return plan_.checkpoints /
           (task.candidate->fingerprint + "-r" + std::to_string(recipe_id_) + "-s" + std::to_string(task.seed) + ".checkpoint");
  }

  void work(const Task& task) {
    TrialOptions options;
    options.seed = task.seed;
    options.precision = plan_.precision;
    options.threads = plan_.threads;
    options.report_test = plan_.report_test;
    options.time_limit = plan_.trial_limit;
    options.stop = &stop_;
    if (task.stretch.to < end_) options.pause_after = task.stretch.to;
    options.checkpoint = checkpoint(task);
    if (!options.checkpoint.empty()) options.on_epoch = [&](const EpochMetrics& epoch) { tell_epoch(task, epoch); };

    TrialOutcome outcome;
    try {
      outcome = evaluator_(task.candidate->program, plan_.recipe, options);
    } catch (...) {
      give_back(task);
      throw;
    }
    if (outcome.interrupted) return give_back(task);
    if (outcome.paused) return pause(task, outcome);
    store(task, outcome);
    if (!options.checkpoint.empty()) std::filesystem::remove(options.checkpoint);
  }

  /// Of the run's account. Holds the mutex already.
  void end_stretch(const Task& task) {
    --running_;
    running_epochs_ -= epochs_of(task.stretch);
  }
  void account(const TrialOutcome& outcome) {
    const TrainingPoint reached{static_cast<int>(outcome.epochs.size()), outcome.partial ? outcome.partial->steps : 0};
    const double epochs = std::max(epochs_of({outcome.begun, reached}), 0.0);
    report_.epochs += epochs;
    if (outcome.failure != Failure::kNone) return;
    timed_epochs_ += epochs;
    timed_seconds_ += Seconds{outcome.seconds - outcome.seconds_before};
  }

  void pause(const Task& task, const TrialOutcome& outcome) {
    // All epochs, for a process may have died between a checkpoint and what it told of it.
    database_.pause(task.claim.trial, to_records(outcome.epochs, validates_),
                    outcome.partial ? std::optional(to_record(*outcome.partial)) : std::nullopt);
    const std::lock_guard lock(mutex_);
    end_stretch(task);
    account(outcome);
    ++report_.paused;
  }

  /// What lies before the last checkpoint stays with the trial.
  void give_back(const Task& task) {
    {
      const std::lock_guard lock(mutex_);
      end_stretch(task);
    }
    database_.release(task.claim.trial, !plan_.checkpoints.empty());
  }

  void tell_epoch(const Task& task, const EpochMetrics& epoch) {
    database_.add_epoch(task.claim.trial, to_record(epoch, validates_));
    std::string line = label(*task.candidate) + " seed " + std::to_string(task.seed) + "  epoch " + std::to_string(epoch.epoch + 1) + "/" +
                       std::to_string(plan_.recipe.epochs) + "  train loss " + digits(epoch.train_loss) + " accuracy " +
                       digits(epoch.train_accuracy);
    if (validates_) line += "  validation " + digits(epoch.validation_accuracy);
    if (epoch.test_accuracy) line += "  test " + digits(*epoch.test_accuracy);
    progress_.say(line + "  " + format_duration(Seconds{epoch.seconds}));
  }

  void store(const Task& task, const TrialOutcome& outcome) {
    const TrialRecord record = to_record(outcome, validates_);
    if (!database_.finish(task.claim.trial, record, to_records(outcome.epochs, validates_))) {
      const std::lock_guard lock(mutex_);
      end_stretch(task);
      progress_.say(long_label(*task.candidate) + " seed " + std::to_string(task.seed) +
                    ": another process has taken this trial over, so this result is dropped");
      return;
    }
    const bool failed = outcome.failure != Failure::kNone;
    const auto accuracy = record.validation_accuracy ? record.validation_accuracy : record.final_test_accuracy;
    {
      const std::lock_guard lock(source_mutex_);
      source_.observe(*task.candidate, failed ? std::nullopt : accuracy);
    }
    const std::lock_guard lock(mutex_);
    end_stretch(task);
    account(outcome);
    ++report_.done;
    report_.failed += failed ? 1 : 0;
    if (!failed && accuracy && (!best_ || *accuracy > *best_)) {
      best_ = accuracy;
      best_label_ = label(*task.candidate);
    }
    progress_.say("trial " + std::to_string(report_.done) + ": " +
                  (failed     ? "failed (" + record.failure + ")"
                   : accuracy ? digits(*accuracy)
                              : std::string("done")) +
                  "  " + long_label(*task.candidate) + "  seed " + std::to_string(task.seed) + "  " +
                  format_duration(Seconds{outcome.seconds}));
  }

  Database& database_;
  const Id study_;
  const RunPlan& plan_;
  CandidateSource& source_;
  const Evaluator& evaluator_;
  Progress& progress_;
  const std::atomic<bool>& interrupt_;
  const bool validates_;
  const Id recipe_id_;
  const TrainingPoint end_{plan_.recipe.epochs, 0};
  std::optional<Race> race_;
  const Clock::time_point start_ = Clock::now();

  std::atomic<bool> stop_{false};
  std::atomic<bool> budget_reached_{false};

  std::mutex source_mutex_;  ///< around every use of source_

  // Of the source filter, one thread at a time.
  std::shared_ptr<const Candidate> candidate_;
  Id candidate_id_ = 0;
  int next_seed_ = 0;
  std::deque<Candidate> drawn_;  ///< and not yet begun
  std::list<std::shared_ptr<Task>> postponed_;

  Clock::time_point renewed_ = Clock::now();  // of the heartbeat

  std::mutex mutex_;  ///< around everything below
  RunReport report_;
  std::int64_t running_ = 0;
  double running_epochs_ = 0;  ///< that those will train for, as far as they are to go now
  double timed_epochs_ = 0;    ///< of stretches that came to their end,
  Seconds timed_seconds_{0};   ///< and how long they took
  std::optional<double> best_;
  std::string best_label_;
  std::exception_ptr error_;
};

}  // namespace

std::optional<Candidate> ListedCandidates::next() {
  if (next_ == candidates_.size()) return std::nullopt;
  return candidates_[next_++];
}

void CandidateSource::observe(const Candidate& /*candidate*/, std::optional<double> /*accuracy*/) {}

RunReport run_trials(Database& database, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator,
                     Progress& progress, const std::atomic<bool>& interrupt) {
  return Runner(database, study, plan, source, evaluator, progress, interrupt)();
}

}  // namespace actsearch
