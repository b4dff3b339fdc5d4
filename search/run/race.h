/// Racing: trials pause early, and only the best of those that reached the same point go on.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "db/store.h"
#include "evaluator/train/trainer.h"

namespace actsearch {

inline constexpr double kUsualEta = 2.2;  ///< Racing::eta where nothing else is asked for

/// Asynchronous successive halving (L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020). A trial pauses at each
/// rung. It goes on from its checkpoint once its training loss is among the lowest 1/eta of all trials that reached the rung.
struct Racing {
  std::vector<TrainingPoint> rungs;      ///< ascending, between a trial's start and its end; at least one
  std::int64_t steps_per_epoch = 1;      ///< of the recipe on the data
  double eta = 2;                        ///< above 1
  std::vector<std::string> always = {};  ///< names of functions that go on whatever their loss, as references
};

/// Rungs at these numbers of epochs, which ascend, rounded to the nearest step. std::invalid_argument names a number that falls on a
/// trial's start, on its end, or on the rung before it.
std::vector<TrainingPoint> rungs_after(const std::vector<double>& epochs, const Recipe& recipe, std::int64_t steps_per_epoch);

/// A part of a trial's training, from one point to another.
struct Stretch {
  TrainingPoint from, to;
};

/// A study's race. Its whole state is in the database, so a kill loses nothing and several processes can share it.
class Race {
 public:
  /// The database outlives the object.
  Race(const Store& database, Id study, Id recipe, Racing racing, int recipe_epochs)
      : database_(database), study_(study), recipe_(recipe), racing_(std::move(racing)), end_{recipe_epochs, 0} {}

  struct Promotion {
    RungTrial trial;
    Stretch stretch;
  };
  /// The waiting trials that may go on now. Higher rungs come first, and at a rung the lowest loss.
  std::vector<Promotion> promotions() const;
  /// The waiting trials that go on whatever their loss, in the same order.
  std::vector<Promotion> references() const;

  /// Whether the function of this name goes on whatever its loss.
  bool always(const std::string& name) const;

  /// Whether a trial that has come to a rung is among the best there, and so goes on at once.
  bool goes_on(Id candidate, std::uint64_t seed, const TrainingPoint& rung) const;

  /// The training of a trial that enters the race: up to the first rung. Where another study gave it back beyond that rung, it goes on
  /// from there to the next rung, or to the end. Absent where it waits in this race.
  std::optional<Stretch> entry(Id candidate, std::uint64_t seed) const;

  /// The training of a trial that was cut off between two rungs: up to the next rung. Absent where it waits at a rung. A trial whose
  /// process died starts from its last checkpoint, which lies no further than the rung that it then waits at.
  std::optional<Stretch> unfinished(const std::optional<GivenBack>& given_back) const;

 private:
  /// The trials that wait at a rung and that `chosen` picks, called with (trial, its place at the rung, how many came there).
  template <class Chosen>
  std::vector<Promotion> waiting(const Chosen& chosen) const;
  bool among_the_best(std::size_t place, std::size_t there) const;
  /// The rung there or further, else the end.
  TrainingPoint next_rung(const TrainingPoint& at) const;
  TrainingPoint after(std::size_t rung) const { return rung + 1 < racing_.rungs.size() ? racing_.rungs[rung + 1] : end_; }

  const Store& database_;
  const Id study_, recipe_;
  const Racing racing_;
  const TrainingPoint end_;
};

}  // namespace actsearch
