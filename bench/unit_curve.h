// How alike the curves of two functions are to a network that normalises what comes out of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "grammar/operators.h"
#include "grammar/program.h"

namespace actsearch {

/// Values between -5 and 5, moved and scaled to mean 0 and variance 1 under N(0, 1), each times the root of its weight.
inline std::vector<double> unit_curve(const Program& program) {
  std::vector<double> x, weight;
  double total = 0;
  for (double at = -5 + 1.0 / 32; at < 5; at += 1.0 / 16) {
    x.push_back(at);
    total += weight.emplace_back(std::exp(-at * at / 2));
  }
  std::vector<double> y =
      evaluate_forward(program, x, std::vector<double>(static_cast<std::size_t>(program.parameter_count()), kBetaStart));
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < y.size(); ++i) mean += y[i] * (weight[i] /= total);
  for (std::size_t i = 0; i < y.size(); ++i) variance += (y[i] - mean) * (y[i] - mean) * weight[i];
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = (y[i] - mean) / std::sqrt(std::max(variance, 1e-24)) * std::sqrt(weight[i]);
  return y;
}

/// The root mean square difference of two unit curves.
inline double curve_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

}  // namespace actsearch
