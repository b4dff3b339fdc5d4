#include "db/comparisons.h"

#include <Eigen/Dense>
#include <Eigen/SparseCore>
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

constexpr double kFar = 8.5;  // beyond it lies 2e-17 of the normal distribution

/// P(|T| <= t for all) where the deviation is known: each T is √weight·Z + √(1 − weight)·(a normal number of its own), Z common to all.
double dunnett_with_known_deviation(double t, std::span<const DunnettGroup> groups) {
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

/// P(largest − smallest of so many normal numbers <= range).
double range_with_known_deviation(double range, int numbers) {
  const auto given = [&](double smallest) {
    const double within = normal_probability(smallest + range) - normal_probability(smallest);
    return numbers * std::exp(-smallest * smallest / 2) / std::sqrt(2 * std::numbers::pi) * std::pow(within, numbers - 1);
  };
  return integral(given, -kFar, kFar, 6);
}

/// `probability`, which takes a bound in units of the true deviation, for one in units of the estimated deviation: its mean over that.
template <class Probability>
double with_estimated_deviation(const Probability& probability, double bound, int degrees) {
  constexpr int kAsKnown = 1'000'000;
  if (degrees > kAsKnown) return probability(bound);
  const boost::math::chi_squared squares(degrees);
  constexpr double kTail = 1e-12;
  const auto deviation = [&](double square) { return std::sqrt(square / degrees); };
  const auto weighted = [&](double s) { return boost::math::pdf(squares, s * s * degrees) * 2 * s * degrees * probability(bound * s); };
  return integral(weighted, deviation(boost::math::quantile(squares, kTail)),
                  deviation(boost::math::quantile(boost::math::complement(squares, kTail))), 2);
}

/// Where a probability that rises from 0 is 0.95.
template <class Probability>
double point_95(const Probability& probability) {
  const auto excess = [&](double bound) { return probability(bound) - 0.95; };
  double high = 4;
  while (excess(high) < 0) high *= 2;
  std::uintmax_t steps = 100;
  const auto [below, above] = boost::math::tools::toms748_solve(excess, 0.0, high, boost::math::tools::eps_tolerance<double>(30), steps);
  return (below + above) / 2;
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
  Model(std::span<const SeedScore> trials, const std::map<std::int64_t, int>& functions, const std::map<std::uint64_t, int>& seeds)
      : share_(static_cast<Eigen::Index>(functions.size()), static_cast<Eigen::Index>(seeds.size())),
        mean_(Eigen::VectorXd::Zero(static_cast<Eigen::Index>(functions.size()))),
        n_(Eigen::VectorXd::Zero(static_cast<Eigen::Index>(functions.size()))),
        parts_(static_cast<int>(functions.size() + seeds.size())) {
    Eigen::VectorXd seed_sum = Eigen::VectorXd::Zero(share_.cols()), seed_n = seed_sum;
    std::vector<Eigen::Triplet<double>> places;
    for (const SeedScore& trial : trials) {
      const int f = functions.at(trial.function), s = seeds.at(trial.seed);
      places.emplace_back(f, s, 1.0);
      n_(f) += 1, mean_(f) += trial.score;
      seed_n(s) += 1, seed_sum(s) += trial.score;
      parts_.join(f, static_cast<int>(functions.size()) + s);
    }
    Design present(share_.rows(), share_.cols());
    present.setFromTriplets(places.begin(), places.end());
    mean_ = mean_.cwiseQuotient(n_);
    share_ = n_.cwiseInverse().asDiagonal() * present;
    Eigen::MatrixXd left = -Eigen::MatrixXd(present.transpose() * share_);
    left.diagonal() += seed_n;
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
  int common(int f, int g) const { return static_cast<int>(Design(share_.row(f).cwiseProduct(share_.row(g))).nonZeros()); }
  bool comparable(int f, int g) { return parts_.of(f) == parts_.of(g); }
  double difference(int f, int g) const { return effect_(f) - effect_(g); }
  double standard_error(int f, int g) const {
    const Eigen::VectorXd apart = Eigen::VectorXd(share_.row(f).transpose()) - Eigen::VectorXd(share_.row(g).transpose());
    return deviation_ * std::sqrt(1 / n_(f) + 1 / n_(g) + apart.dot(inverse_ * apart));
  }

 private:
  using Design = Eigen::SparseMatrix<double, Eigen::RowMajor>;
  Design share_;              ///< functions × seeds: 1/n where the function has the seed
  Eigen::VectorXd mean_, n_;  ///< of each function's trials
  Eigen::MatrixXd inverse_;   ///< of the seeds' normal equations
  Eigen::VectorXd effect_;    ///< of the functions, each part of the trials by itself
  Parts parts_;               ///< of functions, then seeds
  int degrees_ = 0;
  double deviation_ = 0;
};

}  // namespace

double dunnett_probability(double t, std::span<const DunnettGroup> groups, int degrees) {
  return with_estimated_deviation([&](double known) { return dunnett_with_known_deviation(known, groups); }, t, degrees);
}

double dunnett_95(std::span<const DunnettGroup> groups, int degrees) {
  return point_95([&](double t) { return dunnett_probability(t, groups, degrees); });
}

double studentized_range_95(int functions, int degrees) {
  return point_95([&](double range) {
    return with_estimated_deviation([&](double known) { return range_with_known_deviation(known, functions); }, range, degrees);
  });
}

std::map<std::int64_t, Comparison> compared_with(std::int64_t reference, std::span<const SeedScore> trials) {
  const auto functions = numbered(trials, &SeedScore::function);
  const auto seeds = numbered(trials, &SeedScore::seed);
  const auto found = functions.find(reference);
  if (found == functions.end() || seeds.size() > kMostSeeds) return {};
  Model model(trials, functions, seeds);
  if (model.degrees() < 1) return {};

  const int other = found->second;
  std::map<std::int64_t, Comparison> compared;
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

std::map<std::int64_t, RankRange> simultaneous_ranks(std::span<const SeedScore> trials) {
  const auto functions = numbered(trials, &SeedScore::function);
  const auto seeds = numbered(trials, &SeedScore::seed);
  if (functions.size() < 2 || functions.size() > kMostRanked || seeds.size() > kMostSeeds) return {};
  Model model(trials, functions, seeds);
  if (model.degrees() < 1) return {};
  const int count = static_cast<int>(functions.size());
  const double apart = studentized_range_95(count, model.degrees()) / std::numbers::sqrt2;
  std::map<std::int64_t, RankRange> ranks;
  for (const auto& [function, f] : functions) {
    RankRange& range = ranks[function] = {.first = 1, .last = count};
    for (int other = 0; other < count; ++other) {
      if (other == f || !model.comparable(f, other)) continue;
      const double difference = model.difference(f, other);
      if (std::abs(difference) > apart * model.standard_error(f, other)) difference < 0 ? ++range.first : --range.last;
    }
  }
  return ranks;
}

}  // namespace actsearch
