#include "search/surrogate/curve_features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "grammar/operators.h"

namespace actsearch {
namespace {

/// Midpoints of 1/16 between -5 and 5. So no point is 0, where kinks lie, and kinks at multiples of 1/16 cost no accuracy.
constexpr int kPoints = 160;
constexpr double kWidth = 1.0 / 16;
constexpr int kHermite = 9;
/// Some functions do not vary where their parameters start: beta·x − x.
constexpr double kLeastVariance = 1e-24;

struct Curve {
  std::array<double, kPoints> x{}, weight{}, y{}, slope{};
  std::vector<double> parameter_slopes;  ///< mean square of dy/dbeta, for each parameter
};

struct Named {
  std::vector<std::string>* names;
  std::vector<double>* values;
  void add(const std::string& name, double value) const {
    if (names) names->push_back(name);
    if (values) values->push_back(value);
  }
};

double square(double value) { return value * value; }

/// asinh, and a large number where there is none.
double tamed(double value) {
  constexpr double kLargest = 700;  // above asinh of the largest double
  if (std::isnan(value)) return -kLargest;
  return std::isinf(value) ? std::copysign(kLargest, value) : std::asinh(value);
}

std::string at(double x) { return " at " + std::to_string(x).substr(0, x < 0 ? 4 : 3); }

std::vector<double> start_of(const Program& program) {
  return std::vector<double>(static_cast<std::size_t>(program.parameter_count()), kBetaStart);
}

bool sample(const Program& program, Curve& curve) {
  const std::vector<double> beta = start_of(program);
  double total = 0;
  curve.parameter_slopes.assign(beta.size(), 0.0);
  for (std::size_t i = 0; i < kPoints; ++i) {
    curve.x[i] = -5 + (static_cast<double>(i) + 0.5) * kWidth;
    const Evaluation here = evaluate(program, curve.x[i], beta);
    if (!std::isfinite(here.y) || !std::isfinite(here.dydx) || std::abs(here.y) > 1e60 || std::abs(here.dydx) > 1e60) return false;
    curve.y[i] = here.y;
    curve.slope[i] = here.dydx;
    total += curve.weight[i] = std::exp(-square(curve.x[i]) / 2);
    for (std::size_t k = 0; k < beta.size(); ++k) {
      const double d = here.dydbeta[k];
      curve.parameter_slopes[k] += std::isfinite(d) ? curve.weight[i] * std::min(square(d), 1e60) : 0;
    }
  }
  for (double& weight : curve.weight) weight /= total;
  for (double& slope : curve.parameter_slopes) slope /= total;
  return true;
}

template <class Of>
double mean_of_points(const Curve& curve, Of&& of) {
  double sum = 0;
  for (std::size_t i = 0; i < kPoints; ++i) sum += curve.weight[i] * of(i);
  return sum;
}

struct Moments {
  double mean = 0, second = 0, deviation = 0;
};

Moments add_moments(const Curve& curve, const Named& to) {
  const auto power = [&](const std::array<double, kPoints>& values, double centre, double scale, int n) {
    return mean_of_points(curve, [&](std::size_t i) { return std::pow((values[i] - centre) / scale, n); });
  };
  Moments of;
  of.mean = power(curve.y, 0, 1, 1);
  of.second = power(curve.y, 0, 1, 2);
  of.deviation = std::sqrt(std::max(power(curve.y, of.mean, 1, 2), kLeastVariance));
  const double slope = power(curve.slope, 0, 1, 1), slope_second = power(curve.slope, 0, 1, 2);
  const double slope_deviation = std::sqrt(std::max(power(curve.slope, slope, 1, 2), 0.0));
  to.add("mean", tamed(of.mean));
  to.add("second moment", tamed(of.second));
  to.add("deviation", tamed(of.deviation));
  to.add("mean over deviation", tamed(of.mean / of.deviation));
  to.add("skewness", tamed(power(curve.y, of.mean, of.deviation, 3)));
  to.add("kurtosis", tamed(power(curve.y, of.mean, of.deviation, 4)));
  to.add("mean slope", tamed(slope));
  to.add("slope's second moment", tamed(slope_second));
  to.add("slope's deviation", tamed(slope_deviation));
  to.add("slope's fourth moment", tamed(power(curve.slope, 0, 1, 4)));
  to.add("slope's kurtosis", tamed(power(curve.slope, 0, 1, 4) / std::max(square(slope_second), 1e-300)));
  to.add("slope over second moment", tamed(slope_second / std::max(of.second, 1e-300)));  // how a network keeps differences and lengths
  to.add("slope over variance", tamed(slope_second / square(of.deviation)));
  to.add("mean slope over deviation", tamed(slope / of.deviation));
  return of;
}

/// Coefficients of the normalised polynomials He_n/√n!, divided by the deviation, but for the first, which is the mean.
void add_hermite(const Curve& curve, const Moments& moments, const Named& to) {
  double shape = 0, total = 0;
  for (int n = 0; n < kHermite; ++n) {
    const double coefficient = mean_of_points(curve, [&](std::size_t i) {
      double before = 0, now = 1;
      for (int k = 0; k < n; ++k) {
        const double next = (curve.x[i] * now - std::sqrt(static_cast<double>(k)) * before) / std::sqrt(k + 1.0);
        before = now;
        now = next;
      }
      return curve.y[i] * now;
    });
    to.add("hermite " + std::to_string(n), tamed(n == 0 ? coefficient : coefficient / moments.deviation));
    if (n == 0) continue;
    total += square(coefficient / moments.deviation);
    if (n % 2 != 0) shape += square(coefficient / moments.deviation);
  }
  to.add("beyond hermite 8", std::max(0.0, 1 - total));
  to.add("odd share", shape);
}

void add_values(const Program& program, const Moments& moments, const Named& to) {
  const std::vector<double> beta = start_of(program);
  for (const double x : {-5.0, -4.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0}) {
    const Evaluation here = evaluate(program, x, beta);
    to.add("value" + at(x), tamed((here.y - moments.mean) / moments.deviation));
    if (std::abs(x) >= 1) to.add("slope" + at(x), tamed(here.dydx / moments.deviation));
  }
  // Beside 0 on either side: kinks show as a difference.
  constexpr double kBeside = 0.01;
  const Evaluation left = evaluate(program, -kBeside, beta), right = evaluate(program, kBeside, beta);
  to.add("value at 0", tamed((left.y + right.y) / 2));
  to.add("slope at 0", tamed((left.dydx + right.dydx) / 2 / moments.deviation));
  to.add("kink at 0", tamed((right.dydx - left.dydx) / moments.deviation));
  for (const double x : {10.0, 100.0, 10'000.0}) {
    const Evaluation below = evaluate(program, -x, beta), above = evaluate(program, x, beta);
    const std::string far = std::to_string(static_cast<int>(x));
    to.add("value at -" + far, tamed(below.y));
    to.add("value at " + far, tamed(above.y));
    to.add("slope at ±" + far, std::max(tamed(std::abs(below.dydx)), tamed(std::abs(above.dydx))));
  }
}

void add_shape(const Curve& curve, const Moments& moments, const Named& to) {
  const auto share = [&](auto&& is) { return mean_of_points(curve, [&](std::size_t i) { return is(i) ? 1.0 : 0.0; }); };
  const double flat = 0.01 * moments.deviation;
  to.add("rising share", share([&](std::size_t i) { return curve.slope[i] > flat; }));
  to.add("falling share", share([&](std::size_t i) { return curve.slope[i] < -flat; }));
  to.add("flat share", share([&](std::size_t i) { return std::abs(curve.slope[i]) <= flat; }));
  to.add("negative share", share([&](std::size_t i) { return curve.y[i] < 0; }));
  double bend = 0, jump = 0, step = 0, steepest = 0;
  int turns = 0;
  for (std::size_t i = 0; i + 1 < kPoints; ++i) {
    const double change = (curve.slope[i + 1] - curve.slope[i]) / moments.deviation;
    bend += curve.weight[i] * square(change / kWidth);
    jump = std::max(jump, std::abs(change) * std::sqrt(curve.weight[i]));
    // What the slopes do not explain is a jump of the value.
    const double expected = (curve.slope[i + 1] + curve.slope[i]) / 2 * kWidth;
    step = std::max(step, std::abs(curve.y[i + 1] - curve.y[i] - expected) / moments.deviation * std::sqrt(curve.weight[i]));
    turns += curve.slope[i] * curve.slope[i + 1] < 0 ? 1 : 0;
  }
  for (std::size_t i = 0; i < kPoints; ++i) steepest = std::max(steepest, std::abs(curve.slope[i]) / moments.deviation);
  to.add("mean square bend", tamed(bend));
  to.add("largest change of slope", tamed(jump));
  to.add("largest jump", tamed(step));
  to.add("steepest", tamed(steepest));
  to.add("turns", turns);
  const auto [low, high] = std::minmax_element(curve.y.begin(), curve.y.end());
  to.add("least", tamed(*low));
  to.add("largest", tamed(*high));
  to.add("place of the least", curve.x[static_cast<std::size_t>(low - curve.y.begin())]);
  to.add("place of the largest", curve.x[static_cast<std::size_t>(high - curve.y.begin())]);
  to.add("least over deviation", tamed((*low - moments.mean) / moments.deviation));
}

bool describe(const Program& program, const Named& to) {
  Curve curve;
  if (!sample(program, curve)) return false;
  const Moments moments = add_moments(curve, to);
  add_hermite(curve, moments, to);
  add_values(program, moments, to);
  add_shape(curve, moments, to);
  // Those that matter: spellings of one function may have others.
  double parameters = 0, parameter_slope = 0;
  for (const double slope : curve.parameter_slopes) {
    parameters += slope > 1e-20 ? 1 : 0;
    parameter_slope += slope;
  }
  to.add("parameters", parameters);
  to.add("slope by parameters", tamed(parameter_slope / std::max(moments.second, 1e-300)));
  return true;
}

}  // namespace

std::optional<std::vector<double>> curve_features(const Program& program) {
  std::vector<double> values;
  if (!describe(program, {nullptr, &values})) return std::nullopt;
  for (double& value : values) {
    if (!std::isfinite(value)) value = tamed(value);
  }
  return values;
}

const std::vector<std::string>& curve_feature_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    describe(lower(Expression::input()), {&all, nullptr});
    return all;
  }();
  return names;
}

}  // namespace actsearch
