/// What an activation looks like, determined numerically: for people choosing one, not for proofs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/program.h"

namespace actsearch {

enum class Monotonicity : std::uint8_t { kConstant, kIncreasing, kDecreasing, kNone };
/// "constant", "increasing", "decreasing", "not monotone".
std::string_view to_text(Monotonicity monotonicity);

struct Properties {
  /// Bounds of the range, ±infinity where there are none. Attained or approached; to about 1e-6 of the true ones, but for
  /// poles between the points looked at. NaN where y is NaN somewhere on [-30, 30].
  double minimum = 0, maximum = 0;
  Monotonicity monotonicity = Monotonicity::kNone;  ///< over [-30, 30]; not strict
  /// Limits at -infinity and +infinity, perhaps ±infinity; absent where y oscillates or is NaN. Finite ones to about 1e-4.
  std::optional<double> limit_at_minus_infinity, limit_at_plus_infinity;
  double at_zero = 0, slope_at_zero = 0;
  /// For x normally distributed with mean 0 and variance 1: E[y], E[y²] and E[(dy/dx)²], to about 1e-6 of their size.
  double mean = 0, second_moment = 0, slope_second_moment = 0;
};

/// Method. Range and monotonicity: values on [-30, 30] in steps of 1/512. Limits and unboundedness: 96 irregularly spaced values in
/// each of 8 windows [10·4^k, 10·4^(k+1)) on either side, as far as values are finite; y converges where the last two windows
/// agree to 1e-4, and grows without bound where the windows' extremes keep growing by steps that do not shrink (so log does) or y
/// overflows. Moments: the midpoint rule on [-12, 12] in steps of 1/512. beta holds program.parameter_count() values.
Properties examine_properties(const Program& program, const std::vector<double>& beta);

}  // namespace actsearch
