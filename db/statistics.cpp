#include "db/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace actsearch {
namespace {

/// P(|T| <= t) for t = √degrees · tan(theta): the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
double central_probability(double theta, int degrees) {
  const double cosine = std::cos(theta);
  const bool odd = degrees % 2 == 1;
  double term = odd ? cosine : 1.0, sum = 0;
  for (int k = odd ? 3 : 2; k <= degrees; k += 2) {
    sum += term;
    term *= (k - 1.0) / k * cosine * cosine;
  }
  return odd ? 2 / std::numbers::pi * (theta + std::sin(theta) * sum) : std::sin(theta) * sum;
}

/// Ranks from 1, ties at their mean.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (std::size_t i = first; i < last; ++i) rank[order[i]] = (static_cast<double>(first + last) + 1) / 2;
  }
  return rank;
}

}  // namespace

double student_t_probability(double t, int degrees) { return central_probability(std::atan(t / std::sqrt(degrees)), degrees); }

namespace {

/// The quantile for so many degrees of freedom that summing over them would take long: Cornish and Fisher's expansion around the normal
/// quantile (Abramowitz and Stegun, 26.7.5), whose next term is below 1e-20 here.
double student_t_95_of_many(double degrees) {
  const double z = 1.959963984540054, z2 = z * z, n = degrees;
  return z + z * (z2 + 1) / (4 * n) + z * ((5 * z2 + 16) * z2 + 3) / (96 * n * n) +
         z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * n * n * n);
}

}  // namespace

double student_t_95(int degrees) {
  constexpr int kMany = 100'000;  // no search has so many seeds; a damaged file may say so
  if (degrees > kMany) return student_t_95_of_many(degrees);
  double low = 0, high = std::numbers::pi / 2;
  constexpr int kHalvings = 60;  // more than a double's 53 bits
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (central_probability(middle, degrees) < 0.95 ? low : high) = middle;
  }
  return std::sqrt(degrees) * std::tan(low);
}

Mean mean_of(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("mean_of: no values");
  Mean mean{.n = static_cast<int>(values.size()), .value = 0, .half_width = std::nullopt};
  mean.value = std::accumulate(values.begin(), values.end(), 0.0) / mean.n;
  if (mean.n < 2) return mean;
  double squares = 0;
  for (const double value : values) squares += (value - mean.value) * (value - mean.value);
  mean.half_width = student_t_95(mean.n - 1) * std::sqrt(squares / (mean.n - 1) / mean.n);
  return mean;
}

SeedSpread::SeedSpread(double deviation, int degrees, std::string source)
    : deviation_(deviation), degrees_(degrees), source_(std::move(source)), single_(student_t_95(degrees) * deviation) {}
double SeedSpread::margin(int n) const { return single_ / std::sqrt(n); }
double SeedSpread::told_apart(int n, int m) const { return single_ * std::sqrt(1.0 / n + 1.0 / m); }

std::optional<RankCorrelation> rank_correlation(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) throw std::invalid_argument("rank_correlation: samples of different sizes");
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double middle = (static_cast<double>(a.size()) + 1) / 2;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - middle) * (x[i] - middle);
    yy += (y[i] - middle) * (y[i] - middle);
    xy += (x[i] - middle) * (y[i] - middle);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  RankCorrelation result{.n = static_cast<int>(a.size()), .rho = std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0)};
  if (result.n < 4) return result;
  constexpr double kNormal95 = 1.959963984540054;
  const double half_width = kNormal95 * std::sqrt((1 + result.rho * result.rho / 2) / (result.n - 3));
  result.low = std::tanh(std::atanh(result.rho) - half_width);
  result.high = std::tanh(std::atanh(result.rho) + half_width);
  return result;
}

}  // namespace actsearch
