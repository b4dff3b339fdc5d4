#include "grammar/range.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <unordered_map>

namespace actsearch {
namespace {

constexpr double kReach = 1e4;
constexpr double kLargest = std::numeric_limits<float>::max(), kSmallest = std::numeric_limits<float>::min();
/// What is no further beyond the largest number is rounded back to it.
constexpr double kOverflow = kLargest * (1 + 1e-8);
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// As near to a pole as a divisor is taken to come.
constexpr double kNearPole = 1e-7;

Range hull(std::initializer_list<double> values) {
  Range range{kInfinity, -kInfinity};
  for (const double value : values) {
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
  return range;
}

/// Bounds are reached one at a time: 0 times an infinite one is 0.
double product(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }
double quotient(double a, double b) {
  if (std::isinf(a) && std::isinf(b)) return std::copysign(1, a) * std::copysign(kInfinity, b);
  if (a == 0) return 0;
  return b == 0 ? std::copysign(kInfinity, a) * std::copysign(1, b) : a / b;
}
Range products(const Range& a, const Range& b) {
  return hull({product(a.low, b.low), product(a.low, b.high), product(a.high, b.low), product(a.high, b.high)});
}
Range quotients(const Range& a, const Range& b) {
  const bool pole = b.low < 0 && b.high > 0;
  const auto by = [&](double low, double high) {
    return hull({quotient(a.low, low), quotient(a.low, high), quotient(a.high, low), quotient(a.high, high)});
  };
  Range range = pole ? by(b.low, -kNearPole) : by(b.low == 0 ? 0.0 : b.low, b.high == 0 ? -0.0 : b.high);
  if (pole) {
    const Range above = by(kNearPole, b.high);
    range = hull({range.low, range.high, above.low, above.high});
  }
  if (std::isinf(b.low) || std::isinf(b.high)) range = hull({range.low, range.high, 0.0});  // a finite numerator over it
  return range;
}

Range even(const Range& a, double (*f)(double)) {
  Range range = hull({f(a.low), f(a.high)});
  if (a.low < 0 && a.high > 0) range = hull({range.low, range.high, f(0)});
  return range;
}
double clamped(double value) { return std::clamp(value, -kLargest, kLargest); }

template <class F>
constexpr bool is_one_of() {
  return false;
}
template <class F, class First, class... Rest>
constexpr bool is_one_of() {
  return std::is_same_v<F, First> || is_one_of<F, Rest...>();
}

template <class F>
Range unary(const Range& a) {
  if constexpr (is_one_of<F, Sin, Cos, Sinc, SincSlope>()) {
    return {-1, 1};
  } else if constexpr (is_one_of<F, Abs, Square, Cosh, Gauss>()) {
    return even(a, [](double v) { return F::f(v); });
  } else if constexpr (is_one_of<F, SaturatingCosh>()) {
    const Range range = even(a, [](double v) { return Cosh::f(v); });
    return {clamped(range.low), clamped(range.high)};
  } else if constexpr (is_one_of<F, Sqrt, Log>()) {
    return hull({F::f(std::max(a.low, 0.0)), F::f(std::max(a.high, 0.0))});
  } else {
    // The others are monotonic.
    const Range range = hull({F::f(a.low), F::f(a.high)});
    const bool saturates = is_one_of<F, SaturatingExp, SaturatingExpm1, SaturatingSinh, Finite>();
    return saturates ? Range{clamped(range.low), clamped(range.high)} : range;
  }
}

template <class F>
Range binary(const Range& a, const Range& b) {
  if constexpr (std::is_same_v<F, Multiply>) {
    return products(a, b);
  } else if constexpr (std::is_same_v<F, Divide>) {
    return quotients(a, b);
  } else if constexpr (std::is_same_v<F, Subtract>) {
    return {a.low - b.high, a.high - b.low};
  } else if constexpr (std::is_same_v<F, Greater>) {
    return {0, 1};
  } else {
    return {F::f(a.low, b.low), F::f(a.high, b.high)};  // add, max, min
  }
}

}  // namespace

bool Range::overflows_up() const { return high > kOverflow; }
bool Range::overflows_down() const { return low < -kOverflow; }
bool Range::may_vanish() const { return low < kSmallest && high > -kSmallest; }

Range range_of_input() { return {-kReach, kReach}; }
Range range_of_number(double number) { return {number, number}; }

Range range_of_call(FunctionId function, const Range& a, const Range& b) {
  Range range;
  visit_function(function, [&]<class F>() {
    if constexpr (F::arity == 1) {
      range = unary<F>(a);
    } else {
      range = binary<F>(a, b);
    }
  });
  // Opposite infinities: anything.
  if (std::isnan(range.low) || std::isnan(range.high)) return {-kInfinity, kInfinity};
  return range;
}

std::unordered_map<const void*, Range> ranges_of(const std::vector<Expression>& nodes) {
  std::unordered_map<const void*, Range> ranges;
  for (const Expression& node : nodes) {
    Range range = range_of_input();
    if (node.kind() == Expression::Kind::kNumber) range = range_of_number(node.number());
    if (node.kind() == Expression::Kind::kCall) {
      const Range& first = ranges.at(node.arguments().front().identity());
      range = range_of_call(node.function(), first, ranges.at(node.arguments().back().identity()));
    }
    ranges.emplace(node.identity(), range);
  }
  return ranges;
}

}  // namespace actsearch
