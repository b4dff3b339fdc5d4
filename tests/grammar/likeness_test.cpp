#include "grammar/likeness.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grammar/candidate.h"
#include "grammar/notation.h"

namespace actsearch {
namespace {

double distance(const std::string& f, const std::string& g) {
  return distance_under_normal(values_under_normal(candidate_of(f).program), values_under_normal(candidate_of(g).program));
}

TEST(Likeness, DistancesAreThoseOfTheIntegrals) {
  // x and −x: sqrt(E[4x²]) = 2. ReLU is (x + |x|)/2, so |x|/2 lies between it and x/2.
  EXPECT_NEAR(distance("x", "-x"), 2, 1e-6);
  EXPECT_NEAR(distance("max(x, 0)", "0.5 * x"), 0.5, 1e-6);
  EXPECT_NEAR(distance("cos(x)", "x"), std::sqrt(1 + (1 + std::exp(-2)) / 2), 1e-6);  // E[x·cos x] is 0
  EXPECT_EQ(distance("swish", "swish1"), 0) << "β starts at 1";
  EXPECT_EQ(distance("relu", "swish1"), distance("swish1", "relu"));
  EXPECT_NEAR(distance("swish1", "gelu"), 0.10, 0.005);
  EXPECT_NEAR(distance("swish1", "relu"), 0.21, 0.005);
  EXPECT_THROW(distance_under_normal({1}, {1, 2}), std::invalid_argument);
  EXPECT_THROW(distance_under_normal({}, {}), std::invalid_argument);
}

TEST(Likeness, TheFirstOfEachKindIsPickedAndCountsItsKin) {
  DistinctFunctions kinds(0.15);
  const auto add = [&](const std::string& formula) { return kinds.add(candidate_of(formula).program); };
  EXPECT_TRUE(add("swish1"));
  EXPECT_FALSE(add("swish"));
  EXPECT_TRUE(add("relu"));
  EXPECT_FALSE(add("gelu")) << "nearer to swish1, which came first";
  EXPECT_TRUE(add("tanh"));
  EXPECT_FALSE(add("max(-x, 0)")) << "the mirror image of relu";
  EXPECT_FALSE(add("-tanh(x)")) << "an odd function's mirror image";
  EXPECT_TRUE(add("-max(x, 0)"));
  EXPECT_EQ(kinds.kin(), (std::vector<int>{2, 1, 1, 0}));
}

TEST(Likeness, AFunctionThatIsNotFiniteIsOfNoOthersKind) {
  DistinctFunctions kinds(1e6);
  EXPECT_TRUE(kinds.add(lower(parse("x"))));
  EXPECT_FALSE(kinds.add(lower(parse("-x"))));
  EXPECT_TRUE(kinds.add(lower(parse("log(x)"))));
}

}  // namespace
}  // namespace actsearch
