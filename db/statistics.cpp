#include "db/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

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

}  // namespace

double student_t_probability(double t, int degrees) { return central_probability(std::atan(t / std::sqrt(degrees)), degrees); }

double student_t_95(int degrees) {
  double low = 0, high = std::numbers::pi / 2;
  constexpr int kHalvings = 60;  // more than a double's 53 bits
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (central_probability(middle, degrees) < 0.95 ? low : high) = middle;
  }
  return std::sqrt(degrees) * std::tan(low);
}

std::optional<PairedComparison> paired(std::span<const double> differences) {
  if (differences.size() < 2) return std::nullopt;
  const auto n = static_cast<double>(differences.size());
  PairedComparison result;
  result.n = static_cast<int>(differences.size());
  result.difference = std::accumulate(differences.begin(), differences.end(), 0.0) / n;
  double squares = 0;
  for (const double d : differences) squares += (d - result.difference) * (d - result.difference);
  const double error = std::sqrt(squares / (n - 1) / n);
  const double half_width = student_t_95(result.n - 1) * error;
  result.low = result.difference - half_width;
  result.high = result.difference + half_width;
  if (error > 0) {
    result.p = 1 - student_t_probability(std::abs(result.difference) / error, result.n - 1);
  } else {
    result.p = result.difference == 0 ? 1 : 0;
  }
  result.p_holm = result.p;
  return result;
}

void holm(const std::vector<PairedComparison*>& comparisons) {
  std::vector<PairedComparison*> ascending = comparisons;
  std::sort(ascending.begin(), ascending.end(), [](const auto* a, const auto* b) { return a->p < b->p; });
  double largest = 0;
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(ascending.size() - i) * ascending[i]->p));
    ascending[i]->p_holm = largest;
  }
}

}  // namespace actsearch
