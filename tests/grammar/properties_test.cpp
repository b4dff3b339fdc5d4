#include "grammar/properties.h"

#include <limits>
#include <numbers>

#include "grammar/notation.h"
#include "tests/grammar/support.h"

namespace actsearch {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Properties properties_of(std::string_view text) {
  const Program program = lower(parse(text));
  return examine_properties(program, std::vector<double>(program.dydbeta.size(), 1.0));
}

TEST(Properties, OfReluAreTheTextbooks) {
  const Properties relu = properties_of("relu");
  EXPECT_EQ(relu.minimum, 0);
  EXPECT_EQ(relu.maximum, kInfinity);
  EXPECT_EQ(relu.monotonicity, Monotonicity::kIncreasing);
  EXPECT_EQ(relu.limit_at_minus_infinity, 0);
  EXPECT_EQ(relu.limit_at_plus_infinity, kInfinity);
  EXPECT_EQ(relu.at_zero, 0);
  EXPECT_EQ(relu.slope_at_zero, 0);
  EXPECT_NEAR(relu.mean, 1 / std::sqrt(2 * std::numbers::pi), 1e-6);
  EXPECT_NEAR(relu.second_moment, 0.5, 1e-6);
  EXPECT_NEAR(relu.slope_second_moment, 0.5, 1e-6);
}

TEST(Properties, OfSwishHaveItsDip) {
  const Properties swish = properties_of("swish");
  EXPECT_NEAR(swish.minimum, -0.2784645427610738, 1e-6);
  EXPECT_EQ(swish.maximum, kInfinity);
  EXPECT_EQ(swish.monotonicity, Monotonicity::kNone);
  EXPECT_EQ(swish.limit_at_minus_infinity, 0);
  EXPECT_EQ(swish.slope_at_zero, 0.5);
}

TEST(Properties, OfSeluKeepMeanAndVariance) {
  const Properties selu = properties_of("selu");
  EXPECT_NEAR(selu.mean, 0, 1e-6);
  EXPECT_NEAR(selu.second_moment, 1, 1e-6);
}

TEST(Properties, LimitsTellConvergenceGrowthAndOscillationApart) {
  struct Row {
    const char* text;
    std::optional<double> at_minus, at_plus;
  };
  const double half_pi = std::numbers::pi / 2;
  for (const Row& row :
       {Row{"tanh", -1, 1}, Row{"atan(x)", -half_pi, half_pi}, Row{"asinh(x)", -kInfinity, kInfinity},
        Row{"log_abs(x)", kInfinity, kInfinity}, Row{"sin(x)", {}, {}}, Row{"x * sin(x)", {}, {}}, Row{"exp(x)", 0, kInfinity},
        Row{"cube(x)", -kInfinity, kInfinity}, Row{"-sinh(x)", kInfinity, -kInfinity}, Row{"cos_minus_x", kInfinity, -kInfinity},
        Row{"sinc(x)", 0, 0}, Row{"gauss(x)", 0, 0}, Row{"sinh(x) * sin(x)", {}, {}}, Row{"sqrt(x)", {}, kInfinity},
        Row{"softplus", 0, kInfinity}, Row{"x * sinh(x) / cosh(x)", kInfinity, kInfinity}, Row{"x + sin(x)", -kInfinity, kInfinity}}) {
    const Properties properties = properties_of(row.text);
    for (const auto& [found, wanted] :
         {std::pair{properties.limit_at_minus_infinity, row.at_minus}, std::pair{properties.limit_at_plus_infinity, row.at_plus}}) {
      ASSERT_EQ(found.has_value(), wanted.has_value()) << row.text;
      if (!wanted) continue;
      if (std::isinf(*wanted)) {
        EXPECT_EQ(*found, *wanted) << row.text;
      } else {
        EXPECT_NEAR(*found, *wanted, 1e-4) << row.text;
      }
    }
  }
}

TEST(Properties, RangeTellsBoundedFromUnbounded) {
  const Properties sine = properties_of("sin(x)");
  EXPECT_NEAR(sine.minimum, -1, 1e-5);
  EXPECT_NEAR(sine.maximum, 1, 1e-5);
  const Properties growing = properties_of("x * sin(x)");
  EXPECT_EQ(growing.minimum, -kInfinity);
  EXPECT_EQ(growing.maximum, kInfinity);
  const Properties bell = properties_of("gauss(x)");
  EXPECT_EQ(bell.maximum, 1);
  EXPECT_NEAR(bell.minimum, 0, 1e-12);
  EXPECT_TRUE(std::isnan(properties_of("sqrt(x)").minimum));
}

TEST(Properties, MonotonicityIsOfTheWholeRange) {
  EXPECT_EQ(properties_of("-x").monotonicity, Monotonicity::kDecreasing);
  EXPECT_EQ(properties_of("x + sin(x)").monotonicity, Monotonicity::kIncreasing);
  EXPECT_EQ(properties_of("beta + 0 * x").monotonicity, Monotonicity::kConstant);
  EXPECT_EQ(properties_of("gelu").monotonicity, Monotonicity::kNone);
}

}  // namespace
}  // namespace actsearch
