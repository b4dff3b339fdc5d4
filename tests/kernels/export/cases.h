/// The formulas that every target is tried with, the points they are tried at, and what the double reference says there.
#pragma once

#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"
#include "kernels/cpu/eigen_kernel.h"
#include "kernels/export/export.h"
#include "tests/kernels/cpu/error_bound.h"

namespace actsearch::testing {

/// What a target of the command line writes.
inline std::string written(std::string_view target, const ExportedActivation& activation) {
  for (const ExportTarget& known : export_targets()) {
    if (known.name == target) return known.write(activation);
  }
  throw std::logic_error("no target " + std::string(target));
}

/// One point of a formula: y, dy/dx and dy/dbeta_k there, and how far arithmetic in single and in double precision may be off by
/// bounded_run. Absent where a comparison could go either way or a result is beyond the precision's range; in single precision also where
/// it is wrong because a part of it is beyond (tests/kernels/finite_test.cpp knows those).
struct ExportPoint {
  double x = 0;
  std::vector<double> beta;
  std::vector<double> values;
  std::optional<std::vector<double>> single_bound, double_bound;
};

struct ExportCase {
  ExportedActivation activation;
  std::vector<ExportPoint> points;
};

/// Another implementation may take any of the roundings that the bound counts another way: the same factor as for the kernels.
inline constexpr double kBoundFactor = 4;

inline std::optional<std::vector<double>> bound_at(const Program& program, double x, const std::vector<double>& beta, double unit,
                                                   double largest) {
  bool ambiguous = false;
  const auto all = bounded_run(program, x, beta, &ambiguous, unit);
  if (ambiguous) return std::nullopt;
  std::vector<std::uint16_t> places{program.y, program.dydx};
  places.insert(places.end(), program.dydbeta.begin(), program.dydbeta.end());
  std::vector<double> bounds;
  for (const std::uint16_t place : places) {
    if (!(std::abs(all[place].value) < largest) || !std::isfinite(all[place].error)) return std::nullopt;
    bounds.push_back(kBoundFactor * all[place].error);
  }
  return bounds;
}

/// Whether the CPU kernel keeps the bound: where it does not, a part of the formula has saturated and every target's single precision is
/// off.
inline bool kernel_keeps(const Program& program, double x, const std::vector<double>& beta, const std::vector<double>& values,
                         const std::vector<double>& bounds) {
  const auto at = static_cast<float>(x);
  const std::vector<float> betas(beta.begin(), beta.end());
  std::vector<float> got(2 + beta.size());
  EigenKernel(program).evaluate({&at, 1}, betas, got.data(), got.data() + 1, got.data() + 2);
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!(std::abs(got[i] - values[i]) <= bounds[i])) return false;
  }
  return true;
}

/// x and beta have eight significant bits, so half precision of either kind holds them; no x is a beta.
inline std::vector<ExportPoint> export_points(const Program& program, std::mt19937_64& random) {
  std::vector<double> xs{-100, 100, 0, -20, 20, std::numeric_limits<double>::quiet_NaN()};
  for (int i = 0; i < 8; ++i) xs.push_back((static_cast<double>(random() % 255) - 127) / 32);
  std::vector<ExportPoint> points;
  for (const double x : xs) {
    ExportPoint point{x, {}, {}, {}, {}};
    for (std::size_t k = 0; k < program.dydbeta.size(); ++k) point.beta.push_back(static_cast<double>(2 * (32 + random() % 64) + 1) / 128);
    const Evaluation value = evaluate(program, x, point.beta);
    point.values = {value.y, value.dydx};
    point.values.insert(point.values.end(), value.dydbeta.begin(), value.dydbeta.end());
    constexpr double kLargestSingle = 1e36, kLargestDouble = 1e300;
    point.single_bound = bound_at(program, x, point.beta, 0x1p-24, kLargestSingle);
    point.double_bound = bound_at(program, x, point.beta, 0x1p-53, kLargestDouble);
    if (point.single_bound && overflows_single_precision(program, x, point.beta) &&
        !kernel_keeps(program, x, point.beta, point.values, *point.single_bound)) {
      point.single_bound.reset();
    }
    points.push_back(std::move(point));
  }
  return points;
}

/// Functions that naive spellings spoil far out: they keep their relative accuracy in single precision wherever they are finite.
inline const std::vector<std::string>& safe_formulas() {
  static const std::vector<std::string> formulas{"softplus(x)", "sigmoid(x)", "x * sigmoid(x)", "log(abs(x) + 1e-07)",
                                                 "x / (abs(x) + 1e-07)"};
  return formulas;
}

/// Every elementary function, operator and well-known activation.
inline std::vector<Expression> table_formulas() {
  const Expression x = Expression::input(), beta = Expression::parameter(0);
  std::vector<Expression> formulas;
  for_each_function([&]<class F>() {
    if constexpr (F::arity == 1) {
      formulas.push_back(Expression::call<F>(x));
    } else {
      formulas.push_back(Expression::call<F>(x, beta));
    }
  });
  for (const auto* table : {&unary_operators(), &activations()}) {
    for (const OperatorInfo& info : *table) formulas.push_back(info.build({x}, beta));
  }
  for (const OperatorInfo& info : binary_operators()) {
    formulas.push_back(info.build({Expression::call<Sin>(x), Expression::parameter(1) * x}, beta));
  }
  return formulas;
}

/// Those of the tables, those that naive spellings spoil, and 200 random formulas of one and two core units.
inline std::vector<Expression> export_formulas() {
  std::vector<Expression> formulas = table_formulas();
  for (const std::string& formula : safe_formulas()) formulas.push_back(parse(formula));
  std::mt19937_64 random(57);
  const Space one("core1"), two("core2");
  for (int i = 0; i < 100; ++i) {
    formulas.push_back(one.at(random() % one.size()));
    formulas.push_back(two.at(random() % two.size()));
  }
  return formulas;
}

/// Each formula once.
inline const std::vector<ExportCase>& export_cases() {
  static const std::vector<ExportCase> all = [] {
    std::vector<ExportCase> cases;
    std::set<std::string> met;
    std::mt19937_64 random(58);
    for (const Expression& formula : export_formulas()) {
      ExportedActivation activation(formula, "", {"a test"});
      if (!met.insert(activation.formula).second) continue;
      std::vector<ExportPoint> points = export_points(activation.program, random);
      cases.push_back({std::move(activation), std::move(points)});
    }
    return cases;
  }();
  return all;
}

}  // namespace actsearch::testing
