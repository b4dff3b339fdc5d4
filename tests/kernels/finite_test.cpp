// Value and slope over ±10⁴ beside arbitrary precision (finite_table.txt): the CPU kernel, the double reference and the CUDA text.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/cpu/eigen_kernel.h"
#include "tests/kernels/cpu/error_bound.h"
#include "tests/kernels/finite_cases.h"

/// Value and slope by the emitted CUDA text (write_cuda_texts.cpp), of every formula with an index divisible by kFiniteCudaStep.
extern void (*const kFiniteCudaFunctions[])(float x, const float* beta, float* y, float* dydx);
/// The same of every formula of smooth_at_zero().
extern void (*const kSmoothCudaFunctions[])(float x, const float* beta, float* y, float* dydx);

namespace actsearch {
namespace {

const testing::FiniteTable& table() {
  static const testing::FiniteTable read = testing::read_finite_table();
  return read;
}

std::vector<double> betas(const Program& program) {
  std::vector<double> values;
  for (std::size_t k = 0; k < program.dydbeta.size(); ++k) values.push_back(testing::finite_beta(k));
  return values;
}

struct Results {
  std::vector<double> y, dydx;
};
Results of_the_cpu_kernel(const Program& program) {
  const std::size_t n = table().x.size();
  std::vector<float> y(n), dydx(n), beta, dydbeta(n * program.dydbeta.size());
  for (const double value : betas(program)) beta.push_back(static_cast<float>(value));
  EigenKernel(program).evaluate(table().x, beta, y.data(), dydx.data(), dydbeta.data());
  return {{y.begin(), y.end()}, {dydx.begin(), dydx.end()}};
}
Results of_the_reference(const Program& program) {
  Results results;
  for (const float x : table().x) {
    const Evaluation at = evaluate(program, x, betas(program));
    results.y.push_back(at.y);
    results.dydx.push_back(at.dydx);
  }
  return results;
}

/// What was wrong somewhere: the formulas, and how many values were compared.
struct Outcome {
  std::map<std::string, std::string> wrong;
  std::int64_t compared = 0;
};

/// How far a value may be off: by the bound of its roundings where there is one, and by the table's five digits. Near the largest finite
/// number, where a factor may bring back what has saturated, the value need only be finite.
void compare(const testing::FiniteRow& row, const Program& program, const Results& got, double unit, Outcome& outcome) {
  for (std::size_t i = 0; i < table().x.size(); ++i) {
    bool ambiguous = false;
    const auto bounds = testing::bounded_run(program, table().x[i], betas(program), &ambiguous, unit);
    const auto check = [&](double expected, double value, std::uint16_t place, const char* what) {
      if (!std::isfinite(expected)) return;
      ++outcome.compared;
      const double allowed = 4 * bounds[place].error + 6e-5 * std::abs(expected) + 1e-20;
      constexpr double kNearTheEnd = 1e36;
      const bool right = std::isfinite(value) && (std::abs(expected) > kNearTheEnd || ambiguous || !std::isfinite(allowed) ||
                                                  std::abs(value - expected) <= allowed);
      if (right) return;
      outcome.wrong[row.formula] += std::string(outcome.wrong[row.formula].empty() ? "" : "; ") + what + " at " +
                                    std::to_string(table().x[i]) + " is " + std::to_string(value) + ", not " + std::to_string(expected);
    };
    check(row.y[i], got.y[i], program.y, "y");
    check(row.dydx[i], got.dydx[i], program.dydx, "dydx");
  }
}

/// What a part that saturates still spoils: its logarithm or root is finite beyond it, or it is divided by another one.
const std::set<std::string>& what_remains() {
  static const std::set<std::string> formulas{"beta0 * atan(x) + (1 - beta0) * sqrt(exp(x) - abs(x))",
                                              "cosh(log(abs(x) + 1e-07) * sqrt(x)) / (sinh(x) + 1e-07)",
                                              "sigmoid(min(x, 0)) * sqrt(max(square(x), exp(x)))", "sqrt(beta + sinh(x)) - beta"};
  return formulas;
}

void expect_all_right_but_what_remains(const Outcome& outcome) {
  for (const auto& [formula, what] : outcome.wrong) {
    EXPECT_TRUE(what_remains().contains(formula)) << formula << ": " << what.substr(0, 300);
  }
}

TEST(Finite, TheTableIsOfTheFormulasOfToday) {
  const auto formulas = testing::finite_formulas();
  ASSERT_EQ(table().rows.size(), formulas.size());
  for (std::size_t i = 0; i < formulas.size(); ++i) {
    ASSERT_EQ(table().rows[i].formula, to_text(formulas[i]));
    ASSERT_EQ(table().rows[i].y.size(), table().x.size());
    ASSERT_EQ(table().rows[i].dydx.size(), table().x.size());
  }
}

TEST(Finite, TheCpuKernelIsRightWhereverTheFunctionIsFinite) {
  Outcome outcome;
  for (const testing::FiniteRow& row : table().rows) {
    const Program program = lower(parse(row.formula));
    compare(row, program, of_the_cpu_kernel(program), testing::kUnit, outcome);
  }
  EXPECT_GT(outcome.compared, 30'000);
  expect_all_right_but_what_remains(outcome);
  for (const std::string& formula : what_remains()) EXPECT_TRUE(outcome.wrong.contains(formula)) << formula << " is right: take it off";
}

TEST(Finite, TheReferenceIsRightWhereverTheFunctionIsFinite) {
  Outcome outcome;
  for (const testing::FiniteRow& row : table().rows) {
    const Program program = lower(parse(row.formula));
    compare(row, program, of_the_reference(program), 0x1p-53, outcome);
  }
  EXPECT_GT(outcome.compared, 30'000);
  for (const auto& [formula, what] : outcome.wrong) ADD_FAILURE() << formula << ": " << what.substr(0, 300);
}

TEST(Finite, TheCudaTextIsRightWhereverTheFunctionIsFinite) {
  Outcome outcome;
  for (std::size_t k = 0; k * testing::kFiniteCudaStep < table().rows.size(); ++k) {
    const testing::FiniteRow& row = table().rows[k * testing::kFiniteCudaStep];
    const Program program = lower(parse(row.formula));
    std::vector<float> beta;
    for (const double value : betas(program)) beta.push_back(static_cast<float>(value));
    Results got;
    for (const float x : table().x) {
      float y = 0, dydx = 0;
      kFiniteCudaFunctions[k](x, beta.data(), &y, &dydx);
      got.y.push_back(y);
      got.dydx.push_back(dydx);
    }
    compare(row, program, got, testing::kUnit, outcome);
  }
  EXPECT_GT(outcome.compared, 6'000);
  expect_all_right_but_what_remains(outcome);
}

TEST(Finite, SlopesAtZeroOfSmoothFunctionsAreTheirLimits) {
  for (std::size_t k = 0; k < testing::smooth_at_zero().size(); ++k) {
    const testing::SmoothAtZero& expected = testing::smooth_at_zero()[k];
    const Program program = lower(parse(expected.formula));
    for (const float x : {0.0f, -0.0f}) {
      float y = 0, dydx = 0;
      EigenKernel(program).evaluate({&x, 1}, {}, &y, &dydx, nullptr);
      EXPECT_NEAR(y, expected.y, 1e-6) << expected.formula;
      EXPECT_NEAR(dydx, expected.slope, 1e-6) << expected.formula;
      kSmoothCudaFunctions[k](x, nullptr, &y, &dydx);
      EXPECT_NEAR(y, expected.y, 1e-6) << expected.formula;
      EXPECT_NEAR(dydx, expected.slope, 1e-6) << expected.formula;
      EXPECT_NEAR(evaluate(program, x, {}).y, expected.y, 1e-12) << expected.formula;
      EXPECT_NEAR(evaluate(program, x, {}).dydx, expected.slope, 1e-12) << expected.formula;
    }
  }
}

TEST(Finite, SlopesAtKinksStayWhatTheirRulesSay) {
  for (const auto& [formula, slope] : std::map<std::string, double>{{"relu", 0},
                                                                    {"abs(x)", 0},
                                                                    {"min(x, 0)", 0},
                                                                    {"leaky_relu", 0},
                                                                    {"prelu", 0},
                                                                    {"max(0, x)", 1},
                                                                    {"max(x, 0) + beta * expm1(min(x, 0))", 0},
                                                                    {"max(x, 0) + abs(x) / 2 + 1", 0}}) {
    const Program program = lower(parse(formula));
    EXPECT_EQ(evaluate(program, 0, betas(program)).dydx, slope) << formula;
  }
}

/// Results of searches are stored: their programs stay as they are, whatever their slopes at 0.
TEST(Finite, FormulasOfSearchesAreNotMovedBesideZero) {
  std::vector<Expression> formulas{parse("max(x, 0) + (exp(min(x, 0)) - 1)")};
  const Space one("core1"), two("core2");
  for (std::uint64_t i = 0; i < one.size(); ++i) formulas.push_back(one.at(i));
  std::mt19937_64 random(20);
  for (int i = 0; i < 2'000; ++i) formulas.push_back(two.at(random() % two.size()));
  for (const auto& [name, expression] : baselines()) formulas.push_back(expression);
  for (const Expression& formula : formulas) {
    for (const Instruction& instruction : lower(formula).instructions) {
      EXPECT_FALSE(instruction.kind == Expression::Kind::kCall && instruction.function == function_id<BesideZero>) << to_text(formula);
    }
  }
}

TEST(Finite, EluIsExactNearZero) {
  const Program program = lower(parse("elu"));
  for (float x : {-1e-6f, -1e-3f, -0.3f, -0.36f, -1.0f}) {
    float y = 0, dydx = 0;
    EigenKernel(program).evaluate({&x, 1}, {}, &y, &dydx, nullptr);
    EXPECT_NEAR(y, std::expm1(static_cast<double>(x)), 4e-7 * std::abs(x)) << x;
    EXPECT_NEAR(evaluate_forward(program, x, {}), std::expm1(static_cast<double>(x)), 1e-15 * std::abs(x)) << x;
  }
}

TEST(Finite, AFunctionThatCannotOverflowIsLoweredAsItIsWritten) {
  for (const char* const formula :
       {"relu", "swish", "gelu", "mish", "tanh(x) * sin(x)", "x * gauss(x)", "cube(x) / (square(x) + 1)", "elu"}) {
    for (const Instruction& instruction : lower(parse(formula)).instructions) {
      if (instruction.kind == Expression::Kind::kCall) {
        EXPECT_LT(instruction.function, NotationFunctions::size) << formula;
      }
    }
  }
}

}  // namespace
}  // namespace actsearch
