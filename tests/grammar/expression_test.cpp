#include <stdexcept>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "tests/grammar/support.h"

namespace actsearch {
namespace {

const Expression x = Expression::input();

TEST(Functions, DerivativeOfEachMatchesCentralDifferences) {
  for_each_function([]<class F>() {
    if constexpr (F::arity == 1) {
      const Program program = lower(Expression::call<F>(x));
      for (const double at : test_points()) expect_derivatives_match(program, at, {}, std::string(F::name));
    } else {
      const Program program = lower(Expression::call<F>(x, Expression::parameter(0)));
      const Program swapped = lower(Expression::call<F>(Expression::parameter(0), x));
      for (const double at : test_points()) {
        for (const double other : {-1.7, 0.4, 2.9}) {
          expect_derivatives_match(program, at, {other}, std::string(F::name));
          expect_derivatives_match(swapped, at, {other}, std::string(F::name));
        }
      }
    }
  });
}

TEST(Functions, NamesAreDifferent) {
  std::vector<std::string_view> names;
  for_each_function([&]<class F>() { names.push_back(F::name); });
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Functions, SincAndItsSlopeAreSmoothThroughZero) {
  EXPECT_EQ(Sinc::f(0.0), 1.0);
  EXPECT_EQ(SincSlope::f(0.0), 0.0);
  // The series meets the closed form where one takes over from the other.
  EXPECT_NEAR(SincSlope::f(0.5 - 1e-12), SincSlope::f(0.5 + 1e-12), 1e-11);
  EXPECT_NEAR(SincSlope::f(1e-4), -1e-4 / 3, 1e-12);
}

TEST(Functions, MaximumAndMinimumPropagateNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(Max::f(nan, 1.0)) && std::isnan(Max::f(1.0, nan)));
  EXPECT_TRUE(std::isnan(Min::f(nan, 1.0)) && std::isnan(Min::f(1.0, nan)));
}

TEST(Expression, CallWithTheWrongNumberOfArgumentsIsRefused) {
  EXPECT_THROW(Expression::call(function_id<Max>, {x}), std::invalid_argument);
  EXPECT_THROW(Expression::call(function_id<Sin>, {x, x}), std::invalid_argument);
}

TEST(Expression, NumbersAreFinite) {
  EXPECT_THROW(Expression{std::numeric_limits<double>::infinity()}, std::invalid_argument);
  EXPECT_THROW(Expression{std::numeric_limits<double>::quiet_NaN()}, std::invalid_argument);
}

TEST(Expression, ParametersAreRenumberedInOrderOfOccurrence) {
  const Expression y = Expression::parameter(7) * x + Expression::parameter(2) * Expression::parameter(7);
  EXPECT_EQ(y.parameter_count(), 2);
  EXPECT_EQ(to_text(y.with_parameters_in_order()), "beta0 * x + beta1 * beta0");
}

TEST(Expression, SharedNodesStaySharedWhenRenumbered) {
  const Expression shared = Expression::parameter(3) * x;
  const Expression y = (shared + shared).with_parameters_in_order();
  EXPECT_EQ(y.arguments()[0].identity(), y.arguments()[1].identity());
}

TEST(Expression, SizeCountsTheWrittenOutFormulaAndSaturates) {
  Expression y = x;
  for (int i = 0; i < 10; ++i) y = y + y;
  EXPECT_EQ(y.size(), 2047u);
  EXPECT_EQ(nodes_in_order(y).size(), 11u);
  for (int i = 0; i < 100; ++i) y = y + y;
  EXPECT_EQ(y.size(), std::numeric_limits<std::size_t>::max());
}

TEST(Expression, AMillionCallsDeepIsFreedAndWalkedWithoutRecursion) {
  Expression y = x;
  for (int i = 0; i < 1'000'000; ++i) y = -y;
  EXPECT_EQ(y.depth(), 1'000'001u);
  EXPECT_EQ(y.parameter_count(), 0);
}

TEST(Differentiate, LeavesOutWhatIsZero) {
  EXPECT_EQ(to_text(differentiate(x).dydx), "1");
  EXPECT_EQ(to_text(differentiate(Expression(3.0) * x + Expression(2.0)).dydx), "3");
  EXPECT_EQ(to_text(differentiate(Expression::call<Sqrt>(Expression(2.0)) + x).dydx), "1");
  EXPECT_EQ(to_text(differentiate(x - Expression::call<Sin>(x)).dydx), "1 - cos(x)");
  EXPECT_EQ(to_text(differentiate(Expression::parameter(0) * x).dydbeta.at(0)), "x");
}

TEST(Differentiate, AddsUpOverAllUsesOfASharedNode) {
  const Expression s = Expression::call<Sigmoid>(x);
  const Program program = lower(s * s + Expression::call<Max>(s, x) * s);
  for (const double at : test_points()) expect_derivatives_match(program, at, {}, "shared sigmoid");
}

TEST(Lower, ComputesCommonSubexpressionsOnce) {
  const Program program = lower(parse("sin(x) * exp(x) + sin(x) * exp(x)"));
  EXPECT_EQ(program.forward_size, 5);  // x, sin, exp, product, sum
}

TEST(Lower, PutsTheForwardPartFirst) {
  for (const NamedActivation& named : baselines()) {
    const Program program = lower(named.expression);
    EXPECT_LT(program.y, program.forward_size) << named.name;
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
      const Instruction& instruction = program.instructions[i];
      if (instruction.kind != Expression::Kind::kCall) continue;
      EXPECT_LT(instruction.a, i) << named.name;
      EXPECT_TRUE(function_arity(instruction.function) == 1 || instruction.b < i) << named.name;
    }
  }
}

TEST(Lower, RefusesAProgramThatIsTooLong) {
  Expression y = x;
  for (int i = 0; i < 10'000; ++i) y = Expression::call<Sin>(y);
  EXPECT_THROW(lower(y), std::invalid_argument);
}

TEST(Evaluate, WantsOneValueAParameter) {
  const Program program = lower(parse("swish"));
  EXPECT_THROW(evaluate(program, 1, {}), std::invalid_argument);
  EXPECT_THROW(evaluate_forward(program, 1, {1, 2}), std::invalid_argument);
}

TEST(Evaluate, SwishHasThePapersDerivative) {
  const Program program = lower(parse("swish"));
  for (const double at : test_points()) {
    for (const double beta : {0.3, 1.0, 1.7}) {
      const double sigmoid = 1 / (1 + std::exp(-beta * at)), f = at * sigmoid;
      const Evaluation result = evaluate(program, at, {beta});
      EXPECT_NEAR(result.y, f, 1e-15 * std::max(1.0, std::abs(f)));
      EXPECT_NEAR(result.dydx, beta * f + sigmoid * (1 - beta * f), 1e-14);
      EXPECT_NEAR(result.dydbeta.at(0), at * at * sigmoid * (1 - sigmoid), 1e-14);
    }
  }
}

}  // namespace
}  // namespace actsearch
