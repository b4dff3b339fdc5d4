#include "db/comparisons.h"

#include <Eigen/Dense>
#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace actsearch {
namespace {

double normal_probability(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

/// The integral of f over an interval cut into equal pieces, 30 Gauss points in each.
template <class Function>
double integral(const Function& f, double low, double high, int pieces) {
  double sum = 0;
  const double width = (high - low) / pieces;
  for (int i = 0; i < pieces; ++i) sum += boost::math::quadrature::gauss<double, 30>::integrate(f, low + i * width, low + (i + 1) * width);
  return sum;
}

/// P(|T| <= t for all) where the deviation is known: each T is √weight·Z + √(1 − weight)·(a normal number of its own), Z common to all.
double with_known_deviation(double t, std::span<const DunnettGroup> groups) {
  constexpr double kFar = 8.5;  // beyond it lies 2e-17 of the normal distribution
  const auto given = [&](double z) {
    double product = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    for (const auto& [weight, comparisons] : groups) {
      const double common = std::sqrt(weight) * z, own = std::sqrt(1 - weight);
      product *= std::pow(normal_probability((t - common) / own) - normal_probability((-t - common) / own), comparisons);
    }
    return product;
  };
  return integral(given, -kFar, kFar, 6);
}

/// Numbers the things that a span of trials has, in ascending order.
template <class Key>
std::map<Key, int> numbered(std::span<const SeedScore> trials, Key SeedScore::*key) {
  std::map<Key, int> numbers;
  for (const SeedScore& trial : trials) numbers.emplace(trial.*key, 0);
  int next = 0;
  for (auto& [unused, number] : numbers) number = next++;
  return numbers;
}

/// Which functions are joined by chains of common seeds.
class Parts {
 public:
  explicit Parts(int things) : parent_(static_cast<std::size_t>(things)) { std::iota(parent_.begin(), parent_.end(), 0); }
  int of(int thing) {
    while (parent_[static_cast<std::size_t>(thing)] != thing)
      thing = parent_[static_cast<std::size_t>(thing)] = parent_[static_cast<std::size_t>(parent_[static_cast<std::size_t>(thing)])];
    return thing;
  }
  void join(int a, int b) { parent_[static_cast<std::size_t>(of(a))] = of(b); }
  int count() {
    int count = 0;
    for (int i = 0; i < static_cast<int>(parent_.size()); ++i) count += of(i) == i ? 1 : 0;
    return count;
  }

 private:
  std::vector<int> parent_;
};

/// score = function + seed + error by least squares. The functions' effects are eliminated first, so that what is left to solve has the
/// size of the seeds.
class Model {
 public:
  Model(std::span<const SeedScore> trials, const std::map<Id, int>& functions, const std::map<std::uint64_t, int>& seeds)
      : share_(Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(functions.size()), static_cast<Eigen::Index>(seeds.size()))),
        mean_(Eigen::VectorXd::Zero(static_cast<Eigen::Index>(functions.size()))),
        n_(Eigen::VectorXd::Zero(static_cast<Eigen::Index>(functions.size()))),
        parts_(static_cast<int>(functions.size() + seeds.size())) {
    Eigen::VectorXd seed_sum = Eigen::VectorXd::Zero(share_.cols());
    for (const SeedScore& trial : trials) {
      const int f = functions.at(trial.function), s = seeds.at(trial.seed);
      share_(f, s) = 1, n_(f) += 1, mean_(f) += trial.score, seed_sum(s) += trial.score;
      parts_.join(f, static_cast<int>(functions.size()) + s);
    }
    const Eigen::MatrixXd present = share_;
    for (Eigen::Index f = 0; f < share_.rows(); ++f) share_.row(f) /= n_(f), mean_(f) /= n_(f);
    Eigen::MatrixXd left = -present.transpose() * share_;
    left.diagonal() += present.colwise().sum().transpose();
    inverse_ = left.completeOrthogonalDecomposition().pseudoInverse();
    const Eigen::VectorXd seed_effect = inverse_ * (seed_sum - present.transpose() * mean_);
    effect_ = mean_ - share_ * seed_effect;
    double squares = 0;
    for (const SeedScore& trial : trials) {
      const int f = functions.at(trial.function), s = seeds.at(trial.seed);
      const double error = trial.score - effect_(f) - seed_effect(s);
      squares += error * error;
    }
    degrees_ = static_cast<int>(trials.size()) - static_cast<int>(functions.size() + seeds.size()) + parts_.count();
    deviation_ = degrees_ > 0 ? std::sqrt(squares / degrees_) : 0;
    // What rounding leaves of scores that the model explains wholly.
    if (deviation_ < 1e-12 * mean_.cwiseAbs().maxCoeff()) deviation_ = 0;
  }

  int degrees() const { return degrees_; }
  int n(int f) const { return static_cast<int>(n_(f)); }
  int common(int f, int g) const { return static_cast<int>(((share_.row(f).array() > 0) && (share_.row(g).array() > 0)).count()); }
  bool comparable(int f, int g) { return parts_.of(f) == parts_.of(g); }
  double difference(int f, int g) const { return effect_(f) - effect_(g); }
  double standard_error(int f, int g) const {
    const Eigen::VectorXd apart = (share_.row(f) - share_.row(g)).transpose();
    return deviation_ * std::sqrt(1 / n_(f) + 1 / n_(g) + apart.dot(inverse_ * apart));
  }

 private:
  Eigen::MatrixXd share_;          ///< functions × seeds: 1/n where the function has the seed, else 0
  Eigen::VectorXd mean_, n_;       ///< of each function's trials
  Eigen::MatrixXd inverse_;        ///< of the seeds' normal equations
  Eigen::VectorXd effect_;         ///< of the functions, each part of the trials by itself
  Parts parts_;                    ///< of functions, then seeds
  int degrees_ = 0;
  double deviation_ = 0;
};

}  // namespace

double dunnett_probability(double t, std::span<const DunnettGroup> groups, int degrees) {
  constexpr int kAsKnown = 1'000'000;
  if (degrees > kAsKnown) return with_known_deviation(t, groups);
  const boost::math::chi_squared squares(degrees);
  constexpr double kTail = 1e-12;
  const auto deviation = [&](double square) { return std::sqrt(square / degrees); };
  const auto weighted = [&](double s) {  // the density of the estimated deviation, in units of the true one
    return boost::math::pdf(squares, s * s * degrees) * 2 * s * degrees * with_known_deviation(t * s, groups);
  };
  return integral(weighted, deviation(boost::math::quantile(squares, kTail)),
                  deviation(boost::math::quantile(boost::math::complement(squares, kTail))), 2);
}

double dunnett_95(std::span<const DunnettGroup> groups, int degrees) {
  const auto excess = [&](double t) { return dunnett_probability(t, groups, degrees) - 0.95; };
  double high = 4;
  while (excess(high) < 0) high *= 2;
  std::uintmax_t steps = 100;
  const auto [below, above] = boost::math::tools::toms748_solve(excess, 0.0, high, boost::math::tools::eps_tolerance<double>(30), steps);
  return (below + above) / 2;
}

std::map<Id, Comparison> compared_with(Id reference, std::span<const SeedScore> trials) {
  const auto functions = numbered(trials, &SeedScore::function);
  const auto seeds = numbered(trials, &SeedScore::seed);
  const auto found = functions.find(reference);
  if (found == functions.end() || seeds.size() > kMostSeeds) return {};
  Model model(trials, functions, seeds);
  if (model.degrees() < 1) return {};

  const int other = found->second;
  std::map<Id, Comparison> compared;
  std::map<double, int> by_weight;
  for (const auto& [function, f] : functions) {
    if (f == other || !model.comparable(f, other)) continue;
    compared[function] = {.n = model.n(f), .common = model.common(f, other), .difference = model.difference(f, other)};
    ++by_weight[static_cast<double>(model.n(f)) / (model.n(f) + model.n(other))];
  }
  if (compared.empty()) return compared;
  std::vector<DunnettGroup> groups;
  for (const auto& [weight, comparisons] : by_weight) groups.push_back({.weight = weight, .comparisons = comparisons});

  const boost::math::students_t student(model.degrees());
  const double simultaneous = dunnett_95(groups, model.degrees()), one_sided = boost::math::quantile(student, 0.95);
  for (auto& [function, one] : compared) {
    const double error = model.standard_error(functions.at(function), other);
    one.low = one.difference - simultaneous * error, one.high = one.difference + simultaneous * error;
    one.equal_within = std::abs(one.difference) + one_sided * error;
    if (error > 0) {
      const double t = std::abs(one.difference) / error;
      one.p_alone = 2 * boost::math::cdf(boost::math::complement(student, t));
      one.p = std::clamp(1 - dunnett_probability(t, groups, model.degrees()), one.p_alone, 1.0);
    } else {
      one.p = one.p_alone = one.difference == 0 ? 1 : 0;
    }
  }
  return compared;
}

}  // namespace actsearch
