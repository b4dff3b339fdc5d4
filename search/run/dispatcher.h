/// Which trial a run trains next: from the race, from what earlier runs left, from the source, from what other processes left.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "search/run/context.h"

namespace actsearch {

/// Owns the candidates that are drawn and not begun, and the trials that wait for other processes. For one thread at a time.
class Dispatcher {
 public:
  explicit Dispatcher(RunContext& run) : run_(run) {}
  /// The next trial, claimed and at work in the run's account; nothing when the run is over. Waits where others decide what comes next.
  std::shared_ptr<const Task> next();

 private:
  std::shared_ptr<const Task> next_seed(bool* spent);
  std::shared_ptr<const Task> next_unfinished();
  std::shared_ptr<const Task> promotion(Room least);
  std::shared_ptr<const Task> first_with_room(const std::vector<Race::Promotion>& promotions, Room least);
  std::shared_ptr<const Task> next_postponed();
  std::shared_ptr<const Task> next_put_last();
  std::optional<Candidate> next_candidate();
  std::optional<Candidate> draw();
  void sift(std::vector<Candidate> drawn);
  void note(ClaimState state);
  void take(const Candidate& candidate);
  void collect_lost();

  ClaimState claim(const std::shared_ptr<Task>& task, Turn turn = Turn::kUsual);
  void wait_for_earlier_stretch(Id trial);
  void give_up(const Task& task);

  RunContext& run_;
  std::shared_ptr<const Candidate> candidate_;
  Id candidate_id_ = 0;
  int next_seed_ = 0;
  std::deque<Candidate> drawn_;                                             ///< and not yet begun
  std::deque<Candidate> sifted_;                                            ///< of several that were asked for at once, those to draw
  std::deque<Candidate> passed_;                                            ///< that others had trials of then
  std::size_t stride_ = 1;                                                  ///< how many candidates are asked for at once
  std::list<std::shared_ptr<Task>> postponed_;                              ///< another process works on them
  std::map<std::pair<Id, std::uint64_t>, std::shared_ptr<Task>> put_last_;  ///< by candidate and seed: processes have died with them
  std::optional<std::vector<UnfinishedTrial>> unfinished_;  ///< that earlier runs left and this one has not claimed; read once
  std::set<std::pair<Id, std::uint64_t>> met_;              ///< candidate and seed of every trial that this run has claimed
};

}  // namespace actsearch
