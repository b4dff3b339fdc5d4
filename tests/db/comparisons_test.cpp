#include "db/comparisons.h"

#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <vector>

namespace actsearch {
namespace {

double critical(double weight, int comparisons, int degrees) {
  const DunnettGroup group{.weight = weight, .comparisons = comparisons};
  return dunnett_95(std::span(&group, 1), degrees);
}

TEST(Dunnett, CriticalValuesAreThoseOfTheTable) {
  // C. Dunnett, "New tables for multiple comparisons with a control", Biometrics 20 (1964), table II: two-sided, 5 %, equal numbers.
  constexpr int kMany = 2'000'000'000;
  EXPECT_NEAR(critical(0.5, 1, 5), 2.57, 0.005);
  EXPECT_NEAR(critical(0.5, 2, 5), 3.03, 0.005);
  EXPECT_NEAR(critical(0.5, 4, 5), 3.48, 0.005);
  EXPECT_NEAR(critical(0.5, 5, 10), 2.99, 0.005);
  EXPECT_NEAR(critical(0.5, 3, 20), 2.54, 0.005);
  EXPECT_NEAR(critical(0.5, 2, kMany), 2.21, 0.005);
  EXPECT_NEAR(critical(0.5, 5, kMany), 2.51, 0.005);
}

TEST(Dunnett, UnequalWeightsAgreeWithAnotherQuadrature) {
  // 240,000 Gauss points in NumPy.
  const std::vector<DunnettGroup> groups{{.weight = 0.3, .comparisons = 3}, {.weight = 0.6, .comparisons = 4}};
  EXPECT_NEAR(dunnett_probability(2.5, groups, 12), 0.871263108659, 1e-9);
}

TEST(Dunnett, AlmostUncorrelatedComparisonsAreSidaks) {
  const double each = std::erf(2.8 / std::sqrt(2.0));
  const DunnettGroup group{.weight = 1e-9, .comparisons = 3'000};
  EXPECT_NEAR(dunnett_probability(2.8, std::span(&group, 1), 2'000'000), std::pow(each, 3'000), 1e-6);
}

/// Some functions lack seeds; 4 shares none with the others.
std::vector<SeedScore> unbalanced() {
  return {{1, 0, 0.70}, {1, 1, 0.72}, {1, 2, 0.71}, {1, 3, 0.74}, {2, 0, 0.73}, {2, 1, 0.735}, {2, 2, 0.74},  {2, 3, 0.76},
          {3, 1, 0.75}, {3, 2, 0.72}, {3, 5, 0.71}, {5, 5, 0.69}, {5, 3, 0.72}, {4, 100, 0.5}, {4, 101, 0.52}};
}

TEST(Comparisons, OfAnUnbalancedLayoutAreThoseOfLeastSquares) {
  const auto compared = compared_with(1, unbalanced());
  ASSERT_EQ(compared.size(), 3u) << "4 has no seed in common with any other, even by others";
  // By numpy.linalg.lstsq and pinv on the whole design, 5 degrees of freedom.
  const Comparison &two = compared.at(2), &three = compared.at(3), &five = compared.at(5);
  EXPECT_EQ(two.n, 4);
  EXPECT_EQ(two.common, 4);
  EXPECT_NEAR(two.difference, 0.02375, 1e-12);
  EXPECT_NEAR(two.p_alone, 0.014469117328, 1e-9);
  EXPECT_NEAR(two.p, 0.034979561479, 1e-8);
  EXPECT_NEAR(two.low, 0.0022165316, 1e-8);
  EXPECT_NEAR(two.high, 0.0452834684, 1e-8);
  EXPECT_NEAR(two.equal_within, 0.036796234915, 1e-9);
  EXPECT_EQ(three.common, 2);
  EXPECT_NEAR(three.difference, 0.017316176471, 1e-11);
  EXPECT_NEAR(three.p, 0.180134794261, 1e-8);
  EXPECT_NEAR(five.difference, -0.011507352941, 1e-11);
  EXPECT_NEAR(five.p_alone, 0.283639951482, 1e-9);
  EXPECT_NEAR(five.low, -0.0433825344, 1e-8);
}

TEST(Comparisons, ManySeedsEffectsDoNotCount) {
  std::vector<SeedScore> trials;
  const double noise[] = {0.001, -0.002, 0.0015, -0.0005};
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    trials.push_back({1, seed, 0.1 * static_cast<double>(seed)});
    trials.push_back({2, seed, 0.1 * static_cast<double>(seed) + 0.02 + noise[seed]});
  }
  const Comparison two = compared_with(1, trials).at(2);
  EXPECT_NEAR(two.difference, 0.02, 1e-12);
  EXPECT_LT(two.p, 0.001) << "seeds that lie 0.1 apart would hide the difference";
}

TEST(StudentizedRange, PointsAreThoseOfTheTable) {
  // H. Harter, "Tables of range and studentized range", Annals of Mathematical Statistics 31 (1960).
  EXPECT_NEAR(studentized_range_95(2, 5), 3.635, 0.001);
  EXPECT_NEAR(studentized_range_95(3, 10), 3.877, 0.001);
  EXPECT_NEAR(studentized_range_95(10, 20), 5.008, 0.001);
  EXPECT_NEAR(studentized_range_95(5, 2'000'000'000), 3.858, 0.001);
}

TEST(Ranks, HoldTogetherAndLeaveOpenWhatSeedsExplain) {
  std::vector<SeedScore> trials;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const double noise = 0.004 * (static_cast<double>(seed * 7 % 5) - 2);
    trials.push_back({1, seed, 0.70 + noise});
    trials.push_back({2, seed, 0.78 - noise});
    trials.push_back({3, seed, 0.782 + noise / 2});
  }
  const auto ranks = simultaneous_ranks(trials);
  ASSERT_EQ(ranks.size(), 3u);
  EXPECT_EQ(std::pair(ranks.at(1).first, ranks.at(1).last), std::pair(3, 3));
  EXPECT_EQ(std::pair(ranks.at(2).first, ranks.at(2).last), std::pair(1, 2));
  EXPECT_EQ(std::pair(ranks.at(3).first, ranks.at(3).last), std::pair(1, 2));
  trials.push_back({4, 99, 0.1});
  EXPECT_EQ(simultaneous_ranks(trials).at(4).last, 4) << "no seed in common with any: every rank is left open";
  EXPECT_EQ(simultaneous_ranks(trials).at(4).first, 1);
  EXPECT_TRUE(simultaneous_ranks({}).empty());
}

TEST(Comparisons, EqualIsSaidOnlyWhereBothBoundsLieWithinTheMargin) {
  std::vector<SeedScore> trials;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const double noise = seed % 2 == 0 ? 0.002 : -0.002;
    trials.push_back({1, seed, 0.75 + noise});
    trials.push_back({2, seed, 0.7505 - noise});
  }
  const Comparison two = compared_with(1, trials).at(2);
  EXPECT_GT(two.p, 0.05);
  EXPECT_GT(two.equal_within, two.difference);
  EXPECT_LT(two.equal_within, 0.004);
  trials.resize(6);
  EXPECT_GT(compared_with(1, trials).at(2).equal_within, 0.005) << "three seeds say less";
}

TEST(Comparisons, AreAbsentWhereNothingCanBeSaid) {
  EXPECT_TRUE(compared_with(1, {}).empty());
  EXPECT_TRUE(compared_with(7, unbalanced()).empty()) << "no trial of the reference";
  const std::vector<SeedScore> single{{1, 0, 0.7}, {2, 0, 0.8}};
  EXPECT_TRUE(compared_with(1, single).empty()) << "no degree of freedom";
  std::vector<SeedScore> many;
  for (std::uint64_t seed = 0; seed <= kMostSeeds; ++seed) many.push_back({1, seed, 0.7}), many.push_back({2, seed, 0.8});
  EXPECT_TRUE(compared_with(1, many).empty());
}

TEST(Comparisons, OfScoresWithoutNoiseAreCertain) {
  const std::vector<SeedScore> trials{{1, 0, 0.7}, {1, 1, 0.8}, {2, 0, 0.7}, {2, 1, 0.8}, {3, 0, 0.75}, {3, 1, 0.85}};
  const auto compared = compared_with(1, trials);
  EXPECT_EQ(compared.at(2).p, 1);
  EXPECT_EQ(compared.at(3).p, 0);
  EXPECT_NEAR(compared.at(3).low, 0.05, 1e-12);
}

}  // namespace
}  // namespace actsearch
