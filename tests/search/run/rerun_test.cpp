#include "search/run/rerun.h"

#include <gtest/gtest.h>

#include "grammar/notation.h"
#include "search/run/study.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

Candidate candidate(const std::string& formula) { return std::get<Candidate>(consider(parse(formula))); }

class RerunTest : public RunsOnDatabase {
 protected:
  RerunTest() {
    plan_.run.checkpoints = checkpoints_;
    plan_.run.recipe = find_recipe("vgg16-bn");
    plan_.run.recipe.epochs = 6;
    plan_.run.recipe_text = rerun_conditions_text(plan_.run.recipe, Precision::kFp32, "none");
    plan_.candidates = {candidate("relu"), candidate("swish")};
  }
  RerunReport run(const Evaluator& evaluator) { return run_reruns(database_, plan_, evaluator, progress_, interrupt_); }

  RerunPlan plan_;
};

TEST_F(RerunTest, ReportsTestAccuracyBestAndFinal) {
  plan_.run.seeds = 2;
  const RerunReport report = run(fake_outcome);
  EXPECT_EQ(report.run.done, 4);
  ASSERT_EQ(report.results.rows.size(), 4u);
  const auto& row = report.results.rows[0];  // epochs end low, high, low, high, low, high
  EXPECT_EQ(row[1], "relu");
  EXPECT_EQ(row[3], "done");
  EXPECT_EQ(row[4], "6");
  EXPECT_EQ(report.results.columns[5], "best test accuracy %");
  EXPECT_NEAR(std::stod(*row[5]), 100 * (0.5 + 0.1 * std::tanh(1.0)), 1e-7);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM epochs WHERE test_accuracy IS NOT NULL AND validation_accuracy IS NULL"), "24");
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE validation_accuracy IS NULL AND best_test_accuracy >= final_test_accuracy"),
            "4");
}

TEST_F(RerunTest, EpochsAreInTheDatabaseAsTheyFinish) {
  int seen = 0;
  run([&](const Candidate& candidate, const Recipe& recipe, TrialOptions options) {
    const auto tell = options.on_epoch;
    options.on_epoch = [&](const EpochMetrics& epoch) {
      tell(epoch);
      const std::string stored =
          cell(database_, "SELECT count(*) FROM epochs e JOIN trials t ON t.trial = e.trial WHERE t.status = 'running'");
      EXPECT_EQ(stored, std::to_string(epoch.epoch + 1));
      ++seen;
    };
    return fake_outcome(candidate, recipe, options);
  });
  EXPECT_EQ(seen, 12);
}

TEST_F(RerunTest, GoesOnAfterAnInterruptFromTheSameCheckpointAndRemovesItAtTheEnd) {
  std::filesystem::path checkpoint;
  const Evaluator interrupted = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    checkpoint = options.checkpoint;
    std::ofstream(checkpoint) << "state";
    Recipe half = recipe;
    half.epochs = 3;
    TrialOutcome outcome = fake_outcome(candidate, half, options);
    outcome.interrupted = true;
    interrupt_ = true;
    return outcome;
  };
  RerunReport report = run(interrupted);
  EXPECT_EQ(report.run.ending, Ending::kInterrupted);
  EXPECT_EQ(report.run.done, 0);
  EXPECT_EQ(checkpoint.parent_path(), checkpoints_);
  EXPECT_TRUE(std::filesystem::exists(checkpoint));
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM epochs"), "3") << "finished epochs stay visible";

  interrupt_ = false;
  bool found = false;
  report = run([&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    found = found || std::filesystem::exists(options.checkpoint);
    return fake_outcome(candidate, recipe, options);
  });
  EXPECT_TRUE(found);
  EXPECT_EQ(report.run.done, 2);
  EXPECT_FALSE(std::filesystem::exists(checkpoints_));
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE status = 'done' AND epochs = 6"), "2");
}

TEST_F(RerunTest, DoneRunsAreReportedAndNotRepeated) {
  run(fake_outcome);
  const RerunReport again =
      run([](const Candidate&, const Recipe&, const TrialOptions&) -> TrialOutcome { throw std::logic_error("trained again"); });
  EXPECT_EQ(again.run.done, 0);
  EXPECT_EQ(again.results.rows.size(), 2u);
}

TEST_F(RerunTest, ItsTrialsAreApartFromThoseOfASearch) {
  const Recipe& recipe = find_recipe("vgg-s");
  EXPECT_NE(rerun_conditions_text(recipe, Precision::kFp32, "none"), conditions_text(recipe, Precision::kFp32, "none"));
}

}  // namespace
}  // namespace actsearch::testing
