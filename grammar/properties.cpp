#include "grammar/properties.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <stdexcept>

namespace actsearch {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kStep = 1.0 / 512;

/// The least and greatest value over one stretch of the tail.
struct Window {
  double low = kInfinity, high = -kInfinity;
};

/// What y does towards one of the infinities.
struct Tail {
  std::vector<Window> windows;  ///< outwards, those with finite values only
  bool overflows_up = false;    ///< right after the windows y overflows to +infinity
  bool overflows_down = false;  ///< … or to -infinity; to both where it oscillates
};

Tail look_outwards(const Program& program, const std::vector<double>& beta, double side) {
  constexpr int kWindows = 8, kSamples = 96;
  constexpr double kStart = 10, kRatio = 4, kGoldenRatio = 0.6180339887498949;
  Tail tail;
  double start = kStart;
  for (int k = 0; k < kWindows; ++k, start *= kRatio) {
    Window window;
    bool is_nan = false;
    for (int i = 0; i < kSamples; ++i) {
      const double jitter = i * kGoldenRatio - std::floor(i * kGoldenRatio);  // so that no period hides between the samples
      const double x = side * start * std::pow(kRatio, (i + jitter) / kSamples);
      const double y = evaluate_forward(program, x, beta);
      is_nan = is_nan || std::isnan(y);
      tail.overflows_up = tail.overflows_up || y == kInfinity;
      tail.overflows_down = tail.overflows_down || y == -kInfinity;
      window.low = std::min(window.low, y);
      window.high = std::max(window.high, y);
    }
    if (is_nan || tail.overflows_up || tail.overflows_down) break;
    tail.windows.push_back(window);
  }
  return tail;
}

/// Whether a sequence of extremes keeps rising by steps that do not shrink: over its last three.
bool keeps_rising(const std::vector<double>& extremes) {
  if (extremes.size() < 3) return false;
  constexpr double kShrinking = 0.75;  // steps of a convergent 1 / x shrink to a quarter, those of log not at all
  constexpr double kLeastStep = 0.01;  // relative; the extremes of sin, as sampled, vary by less
  const double last = extremes.back(), before = extremes[extremes.size() - 2], first = extremes[extremes.size() - 3];
  return before > first && last - before >= kShrinking * (before - first) && last - before > kLeastStep * (1 + std::abs(last));
}

bool least_keeps_rising(const Tail& tail) {
  std::vector<double> lows;
  for (const Window& window : tail.windows) lows.push_back(window.low);
  return keeps_rising(lows);
}
bool greatest_keeps_rising(const Tail& tail) {
  std::vector<double> highs;
  for (const Window& window : tail.windows) highs.push_back(window.high);
  return keeps_rising(highs);
}

/// The tail of -y.
Tail mirrored(const Tail& tail) {
  Tail result;
  result.overflows_up = tail.overflows_down;
  result.overflows_down = tail.overflows_up;
  for (const Window& window : tail.windows) result.windows.push_back({-window.high, -window.low});
  return result;
}

std::optional<double> limit_of(const Tail& tail) {
  constexpr double kTolerance = 1e-4;
  if (tail.overflows_up && tail.overflows_down) return std::nullopt;
  if (tail.overflows_up || tail.overflows_down) return tail.overflows_up ? kInfinity : -kInfinity;
  if (tail.windows.size() < 2) return std::nullopt;
  const Window last = tail.windows.back(), before = tail.windows[tail.windows.size() - 2];
  const double spread = std::max(last.high, before.high) - std::min(last.low, before.low);
  const double middle = (last.low + last.high) / 2;
  if (spread <= kTolerance * (1 + std::abs(middle))) return std::abs(middle) < kTolerance ? 0.0 : middle;
  if (least_keeps_rising(tail)) return kInfinity;
  if (least_keeps_rising(mirrored(tail))) return -kInfinity;
  return std::nullopt;
}

double upper_bound(double inside, const Tail& left, const Tail& right) {
  for (const Tail* tail : {&left, &right}) {
    if (tail->overflows_up || greatest_keeps_rising(*tail)) return kInfinity;
    for (const Window& window : tail->windows) inside = std::max(inside, window.high);
  }
  return inside;
}

/// Range and monotonicity inside [-30, 30].
void look_inside(const Program& program, const std::vector<double>& beta, Properties* properties) {
  constexpr double kHalfWidth = 30, kRounding = 1e-12;
  properties->minimum = kInfinity;
  properties->maximum = -kInfinity;
  bool rises = false, falls = false, is_nan = false;
  double previous = evaluate_forward(program, -kHalfWidth, beta);
  for (int i = 0; i <= static_cast<int>(2 * kHalfWidth / kStep); ++i) {
    const double y = evaluate_forward(program, -kHalfWidth + i * kStep, beta);
    const double noise = kRounding * (1 + std::abs(y));
    rises = rises || y - previous > noise;
    falls = falls || previous - y > noise;
    is_nan = is_nan || std::isnan(y);
    properties->minimum = std::min(properties->minimum, y);
    properties->maximum = std::max(properties->maximum, y);
    previous = y;
  }
  if (is_nan) properties->minimum = properties->maximum = std::numeric_limits<double>::quiet_NaN();
  properties->monotonicity = is_nan || (rises && falls) ? Monotonicity::kNone
                             : rises                    ? Monotonicity::kIncreasing
                             : falls                    ? Monotonicity::kDecreasing
                                                        : Monotonicity::kConstant;
}

void integrate_moments(const Program& program, const std::vector<double>& beta, Properties* properties) {
  constexpr int kHalfSteps = static_cast<int>(12 / kStep);  // the normal density is below 1e-31 beyond 12
  const double scale = kStep / std::sqrt(2 * std::numbers::pi);
  for (int i = -kHalfSteps; i < kHalfSteps; ++i) {
    const double x = (i + 0.5) * kStep;  // midpoints, so that the kinks at 0 lie between two
    const double weight = scale * std::exp(-x * x / 2);
    const Evaluation at = evaluate(program, x, beta);
    properties->mean += weight * at.y;
    properties->second_moment += weight * at.y * at.y;
    properties->slope_second_moment += weight * at.dydx * at.dydx;
  }
}

}  // namespace

std::string_view to_text(Monotonicity monotonicity) {
  switch (monotonicity) {
    case Monotonicity::kConstant:
      return "constant";
    case Monotonicity::kIncreasing:
      return "increasing";
    case Monotonicity::kDecreasing:
      return "decreasing";
    case Monotonicity::kNone:
      return "not monotone";
  }
  throw std::logic_error("to_text: no such monotonicity");
}

Properties examine_properties(const Program& program, const std::vector<double>& beta) {
  Properties result;
  look_inside(program, beta, &result);
  const Tail left = look_outwards(program, beta, -1), right = look_outwards(program, beta, 1);
  result.maximum = upper_bound(result.maximum, left, right);
  result.minimum = -upper_bound(-result.minimum, mirrored(left), mirrored(right));
  result.limit_at_minus_infinity = limit_of(left);
  result.limit_at_plus_infinity = limit_of(right);
  const Evaluation zero = evaluate(program, 0, beta);
  result.at_zero = zero.y;
  result.slope_at_zero = zero.dydx;
  integrate_moments(program, beta, &result);
  return result;
}

}  // namespace actsearch
