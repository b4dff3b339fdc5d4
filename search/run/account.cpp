#include "search/run/account.h"

#include <algorithm>

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;

/// Parts of epochs do not add up exactly; a step of an epoch is more than this.
constexpr double kRounding = 1e-6;

}  // namespace

TrainingPoint reached_by(const TrialOutcome& outcome) {
  return {outcome.epochs.empty() ? 0 : outcome.epochs.back().epoch + 1, outcome.partial ? outcome.partial->steps : 0};
}

Account::Account(const RunPlan& plan, const Race* race, std::optional<BestFunction> best) : plan_(plan), race_(race) {
  if (!best) return;
  best_label_ = best->label;
  best_ = best->accuracy;
}

void Account::stop_all() {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  for (auto& [trial, at_work] : at_work_) *at_work.stop = true;
}

bool Account::out_of_time() {
  const bool out = plan_.budget.time && elapsed() >= *plan_.budget.time;
  if (out) budget_reached_ = true;
  return out;
}

RunReport Account::report(bool interrupted) {
  const std::lock_guard lock(mutex_);
  report_.ending = interrupted ? Ending::kInterrupted : budget_reached_ ? Ending::kBudget : Ending::kFinished;
  report_.judged = static_cast<std::int64_t>(judged_.size());
  report_.seconds = elapsed().count();
  return report_;
}

ProgressState Account::state() {
  const std::lock_guard lock(mutex_);
  ProgressState state;
  state.done = report_.done;
  state.failed = report_.failed;
  state.judged = static_cast<std::int64_t>(judged_.size());
  state.paused = state.judged - state.done;
  state.planned = plan_.budget.trials;
  state.best = best_;
  state.scale = plan_.scale;
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

/// By the rate so far, of the trial at work that will end first.
std::optional<Account::Seconds> Account::until_first_score() const {
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

double Account::epochs_of(const Stretch& stretch) const {
  const double epochs = stretch.to.epochs - stretch.from.epochs;
  if (!plan_.racing) return epochs;
  return epochs + static_cast<double>(stretch.to.steps - stretch.from.steps) / static_cast<double>(plan_.racing->steps_per_epoch);
}

/// Without a place for checkpoints a stretch that will probably not end in time is not begun.
Room Account::room_for(const Stretch& stretch) {
  const std::lock_guard lock(mutex_);
  const Budget& budget = plan_.budget;
  const double epochs = epochs_of(stretch);
  bool spent = false, tight = false;
  if (budget.trials) spent = spent || report_.done + running_ >= *budget.trials;
  if (budget.epochs) spent = spent || report_.epochs + running_epochs_ + epochs > static_cast<double>(*budget.epochs) + kRounding;
  if (budget.time) {
    const Seconds usual = timed_epochs_ > 0 ? 0.9 * timed_seconds_ * (epochs / timed_epochs_) : Seconds{0};
    tight = elapsed() + usual >= *budget.time;
    spent = spent || elapsed() >= *budget.time || (tight && plan_.checkpoints.empty());
  }
  if (spent) budget_reached_ = true;
  return spent ? Room::kNone : tight ? Room::kTight : Room::kAmple;
}

bool Account::racers_decide() {
  const std::lock_guard lock(mutex_);
  const auto& trials = plan_.budget.trials;
  return race_ && running_ > 0 && trials && report_.done < *trials && report_.done + running_ >= *trials;
}

bool Account::racers_in_progress() {
  const std::lock_guard lock(mutex_);
  return race_ && running_ > 0;
}

bool Account::reference_at_work() {
  const std::lock_guard lock(mutex_);
  return std::any_of(at_work_.begin(), at_work_.end(), [this](const auto& entry) { return race_->always(entry.second.candidate->name); });
}

bool Account::anything_at_work() {
  const std::lock_guard lock(mutex_);
  return running_ > 0;
}

void Account::begin(const Task& task) {
  const std::lock_guard lock(mutex_);
  ++running_;
  running_epochs_ += epochs_of(task.stretch);
  AtWork at_work;
  at_work.candidate = task.candidate;
  at_work.seed = task.seed;
  at_work.to_the_end = task.stretch.to == TrainingPoint{plan_.recipe.epochs, 0};
  at_work.reached = {task.stretch.from.epochs, task.stretch.from.steps, plan_.racing ? plan_.racing->steps_per_epoch : 0};
  *at_work.stop = stop_.load();
  at_work_[task.claim.trial] = std::move(at_work);
}

Account::Stop Account::stop_of(const Task& task) {
  const std::lock_guard lock(mutex_);
  return at_work_.at(task.claim.trial).stop;
}

void Account::note_progress(const Task& task, const TrainingPoint& reached, std::int64_t epoch_steps) {
  const std::lock_guard lock(mutex_);
  AtWork& at_work = at_work_.at(task.claim.trial);
  at_work.reached = {reached.epochs, reached.steps, epoch_steps};
  if (reached.steps == 0 || !at_work.begun) at_work.saved = at_work.reached;
  if (at_work.begun) return;
  at_work.begun = true;
  at_work.begun_epochs = epochs_in(at_work.reached);
  at_work.since = Clock::now();
}

std::optional<TrialProgress> Account::saved(const Task& task) {
  const std::lock_guard lock(mutex_);
  const AtWork& at_work = at_work_.at(task.claim.trial);
  return at_work.lost ? std::nullopt : std::optional(at_work.saved);
}

Account::Reached Account::reached() {
  const std::lock_guard lock(mutex_);
  Reached all;
  for (const auto& [trial, at_work] : at_work_) {
    all.progress.emplace_back(trial, at_work.reached);
    all.stops[trial] = at_work.stop;
  }
  return all;
}

void Account::note_lost(Id trial, const Stop& stretch) {
  const std::lock_guard lock(mutex_);
  const auto at_work = at_work_.find(trial);
  if (at_work == at_work_.end() || at_work->second.stop != stretch) return;
  at_work->second.lost = true;
  *stretch = true;
}

void Account::note_lost(const Task& task) {
  const std::lock_guard lock(mutex_);
  AtWork& at_work = at_work_.at(task.claim.trial);
  at_work.lost = true;
  *at_work.stop = true;
}

bool Account::lost(const Task& task) {
  const std::lock_guard lock(mutex_);
  return at_work_.at(task.claim.trial).lost;
}

bool Account::stop_earlier_stretch(Id trial) {
  const std::lock_guard lock(mutex_);
  const auto at_work = at_work_.find(trial);
  if (at_work == at_work_.end()) return false;
  at_work->second.lost = true;
  *at_work->second.stop = true;
  return true;
}

std::list<std::shared_ptr<Task>> Account::take_lost() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_, {});
}

void Account::end_stretch(const Task& task) {
  --running_;
  running_epochs_ -= epochs_of(task.stretch);
  at_work_.erase(task.claim.trial);
}

void Account::add(const TrialOutcome& outcome) {
  const double epochs = std::max(epochs_of({outcome.begun, reached_by(outcome)}), 0.0);
  report_.epochs += epochs;
  if (outcome.failure != Failure::kNone) return;
  timed_epochs_ += epochs;
  timed_seconds_ += Seconds{outcome.seconds - outcome.seconds_before};
}

void Account::lose(const Task& task, const TrialOutcome* outcome) {
  const std::lock_guard lock(mutex_);
  end_stretch(task);
  if (outcome) add(*outcome);
  lost_.push_back(std::make_shared<Task>(task));
}

void Account::pause(const Task& task, const TrialOutcome& outcome) {
  const std::lock_guard lock(mutex_);
  end_stretch(task);
  add(outcome);
  judged_.insert(task.claim.trial);
  ++report_.paused;
}

void Account::cut_off(const Task& task, const TrialOutcome& outcome, bool kept) {
  const std::lock_guard lock(mutex_);
  end_stretch(task);
  add(outcome);
  report_.cut_off += kept ? 1 : 0;
}

void Account::give_back(const Task& task) {
  const std::lock_guard lock(mutex_);
  end_stretch(task);
}

void Account::finish(const Task& task, const TrialOutcome& outcome, std::optional<double> accuracy, const SayEnd& say) {
  const std::lock_guard lock(mutex_);
  const bool failed = outcome.failure != Failure::kNone;
  end_stretch(task);
  add(outcome);
  judged_.insert(task.claim.trial);
  ++report_.done;
  report_.failed += failed ? 1 : 0;
  if (!failed && accuracy && (!best_ || *accuracy > *best_)) {
    best_ = accuracy;
    best_label_ = label(*task.candidate);
  }
  say(report_.done);
}

void Account::skip() {
  const std::lock_guard lock(mutex_);
  ++report_.skipped;
}

void Account::give_up(const Task& task, const SayEnd& say) {
  const std::lock_guard lock(mutex_);
  judged_.insert(task.claim.trial);
  ++report_.done;
  ++report_.failed;
  say(report_.done);
}

}  // namespace actsearch
