#include "search/run/known_spread.h"

#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

constexpr const char* kRealData = "CIFAR-10, MD5 of the six files 00";

TEST(KnownSpread, IsOfTheDefaultProxyOnRealImagesInEitherPrecision) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const auto known = known_spread(conditions_text(find_recipe("vgg16-slim"), precision, kRealData));
    ASSERT_TRUE(known);
    EXPECT_EQ(known->deviation(), 0.0045);
    EXPECT_NEAR(known->margin(1), 2.0244 * 0.0045, 1e-6);
    const std::string line = spread_line(*known);
    EXPECT_NE(line.find("0.45 points (docs/results/proxy-noise.md)"), std::string::npos) << line;
  }
}

TEST(KnownSpread, OfALossIsNotThatOfAnAccuracy) {
  Recipe recipe = find_recipe("vgg16-slim");
  recipe.score = ScoreMeasure::kValidationLoss;
  const std::string conditions = conditions_text(recipe, Precision::kBf16, kRealData);
  const auto known = known_spread(conditions);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->deviation(), 0.0082);
  const std::string line = spread_line(*known, score_scale(conditions));
  EXPECT_NE(line.find("0.0082 (docs/results/truer-score.md)"), std::string::npos) << line;
  recipe = find_recipe("quick");
  recipe.score = ScoreMeasure::kValidationLoss;
  EXPECT_FALSE(known_spread(conditions_text(recipe, Precision::kBf16, kRealData)));
}

TEST(KnownSpread, TheQuickFidelityHasItsOwn) {
  const auto known = known_spread(conditions_text(find_recipe("quick"), Precision::kFp32, kRealData));
  ASSERT_TRUE(known);
  EXPECT_NE(spread_line(*known).find("0.56 points (docs/results/quick.md)"), std::string::npos);
}

TEST(KnownSpread, IsNotThatOfOtherConditions) {
  Recipe longer = find_recipe("vgg16-slim"), fold = longer;
  longer.epochs = 10;
  fold.validation_fold = 1;
  EXPECT_FALSE(known_spread(conditions_text(longer, Precision::kFp32, kRealData)));
  EXPECT_FALSE(known_spread(conditions_text(fold, Precision::kFp32, kRealData)));
  EXPECT_FALSE(known_spread(conditions_text(find_recipe("vgg-s"), Precision::kFp32, kRealData)));
  EXPECT_FALSE(known_spread(conditions_text(find_recipe("vgg16-slim"), Precision::kFp32, "synthetic images")));
}

TEST(KnownSpread, ThePageThatARecipeNamesIsThere) {
  for (const Recipe& recipe : recipes()) {
    for (const auto& measured : {recipe.seed_spread, recipe.loss_spread}) {
      if (!measured) continue;
      EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / measured->source)) << recipe.name;
      EXPECT_GE(measured->degrees, 10) << recipe.name;
    }
  }
}

}  // namespace
}  // namespace actsearch::testing
