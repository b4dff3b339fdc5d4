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
#include <nlohmann/json.hpp>
#include <thread>

#include "grammar/notation.h"
#include "search/heartbeat.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto kBeat = std::chrono::milliseconds(100);
/// How long to wait before asking again for a trial that another process works on.
constexpr auto kPatience = std::chrono::milliseconds(250);

/// One trial to do.
struct Task {
  std::shared_ptr<const Candidate> candidate;
  Id candidate_id = 0;
  std::uint64_t seed = 0;
  Claim claim;
  int epochs_before = 0;  ///< that its checkpoint holds
  int pause_after = 0;    ///< 0: to the end
};

EpochRecord to_record(const EpochMetrics& epoch, bool validates) {
  EpochRecord record{.epoch = epoch.epoch,
                     .learning_rate = epoch.learning_rate,
                     .train_loss = epoch.train_loss,
                     .train_accuracy = epoch.train_accuracy,
                     .validation_loss = std::nullopt,
                     .validation_accuracy = std::nullopt,
                     .test_accuracy = epoch.test_accuracy,
                     .seconds = epoch.seconds};
  if (validates) {
    record.validation_loss = epoch.validation_loss;
    record.validation_accuracy = epoch.validation_accuracy;
  }
  return record;
}

std::string beta_json(const std::vector<BetaStatistics>& beta) {
  auto list = nlohmann::json::array();
  for (const BetaStatistics& b : beta) {
    list.push_back({{"mean", b.mean}, {"deviation", b.deviation}, {"min", b.minimum}, {"max", b.maximum}});
  }
  return list.dump();
}

TrialRecord to_record(const TrialOutcome& outcome, bool validates) {
  TrialRecord record;
  record.seconds = outcome.seconds;
  record.beta = beta_json(outcome.beta);
  if (outcome.failure != Failure::kNone) {
    record.failure = to_text(outcome.failure);
    record.failure_detail = outcome.detail;
  } else if (validates) {
    record.validation_accuracy = outcome.validation_accuracy;
  }
  for (const EpochMetrics& epoch : outcome.epochs) {
    if (epoch.test_accuracy) {
      record.best_test_accuracy = std::max(record.best_test_accuracy.value_or(0), *epoch.test_accuracy);
      record.final_test_accuracy = epoch.test_accuracy;
    }
    record.train_loss = epoch.train_loss;
  }
  return record;
}

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
    const Table best =
        database.query("SELECT coalesce(nullif(name, ''), formula), mean FROM leaderboard WHERE recipe_id = " + std::to_string(recipe_id_) +
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
                        .planned = plan_.budget.trials,
                        .best = best_,
                        .best_label = best_label_,
                        .elapsed = elapsed(),
                        .left = std::nullopt};
    const auto limit = [&](Seconds left) { state.left = state.left ? std::min(*state.left, left) : left; };
    if (plan_.budget.time) limit(std::max(*plan_.budget.time - state.elapsed, Seconds{0}));
    if (report_.done > 0) {
      const auto at_this_rate = [&](std::int64_t all, std::int64_t done) {
        if (done > 0) limit(state.elapsed * (static_cast<double>(std::max<std::int64_t>(all - done, 0)) / static_cast<double>(done)));
      };
      if (plan_.budget.trials) at_this_rate(*plan_.budget.trials, report_.done);
      if (plan_.budget.epochs) at_this_rate(*plan_.budget.epochs, report_.epochs);
    }
    return state;
  }

  /// Whether the budget allows no further trial to begin. A trial that will probably not end in time is not begun.
  bool budget_spent() {
    const std::lock_guard lock(mutex_);
    const Budget& budget = plan_.budget;
    bool spent = false;
    if (budget.trials) spent = spent || report_.done + running_ >= *budget.trials;
    if (budget.epochs) spent = spent || report_.epochs + (running_ + 1) * plan_.recipe.epochs > *budget.epochs;
    if (budget.time) {
      const std::int64_t succeeded = report_.done - report_.failed;
      const Seconds usual = succeeded > 0 ? 0.9 * trial_seconds_ / static_cast<double>(succeeded) : Seconds{0};
      spent = spent || elapsed() + usual >= *budget.time;
    }
    if (spent) budget_reached_ = true;
    return spent;
  }

  /// The next trial, claimed; nothing when the run is over.
  std::shared_ptr<const Task> next_task() {
    for (;;) {
      if (stopping()) return nullptr;
      if (auto promoted = promotion()) return promoted;
      if (!candidate_ || next_seed_ == plan_.seeds) {
        auto candidate = next_candidate();
        if (!candidate) {
          if (racers_in_progress()) {  // who pauses may be, or make another, the next to go on
            std::this_thread::sleep_for(kPatience);
            continue;
          }
          return next_postponed();
        }
        candidate_ = std::make_shared<const Candidate>(std::move(*candidate));
        candidate_id_ =
            database_.candidate({candidate_->fingerprint, candidate_->formula, candidate_->name, candidate_->program.parameter_count()});
        next_seed_ = 0;
      }
      if (budget_spent()) return nullptr;
      auto task = std::make_shared<Task>(Task{candidate_, candidate_id_, plan_.seed + static_cast<std::uint64_t>(next_seed_++), {}});
      if (plan_.racing) {
        task->pause_after = plan_.racing->rungs.front();
        if (database_.epochs_given_back(task->candidate_id, recipe_id_, task->seed) >= task->pause_after) {
          ++report_.skipped;  // it waits at a rung
          continue;
        }
      }
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
    return plan_.racing && running_ > 0;
  }

  /// A trial that waits at a rung and is among the best that have come there, claimed; the highest rung's first.
  std::shared_ptr<const Task> promotion() {
    if (!plan_.racing) return nullptr;
    const std::vector<int>& rungs = plan_.racing->rungs;
    for (std::size_t i = rungs.size(); i-- > 0;) {
      const int next = i + 1 < rungs.size() ? rungs[i + 1] : 0;
      const auto there = database_.rung(study_, recipe_id_, rungs[i], next > 0 ? next : plan_.recipe.epochs);
      const auto going_on = static_cast<std::size_t>(static_cast<double>(there.size()) / plan_.racing->eta);
      for (std::size_t place = 0; place < going_on; ++place) {
        if (!there[place].waiting) continue;
        if (budget_spent()) return nullptr;
        auto considered = consider(parse(there[place].record.formula));
        auto* const candidate = std::get_if<Candidate>(&considered);
        if (!candidate) throw std::logic_error("a candidate of the database is none: " + there[place].record.formula);
        candidate->name = there[place].record.name;
        candidate->index = there[place].place;
        auto task = std::make_shared<Task>(Task{std::make_shared<const Candidate>(std::move(*candidate)),
                                                there[place].candidate,
                                                there[place].seed,
                                                {},
                                                there[place].epochs,
                                                next});
        if (claim(*task) == ClaimState::kClaimed) return task;
      }
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
        if (stopping() || budget_spent()) return nullptr;
        const auto task = *place;
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
    options.pause_after = task.pause_after;
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
    if (outcome.paused) {
      give_back(task);
      const std::lock_guard lock(mutex_);
      ++report_.paused;
      report_.epochs += static_cast<std::int64_t>(outcome.epochs.size()) - task.epochs_before;
      return;
    }
    store(task, outcome);
    if (!options.checkpoint.empty()) std::filesystem::remove(options.checkpoint);
  }

  /// Epochs before the last checkpoint stay with the trial.
  void give_back(const Task& task) {
    {
      const std::lock_guard lock(mutex_);
      --running_;
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
    std::vector<EpochRecord> epochs;
    for (const EpochMetrics& epoch : outcome.epochs) epochs.push_back(to_record(epoch, validates_));
    const TrialRecord record = to_record(outcome, validates_);
    if (!database_.finish(task.claim.trial, record, epochs)) {
      const std::lock_guard lock(mutex_);
      --running_;
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
    --running_;
    ++report_.done;
    report_.failed += failed ? 1 : 0;
    report_.epochs += static_cast<std::int64_t>(outcome.epochs.size()) - task.epochs_before;
    if (!failed) trial_seconds_ += Seconds{outcome.seconds};
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
  Seconds trial_seconds_{0};
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
