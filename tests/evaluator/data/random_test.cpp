#include "evaluator/data/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <vector>

namespace actsearch {
namespace {

TEST(RandomStream, IsSplitmix64) {
  // The reference generator's first outputs for seed 1234567.
  RandomStream random(1'234'567);
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
  EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(RandomStream, DiffersForEveryPurposeAndWord) {
  std::set<std::uint64_t> first;
  for (const Draw purpose : {Draw::kTransform, Draw::kOrder, Draw::kWeights}) {
    for (int a = 0; a < 10; ++a) {
      for (int b = 0; b < 10; ++b) first.insert(RandomStream(purpose, a, b).next());
    }
  }
  EXPECT_EQ(first.size(), 300u);
}

TEST(RandomStream, DrawsUniformNumbersFromZeroToOne) {
  RandomStream random(Draw::kWeights, 1);
  double sum = 0, squares = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, 0.005);  // 5 standard errors
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.005);
}

TEST(RandomStream, DrawsNormalNumbersWithTheRightMoments) {
  RandomStream random(Draw::kWeights, 2);
  std::array<double, 5> moments{};
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    double power = 1;
    const double z = random.normal();
    ASSERT_TRUE(std::isfinite(z));
    for (double& moment : moments) moment += power / kDraws, power *= z;
  }
  // 5 standard errors of the k-th moment: 5 √(E z^2k - (E z^k)²) / √n.
  EXPECT_NEAR(moments[1], 0, 0.0112);
  EXPECT_NEAR(moments[2], 1, 0.0158);
  EXPECT_NEAR(moments[3], 0, 0.0433);
  EXPECT_NEAR(moments[4], 3, 0.1096);
}

TEST(RandomStream, DrawsEveryWholeNumberOfARangeEquallyOften) {
  RandomStream random(Draw::kTransform, 3);
  std::array<int, 9> counts{};
  for (int i = 0; i < 90'000; ++i) ++counts.at(static_cast<std::size_t>(random.between(-4, 4) + 4));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 480);  // 5 standard deviations
}

TEST(Shuffle, PutsEveryElementAnywhereEquallyOften) {
  constexpr int kRuns = 30'000;
  int places[3][3] = {};
  for (int run = 0; run < kRuns; ++run) {
    std::array<int, 3> elements{0, 1, 2};
    shuffle(std::span<int>(elements), RandomStream(Draw::kOrder, run));
    for (std::size_t i = 0; i < 3; ++i) ++places[i][elements[i]];
  }
  for (const auto& row : places) {
    for (const int count : row) EXPECT_NEAR(count, kRuns / 3, 410);  // 5 standard deviations
  }
}

}  // namespace
}  // namespace actsearch
