/// The formulas and points at which kernels are compared with arbitrary precision, over ±10⁴.
#pragma once

#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"

namespace actsearch::testing {

/// Formulas whose value and slope are finite where a part of them is not.
inline const std::vector<std::string>& saturating_formulas() {
  static const std::vector<std::string> formulas{"x * tanh(exp(x))",
                                                 "x * erf(exp(x))",
                                                 "x * sigmoid(exp(x))",
                                                 "x / (1 + exp(-x))",
                                                 "x / (cosh(x) + 1e-07)",
                                                 "sinh(x) / (cosh(x) + 1e-07)",
                                                 "max(x, 0) + min(0, exp(x) - 1)",
                                                 "log(1 + exp(x))",
                                                 "log(exp(2 * x) + 1)",
                                                 "x * tanh(log(1 + exp(x)))",
                                                 "x * tanh(square(exp(x)))",
                                                 "atan(cube(exp(x)))",
                                                 "sinc(exp(x) + x)",
                                                 "x * sinc(exp(x))",
                                                 "sqrt(max(x, 0)) + x",
                                                 "asinh(exp(x) + 1) * gauss(x)",
                                                 "cosh(x) - cosh(x) + x",
                                                 "exp(x) / (1 + exp(x))",
                                                 "x * exp(-exp(x))",
                                                 "max(x, 0) + expm1(min(0, x))"};
  return formulas;
}

/// Those, every operator and well-known activation, 500 random formulas of one core unit and 500 of two.
inline std::vector<Expression> finite_formulas() {
  std::vector<Expression> formulas;
  for (const std::string& text : saturating_formulas()) formulas.push_back(parse(text));
  const Expression x = Expression::input(), beta = Expression::parameter(0);
  for (const auto* table : {&unary_operators(), &activations()}) {
    for (const OperatorInfo& info : *table) formulas.push_back(info.build({x}, beta));
  }
  for (const OperatorInfo& info : binary_operators()) {
    formulas.push_back(info.build({Expression::call<Sin>(x), Expression::parameter(1) * x}, beta).with_parameters_in_order());
  }
  std::mt19937_64 random(19);
  const Space one("core1"), two("core2");
  for (int i = 0; i < 500; ++i) formulas.push_back(one.at(random() % one.size()));
  for (int i = 0; i < 500; ++i) formulas.push_back(two.at(random() % two.size()));
  return formulas;
}

/// A formula without parameters that is smooth at 0, though it may be written with maxima or magnitudes, with what it is there. A second
/// derivative that jumps is NaN.
struct SmoothAtZero {
  std::string formula;
  double y = 0, slope = 0, curvature = 0;
};
inline const std::vector<SmoothAtZero>& smooth_at_zero() {
  constexpr double kLog2 = 0.6931471805599453, kJumps = std::numeric_limits<double>::quiet_NaN();
  static const std::vector<SmoothAtZero> formulas{{"softplus", kLog2, 0.5, 0.25},
                                                  {"mish", 0, 0.6, 0.64},
                                                  {"elu", 0, 1, kJumps},
                                                  {"celu", 0, 1, kJumps},
                                                  {"softsign", 0, 1, kJumps},
                                                  {"logsigmoid", -kLog2, 0.5, -0.25},
                                                  {"log(1 + exp(x))", kLog2, 0.5, 0.25},
                                                  {"x * abs(x)", 0, 0, kJumps},
                                                  {"square(max(x, 0))", 0, 0, kJumps},
                                                  {"sinc(x) + x", 1, 1, -1.0 / 3},
                                                  {"x * sigmoid(x)", 0, 0.5, 0.5},
                                                  // By hand. Ties alone, each by its own rule, would give these a slope of 0.
                                                  {"max(x, 0) + log(1 + exp(-abs(x)))", kLog2, 0.5, 0.25},
                                                  {"log1p(exp(-abs(x))) + max(0, x)", kLog2, 0.5, 0.25},
                                                  {"max(2 * x, 0) + log(1 + exp(-abs(2 * x)))", kLog2, 1, 1},
                                                  {"max(-x, 0) + log(1 + exp(-abs(x)))", kLog2, -0.5, 0.25},
                                                  {"x * tanh(max(x, 0) + log(1 + exp(-abs(x))))", 0, 0.6, 0.64},
                                                  {"max(x, 0) + expm1(min(x, 0))", 0, 1, kJumps},
                                                  {"max(x, 0) + exp(min(x, 0)) - 1", 0, 1, kJumps},
                                                  {"max(x, expm1(min(x, 0)))", 0, 1, kJumps},
                                                  {"2 * max(x, 0) - 2 * max(-x, 0)", 0, 2, 0},
                                                  {"x * (greater(x, 0) + greater(0, x))", 0, 1, 0}};
  return formulas;
}

/// Every so manieth formula is tried as CUDA text too.
inline constexpr std::size_t kFiniteCudaStep = 5;

/// One line of finite_table.txt: what is not a finite real number, or cannot be decided, is NaN; beyond single precision it is infinite.
struct FiniteRow {
  std::string formula;
  std::vector<double> y, dydx;
};
struct FiniteTable {
  std::vector<float> x;
  std::vector<FiniteRow> rows;
};
/// The value of a parameter in the table.
inline double finite_beta(std::size_t k) {
  constexpr double kValues[] = {0.75, 1.25, 0.5, 1.5};
  return kValues[k % 4];
}

inline std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  std::istringstream in(text);
  for (std::string word; in >> word;) numbers.push_back(std::stod(word));
  return numbers;
}
inline FiniteTable read_finite_table() {
  std::ifstream file(ACTSEARCH_SOURCE_DIR "/tests/kernels/finite_table.txt");
  FiniteTable table;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string> parts;
    std::istringstream in(line);
    for (std::string part; std::getline(in, part, '|');) parts.push_back(part);
    if (parts.size() == 2) {
      for (const double x : numbers_of(parts[1])) table.x.push_back(static_cast<float>(x));
    } else if (parts.size() == 3) {
      table.rows.push_back({parts[0], numbers_of(parts[1]), numbers_of(parts[2])});
    } else {
      throw std::runtime_error("finite_table.txt: a line that is none: " + line);
    }
  }
  return table;
}

}  // namespace actsearch::testing
