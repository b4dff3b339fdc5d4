#include "search/surrogate/extra_trees.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

namespace actsearch {
namespace {

struct Samples {
  std::vector<double> rows, targets;
};

/// y = sin(3a) + b² at uniform a and b in [-1, 1]; the third feature says nothing.
Samples waves(std::size_t count, double noise) {
  std::mt19937_64 random(5);
  const auto draw = [&] { return 2 * std::generate_canonical<double, 53>(random) - 1; };
  Samples samples;
  for (std::size_t i = 0; i < count; ++i) {
    const double a = draw(), b = draw(), nothing = draw();
    samples.rows.insert(samples.rows.end(), {a, b, nothing});
    samples.targets.push_back(std::sin(3 * a) + b * b + noise * draw());
  }
  return samples;
}

TEST(ExtraTrees, LearnAFunctionOfTwoFeaturesBesideOneThatSaysNothing) {
  const Samples samples = waves(1'000, 0);
  const ExtraTrees trees(samples.rows, 3, samples.targets, 1, {.trees = 100, .tried = 3, .least_leaf = 1});
  double squares = 0;
  int count = 0;
  for (double a = -0.9; a < 0.95; a += 0.2) {
    for (double b = -0.9; b < 0.95; b += 0.2, ++count) {
      const std::vector<double> row{a, b, 0.3};
      squares += std::pow(trees.predict(row).mean - std::sin(3 * a) - b * b, 2);
    }
  }
  EXPECT_LT(std::sqrt(squares / count), 0.1) << "the targets' deviation is 0.8";
}

TEST(ExtraTrees, WithLeavesOfOneSampleTheyKnowWhatTheyHaveSeen) {
  const Samples samples = waves(50, 0);
  const ExtraTrees trees(samples.rows, 3, samples.targets, 1, {.trees = 20, .tried = 0, .least_leaf = 1});
  for (std::size_t i = 0; i < 50; ++i) {
    const TreePrediction here = trees.predict(std::span(samples.rows).subspan(3 * i, 3));
    EXPECT_NEAR(here.mean, samples.targets[i], 1e-12);
    EXPECT_NEAR(here.deviation, 0, 1e-6);
  }
}

TEST(ExtraTrees, AreLessSureBetweenSamplesThanAmongThem) {
  std::vector<double> rows, targets;
  for (double x = 0; x <= 3; x += 0.01) {
    if (x > 1 && x < 2) continue;
    rows.push_back(x);
    targets.push_back(x);
  }
  const ExtraTrees trees(rows, 1, targets, 3, {.trees = 100, .tried = 0, .least_leaf = 1});
  const auto deviation = [&](double x) { return trees.predict(std::span(&x, 1)).deviation; };
  EXPECT_GT(deviation(1.5), 10 * deviation(0.5));
  EXPECT_GT(deviation(1.5), 10 * deviation(2.5));
}

TEST(ExtraTrees, DeviateByTheNoiseOfTheirTargets) {
  std::mt19937_64 random(2);
  std::vector<double> rows, targets;
  for (int i = 0; i < 2'000; ++i) {
    rows.push_back(std::generate_canonical<double, 53>(random));
    targets.push_back(i % 2 == 0 ? 1 : -1);  // deviation 1, whatever the row
  }
  const ExtraTrees trees(rows, 1, targets, 3, {.trees = 50, .tried = 0, .least_leaf = 50});
  const double x = 0.5;
  EXPECT_NEAR(trees.predict(std::span(&x, 1)).deviation, 1, 0.05);
}

TEST(ExtraTrees, LeavesHaveAtLeastSoManySamples) {
  const std::vector<double> rows{0, 1, 2, 3, 4, 5}, targets{0, 0, 0, 6, 6, 6};
  const ExtraTrees one_leaf(rows, 1, targets, 1, {.trees = 10, .tried = 0, .least_leaf = 4});
  EXPECT_DOUBLE_EQ(one_leaf.predict(std::span(rows).first(1)).mean, 3);
  const ExtraTrees two(rows, 1, targets, 1, {.trees = 200, .tried = 0, .least_leaf = 3});
  EXPECT_LT(two.predict(std::span(rows).first(1)).mean, 3) << "a third part of the thresholds is in the middle";
}

TEST(ExtraTrees, TheSameSeedGivesTheSameTreesAndAnotherOneOthers) {
  const Samples samples = waves(100, 0.2);
  const ExtraTrees a(samples.rows, 3, samples.targets, 7), b(samples.rows, 3, samples.targets, 7), c(samples.rows, 3, samples.targets, 8);
  const std::vector<double> row{0.1, 0.2, 0.3};
  EXPECT_EQ(a.predict(row).mean, b.predict(row).mean);
  EXPECT_EQ(a.predict(row).deviation, b.predict(row).deviation);
  EXPECT_NE(a.predict(row).mean, c.predict(row).mean);
}

TEST(ExtraTrees, RefuseWhatTheyCannotLearnFrom) {
  const std::vector<double> rows{1, 2}, targets{3, 4}, none;
  const std::vector<double> infinite{1, std::numeric_limits<double>::infinity()}, nan{std::nan(""), 1};
  EXPECT_THROW(ExtraTrees(none, 1, none, 0), std::invalid_argument);
  EXPECT_THROW(ExtraTrees(rows, 0, targets, 0), std::invalid_argument);
  EXPECT_THROW(ExtraTrees(rows, 2, targets, 0), std::invalid_argument);
  EXPECT_THROW(ExtraTrees(infinite, 1, targets, 0), std::invalid_argument);
  EXPECT_THROW(ExtraTrees(rows, 1, nan, 0), std::invalid_argument);
  EXPECT_THROW(ExtraTrees(rows, 1, targets, 0).predict(rows), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
