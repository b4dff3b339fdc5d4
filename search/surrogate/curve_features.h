/// What a function looks like to a network, as numbers that a model learns from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grammar/program.h"

namespace actsearch {

/// Raised when a feature is added, goes or changes: a study goes on with the version that it began with.
inline constexpr int kFeatureVersion = 1;

/// Features of y = f(x) for x normally distributed with mean 0 and variance 1, every parameter where training starts: moments of value and
/// slope, Hermite coefficients, values and slopes at a few x, smoothness, growth. All are finite; those that may be large are asinh of what
/// they are named for. Absent where y or its slope is not finite between -5 and 5, or beyond 1e60.
std::optional<std::vector<double>> curve_features(const Program& program);

/// Their names, in that order: "mean", "hermite 2", "value at -1".
const std::vector<std::string>& curve_feature_names();

}  // namespace actsearch
