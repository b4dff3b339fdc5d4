/// Racing: most trials are paused early, and the best of those that have come as far go on.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "db/database.h"
#include "evaluator/train/trainer.h"

namespace actsearch {

/// Successive halving, asynchronous (L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020): a trial pauses at each
/// rung and goes on from there, with its checkpoint, once it is among the best 1/eta of all that have come as far, by training loss.
struct Racing {
  std::vector<TrainingPoint> rungs;      ///< ascending, after a trial's begin and before its end; at least one
  std::int64_t steps_per_epoch = 1;      ///< of the recipe on the data
  double eta = 2;                        ///< above 1
  std::vector<std::string> always = {};  ///< names of functions that go on whatever their loss: what others are compared with
};

/// The rungs after so many epochs each, which ascend, rounded to the nearest step. std::invalid_argument, naming the number, where one
/// comes to lie at a trial's begin, at its end, or on the one before it.
std::vector<TrainingPoint> rungs_after(const std::vector<double>& epochs, const Recipe& recipe, std::int64_t steps_per_epoch);

/// A part of a trial's training.
struct Stretch {
  TrainingPoint from, to;
};

/// A study's race as the database has it. It has no state of its own, so a kill loses none and processes may share it.
class Race {
 public:
  /// The database outlives the object.
  Race(const Database& database, Id study, Id recipe, Racing racing, int recipe_epochs)
      : database_(database), study_(study), recipe_(recipe), racing_(std::move(racing)), end_{recipe_epochs, 0} {}

  struct Promotion {
    RungTrial trial;
    Stretch stretch;
  };
  /// The trials that wait and may go on now: the highest rung's first, among them the best first.
  std::vector<Promotion> promotions() const;
  /// The trials that wait and go on whatever their loss, in the same order.
  std::vector<Promotion> references() const;

  /// Whether the function of this name goes on whatever its loss.
  bool always(const std::string& name) const;

  /// What to train of a trial that nobody has promoted: to the first rung. One that another study gave back further on goes on from there,
  /// to the next rung or, where none is left, to the end. Absent where it waits in this race.
  std::optional<Stretch> entry(Id candidate, std::uint64_t seed) const;

  /// What to train of a trial of the study that was cut off between two rungs: to the next one. Absent where it waits at a rung. A trial
  /// whose process died begins again where its last checkpoint is: at most at a rung, where it then waits.
  std::optional<Stretch> unfinished(const std::optional<GivenBack>& given_back) const;

 private:
  /// Of those that wait at a rung, which `chosen` picks from (trial, its place at the rung, how many came there).
  template <class Chosen>
  std::vector<Promotion> waiting(const Chosen& chosen) const;
  /// The rung there or further, else the end.
  TrainingPoint next_rung(const TrainingPoint& at) const;
  TrainingPoint after(std::size_t rung) const { return rung + 1 < racing_.rungs.size() ? racing_.rungs[rung + 1] : end_; }

  const Database& database_;
  const Id study_, recipe_;
  const Racing racing_;
  const TrainingPoint end_;
};

}  // namespace actsearch
