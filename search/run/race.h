/// Racing: trials pause early, and only the best of those that reached the same point go on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/store.h"
#include "evaluator/train/trainer.h"
#include "search/surrogate/end_model.h"

namespace actsearch {

/// What a race compares at a rung.
enum class PromoteBy : std::uint8_t {
  kLoss,       ///< the training loss there
  kPrediction  ///< the score that EndModel expects at the end; the loss until kEndsToLearnFrom trials that passed the rung have a score
};
inline constexpr std::size_t kEndsToLearnFrom = 16;
/// By its name, "prediction" or "loss"; std::invalid_argument for another.
PromoteBy promotion_of(std::string_view name);
/// Racing::eta where nothing else is asked for. Both cost the same (docs/results/early-epochs.md).
constexpr double usual_eta(PromoteBy promote_by) { return promote_by == PromoteBy::kLoss ? 2.2 : 2.0; }

/// What is asked for of a race, beside its rungs.
struct RaceChoice {
  std::optional<double> eta = {};            ///< above 1; absent: usual_eta
  std::optional<PromoteBy> promote_by = {};  ///< absent: as settle_race has it
};

/// Asynchronous successive halving (L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020). A trial pauses at each
/// rung. By the loss it goes on from its checkpoint once its loss is among the lowest 1/eta of all trials that reached the rung. By
/// predictions, which change with each trial that ends, the best that wait go on, as long as fewer than 1/eta have gone on.
struct Racing {
  std::vector<TrainingPoint> rungs;      ///< ascending, between a trial's start and its end; at least one
  std::int64_t steps_per_epoch = 1;      ///< of the recipe on the data
  double eta = 2;                        ///< above 1
  std::vector<std::string> always = {};  ///< names of functions that go on whatever their loss, as references; no part of the 1/eta
                                         ///< where predictions decide, like what ended before the study
  PromoteBy promote_by = PromoteBy::kLoss;
};

/// Rungs at these numbers of epochs, which ascend, rounded to the nearest step. std::invalid_argument names a number that falls on a
/// trial's start, on its end, or on the rung before it.
std::vector<TrainingPoint> rungs_after(const std::vector<double>& epochs, const Recipe& recipe, std::int64_t steps_per_epoch);

/// A part of a trial's training, from one point to another.
struct Stretch {
  TrainingPoint from, to;
};

/// A study's race. Its whole state is in the database, so a kill loses nothing and several processes can share it. What it keeps are models
/// and curves, which it could compute again. One thread at a time may call what is not const.
class Race {
 public:
  /// The database outlives the object.
  Race(const Store& database, Id study, Id recipe, Racing racing, int recipe_epochs)
      : database_(database), study_(study), recipe_(recipe), racing_(std::move(racing)), end_{recipe_epochs, 0} {}

  struct Promotion {
    RungTrial trial;
    Stretch stretch;
  };
  /// The waiting trials that may go on now. Higher rungs come first, and at a rung the lowest loss or the best predicted end.
  std::vector<Promotion> promotions();
  /// The waiting trials that go on whatever their loss, in the same order.
  std::vector<Promotion> references() const;

  /// Whether the function of this name goes on whatever its loss.
  bool always(const std::string& name) const;

  /// Whether a trial that has come to a rung goes on at once: it is among the best there or, by predictions, among the best that wait while
  /// there is room.
  bool goes_on(Id candidate, std::uint64_t seed, const TrainingPoint& rung);

  /// The training of a trial that enters the race: up to the first rung. Where another study gave it back beyond that rung, it goes on
  /// from there to the next rung, or to the end. Absent where it waits in this race.
  std::optional<Stretch> entry(Id candidate, std::uint64_t seed) const;

  /// The training of a trial that was cut off between two rungs: up to the next rung. Absent where it waits at a rung. A trial whose
  /// process died starts from its last checkpoint, which lies no further than the rung that it then waits at.
  std::optional<Stretch> unfinished(const std::optional<GivenBack>& given_back) const;

 private:
  using TrialKey = std::pair<Id, std::uint64_t>;  ///< candidate and seed
  /// The trials of a rung that wait there and may go on one day, as places in its list, the best first, and how many of them may now.
  struct Waiting {
    std::vector<std::size_t> trials;
    std::vector<std::size_t> cut_off;  ///< that went on from there before, and did not come to the next rung
    std::size_t may_go_on = 0;
  };
  struct Model {
    std::size_t learned_from = 0;
    std::optional<EndModel> model;
    std::map<TrialKey, double> ends;  ///< that it has predicted
  };
  class EarlyTrials;

  /// The trials that wait at a rung and that `chosen` picks, called with (trial, its place at the rung, how many came there).
  template <class Chosen>
  std::vector<Promotion> waiting(const Chosen& chosen) const;
  bool among_the_best(std::size_t place, std::size_t there) const;
  std::vector<std::vector<RungTrial>> read_rungs(std::size_t count) const;
  std::vector<Promotion> promotions_by_prediction();
  /// Of rung `rung`. `arrived` has just come there and waits too, whatever is stored of it.
  Waiting waiting_at(std::size_t rung, const std::vector<std::vector<RungTrial>>& rungs, const std::optional<TrialKey>& arrived);
  /// The model of a rung, up to date with those that ended.
  Model& model_of(std::size_t rung, std::vector<const RungTrial*>& ended, EarlyTrials& early);
  const std::vector<double>& features_of(const RungTrial& trial);
  /// The rung there or further, else the end.
  TrainingPoint next_rung(const TrainingPoint& at) const;
  TrainingPoint after(std::size_t rung) const { return rung + 1 < racing_.rungs.size() ? racing_.rungs[rung + 1] : end_; }

  const Store& database_;
  const Id study_, recipe_;
  const Racing racing_;
  const TrainingPoint end_;
  std::vector<Model> models_ = std::vector<Model>(racing_.rungs.size());
  std::map<Id, std::vector<double>> features_;  ///< by candidate
};

}  // namespace actsearch
