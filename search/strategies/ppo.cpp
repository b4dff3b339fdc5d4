#include "search/strategies/ppo.h"

#include <algorithm>
#include <cmath>

namespace actsearch {

Ppo::Ppo(const Space& space, std::uint64_t seed, const PpoOptions& options)
    : space_(space), options_(options), random_(seed), controller_(space, options.size, seed) {
  first_.assign(controller_.parameters().size(), 0.0);
  second_ = first_;
}

std::optional<std::uint64_t> Ppo::propose() {
  const std::vector<std::size_t> choices = controller_.sample(random_);
  const std::uint64_t place = space_.index_of(choices);
  drawn_[place] = log_probabilities(choices);
  return place;
}

void Ppo::observe(std::uint64_t place, std::optional<double> score) {
  worst_ = std::min(worst_, score.value_or(worst_));
  const double failed = worst_ < 0 ? worst_ - spread() : 0;
  Observation seen{space_.choices(place), {}, advantage_of(score.value_or(failed))};
  if (const auto drawn = drawn_.find(place); drawn != drawn_.end()) {
    seen.log_probabilities = std::move(drawn->second);
    drawn_.erase(drawn);
  } else {
    seen.log_probabilities = log_probabilities(seen.choices);
  }
  batch_.push_back(std::move(seen));
  if (batch_.size() < options_.batch) return;
  update();
  batch_.clear();
}

double Ppo::spread() const {
  constexpr double kLeast = 1e-3;
  return std::sqrt(std::max(square_ - mean_ * mean_, kLeast * kLeast));
}

double Ppo::advantage_of(double reward) {
  if (!has_baseline_) {
    has_baseline_ = true;
    mean_ = reward;
    square_ = reward * reward + 0.01;  // a spread of 0.1 to begin with
  }
  const double advantage = (reward - mean_) / spread();
  mean_ = options_.baseline_decay * mean_ + (1 - options_.baseline_decay) * reward;
  square_ = options_.baseline_decay * square_ + (1 - options_.baseline_decay) * reward * reward;
  return advantage;
}

std::vector<double> Ppo::log_probabilities(const std::vector<std::size_t>& choices) const {
  std::vector<double> all;
  for (const Controller::Step& step : controller_.evaluate(choices)) all.push_back(step.log_probability);
  return all;
}

void Ppo::update() {
  for (int pass = 0; pass < options_.passes; ++pass) {
    std::vector<double> gradient(controller_.parameters().size(), 0.0);
    const double share = 1.0 / static_cast<double>(batch_.size());
    for (const Observation& seen : batch_) {
      const std::vector<Controller::Step> steps = controller_.evaluate(seen.choices);
      std::vector<double> coefficients(steps.size(), 0.0);
      for (std::size_t t = 0; t < steps.size(); ++t) {
        const double ratio = std::exp(steps[t].log_probability - seen.log_probabilities[t]);
        const bool clipped = seen.advantage > 0 ? ratio > 1 + options_.clip : ratio < 1 - options_.clip;
        if (!clipped) coefficients[t] = share * seen.advantage * ratio;
      }
      controller_.add_gradient(seen.choices, coefficients, share * options_.entropy, gradient);
    }
    ascend(gradient);
  }
}

void Ppo::ascend(const std::vector<double>& gradient) {
  constexpr double kFirst = 0.9, kSecond = 0.999, kSmall = 1e-8;
  ++updates_;
  const double first_scale = 1 / (1 - std::pow(kFirst, updates_)), second_scale = 1 / (1 - std::pow(kSecond, updates_));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    first_[i] = kFirst * first_[i] + (1 - kFirst) * gradient[i];
    second_[i] = kSecond * second_[i] + (1 - kSecond) * gradient[i] * gradient[i];
    controller_.parameters()[i] += options_.rate * first_[i] * first_scale / (std::sqrt(second_[i] * second_scale) + kSmall);
  }
}

}  // namespace actsearch
