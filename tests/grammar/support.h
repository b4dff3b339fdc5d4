/// What several tests of grammar/ need: points to evaluate at, and the comparison of derivatives with central differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "grammar/program.h"

namespace actsearch {

/// Irregular points of both signs, off the integers, and as far from the kinks and poles at 0 as differences need.
inline const std::vector<double>& test_points() {
  static const std::vector<double> points{-4.137, -2.718, -1.413, -0.731, -0.217, -0.0537, 0.0591, 0.239, 0.683, 1.309, 2.531, 3.883};
  return points;
}

/// As many values as the program has parameters: 1.1, 0.85, 0.6, …, no two equal.
inline std::vector<double> test_betas(const Program& program) {
  std::vector<double> beta;
  for (std::size_t k = 0; k < program.dydbeta.size(); ++k) beta.push_back(1.1 - 0.25 * static_cast<double>(k));
  return beta;
}

inline bool same_bits_or_nan(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// The error of (f(v + h) - f(v - h)) / 2h beside the derivative: h² f''' / 6 with h = 1e-5, and rounding 1e-16 |f| / h.
/// `scale` is the magnitude of the values and derivatives involved.
inline double difference_tolerance(double scale) { return 2e-7 * std::max(1.0, scale); }

/// Compares the program's derivatives with central differences wherever the function is smooth enough to have them.
inline void expect_derivatives_match(const Program& program, double x, const std::vector<double>& beta, const std::string& what) {
  constexpr double h = 1e-5;
  const Evaluation at = evaluate(program, x, beta);
  const auto compare = [&](double up, double down, double derivative, const std::string& by) {
    if (!std::isfinite(up) || !std::isfinite(down)) return;
    const double forward = (up - at.y) / h, backward = (at.y - down) / h;
    const double scale = std::max({std::abs(at.y), std::abs(derivative), std::abs(up), std::abs(down)});
    if (std::abs(forward - backward) > 1e-2 * std::max(1.0, scale)) return;  // a kink between the points
    EXPECT_NEAR((up - down) / (2 * h), derivative, difference_tolerance(scale)) << what << " by " << by << " at x = " << x;
  };
  compare(evaluate_forward(program, x + h, beta), evaluate_forward(program, x - h, beta), at.dydx, "x");
  for (std::size_t k = 0; k < beta.size(); ++k) {
    std::vector<double> up = beta, down = beta;
    up[k] += h;
    down[k] -= h;
    compare(evaluate_forward(program, x, up), evaluate_forward(program, x, down), at.dydbeta[k], "beta" + std::to_string(k));
  }
}

}  // namespace actsearch
