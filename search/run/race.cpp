#include "search/run/race.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

namespace actsearch {
namespace {

TrainingPoint point_of(const GivenBack& trial) { return {trial.epochs, trial.steps}; }

}  // namespace

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

std::vector<Race::Promotion> Race::promotions() const {
  return waiting([this](const RungTrial& /*trial*/, std::size_t place, std::size_t there) { return among_the_best(place, there); });
}

bool Race::among_the_best(std::size_t place, std::size_t there) const {
  return place < static_cast<std::size_t>(static_cast<double>(there) / racing_.eta);
}

bool Race::goes_on(Id candidate, std::uint64_t seed, const TrainingPoint& rung) const {
  const std::vector<RungTrial> there = database_.rung(study_, recipe_, rung.epochs, rung.steps);
  const auto trial =
      std::find_if(there.begin(), there.end(), [&](const RungTrial& one) { return one.candidate == candidate && one.seed == seed; });
  return among_the_best(static_cast<std::size_t>(trial - there.begin()), there.size());
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
