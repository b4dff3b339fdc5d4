#include "search/run/runner.h"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include "db/reads.h"
#include "grammar/notation.h"
#include "search/run/checkpoint_files.h"
#include "search/run/heartbeat.h"
#include "search/run/records.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto kBeat = std::chrono::milliseconds(100);
/// How long to wait before asking again for a trial that another process works on.
constexpr auto kPatience = std::chrono::milliseconds(250);
/// How often the database learns how far trials have come: what `serve` shows.
constexpr auto kTold = std::chrono::seconds(5);
/// How often it is said that the database is busy.
constexpr auto kSaidAgain = std::chrono::minutes(1);

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

/// A trial at work.
struct AtWork {
  std::shared_ptr<const Candidate> candidate;
  std::uint64_t seed = 0;
  bool to_the_end = false;                        ///< rather than to a rung of a race, where it may stay
  bool begun = false;                             ///< it has told where it begins:
  double begun_epochs = 0;                        ///< so far,
  std::chrono::steady_clock::time_point since{};  ///< and then
  TrialProgress reached;
  TrialProgress saved;  ///< of that what a checkpoint holds for certain
  /// Looked at between batches: the run ends, or the claim is lost. Of this stretch alone, so it also tells it from a later one.
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  bool lost = false;  ///< another process has taken the trial over
};

/// While it lives, calls of the database that find it locked wait on until an interrupt, and say so.
class Patience {
 public:
  Patience(Store& database, Progress& progress, const std::atomic<bool>& interrupt) : database_(database), progress_(progress) {
    database_.when_busy([this, &interrupt] {
      say();
      return !interrupt;
    });
  }
  ~Patience() { database_.when_busy(nullptr); }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  void say() {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (said_ && now - *said_ < kSaidAgain) return;
    said_ = now;
    progress_.say("the database is busy: another process keeps its file locked. Training goes on, and results wait until it is free");
  }

 private:
  Store& database_;
  Progress& progress_;
  std::mutex mutex_;
  std::optional<Clock::time_point> said_;
};

/// What a budget has left for a stretch of training.
enum class Room : std::uint8_t {
  kNone,   ///< nothing: it is not begun
  kTight,  ///< it will probably not end in time
  kAmple
};

TrainingPoint point_of(const TrialProgress& progress) { return {progress.epochs, progress.steps}; }

/// As one number; whole ones where it is not known of how many steps an epoch is.
double epochs_in(const TrialProgress& progress) {
  return progress.epochs + (progress.epoch_steps > 0 ? static_cast<double>(progress.steps) / static_cast<double>(progress.epoch_steps) : 0);
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
  Runner(Store& database, Patience& patience, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator,
         Progress& progress, const std::atomic<bool>& interrupt)
      : database_(database),
        patience_(patience),
        study_(study),
        plan_(plan),
        source_(source),
        evaluator_(evaluator),
        progress_(progress),
        interrupt_(interrupt),
        validates_(plan.recipe.validation_size > 0),
        recipe_id_(database.recipe(plan.recipe.name, plan.recipe_text)),
        files_(plan.checkpoints, recipe_id_) {
    if (plan.racing) race_.emplace(database, study, recipe_id_, *plan.racing, plan.recipe.epochs);
    if (const auto best = database.reads().best(recipe_id_)) {
      best_label_ = best->label;
      best_ = best->accuracy;
    }
  }

  RunReport operator()() {
    sweep();
    {
      const Heartbeat heartbeat(kBeat, [this] { beat(); });
      const Heartbeat renewal(kBeat, [this] { guarded([this] { renew(); }); });  // apart: it may wait for the database
      run_pipeline();
      bodies_ended_.load(std::memory_order_acquire);
    }
    progress_.clear();
    if (error_) std::rethrow_exception(error_);
    report_.ending = interrupt_ ? Ending::kInterrupted : budget_reached_ ? Ending::kBudget : Ending::kFinished;
    report_.judged = static_cast<std::int64_t>(judged_.size());
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
            guarded([&] {
              bodies_ended_.load(std::memory_order_acquire);
              task = next_task();
            });
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
      {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
      stop_all();
    }
    bodies_ended_.fetch_add(1, std::memory_order_release);
  }

  /// Trials at work stop between batches, and nothing new is begun.
  void stop_all() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (auto& [trial, at_work] : at_work_) *at_work.stop = true;
  }

  void beat() {
    guarded([this] {
      const bool out_of_time = plan_.budget.time && elapsed() >= *plan_.budget.time;
      if (out_of_time) budget_reached_ = true;
      if ((interrupt_ || out_of_time) && !stop_) stop_all();
      progress_.update(state());
    });
  }

  /// Prolongs the claims of the trials at work, tells how far they have come, and stops those that another process has taken over.
  void renew() {
    if (Clock::now() - renewed_ < std::min<Seconds>(plan_.lease / 4, kTold)) return;
    std::vector<std::pair<Id, TrialProgress>> reached;
    std::map<Id, std::shared_ptr<std::atomic<bool>>> stretches;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [trial, at_work] : at_work_) {
        reached.emplace_back(trial, at_work.reached);
        stretches[trial] = at_work.stop;
      }
    }
    try {
      if (!reached.empty()) {
        for (const Id trial : database_.renew(plan_.lease, reached)) note_lost(trial, stretches.at(trial));
      }
      renewed_ = Clock::now();
    } catch (const DatabaseError& error) {
      if (!error.busy()) throw;
      patience_.say();  // and the next beat tries again
    }
  }

  /// Unless that stretch of the trial has ended meanwhile.
  void note_lost(Id trial, const std::shared_ptr<std::atomic<bool>>& stretch) {
    const std::lock_guard lock(mutex_);
    const auto at_work = at_work_.find(trial);
    if (at_work == at_work_.end() || at_work->second.stop != stretch) return;
    at_work->second.lost = true;
    *stretch = true;
  }
  void note_lost(const Task& task) {
    const std::lock_guard lock(mutex_);
    AtWork& at_work = at_work_.at(task.claim.trial);
    at_work.lost = true;
    *at_work.stop = true;
  }
  bool lost(const Task& task) {
    const std::lock_guard lock(mutex_);
    return at_work_.at(task.claim.trial).lost;
  }

  /// Checkpoints of trials that have ended go: their process may have been killed before it removed them.
  void sweep() {
    std::map<std::string, std::set<std::uint64_t>> found;
    files_.sweep([&](const std::string& fingerprint, std::uint64_t seed) {
      found[fingerprint].insert(seed);
      return false;
    });
    std::set<std::pair<std::string, std::uint64_t>> ended;
    for (const auto& [fingerprint, seeds] : found) {
      for (const std::uint64_t seed : database_.reads().ended_seeds(fingerprint, recipe_id_)) ended.emplace(fingerprint, seed);
    }
    if (!ended.empty()) {
      files_.sweep([&](const std::string& fingerprint, std::uint64_t seed) { return ended.contains({fingerprint, seed}); });
    }
  }

  ProgressState state() {
    const std::lock_guard lock(mutex_);
    ProgressState state;
    state.done = report_.done;
    state.failed = report_.failed;
    state.judged = static_cast<std::int64_t>(judged_.size());
    state.paused = state.judged - state.done;
    state.planned = plan_.budget.trials;
    state.best = best_;
    state.best_label = best_label_;
    state.elapsed = elapsed();
    for (const auto& [trial, at_work] : at_work_) {
      state.paused -= judged_.contains(trial) ? 1 : 0;
      const std::string seed = plan_.seeds > 1 ? " seed " + std::to_string(at_work.seed) : "";
      state.jobs.push_back({label(*at_work.candidate) + seed, epochs_in(at_work.reached) / plan_.recipe.epochs});
    }
    const auto limit = [&](Seconds left) { state.left = state.left ? std::min(*state.left, left) : left; };
    if (plan_.budget.time) limit(std::max(*plan_.budget.time - state.elapsed, Seconds{0}));
    if (report_.done > 0) {
      const auto at_this_rate = [&](std::int64_t all, double done) {
        if (done > 0) limit(state.elapsed * (std::max(static_cast<double>(all) - done, 0.0) / done));
      };
      if (plan_.budget.trials) at_this_rate(*plan_.budget.trials, static_cast<double>(report_.done));
      if (plan_.budget.epochs) at_this_rate(*plan_.budget.epochs, report_.epochs);
    }
    if (!best_) state.first_score = until_first_score();
    return state;
  }

  /// By the rate so far, of the trial at work that will end first. Holds the mutex already.
  std::optional<Seconds> until_first_score() const {
    const auto now = Clock::now();
    double epochs = timed_epochs_;
    Seconds seconds = timed_seconds_;
    for (const auto& [trial, at_work] : at_work_) {
      if (!at_work.begun) continue;
      epochs += epochs_in(at_work.reached) - at_work.begun_epochs;
      seconds += now - at_work.since;
    }
    std::optional<Seconds> first;
    for (const auto& [trial, at_work] : at_work_) {
      const bool ends = at_work.to_the_end || race_->always(at_work.candidate->name);
      if (!ends || epochs <= 0) continue;
      const Seconds left = (plan_.recipe.epochs - epochs_in(at_work.reached)) * (seconds / epochs);
      first = first ? std::min(*first, left) : left;
    }
    return first;
  }

  double epochs_of(const Stretch& stretch) const {
    const double epochs = stretch.to.epochs - stretch.from.epochs;
    if (!plan_.racing) return epochs;
    return epochs + static_cast<double>(stretch.to.steps - stretch.from.steps) / static_cast<double>(plan_.racing->steps_per_epoch);
  }

  /// What the budget has left for a trial's stretch. Without a place for checkpoints one that will probably not end in time is not begun.
  Room room_for(const Stretch& stretch) {
    const std::lock_guard lock(mutex_);
    const Budget& budget = plan_.budget;
    const double epochs = epochs_of(stretch);
    bool spent = false, tight = false;
    if (budget.trials) spent = spent || report_.done + running_ >= *budget.trials;
    if (budget.epochs) spent = spent || report_.epochs + running_epochs_ + epochs > static_cast<double>(*budget.epochs) + kRounding;
    if (budget.time) {
      const Seconds usual = timed_epochs_ > 0 ? 0.9 * timed_seconds_ * (epochs / timed_epochs_) : Seconds{0};
      tight = elapsed() + usual >= *budget.time;
      spent = spent || elapsed() >= *budget.time || (tight && !keeps());
    }
    if (spent) budget_reached_ = true;
    return spent ? Room::kNone : tight ? Room::kTight : Room::kAmple;
  }

  /// Whether a trial that is cut off goes on where it was.
  bool keeps() const { return !plan_.checkpoints.empty(); }

  /// Whether racers at work may turn out to be the last trials of the budget, or may pause and leave it to others.
  bool racers_decide() {
    const std::lock_guard lock(mutex_);
    const auto& trials = plan_.budget.trials;
    return race_ && running_ > 0 && trials && report_.done < *trials && report_.done + running_ >= *trials;
  }

  /// The next trial, claimed; nothing when the run is over.
  std::shared_ptr<const Task> next_task() {
    if (auto cut_off = next_unfinished()) return cut_off;
    Clock::time_point ask_again{};  // who may go on: that reads whole rungs, so not for each candidate that is passed over
    for (;;) {
      if (stopping()) return nullptr;
      if (racers_decide()) {
        std::this_thread::sleep_for(kPatience);
        continue;
      }
      if (Clock::now() >= ask_again) {
        if (auto promoted = promotion(Room::kAmple)) return promoted;
        ask_again = Clock::now() + kPatience;
      }
      if (!candidate_ || next_seed_ == plan_.seeds) {
        auto candidate = next_candidate();
        if (!candidate) {
          const bool racing = racers_in_progress();  // before it is asked: who pauses then may be, or make another, the next to go on
          if (auto promoted = promotion(Room::kTight)) return promoted;
          if (!racing) return next_postponed();
          std::this_thread::sleep_for(kPatience);
          continue;
        }
        take(*candidate);
      }
      bool spent = false;
      if (auto task = next_seed(&spent)) return task;
      if (spent) return nullptr;
    }
  }

  void take(const Candidate& candidate) {
    KeptCandidate kept = keep(database_, candidate);
    candidate_ = std::make_shared<const Candidate>(std::move(kept.candidate));
    candidate_id_ = kept.id;
    next_seed_ = 0;
  }

  /// The trial of candidate_ with its next seed, claimed, or one that makes more of the time that is left. Nothing where it needs no
  /// training, is another's, or the budget is `spent`.
  std::shared_ptr<const Task> next_seed(bool* spent) {
    const std::uint64_t seed = plan_.seed + static_cast<std::uint64_t>(next_seed_);
    const bool met = met_.contains({candidate_id_, seed});  // this run went on with it, or has it at a rung
    const std::optional<Stretch> stretch = met ? std::nullopt : race_ ? race_->entry(candidate_id_, seed) : Stretch{{}, end_};
    if (!stretch) {  // it waits at a rung
      ++next_seed_;
      ++report_.skipped;
      return nullptr;
    }
    const Room room = room_for(*stretch);
    *spent = room == Room::kNone;
    if (*spent) return nullptr;
    if (room == Room::kTight) {
      if (auto promoted = promotion(Room::kTight)) return promoted;  // who has come further uses the rest of the time better
    }
    ++next_seed_;
    auto task = std::make_shared<Task>(Task{candidate_, candidate_id_, seed, *stretch, {}});
    switch (claim(task)) {
      case ClaimState::kClaimed:
        return task;
      case ClaimState::kDone:
        ++report_.skipped;
        return nullptr;
      case ClaimState::kTaken:
        postponed_.push_back(std::move(task));
        return nullptr;
      case ClaimState::kPutLast:
      case ClaimState::kGivenUp:
        return nullptr;
    }
    throw std::logic_error("claim: no such state");
  }

  bool racers_in_progress() {
    const std::lock_guard lock(mutex_);
    return race_ && running_ > 0;
  }

  /// A candidate of the database, as the source would give it.
  static std::shared_ptr<const Candidate> stored(const CandidateRecord& record, std::optional<std::uint64_t> place) {
    auto considered = consider(parse(record.formula));
    auto* const candidate = std::get_if<Candidate>(&considered);
    if (!candidate) throw std::logic_error("a candidate of the database is none: " + record.formula);
    candidate->name = record.name;
    candidate->index = place;
    return std::make_shared<const Candidate>(std::move(*candidate));
  }

  /// A trial that an earlier run of the study left between its rungs, or on the way to its end, claimed.
  std::shared_ptr<const Task> next_unfinished() {
    if (!unfinished_) {
      unfinished_.emplace();
      if (plan_.goes_on && keeps()) *unfinished_ = database_.unfinished(study_, recipe_id_);
    }
    for (auto trial = unfinished_->begin(); trial != unfinished_->end() && !stopping();) {
      const auto& left = trial->given_back;
      const TrainingPoint from = left ? TrainingPoint{left->epochs, left->steps} : TrainingPoint{};
      const std::optional<Stretch> stretch = race_ ? race_->unfinished(left) : Stretch{from, end_};
      if (stretch && room_for(*stretch) == Room::kNone) {
        ++trial;
        continue;
      }
      std::shared_ptr<Task> task;
      if (stretch) {
        task = std::make_shared<Task>(Task{stored(trial->record, trial->place), trial->candidate, trial->seed, *stretch, {}});
        if (claim(task) != ClaimState::kClaimed) task = nullptr;
      }
      trial = unfinished_->erase(trial);
      if (task) return task;
    }
    return nullptr;
  }

  /// A trial that the race lets go on, claimed, with at least so much room for it. One of those that go on whatever their loss comes first,
  /// one at a time: so scores to compare with come early, and the other jobs judge.
  std::shared_ptr<const Task> promotion(Room least) {
    if (!race_) return nullptr;
    if (!reference_at_work()) {
      if (auto task = first_with_room(race_->references(), least)) return task;
    }
    return first_with_room(race_->promotions(), least);
  }

  std::shared_ptr<const Task> first_with_room(const std::vector<Race::Promotion>& promotions, Room least) {
    for (const Race::Promotion& promoted : promotions) {
      if (room_for(promoted.stretch) < least) continue;  // one with less before it may still fit
      const RungTrial& trial = promoted.trial;
      auto task = std::make_shared<Task>(Task{stored(trial.record, trial.place), trial.candidate, trial.seed, promoted.stretch, {}});
      if (claim(task) == ClaimState::kClaimed) return task;
    }
    return nullptr;
  }

  bool reference_at_work() {
    const std::lock_guard lock(mutex_);
    return std::any_of(at_work_.begin(), at_work_.end(), [this](const auto& entry) { return race_->always(entry.second.candidate->name); });
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

  /// Other processes' trials, when all others are done: waited for, and taken over where they are left. After them those that processes
  /// have died with.
  std::shared_ptr<const Task> next_postponed() {
    collect_lost();
    if (!postponed_.empty()) progress_.say("waiting for " + std::to_string(postponed_.size()) + " trials of other processes");
    for (; !postponed_.empty(); collect_lost()) {
      for (auto place = postponed_.begin(); place != postponed_.end();) {
        const auto task = *place;
        if (stopping() || room_for(task->stretch) == Room::kNone) return nullptr;
        const ClaimState state = claim(task);
        place = state == ClaimState::kTaken ? std::next(place) : postponed_.erase(place);
        if (state == ClaimState::kClaimed) return task;
      }
      if (!postponed_.empty()) std::this_thread::sleep_for(kPatience);
    }
    return next_put_last();
  }

  /// Alone, so that it takes no other trial with it if its process dies once more.
  std::shared_ptr<const Task> next_put_last() {
    while (!put_last_.empty() && !stopping()) {
      const auto task = put_last_.begin()->second;
      if (anything_at_work()) {
        std::this_thread::sleep_for(kPatience);
        continue;
      }
      if (room_for(task->stretch) == Room::kNone) return nullptr;
      const ClaimState state = claim(task, Turn::kLast);
      if (state == ClaimState::kTaken) {
        std::this_thread::sleep_for(kPatience);
        continue;
      }
      put_last_.erase(put_last_.begin());
      if (state == ClaimState::kClaimed) return task;
    }
    return nullptr;
  }

  bool anything_at_work() {
    const std::lock_guard lock(mutex_);
    return running_ > 0;
  }

  /// Those that another process has taken over from this run are waited for like any that others work on.
  void collect_lost() {
    const std::lock_guard lock(mutex_);
    postponed_.splice(postponed_.end(), lost_);
  }

  /// Also keeps what is put last for later, and notes what is given up.
  ClaimState claim(const std::shared_ptr<Task>& task, Turn turn = Turn::kUsual) {
    const ClaimState state =
        database_.claim(study_, task->candidate_id, recipe_id_, task->seed, plan_.lease, &task->claim, task->candidate->index, turn);
    if (state == ClaimState::kPutLast && put_last_.emplace(std::pair(task->candidate_id, task->seed), task).second) {
      progress_.say(long_label(*task->candidate) + " seed " + std::to_string(task->seed) + ": " + std::to_string(kDeathsToPutLast) +
                    " processes have ended while they trained it, so it is put last");
    }
    if (state == ClaimState::kGivenUp) give_up(*task);
    if (state != ClaimState::kClaimed) return state;
    met_.insert({task->candidate_id, task->seed});
    wait_for_earlier_stretch(task->claim.trial);
    files_.adopt(files_of(*task));
    const std::lock_guard lock(mutex_);
    ++running_;
    running_epochs_ += epochs_of(task->stretch);
    AtWork at_work;
    at_work.candidate = task->candidate;
    at_work.seed = task->seed;
    at_work.to_the_end = task->stretch.to == end_;
    at_work.reached = {task->stretch.from.epochs, task->stretch.from.steps, plan_.racing ? plan_.racing->steps_per_epoch : 0};
    *at_work.stop = stop_.load();
    at_work_[task->claim.trial] = std::move(at_work);
    return state;
  }

  /// A trial that was lost and is ours again may still be on its way to its stop.
  void wait_for_earlier_stretch(Id trial) {
    for (;; std::this_thread::sleep_for(kBeat / 10)) {
      const std::lock_guard lock(mutex_);
      const auto at_work = at_work_.find(trial);
      if (at_work == at_work_.end()) return;
      at_work->second.lost = true;
      *at_work->second.stop = true;
    }
  }

  /// A trial that has failed because process after process died with it.
  void give_up(const Task& task) {
    files_.remove_all(files_of(task));
    {
      const std::lock_guard lock(source_mutex_);
      source_.observe(*task.candidate, std::nullopt);
    }
    const std::lock_guard lock(mutex_);
    judged_.insert(task.claim.trial);
    ++report_.done;
    ++report_.failed;
    progress_.say("trial " + std::to_string(report_.done) + ": failed (" + std::string(kDiedReason) + ")  " + long_label(*task.candidate) +
                  "  seed " + std::to_string(task.seed));
  }

  CheckpointFiles::Trial files_of(const Task& task) const {
    return {task.candidate->fingerprint, task.seed, task.claim.attempt, database_.former_fingerprint(task.candidate_id)};
  }

  void work(const Task& task) {
    TrialOptions options;
    options.seed = task.seed;
    options.precision = plan_.precision;
    options.threads = plan_.threads;
    options.report_test = plan_.report_test;
    options.time_limit = plan_.trial_limit;
    const auto stop = stop_of(task);
    options.stop = stop.get();
    if (task.stretch.to < end_) options.pause_after = task.stretch.to;
    options.checkpoint = files_.of(files_of(task));
    options.may_save = [&] { return !lost(task); };
    options.on_progress = [&](const TrainingPoint& reached, std::int64_t epoch_steps) { note_progress(task, reached, epoch_steps); };
    if (keeps()) options.on_epoch = [&](const EpochMetrics& epoch) { tell_epoch(task, epoch); };

    TrialOutcome outcome;
    try {
      outcome = trained(task, options);
    } catch (...) {
      if (!give_back(task)) return lose(task, nullptr);
      throw;
    }
    if (lost(task)) return lose(task, &outcome);
    if (outcome.interrupted) return cut_off(task, outcome);
    if (outcome.paused) return pause(task, outcome);
    if (store(task, outcome)) files_.remove_all(files_of(task));
  }

  std::shared_ptr<std::atomic<bool>> stop_of(const Task& task) {
    const std::lock_guard lock(mutex_);
    return at_work_.at(task.claim.trial).stop;
  }

  /// A checkpoint that cannot be gone on from costs what it held.
  TrialOutcome trained(const Task& task, const TrialOptions& options) {
    try {
      return evaluator_(task.candidate->program, plan_.recipe, options);
    } catch (const CheckpointError& error) {
      progress_.say(std::string(error.what()) + ": " + long_label(*task.candidate) + " begins again");
      files_.drop(files_of(task));
      return evaluator_(task.candidate->program, plan_.recipe, options);
    }
  }

  /// Another process has taken the trial over: nothing of it is ours any more, neither its rows nor its checkpoint.
  void lose(const Task& task, const TrialOutcome* outcome) {
    {
      const std::lock_guard lock(mutex_);
      end_stretch(task);
      if (outcome) account(*outcome);
      lost_.push_back(std::make_shared<Task>(task));
    }
    progress_.say(long_label(*task.candidate) + " seed " + std::to_string(task.seed) +
                  ": another process has taken this trial over, so its training ends here");
  }

  void note_progress(const Task& task, const TrainingPoint& reached, std::int64_t epoch_steps) {
    const std::lock_guard lock(mutex_);
    AtWork& at_work = at_work_.at(task.claim.trial);
    at_work.reached = {reached.epochs, reached.steps, epoch_steps};
    if (reached.steps == 0 || !at_work.begun) at_work.saved = at_work.reached;
    if (at_work.begun) return;
    at_work.begun = true;
    at_work.begun_epochs = epochs_in(at_work.reached);
    at_work.since = Clock::now();
  }

  /// Of the run's account. Holds the mutex already.
  void end_stretch(const Task& task) {
    --running_;
    running_epochs_ -= epochs_of(task.stretch);
    at_work_.erase(task.claim.trial);
  }
  static TrainingPoint reached_by(const TrialOutcome& outcome) {
    return {static_cast<int>(outcome.epochs.size()), outcome.partial ? outcome.partial->steps : 0};
  }
  void account(const TrialOutcome& outcome) {
    const double epochs = std::max(epochs_of({outcome.begun, reached_by(outcome)}), 0.0);
    report_.epochs += epochs;
    if (outcome.failure != Failure::kNone) return;
    timed_epochs_ += epochs;
    timed_seconds_ += Seconds{outcome.seconds - outcome.seconds_before};
  }

  void pause(const Task& task, const TrialOutcome& outcome) {
    // All epochs, for a process may have died between a checkpoint and what it told of it.
    const bool ours = database_.pause(task.claim.trial, to_records(outcome.epochs, validates_),
                                      outcome.partial ? std::optional(to_record(*outcome.partial)) : std::nullopt);
    if (!ours) return lose(task, &outcome);
    const std::lock_guard lock(mutex_);
    end_stretch(task);
    account(outcome);
    judged_.insert(task.claim.trial);
    ++report_.paused;
  }

  /// What it has trained stays with the trial, if it has a checkpoint.
  void cut_off(const Task& task, const TrialOutcome& outcome) {
    const TrainingPoint reached = reached_by(outcome);
    const bool kept = keeps() && reached > TrainingPoint{};
    const bool ours = kept ? database_.give_back(task.claim.trial, to_records(outcome.epochs, validates_),
                                                 {reached.epochs, reached.steps, outcome.partial ? outcome.partial->epoch_steps : 0})
                           : database_.release(task.claim.trial);
    if (!ours) return lose(task, &outcome);
    const std::lock_guard lock(mutex_);
    end_stretch(task);
    account(outcome);
    report_.cut_off += kept ? 1 : 0;
  }

  /// After an exception: what lies before the last checkpoint stays with the trial. False where the trial is another's by now.
  bool give_back(const Task& task) {
    TrialProgress saved;
    {
      const std::lock_guard lock(mutex_);
      const AtWork& at_work = at_work_.at(task.claim.trial);
      if (at_work.lost) return false;
      saved = at_work.saved;
    }
    const bool ours = keeps() && point_of(saved) > TrainingPoint{} ? database_.give_back(task.claim.trial, {}, saved)
                                                                   : database_.release(task.claim.trial);
    if (!ours) return false;
    const std::lock_guard lock(mutex_);
    end_stretch(task);
    return true;
  }

  void tell_epoch(const Task& task, const EpochMetrics& epoch) {
    try {
      if (!database_.add_epoch(task.claim.trial, to_record(epoch, validates_))) return note_lost(task);
    } catch (const DatabaseError& error) {
      if (!error.busy()) throw;
      patience_.say();  // the trial's end, or its next pause, tells all its epochs
    }
    if (!plan_.tells_epochs) return;
    std::string line = label(*task.candidate) + " seed " + std::to_string(task.seed) + "  epoch " + std::to_string(epoch.epoch + 1) + "/" +
                       std::to_string(plan_.recipe.epochs) + "  train loss " + digits(epoch.train_loss) + " accuracy " +
                       digits(epoch.train_accuracy);
    if (validates_) line += "  validation " + digits(epoch.validation_accuracy);
    if (epoch.test_accuracy) line += "  test " + digits(*epoch.test_accuracy);
    progress_.say(line + "  " + format_duration(Seconds{epoch.seconds}));
  }

  /// False where the trial is another's by now.
  bool store(const Task& task, const TrialOutcome& outcome) {
    const TrialRecord record = to_record(outcome, validates_);
    if (!database_.finish(task.claim.trial, record, to_records(outcome.epochs, validates_))) {
      lose(task, &outcome);
      return false;
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
    judged_.insert(task.claim.trial);
    ++report_.done;
    report_.failed += failed ? 1 : 0;
    if (!failed && accuracy && (!best_ || *accuracy > *best_)) {
      best_ = accuracy;
      best_label_ = label(*task.candidate);
    }
    progress_.say("trial " + std::to_string(report_.done) + ": " +
                  (failed     ? "failed (" + record.failure + ")"
                   : accuracy ? percent(*accuracy) + " %"
                              : std::string("done")) +
                  "  " + long_label(*task.candidate) + "  seed " + std::to_string(task.seed) + "  " +
                  format_duration(Seconds{outcome.seconds}));
    return true;
  }

  Store& database_;
  Patience& patience_;
  const Id study_;
  const RunPlan& plan_;
  CandidateSource& source_;
  const Evaluator& evaluator_;
  Progress& progress_;
  const std::atomic<bool>& interrupt_;
  const bool validates_;
  const Id recipe_id_;
  const CheckpointFiles files_;
  const TrainingPoint end_{plan_.recipe.epochs, 0};
  std::optional<Race> race_;
  const Clock::time_point start_ = Clock::now();

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> bodies_ended_{0};  ///< tells ThreadSanitizer of the order that oneTBB keeps, unseen by it
  std::atomic<bool> budget_reached_{false};

  std::mutex source_mutex_;  ///< around every use of source_

  // Of the source filter, one thread at a time.
  std::shared_ptr<const Candidate> candidate_;
  Id candidate_id_ = 0;
  int next_seed_ = 0;
  std::deque<Candidate> drawn_;  ///< and not yet begun
  std::list<std::shared_ptr<Task>> postponed_;
  std::map<std::pair<Id, std::uint64_t>, std::shared_ptr<Task>> put_last_;  ///< by candidate and seed: processes have died with them
  std::optional<std::vector<UnfinishedTrial>> unfinished_;  ///< that earlier runs left and this one has not claimed; read once
  std::set<std::pair<Id, std::uint64_t>> met_;              ///< candidate and seed of every trial that this run has claimed

  Clock::time_point renewed_ = Clock::now();  // of the renewal

  std::mutex mutex_;  ///< around everything below
  RunReport report_;
  std::int64_t running_ = 0;
  double running_epochs_ = 0;  ///< that those will train for, as far as they are to go now
  std::map<Id, AtWork> at_work_;
  std::list<std::shared_ptr<Task>> lost_;  ///< to another process, and not yet among those waited for
  std::set<Id> judged_;                    ///< trials that have ended or come to a rung in this run
  double timed_epochs_ = 0;                ///< of stretches that came to their end,
  Seconds timed_seconds_{0};               ///< and how long they took
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

void remove_if_empty(const std::filesystem::path& checkpoints) {
  std::error_code not_empty;  // other runs' checkpoints stay
  std::filesystem::remove(checkpoints, not_empty);
}

RunReport run_trials(Store& database, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator,
                     Progress& progress, const std::atomic<bool>& interrupt) {
  Patience patience(database, progress, interrupt);
  return Runner(database, patience, study, plan, source, evaluator, progress, interrupt)();
}

}  // namespace actsearch
