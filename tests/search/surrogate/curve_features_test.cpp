#include "search/surrogate/curve_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/space.h"

namespace actsearch {
namespace {

/// Of a formula, by name; what is asinh of something is given back as that.
class Features {
 public:
  explicit Features(std::string_view formula) : Features(candidate_of(formula).program) {}
  explicit Features(const Program& program) {
    const auto values = curve_features(program);
    if (!values) throw std::runtime_error("no features");
    for (std::size_t i = 0; i < values->size(); ++i) values_[curve_feature_names().at(i)] = (*values)[i];
  }
  double plain(const std::string& name) const { return values_.at(name); }
  double of(const std::string& name) const { return std::sinh(plain(name)); }

 private:
  std::map<std::string, double> values_;
};

constexpr double kClose = 2e-3;  // of sums over points 1/16 apart that end at ±5

TEST(CurveFeatures, OfTheSquareAreWhatClosedFormsSay) {
  const Features square("x * x");  // He_2 + 1, with deviation √2
  EXPECT_NEAR(square.of("mean"), 1, kClose);
  EXPECT_NEAR(square.of("deviation"), std::numbers::sqrt2, kClose);
  EXPECT_NEAR(square.of("hermite 0"), 1, kClose);
  EXPECT_NEAR(square.of("hermite 1"), 0, kClose);
  EXPECT_NEAR(square.of("hermite 2"), 1, kClose);
  for (const int n : {3, 4, 5, 6, 7, 8}) EXPECT_NEAR(square.of("hermite " + std::to_string(n)), 0, 1e-2) << n;
  EXPECT_NEAR(square.of("slope's second moment"), 4, 5e-3);
  EXPECT_NEAR(square.of("mean slope"), 0, kClose);
  EXPECT_NEAR(square.of("slope at 2.0"), 4 / std::numbers::sqrt2, 5e-3);
  EXPECT_NEAR(square.of("value at 3.0"), 8 / std::numbers::sqrt2, 1e-2);
  EXPECT_NEAR(square.plain("rising share"), 0.5, 0.02);
  EXPECT_EQ(square.plain("turns"), 1);
  EXPECT_NEAR(square.plain("odd share"), 0, kClose);
}

TEST(CurveFeatures, OfReluAreWhatClosedFormsSay) {
  const Features relu("relu");
  const double mean = 1 / std::sqrt(2 * std::numbers::pi), deviation = std::sqrt(0.5 - mean * mean);
  EXPECT_NEAR(relu.of("mean"), mean, kClose);
  EXPECT_NEAR(relu.of("second moment"), 0.5, kClose);
  EXPECT_NEAR(relu.of("hermite 1"), 0.5 / deviation, kClose);
  EXPECT_NEAR(relu.of("hermite 2"), mean / std::numbers::sqrt2 / deviation, kClose);
  EXPECT_NEAR(relu.of("hermite 3"), 0, kClose);
  EXPECT_NEAR(relu.of("hermite 4"), -mean / std::sqrt(24.0) / deviation, kClose);
  EXPECT_NEAR(relu.of("slope over second moment"), 1, kClose);
  EXPECT_NEAR(relu.of("kink at 0"), 1 / deviation, kClose);
  EXPECT_NEAR(relu.plain("flat share"), 0.5, kClose);
  EXPECT_NEAR(relu.of("value at 100"), 100, 1e-6);
  EXPECT_EQ(relu.plain("largest jump"), 0);
  EXPECT_EQ(relu.plain("parameters"), 0);
}

TEST(CurveFeatures, AJumpAndAParameterShow) {
  EXPECT_GT(Features("x + x / (abs(x) + 1e-7)").plain("largest jump"), 0.1);
  EXPECT_LT(Features("x + tanh(x)").plain("largest jump"), 0.01);
  EXPECT_EQ(Features("x * sigmoid(beta * x)").plain("parameters"), 1);
  EXPECT_EQ(Features("beta * x + tanh(beta * x)").plain("parameters"), 2);
}

TEST(CurveFeatures, AreFiniteAndAsManyForEveryFunctionOfASpace) {
  const std::set<std::string> names(curve_feature_names().begin(), curve_feature_names().end());
  EXPECT_EQ(names.size(), curve_feature_names().size()) << "no name stands twice";
  const Space space("core1");
  int functions = 0;
  for (std::uint64_t place = 0; place < space.size(); place += 7) {
    const auto considered = consider(space.at(place));
    if (!std::holds_alternative<Candidate>(considered)) continue;
    const auto features = curve_features(std::get<Candidate>(considered).program);
    ASSERT_TRUE(features) << space.describe(place);
    ASSERT_EQ(features->size(), names.size());
    EXPECT_TRUE(std::all_of(features->begin(), features->end(), [](double value) { return std::isfinite(value); }))
        << space.describe(place);
    ++functions;
  }
  EXPECT_GT(functions, 700);
}

TEST(CurveFeatures, AreAbsentWhereTheCurveIsNotFinite) {
  EXPECT_FALSE(curve_features(lower(parse("exp(exp(exp(x)))"))));
  EXPECT_FALSE(curve_features(lower(parse("sqrt(x)"))));
}

}  // namespace
}  // namespace actsearch
