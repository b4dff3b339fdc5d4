#include "grammar/likeness.h"

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <stdexcept>

namespace actsearch {
namespace {

constexpr int kPoints = 256;

/// The quantiles in the middle of equal shares.
const std::vector<double>& normal_points() {
  static const std::vector<double> points = [] {
    std::vector<double> all;
    const boost::math::normal normal;
    for (int i = 0; i < kPoints; ++i) all.push_back(boost::math::quantile(normal, (i + 0.5) / kPoints));
    return all;
  }();
  return points;
}

}  // namespace

std::vector<double> values_under_normal(const Program& program) {
  return evaluate_forward(program, normal_points(), std::vector<double>(static_cast<std::size_t>(program.parameter_count()), 1.0));
}

double distance_under_normal(const std::vector<double>& f, const std::vector<double>& g) {
  if (f.size() != g.size() || f.empty()) throw std::invalid_argument("distance_under_normal: the lists have different lengths");
  double squares = 0;
  for (std::size_t i = 0; i < f.size(); ++i) squares += (f[i] - g[i]) * (f[i] - g[i]);
  return std::sqrt(squares / static_cast<double>(f.size()));
}

bool DistinctFunctions::add(const Program& program) {
  std::vector<double> values = values_under_normal(program);
  for (std::size_t i = 0; i < picked_.size(); ++i) {
    if (!(distance_under_normal(values, picked_[i]) < apart_)) continue;
    ++kin_[i];
    return false;
  }
  picked_.push_back(std::move(values));
  kin_.push_back(0);
  return true;
}

}  // namespace actsearch
