/// The paper's search: a recurrent controller writes candidates and is trained by proximal policy optimisation on their accuracies
/// (P. Ramachandran, B. Zoph and Q. V. Le, 2017; J. Schulman et al., "Proximal Policy Optimization Algorithms", 2017).
#pragma once

#include <map>
#include <random>

#include "search/strategies/controller.h"
#include "search/strategies/strategy.h"

namespace actsearch {

struct PpoOptions {
  Controller::Size size;
  std::size_t batch = 16;        ///< observations to an update
  int passes = 4;                ///< passes over the batch in an update
  double rate = 0.006;           ///< Adam's step (D. Kingma and J. Ba, 2015; its other constants are the usual ones)
  double clip = 0.2;             ///< a choice's probability may move by this share in an update before its gradient stops
  double entropy = 0.05;         ///< bonus for a nat of a choice's entropy, in units of the rewards' spread
  double baseline_decay = 0.95;  ///< of the moving averages of the reward and of its square
};

/// The reward is the score. What failed or was refused has 0 where scores are positive, else one spread less than the lowest; the advantage
/// is its distance from the moving average, divided by the moving spread. A place that this object has not proposed counts as drawn from
/// the controller as it is.
class Ppo : public Strategy {
 public:
  Ppo(const Space& space, std::uint64_t seed, const PpoOptions& options = {});
  std::optional<std::uint64_t> propose() override;
  void observe(std::uint64_t place, std::optional<double> score) override;
  bool learns() const override { return true; }
  const Controller& controller() const { return controller_; }

 private:
  struct Observation {
    std::vector<std::size_t> choices;
    std::vector<double> log_probabilities;  ///< when it was drawn
    double advantage = 0;
  };
  double spread() const;  ///< of the rewards lately
  double advantage_of(double reward);
  std::vector<double> log_probabilities(const std::vector<std::size_t>& choices) const;
  void update();
  void ascend(const std::vector<double>& gradient);

  const Space& space_;
  const PpoOptions options_;
  std::mt19937_64 random_;
  Controller controller_;
  std::map<std::uint64_t, std::vector<double>> drawn_;  ///< proposed, not yet observed
  std::vector<Observation> batch_;
  bool has_baseline_ = false;
  double worst_ = 0;                    ///< the lowest score so far, at most 0
  double mean_ = 0, square_ = 0;        ///< moving averages of the reward and of its square
  std::vector<double> first_, second_;  ///< Adam's moments
  int updates_ = 0;
};

}  // namespace actsearch
