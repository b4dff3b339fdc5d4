#include "search/report/agreement.h"

#include <gtest/gtest.h>

#include "db/sqlite/store.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

/// Five functions under a truth and two proxies: one that agrees but for its last two, one that turns everything round.
class AgreementTest : public ::testing::Test {
 protected:
  void add(const std::string& recipe, const std::string& formula, std::uint64_t seed, std::optional<double> accuracy) {
    const Id candidate = database_.candidate({formula, formula, "", 0});
    const Id text = database_.recipe(recipe, recipe + " epochs=3");
    Claim claim;
    ASSERT_EQ(database_.claim(study_, candidate, text, seed, std::chrono::seconds(60), &claim), ClaimState::kClaimed);
    TrialRecord record;
    record.seconds = 2;
    record.beta = "[]";
    if (accuracy) {
      record.validation_accuracy = accuracy;
    } else {
      record.failure = "diverged";
    }
    ASSERT_TRUE(database_.finish(claim.trial, record, {}));
  }
  void SetUp() override {
    const std::vector<std::string> formulas{"a", "b", "c", "d", "e"};
    for (std::size_t i = 0; i < formulas.size(); ++i) {
      const double score = 0.9 - 0.1 * static_cast<double>(i);
      for (const std::uint64_t seed : {0u, 1u}) add("truth", formulas[i], seed, score + (seed == 0 ? 0.01 : -0.01));
      add("good", formulas[i], 0, i == 4 ? 0.35 : i == 3 ? 0.3 : score - 0.3);
      add("turned", formulas[i], 0, i == 0 ? std::nullopt : std::optional(1 - score));
    }
    add("small", "a", 0, 0.5);
  }

  TemporaryDirectory directory_;
  SqliteStore database_{directory_.path() / "panel.db", Store::Access::kCreate};
  Id study_ = database_.study(
      {.kind = "search", .space = "", .strategy = "", .seed = 0, .recipe = "", .data = "", .conditions = "", .commit = "", .machine = ""});
};

TEST_F(AgreementTest, RanksRecipesByTheirCorrelationWithTheTruth) {
  const auto rows = agreements(database_, "truth", 2);
  ASSERT_EQ(rows.size(), 2u) << "one recipe shares too few functions";
  EXPECT_EQ(rows[0].recipe, "good epochs=3");
  ASSERT_TRUE(rows[0].rank);
  EXPECT_NEAR(rows[0].rank->rho, 0.9, 1e-12) << "one exchange of neighbours among five: 1 - 6·2/120";
  EXPECT_EQ(rows[0].top, 2);
  EXPECT_EQ(rows[0].top_shared, 2);
  EXPECT_EQ(rows[0].functions, 5);
  EXPECT_NEAR(rows[0].seconds, 2, 1e-12);
  EXPECT_NEAR(rows[1].rank->rho, -1, 1e-12) << "what failed counts as the worst";
  EXPECT_EQ(rows[1].top_shared, 0);
}

TEST_F(AgreementTest, AWholeTextIsATruthToo) { EXPECT_EQ(agreements(database_, "good epochs=3", 1).front().recipe, "truth epochs=3"); }

TEST_F(AgreementTest, APanelThatIsTooSmallIsRefusedWithWhatItNeeds) {
  const auto refusal = [&](const std::string& truth, int top) {
    try {
      agreements(database_, truth, top);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  EXPECT_NE(refusal("small", 1).find("has tried 1 function, and the comparison needs at least 5"), std::string::npos)
      << refusal("small", 1);
  EXPECT_NE(refusal("truth", 6).find("at least 6"), std::string::npos) << refusal("truth", 6);
  EXPECT_NE(refusal("nothing", 1).find("no finished trials under recipe nothing"), std::string::npos);
}

TEST_F(AgreementTest, ARecipeThatSharesFewerFunctionsThanTheBestAskedForIsLeftOut) {
  for (const char* const formula : {"f", "g"}) add("truth", formula, 0, 0.1);
  EXPECT_EQ(agreements(database_, "truth", 5).size(), 2u);
  EXPECT_THROW(agreements(database_, "truth", 6), std::invalid_argument) << "the best six of five are all of them, which says nothing";
  for (const char* const formula : {"f", "g"}) add("good", formula, 0, 0.1);
  ASSERT_EQ(agreements(database_, "truth", 6).size(), 1u);
  EXPECT_EQ(agreements(database_, "truth", 6).front().top, 6);
}

TEST(RankCorrelations, AreSpearmansWithTiesAtTheirMeanRank) {
  const std::vector<double> a{1, 2, 2, 4, 5, 6}, b{1, 3, 2, 4, 6, 5};
  const auto found = rank_correlation(a, b);
  ASSERT_TRUE(found);
  // Ranks 1, 2.5, 2.5, 4, 5, 6 and 1, 3, 2, 4, 6, 5: Pearson's r of them is 16 / √(17 · 17.5).
  EXPECT_NEAR(found->rho, 16 / std::sqrt(17 * 17.5), 1e-12);
  EXPECT_LT(found->low, found->rho);
  EXPECT_GT(found->high, found->rho);
  EXPECT_LE(found->high, 1);
  EXPECT_FALSE(rank_correlation(std::vector<double>{1, 1, 1}, std::vector<double>{1, 2, 3}));
  EXPECT_THROW(rank_correlation(a, std::vector<double>{1}), std::invalid_argument);
  const auto few = rank_correlation(std::vector<double>{1, 2, 3}, std::vector<double>{1, 2, 3});
  EXPECT_EQ(few->low, -1) << "three pairs say nothing";
}

}  // namespace
}  // namespace actsearch::testing
