#include "search/run/race.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "search/run/records.h"
#include "search/surrogate/curve_features.h"

namespace actsearch {
namespace {

TrainingPoint point_of(const GivenBack& trial) { return {trial.epochs, trial.steps}; }

}  // namespace

PromoteBy promotion_of(std::string_view name) {
  if (name == "prediction") return PromoteBy::kPrediction;
  if (name == "loss") return PromoteBy::kLoss;
  throw std::invalid_argument("a race promotes by prediction or by loss, not by '" + std::string(name) + "'");
}

std::vector<TrainingPoint> rungs_after(const std::vector<double>& epochs, const Recipe& recipe, std::int64_t steps_per_epoch) {
  std::vector<TrainingPoint> rungs;
  std::int64_t before = 0;
  const std::int64_t end = recipe.epochs * steps_per_epoch;
  for (const double rung : epochs) {
    const auto step = static_cast<std::int64_t>(std::llround(rung * static_cast<double>(steps_per_epoch)));
    if (step <= before || step >= end) {
      std::ostringstream message;
      message << "a rung after " << rung << " epochs is no pause of its own: an epoch here has " << steps_per_epoch
              << " steps, so it comes to lie "
              << (step >= end   ? "at the end"
                  : before == 0 ? "at the begin"
                                : "on the rung before it");
      throw std::invalid_argument(message.str());
    }
    rungs.push_back({static_cast<int>(step / steps_per_epoch), step % steps_per_epoch});
    before = step;
  }
  return rungs;
}

template <class Chosen>
std::vector<Race::Promotion> Race::waiting(const Chosen& chosen) const {
  std::vector<Promotion> all;
  for (std::size_t i = racing_.rungs.size(); i-- > 0;) {
    const TrainingPoint next = after(i);
    std::vector<RungTrial> there = database_.rung(study_, recipe_, racing_.rungs[i].epochs, racing_.rungs[i].steps);
    for (std::size_t place = 0; place < there.size(); ++place) {
      const auto& trial = there[place];
      if (trial.given_back && point_of(*trial.given_back) < next && chosen(trial, place, there.size())) {
        const Stretch stretch{point_of(*trial.given_back), next};
        all.push_back({std::move(there[place]), stretch});
      }
    }
  }
  return all;
}

std::vector<Race::Promotion> Race::promotions() {
  if (racing_.promote_by == PromoteBy::kPrediction) return promotions_by_prediction();
  return waiting([this](const RungTrial& /*trial*/, std::size_t place, std::size_t there) { return among_the_best(place, there); });
}

bool Race::among_the_best(std::size_t place, std::size_t there) const {
  return place < static_cast<std::size_t>(static_cast<double>(there) / racing_.eta);
}

bool Race::goes_on(Id candidate, std::uint64_t seed, const TrainingPoint& rung) {
  if (racing_.promote_by == PromoteBy::kPrediction) {
    const auto at = static_cast<std::size_t>(std::find(racing_.rungs.begin(), racing_.rungs.end(), rung) - racing_.rungs.begin());
    const auto rungs = read_rungs(at + 1);
    const Waiting waits = waiting_at(at, rungs, TrialKey{candidate, seed});
    return std::any_of(waits.trials.begin(), waits.trials.begin() + static_cast<std::ptrdiff_t>(waits.may_go_on),
                       [&](std::size_t place) { return rungs[at][place].candidate == candidate && rungs[at][place].seed == seed; });
  }
  const std::vector<RungTrial> there = database_.rung(study_, recipe_, rung.epochs, rung.steps);
  const auto trial =
      std::find_if(there.begin(), there.end(), [&](const RungTrial& one) { return one.candidate == candidate && one.seed == seed; });
  return among_the_best(static_cast<std::size_t>(trial - there.begin()), there.size());
}

std::vector<std::vector<RungTrial>> Race::read_rungs(std::size_t count) const {
  std::vector<std::vector<RungTrial>> rungs;
  for (std::size_t i = 0; i < count; ++i) rungs.push_back(database_.rung(study_, recipe_, racing_.rungs[i].epochs, racing_.rungs[i].steps));
  return rungs;
}

std::vector<Race::Promotion> Race::promotions_by_prediction() {
  auto rungs = read_rungs(racing_.rungs.size());
  std::vector<Promotion> all;
  for (std::size_t i = rungs.size(); i-- > 0;) {
    Waiting waits = waiting_at(i, rungs, std::nullopt);
    waits.trials.resize(waits.may_go_on);
    for (const auto* const chosen : {&waits.cut_off, &waits.trials}) {
      for (const std::size_t place : *chosen) {
        const Stretch stretch{point_of(*rungs[i][place].given_back), after(i)};
        all.push_back({rungs[i][place], stretch});
      }
    }
  }
  return all;
}

/// What the model is told of the trials at a rung. The losses at the rungs before are looked up where one is asked for.
class Race::EarlyTrials {
 public:
  EarlyTrials(Race& race, const std::vector<std::vector<RungTrial>>& rungs, std::size_t rung) : race_(race), rungs_(rungs), rung_(rung) {}
  EarlyTrial operator()(const RungTrial& trial) {
    if (before_.empty()) {
      before_.resize(rung_);
      for (std::size_t i = 0; i < rung_; ++i) {
        for (const RungTrial& one : rungs_[i]) before_[i].emplace(TrialKey{one.candidate, one.seed}, one.train_loss);
      }
    }
    EarlyTrial early{race_.features_of(trial), {}};
    for (const auto& losses : before_) {
      const auto found = losses.find({trial.candidate, trial.seed});
      early.losses.push_back(found == losses.end() ? trial.train_loss : found->second);  // it may have passed one without a pause
    }
    early.losses.push_back(trial.train_loss);
    return early;
  }

 private:
  Race& race_;
  const std::vector<std::vector<RungTrial>>& rungs_;
  const std::size_t rung_;
  std::vector<std::map<TrialKey, double>> before_;
};

Race::Waiting Race::waiting_at(std::size_t rung, const std::vector<std::vector<RungTrial>>& rungs, const std::optional<TrialKey>& arrived) {
  const std::vector<RungTrial>& there = rungs[rung];
  std::vector<const RungTrial*> ended;
  for (const RungTrial& trial : there) {
    if (trial.end) ended.push_back(&trial);
  }
  const bool predicts = ended.size() >= kEndsToLearnFrom;
  Waiting waits;
  std::size_t judged = 0, gone_on = 0;
  for (std::size_t place = 0; place < there.size(); ++place) {
    const RungTrial& trial = there[place];
    const bool arrives = TrialKey{trial.candidate, trial.seed} == arrived;
    if (trial.earlier || (always(trial.record.name) && !arrives)) continue;  // nobody has chosen these
    ++judged;
    if (!predicts && !among_the_best(place, there.size())) continue;
    if (arrives || (trial.given_back && point_of(*trial.given_back) == racing_.rungs[rung])) {
      waits.trials.push_back(place);
      continue;
    }
    ++gone_on;
    if (trial.given_back && point_of(*trial.given_back) < after(rung)) waits.cut_off.push_back(place);
  }
  waits.may_go_on = waits.trials.size();
  if (!predicts) return waits;  // in the order of their losses
  const auto quota = static_cast<std::size_t>(static_cast<double>(judged) / racing_.eta);
  waits.may_go_on = std::min(waits.trials.size(), quota - std::min(quota, gone_on));
  if (waits.may_go_on == 0) return waits;

  EarlyTrials early(*this, rungs, rung);
  Model& model = model_of(rung, ended, early);
  std::vector<double> ends(there.size());
  for (const std::size_t place : waits.trials) {
    const TrialKey key{there[place].candidate, there[place].seed};
    auto end = model.ends.find(key);
    if (end == model.ends.end()) end = model.ends.emplace(key, model.model->predict(early(there[place]))).first;
    ends[place] = end->second;
  }
  std::stable_sort(waits.trials.begin(), waits.trials.end(), [&](std::size_t a, std::size_t b) { return ends[a] > ends[b]; });
  return waits;
}

Race::Model& Race::model_of(std::size_t rung, std::vector<const RungTrial*>& ended, EarlyTrials& early) {
  Model& model = models_[rung];
  const std::size_t count = fitted_observations(ended.size());
  if (model.learned_from == count) return model;
  // In the order in which they ended, so that a race that is gone on with learns from the same.
  std::sort(ended.begin(), ended.end(), [](const RungTrial* a, const RungTrial* b) {
    return std::tie(a->end->finished, a->candidate, a->seed) < std::tie(b->end->finished, b->candidate, b->seed);
  });
  std::vector<EarlyTrial> trials;
  std::vector<double> scores;
  for (std::size_t i = 0; i < count; ++i) {
    trials.push_back(early(*ended[i]));
    scores.push_back(ended[i]->end->score);
  }
  model = {.learned_from = count, .model = EndModel(trials, scores, count), .ends = {}};
  return model;
}

const std::vector<double>& Race::features_of(const RungTrial& trial) {
  const auto known = features_.find(trial.candidate);
  if (known != features_.end()) return known->second;
  auto features = curve_features(stored(trial.record, trial.place).program).value_or(std::vector<double>{});
  return features_.emplace(trial.candidate, std::move(features)).first->second;
}

std::vector<Race::Promotion> Race::references() const {
  if (racing_.always.empty()) return {};
  return waiting([this](const RungTrial& trial, std::size_t /*place*/, std::size_t /*there*/) { return always(trial.record.name); });
}

bool Race::always(const std::string& name) const {
  return std::find(racing_.always.begin(), racing_.always.end(), name) != racing_.always.end();
}

std::optional<Stretch> Race::unfinished(const std::optional<GivenBack>& given_back) const {
  const TrainingPoint at = given_back ? point_of(*given_back) : TrainingPoint{};
  if (std::find(racing_.rungs.begin(), racing_.rungs.end(), at) != racing_.rungs.end()) return std::nullopt;
  return Stretch{at, next_rung(at)};
}

TrainingPoint Race::next_rung(const TrainingPoint& at) const {
  const auto next = std::find_if(racing_.rungs.begin(), racing_.rungs.end(), [&](const TrainingPoint& rung) { return rung >= at; });
  return next == racing_.rungs.end() ? end_ : *next;
}

std::optional<Stretch> Race::entry(Id candidate, std::uint64_t seed) const {
  const auto left = database_.given_back(study_, candidate, recipe_, seed);
  const TrainingPoint at = left ? point_of(*left) : TrainingPoint{};
  if (left && left->in_study && at >= racing_.rungs.front()) return std::nullopt;
  return Stretch{at, next_rung(at)};
}

}  // namespace actsearch
