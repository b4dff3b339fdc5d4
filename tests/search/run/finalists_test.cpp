#include "search/run/finalists.h"

#include <gtest/gtest.h>

#include "evaluator/data/resize.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

/// A search of 18 spellings with two seeds in a file of its own, and a plan for its three best.
class FinalistsTest : public RunsOnDatabase {
 protected:
  FinalistsTest() {
    SearchPlan search = small_plan();
    search.run.seeds = 2;
    run_search(database_, search, fake_outcome, progress_, interrupt_);
    plan_.search_text = search.run.recipe_text;
    for (const CandidateRecord& record :
         database_.top_candidates({.recipe = plan_.search_text, .top = 3, .sort = LeaderboardQuery::Sort::kLowerBound})) {
      plan_.finalists.push_back(candidate_of(record.formula));
    }
    plan_.reference = candidate_of("relu");
    plan_.fresh.recipe = search.run.recipe;
    plan_.fresh.recipe.validation_fold = 1;
    plan_.fresh.recipe_text = conditions_text(plan_.fresh.recipe, plan_.fresh.precision, "none");
    plan_.fresh.seed = 1'000;
    plan_.fresh.seeds = 3;
    plan_.full.run.checkpoints = checkpoints_;
    plan_.full.run.recipe = find_recipe("vgg16-bn");
    plan_.full.run.recipe.epochs = 2;
    plan_.full.run.recipe_text = rerun_conditions_text(plan_.full.run.recipe, Precision::kFp32, "none");
    plan_.full.run.seeds = 2;
    plan_.full_top = 2;
  }

  /// Counts trials, and gives each a little of its own that its seed and function decide, so that differences vary.
  TrialOutcome outcome(const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    ++trials_;
    TrialOutcome result = fake_outcome(candidate, recipe, options);
    if (recipe.validation_fold == 1) {
      result.score = 0.4 +
                     0.1 * evaluate_forward(candidate.program, 0.5,
                                            std::vector<double>(static_cast<std::size_t>(candidate.program.parameter_count()), 1.0)) +
                     0.001 * static_cast<double>((options.seed * candidate.program.instructions.size()) % 7);
    }
    return result;
  }
  FinalistsReport run() {
    const Evaluator evaluator = [this](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
      return outcome(candidate, recipe, options);
    };
    return run_finalists(database_, plan_, evaluator, evaluator, progress_, interrupt_);
  }
  static const FinalistRow& row_of(const FinalistsReport& report, const std::string& formula) {
    for (const FinalistRow& row : report.rows) {
      if (row.candidate.fingerprint == candidate_of(formula).fingerprint) return row;
    }
    throw std::runtime_error("no row of " + formula);
  }

  FinalistsPlan plan_;
  std::atomic<int> trials_{0};
};

TEST_F(FinalistsTest, AreScoredAgainWithTheReferenceAndTheBestOfThatTrainAtFullLength) {
  const FinalistsReport report = run();
  EXPECT_EQ(report.ending, Ending::kFinished);
  EXPECT_EQ(trials_, 4 * 3 + 3 * 2) << "three finalists and the reference with three seeds; two and the reference with two";
  ASSERT_EQ(report.rows.size(), 4u);
  int full = 0;
  for (const FinalistRow& row : report.rows) {
    ASSERT_TRUE(row.fresh);
    EXPECT_EQ(row.fresh->n, 3);
    if (row.full) ++full;
  }
  EXPECT_EQ(full, 3);
  EXPECT_TRUE(row_of(report, "relu").full) << "the reference, though it was no finalist";
  EXPECT_FALSE(row_of(report, "relu").search) << "which the search has not seen";
  EXPECT_FALSE(row_of(report, "relu").fresh_compared);
}

TEST_F(FinalistsTest, ScoresAreKeptApart) {
  const FinalistsReport report = run();
  const FinalistRow& row = row_of(report, plan_.finalists.front().formula);
  ASSERT_TRUE(row.search && row.fresh);
  EXPECT_EQ(row.search->n, 2);
  EXPECT_GT(row.search->value, row.fresh->value);
  EXPECT_EQ(database_.top_candidates({.recipe = plan_.search_text, .top = 1, .sort = LeaderboardQuery::Sort::kLowerBound})[0].formula,
            plan_.finalists.front().formula)
      << "the search's leaderboard is what it was";
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM studies WHERE kind = 'finalists'"), "1");
}

TEST_F(FinalistsTest, TheSearchStaysWhatTheLeaderboardRanksHoweverManyTrialsTheFinalistsHave) {
  plan_.fresh.seeds = 12;
  run();
  const auto done = [&](const std::string& text) {
    return std::stoi(cell(database_, "SELECT done FROM recipes WHERE text = '" + text + "'"));
  };
  ASSERT_GT(done(plan_.fresh.recipe_text), done(plan_.search_text));
  for (const auto& recipe : {std::optional<std::string>(), std::optional(plan_.fresh.recipe.name)}) {
    EXPECT_EQ(database_.ranked_recipe(recipe)->text, plan_.search_text);
  }
  EXPECT_EQ(database_.ranked_recipe(plan_.fresh.recipe_text)->text, plan_.fresh.recipe_text) << "by its whole text";
}

TEST_F(FinalistsTest, DifferencesFromTheReferenceAreCorrectedTogether) {
  const FinalistsReport report = run();
  for (const Candidate& finalist : plan_.finalists) {
    const FinalistRow& row = row_of(report, finalist.formula);
    ASSERT_TRUE(row.fresh_compared) << finalist.formula;
    EXPECT_EQ(row.fresh_compared->n, 3);
    EXPECT_NEAR(row.fresh_compared->difference, row.fresh->value - row_of(report, "relu").fresh->value, 1e-12);
    EXPECT_GE(row.fresh_compared->p, row.fresh_compared->p_alone);
  }
}

TEST_F(FinalistsTest, EarlierFinalistsCountInTheCorrection) {
  const FinalistRow among_all = row_of(run(), plan_.finalists.back().formula);
  const std::vector<Candidate> one{plan_.finalists.back()};
  plan_.finalists = one;
  const FinalistRow alone = row_of(run(), one.front().formula);
  ASSERT_TRUE(among_all.fresh_compared && alone.fresh_compared);
  EXPECT_EQ(alone.fresh_compared->p, among_all.fresh_compared->p);
}

TEST_F(FinalistsTest, TheSamePlanTrainsNothingTwice) {
  const FinalistsReport first = run();
  trials_ = 0;
  const FinalistsReport again = run();
  EXPECT_EQ(trials_, 0);
  ASSERT_EQ(again.rows.size(), first.rows.size());
  for (std::size_t i = 0; i < first.rows.size(); ++i) EXPECT_EQ(again.rows[i].candidate.formula, first.rows[i].candidate.formula);
}

TEST_F(FinalistsTest, AnInterruptShowsWhatThereIsAndTheSamePlanGoesOn) {
  const Evaluator stops = [this](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    if (trials_ == 5) interrupt_ = true;
    return outcome(candidate, recipe, options);
  };
  const FinalistsReport report = run_finalists(database_, plan_, stops, stops, progress_, interrupt_);
  EXPECT_EQ(report.ending, Ending::kInterrupted);
  EXPECT_EQ(report.rows.size(), 4u);
  for (const FinalistRow& row : report.rows) EXPECT_FALSE(row.full);
  interrupt_ = false;
  EXPECT_EQ(run().ending, Ending::kFinished);
  EXPECT_EQ(trials_, 4 * 3 + 3 * 2);
}

TEST_F(FinalistsTest, SeedsThatTheSearchHasUsedAreRefusedBeforeAnythingIsTrained) {
  plan_.fresh.seed = 1;
  try {
    run();
    FAIL() << "seed 1 is one of the search's";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("seed 1 was used by the search"), std::string::npos) << error.what();
  }
  EXPECT_EQ(trials_, 0);
}

TEST_F(FinalistsTest, AFinalistThatFailsStaysInTheTableWithItsReason) {
  const std::string bad = plan_.finalists.front().fingerprint;
  const std::size_t size = plan_.finalists.front().program.instructions.size();
  const Evaluator evaluator = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    TrialOutcome result = outcome(candidate, recipe, options);
    if (recipe.validation_fold == 1 && candidate.program.instructions.size() == size && options.seed == 1'001) {
      result.failure = Failure::kDiverged;
      result.detail = "here";
    }
    return result;
  };
  const FinalistsReport report = run_finalists(database_, plan_, evaluator, evaluator, progress_, interrupt_);
  for (const FinalistRow& row : report.rows) {
    if (row.candidate.fingerprint != bad) continue;
    EXPECT_EQ(row.failure, to_text(Failure::kDiverged));
    EXPECT_EQ(row.fresh->n, 2) << "of its other seeds";
  }
}

TEST_F(FinalistsTest, WithoutAFullLengthStageNothingIsTrainedAtFullLength) {
  plan_.full_top = 0;
  const FinalistsReport report = run();
  EXPECT_EQ(trials_, 4 * 3);
  for (const FinalistRow& row : report.rows) EXPECT_FALSE(row.full);
}

TEST(RecordedConditions, AreReadBackFromTheirTextAndRefusedForOtherData) {
  const Dataset dataset = make_synthetic(1, 2'000, 100);
  Recipe recipe = fitted(find_recipe("vgg-s"), dataset);
  recipe.epochs = 7;
  recipe.batch = 50;
  recipe.schedule.peak = 0.03;
  const std::string text = conditions_text(recipe, Precision::kBf16, dataset.source);
  const auto read = read_conditions(text, dataset);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->recipe.epochs, 7);
  EXPECT_EQ(read->recipe.batch, 50);
  EXPECT_EQ(read->recipe.schedule.peak, 0.03);
  EXPECT_EQ(conditions_text(read->recipe, read->precision, dataset.source), text);
  EXPECT_FALSE(read_conditions(text, make_synthetic(2, 2'000, 100)));
  EXPECT_FALSE(read_conditions("vgg-s of another version epochs=7", dataset));
  EXPECT_FALSE(read_conditions("", dataset));
}

TEST(RecordedConditions, AreReadBackForDataThatSuitNoOtherRecipe) {
  const Dataset dataset = resized(make_synthetic(1, 2'000, 100), 24);  // quick wants multiples of 16, vgg16-slim of 32
  const Recipe recipe = fitted(find_recipe("vgg-s"), dataset);
  EXPECT_EQ(recipe.network.image_side, 24);
  const auto read = read_conditions(conditions_text(recipe, Precision::kFp32, dataset.source), dataset);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->recipe.network.images, dataset.shape);
}

TEST(FittedRecipes, HaveATenthOfFewImagesValidateAndRefuseFewerThanTheClasses) {
  Dataset dataset = make_synthetic(1, 2'000, 100);
  dataset.name = "folder";
  EXPECT_EQ(fitted(find_recipe("vgg-s"), dataset).validation_size, 200);
  dataset.shape.classes = 201;
  EXPECT_THROW(fitted(find_recipe("vgg-s"), dataset), DataError);
  EXPECT_EQ(fitted(find_recipe("vgg16-bn"), dataset).validation_size, 0) << "nothing validates there";
}

}  // namespace
}  // namespace actsearch::testing
