#include "grammar/likeness.h"

#include <cmath>
#include <stdexcept>

namespace actsearch {
namespace {

constexpr int kPoints = 256;
constexpr double kReach = 6;

/// The midpoints of equal parts of [-6, 6], and the share of N(0, 1) that each stands for.
struct NormalGrid {
  std::vector<double> points, shares;
};
const NormalGrid& normal_grid() {
  static const NormalGrid grid = [] {
    NormalGrid made;
    double all = 0;
    for (int i = 0; i < kPoints; ++i) {
      const double x = kReach * ((2 * i + 1.0) / kPoints - 1);
      made.points.push_back(x);
      made.shares.push_back(std::exp(-x * x / 2));
      all += made.shares.back();
    }
    for (double& share : made.shares) share /= all;
    return made;
  }();
  return grid;
}

}  // namespace

std::vector<double> values_under_normal(const Program& program) {
  return evaluate_forward(program, normal_grid().points, std::vector<double>(static_cast<std::size_t>(program.parameter_count()), 1.0));
}

double distance_under_normal(const std::vector<double>& f, const std::vector<double>& g) {
  const std::vector<double>& shares = normal_grid().shares;
  if (f.size() != shares.size() || g.size() != shares.size()) throw std::invalid_argument("distance_under_normal: not such values");
  double square = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) square += shares[i] * (f[i] - g[i]) * (f[i] - g[i]);
  return std::sqrt(square);
}

bool DistinctFunctions::add(const Program& program) {
  std::vector<double> values = values_under_normal(program);
  const std::vector<double> mirrored(values.rbegin(), values.rend());  // the points are symmetric
  for (std::size_t i = 0; i < picked_.size(); ++i) {
    const bool alike = distance_under_normal(values, picked_[i]) < apart_ || distance_under_normal(mirrored, picked_[i]) < apart_;
    if (!alike) continue;
    ++kin_[i];
    return false;
  }
  picked_.push_back(std::move(values));
  kin_.push_back(0);
  return true;
}

}  // namespace actsearch
