#include "search/run/dispatcher.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "search/run/records.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;

/// How long to wait before asking again for a trial that another process works on.
constexpr auto kPatience = std::chrono::milliseconds(250);
/// How long to wait before looking again whether a stretch has come to its stop.
constexpr auto kStopping = std::chrono::milliseconds(10);

}  // namespace

std::shared_ptr<const Task> Dispatcher::next() {
  if (auto cut_off = next_unfinished()) return cut_off;
  Clock::time_point ask_again{};  // who may go on: that reads whole rungs, so not for each candidate that is passed over
  for (;;) {
    if (run_.stopping()) return nullptr;
    if (run_.account.racers_decide()) {
      std::this_thread::sleep_for(kPatience);
      continue;
    }
    if (Clock::now() >= ask_again) {
      if (auto promoted = promotion(Room::kAmple)) return promoted;
      ask_again = Clock::now() + kPatience;
    }
    if (!candidate_ || next_seed_ == run_.plan.seeds) {
      auto candidate = next_candidate();
      if (!candidate) {
        const bool racing =
            run_.account.racers_in_progress();  // before it is asked: who pauses then may be, or make another, the next to go on
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

void Dispatcher::take(const Candidate& candidate) {
  KeptCandidate kept = keep(run_.database, candidate);
  candidate_ = std::make_shared<const Candidate>(std::move(kept.candidate));
  candidate_id_ = kept.id;
  next_seed_ = 0;
}

/// The trial of candidate_ with its next seed, claimed, or one that makes more of the time that is left. Nothing where it needs no
/// training, is another's, or the budget is `spent`.
std::shared_ptr<const Task> Dispatcher::next_seed(bool* spent) {
  const std::uint64_t seed = run_.plan.seed + static_cast<std::uint64_t>(next_seed_);
  const bool met = met_.contains({candidate_id_, seed});  // this run went on with it, or has it at a rung
  const std::optional<Stretch> stretch = met ? std::nullopt : run_.race ? run_.race->entry(candidate_id_, seed) : Stretch{{}, run_.end};
  if (!stretch) {  // it waits at a rung
    ++next_seed_;
    run_.account.skip();
    return nullptr;
  }
  const Room room = run_.account.room_for(*stretch);
  *spent = room == Room::kNone;
  if (*spent) return nullptr;
  if (room == Room::kTight) {
    if (auto promoted = promotion(Room::kTight)) return promoted;  // who has come further uses the rest of the time better
  }
  ++next_seed_;
  auto task = std::make_shared<Task>(Task{candidate_, candidate_id_, seed, *stretch, {}});
  const ClaimState state = claim(task);
  note(state);
  switch (state) {
    case ClaimState::kClaimed:
      return task;
    case ClaimState::kDone:
      run_.account.skip();
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

/// A trial that an earlier run of the study left between its rungs, or on the way to its end, claimed.
std::shared_ptr<const Task> Dispatcher::next_unfinished() {
  if (!unfinished_) {
    unfinished_.emplace();
    if (run_.plan.goes_on && run_.keeps()) *unfinished_ = run_.database.unfinished(run_.study, run_.recipe);
  }
  for (auto trial = unfinished_->begin(); trial != unfinished_->end() && !run_.stopping();) {
    const auto& left = trial->given_back;
    const TrainingPoint from = left ? TrainingPoint{left->epochs, left->steps} : TrainingPoint{};
    const std::optional<Stretch> stretch = run_.race ? run_.race->unfinished(left) : Stretch{from, run_.end};
    if (stretch && run_.account.room_for(*stretch) == Room::kNone) {
      ++trial;
      continue;
    }
    std::shared_ptr<Task> task;
    if (stretch) {
      task = std::make_shared<Task>(
          Task{std::make_shared<const Candidate>(stored(trial->record, trial->place)), trial->candidate, trial->seed, *stretch, {}});
      if (claim(task) != ClaimState::kClaimed) task = nullptr;
    }
    trial = unfinished_->erase(trial);
    if (task) return task;
  }
  return nullptr;
}

/// A trial that the race lets go on, claimed, with at least so much room for it. One of those that go on whatever their loss comes first,
/// one at a time: so scores to compare with come early, and the other jobs judge.
std::shared_ptr<const Task> Dispatcher::promotion(Room least) {
  if (!run_.race) return nullptr;
  if (!run_.account.reference_at_work()) {
    if (auto task = first_with_room(run_.race->references(), least)) return task;
  }
  return first_with_room(run_.race->promotions(), least);
}

std::shared_ptr<const Task> Dispatcher::first_with_room(const std::vector<Race::Promotion>& promotions, Room least) {
  for (const Race::Promotion& promoted : promotions) {
    if (run_.account.room_for(promoted.stretch) < least) continue;  // one with less before it may still fit
    const RungTrial& trial = promoted.trial;
    auto task = std::make_shared<Task>(
        Task{std::make_shared<const Candidate>(stored(trial.record, trial.place)), trial.candidate, trial.seed, promoted.stretch, {}});
    if (claim(task) == ClaimState::kClaimed) return task;
  }
  return nullptr;
}

std::optional<Candidate> Dispatcher::next_candidate() {
  const std::lock_guard lock(run_.source_mutex);
  for (auto space = static_cast<std::size_t>(run_.plan.ahead) + 1; drawn_.size() < space;) {
    auto candidate = draw();
    if (!candidate) break;
    if (run_.plan.upcoming) run_.plan.upcoming(*candidate);
    drawn_.push_back(std::move(*candidate));
  }
  if (drawn_.empty()) return std::nullopt;
  Candidate candidate = std::move(drawn_.front());
  drawn_.pop_front();
  return candidate;
}

/// Where others have got ahead, the next candidates are likely theirs too: then more and more of them are asked for at once.
void Dispatcher::note(ClaimState state) {
  const bool others = state == ClaimState::kDone || state == ClaimState::kTaken;
  stride_ = others && !run_.source.learns() ? std::min(2 * stride_, Store::kMostAsked) : 1;
}

/// The source's next candidate that may have something to train; at the end those that others had trials of.
std::optional<Candidate> Dispatcher::draw() {
  while (sifted_.empty()) {
    std::vector<Candidate> drawn;
    while (drawn.size() < stride_) {
      auto candidate = run_.source.next();
      if (!candidate) break;
      drawn.push_back(std::move(*candidate));
    }
    if (drawn.empty()) {
      if (passed_.empty()) return std::nullopt;
      sifted_ = std::exchange(passed_, {});
    } else if (drawn.size() == 1) {
      sifted_.push_back(std::move(drawn.front()));
    } else {
      sift(std::move(drawn));
    }
  }
  Candidate candidate = std::move(sifted_.front());
  sifted_.pop_front();
  return candidate;
}

/// Passes those of the candidates whose every trial has ended or is another's.
void Dispatcher::sift(std::vector<Candidate> drawn) {
  std::vector<std::string> fingerprints;
  for (const Candidate& candidate : drawn) fingerprints.push_back(candidate.fingerprint);
  struct Settled {
    int done = 0, taken = 0;
    bool named = false;
  };
  std::map<std::string, Settled> found;
  for (const SettledTrial& trial : run_.database.settled_trials(run_.study, run_.recipe, fingerprints)) {
    if (trial.seed - run_.plan.seed >= static_cast<std::uint64_t>(run_.plan.seeds)) continue;
    Settled& settled = found[trial.fingerprint];
    ++(trial.state == ClaimState::kDone ? settled.done : settled.taken);
    settled.named = trial.named;
  }
  bool all = true;
  for (Candidate& candidate : drawn) {
    const Settled& settled = found[candidate.fingerprint];
    const bool passes = settled.done + settled.taken == run_.plan.seeds && (settled.named || candidate.name.empty());
    all = all && passes;
    if (!passes) {
      sifted_.push_back(std::move(candidate));
    } else if (settled.taken > 0) {
      passed_.push_back(std::move(candidate));
    } else {
      for (int seed = 0; seed < run_.plan.seeds; ++seed) run_.account.skip();
    }
  }
  if (all) stride_ = std::min(2 * stride_, Store::kMostAsked);
}

/// Other processes' trials, when all others are done: waited for, and taken over where they are left. After them those that processes
/// have died with.
std::shared_ptr<const Task> Dispatcher::next_postponed() {
  collect_lost();
  if (!postponed_.empty()) run_.progress.say("waiting for " + std::to_string(postponed_.size()) + " trials of other processes");
  for (; !postponed_.empty(); collect_lost()) {
    for (auto place = postponed_.begin(); place != postponed_.end();) {
      const auto task = *place;
      if (run_.stopping() || run_.account.room_for(task->stretch) == Room::kNone) return nullptr;
      const ClaimState state = claim(task);
      place = state == ClaimState::kTaken ? std::next(place) : postponed_.erase(place);
      if (state == ClaimState::kClaimed) return task;
    }
    if (!postponed_.empty()) std::this_thread::sleep_for(kPatience);
  }
  return next_put_last();
}

/// Alone, so that it takes no other trial with it if its process dies once more.
std::shared_ptr<const Task> Dispatcher::next_put_last() {
  while (!put_last_.empty() && !run_.stopping()) {
    const auto task = put_last_.begin()->second;
    if (run_.account.anything_at_work()) {
      std::this_thread::sleep_for(kPatience);
      continue;
    }
    if (run_.account.room_for(task->stretch) == Room::kNone) return nullptr;
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

/// Those that another process has taken over from this run are waited for like any that others work on.
void Dispatcher::collect_lost() { postponed_.splice(postponed_.end(), run_.account.take_lost()); }

/// Also keeps what is put last for later, and notes what is given up.
ClaimState Dispatcher::claim(const std::shared_ptr<Task>& task, Turn turn) {
  const ClaimState state = run_.database.claim(run_.study, task->candidate_id, run_.recipe, task->seed, run_.plan.lease, &task->claim,
                                               task->candidate->index, turn);
  if (state == ClaimState::kPutLast && put_last_.emplace(std::pair(task->candidate_id, task->seed), task).second) {
    run_.progress.say(long_label(*task->candidate) + " seed " + std::to_string(task->seed) + ": " + std::to_string(kDeathsToPutLast) +
                      " processes have ended while they trained it, so it is put last");
  }
  if (state == ClaimState::kGivenUp) give_up(*task);
  if (state != ClaimState::kClaimed) return state;
  met_.insert({task->candidate_id, task->seed});
  wait_for_earlier_stretch(task->claim.trial);
  run_.files.adopt(run_.files_of(*task));
  run_.account.begin(*task);
  return state;
}

/// A trial that was lost and is ours again may still be on its way to its stop.
void Dispatcher::wait_for_earlier_stretch(Id trial) {
  while (run_.account.stop_earlier_stretch(trial)) std::this_thread::sleep_for(kStopping);
}

/// A trial that has failed because process after process died with it.
void Dispatcher::give_up(const Task& task) {
  run_.files.remove_all(run_.files_of(task));
  {
    const std::lock_guard lock(run_.source_mutex);
    run_.source.observe(*task.candidate, std::nullopt);
  }
  run_.account.give_up(task, [&](std::int64_t done) {
    run_.progress.say("trial " + std::to_string(done) + ": failed (" + std::string(kDiedReason) + ")  " + long_label(*task.candidate) +
                      "  seed " + std::to_string(task.seed));
  });
}

}  // namespace actsearch
