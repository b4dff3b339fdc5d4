#include "search/run/forecast.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSteps = 100;  // an epoch

class ForecastTest : public ::testing::Test {
 protected:
  ForecastTest() {
    plan_.recipe = find_recipe("vgg-s");
    plan_.recipe.epochs = 2;
    plan_.recipe.batch = 100;
    plan_.recipe.validation_size = 0;
    plan_.jobs = 2;
  }
  /// Pauses after half an epoch and after a whole one, half of the trials each: a function trains 0.5 + 0.25 + 0.25 epochs on average.
  void race() { plan_.racing = Racing{{{0, 50}, {1, 0}}, kSteps, 2}; }
  std::string lines(int references = 0, bool scored_before = false) const {
    std::string text;
    const Seconds step = 100ms;
    for (const std::string& line :
         forecast_lines(plan_, forecast(plan_, kSteps, step, references), step, kImages, references, scored_before)) {
      text += line + "\n";
    }
    return text;
  }

  static constexpr std::size_t kImages = 50'000;
  RunPlan plan_;
};

TEST_F(ForecastTest, ATrialIsItsStepsAndAThirdOfThatForEachImageThatValidates) {
  EXPECT_DOUBLE_EQ(forecast(plan_, kSteps, 100ms, 0).trial.count(), 20);
  plan_.recipe.validation_size = 3'000;  // as long as ten steps
  EXPECT_DOUBLE_EQ(forecast(plan_, kSteps, 100ms, 0).trial.count(), 22);
}

TEST_F(ForecastTest, ABudgetScoresWholeTrialsOfEachJob) {
  plan_.budget.time = 70s;
  const Forecast expected = forecast(plan_, kSteps, 100ms, 0);
  EXPECT_EQ(expected.scored, 6) << "three of 20 s each, twice";
  EXPECT_EQ(expected.judged, 6);
  EXPECT_EQ(expected.first_score, 20s);
  plan_.budget.trials = 4;
  EXPECT_EQ(forecast(plan_, kSteps, 100ms, 0).scored, 4);
  plan_.budget.time.reset();
  EXPECT_FALSE(forecast(plan_, kSteps, 100ms, 0).scored);
  EXPECT_EQ(forecast(plan_, kSteps, 100ms, 0).run, 40s);
}

TEST_F(ForecastTest, ARaceJudgesMoreThanItScoresAndItsReferencesTakeOneJob) {
  race();
  plan_.budget.time = 200s;  // 400 s of two jobs, 10 s a function
  Forecast expected = forecast(plan_, kSteps, 100ms, 0);
  EXPECT_EQ(expected.judged, 40);
  EXPECT_EQ(expected.scored, 10);
  EXPECT_GT(expected.first_score, 0s);
  expected = forecast(plan_, kSteps, 100ms, 3);  // 60 s of them for the references
  EXPECT_EQ(expected.judged, 3 + 34);
  EXPECT_EQ(expected.scored, 3 + 8);
  EXPECT_EQ(expected.first_score, 20s) << "the first reference's";
  plan_.budget.time = 30s;
  expected = forecast(plan_, kSteps, 100ms, 3);
  EXPECT_EQ(expected.scored, 1) << "no more than one reference ends in that time, and nobody else";
}

TEST_F(ForecastTest, SaysWhatATrialTakesAndWhenTheFirstScoreIsDue) {
  EXPECT_EQ(lines(), "forecast: a trial takes about 20s here (0.100s a step, 2 at once); the first score is due in about 20s\n");
  EXPECT_EQ(lines(0, true), "forecast: a trial takes about 20s here (0.100s a step, 2 at once)\n");
  plan_.budget.trials = 40;
  EXPECT_NE(lines().find("forecast: the 40 trials take about 6m40s\n"), std::string::npos) << lines();
}

TEST_F(ForecastTest, WhereTheBudgetScoresTooFewItSaysWhatWouldScoreMore) {
  plan_.budget.time = 70s;
  const std::string few = lines();
  EXPECT_NE(few.find("forecast: 1m10s scores about 6 trials\n"), std::string::npos) << few;
  EXPECT_NE(few.find("--racing"), std::string::npos) << few;
  EXPECT_NE(few.find("--budget-time 2m (about 12 scores)"), std::string::npos) << few;
  EXPECT_NE(few.find("goes on when the same command is run again"), std::string::npos) << few;
  plan_.budget.time = 1h;
  EXPECT_EQ(lines().find("few"), std::string::npos) << lines();
  plan_.budget.time = 70s;
  plan_.budget.trials = 2;
  EXPECT_EQ(lines().find("few"), std::string::npos) << "no more were wanted: " << lines();
}

TEST_F(ForecastTest, ACheaperRecipeOfTheTableIsNamedAndNoneToWhoHasTheCheapest) {
  plan_.recipe = find_recipe("vgg-m");
  plan_.budget.time = 60s;
  const std::string dear = lines();
  const std::size_t at = dear.find("--recipe ");
  ASSERT_NE(at, std::string::npos) << dear;
  const std::string named = dear.substr(at + 9, dear.find(' ', at + 9) - at - 9);
  plan_.recipe = find_recipe(named);
  EXPECT_EQ(lines().find("--recipe "), std::string::npos) << lines();
}

TEST_F(ForecastTest, ARaceSaysWhatItJudgesAndDoesNotSuggestToRace) {
  race();
  plan_.budget.time = 100s;
  const std::string text = lines(3);
  EXPECT_NE(text.find("forecast: 1m40s judges about 17 functions and scores about 6 of them to the end\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("--racing"), std::string::npos) << text;
}

TEST_F(ForecastTest, StepsAreTimedWithAllJobsAtWorkAndWithoutTheFirst) {
  plan_.jobs = 3;
  std::atomic<int> at_work{0}, together{0};
  const std::atomic<bool> interrupt{false};
  const Evaluator evaluator = [&](const Candidate&, const Recipe&, const TrialOptions& options) {
    EXPECT_TRUE(options.checkpoint.empty());
    together = std::max(together.load(), ++at_work);
    TrialOutcome outcome;
    options.on_progress({}, kSteps);
    std::this_thread::sleep_for(200ms);  // the first step
    for (int step = 1; step <= kSteps && !*options.stop; ++step) {
      options.on_progress({0, step}, kSteps);
      std::this_thread::sleep_for(20ms);
    }
    --at_work;
    outcome.interrupted = true;
    return outcome;
  };
  const auto step = timed_step(evaluator, plan_, interrupt);
  ASSERT_TRUE(step);
  EXPECT_GE(*step, 20ms);
  EXPECT_LT(*step, 150ms) << "the first step is in it";
  EXPECT_EQ(together, 3);
}

TEST_F(ForecastTest, ThereIsNoneOfAnEvaluatorThatTellsNothingOrFailsNorAfterAnInterrupt) {
  std::atomic<bool> interrupt{false};
  EXPECT_FALSE(timed_step(fake_outcome, plan_, interrupt));
  const Evaluator failing = [](const Candidate&, const Recipe&, const TrialOptions&) -> TrialOutcome {
    throw std::runtime_error("no device");
  };
  EXPECT_FALSE(timed_step(failing, plan_, interrupt));
  interrupt = true;
  const Evaluator endless = [](const Candidate&, const Recipe&, const TrialOptions& options) {
    for (int step = 0; !*options.stop; ++step) options.on_progress({0, step}, kSteps);
    return TrialOutcome{};
  };
  EXPECT_FALSE(timed_step(endless, plan_, interrupt));
}

}  // namespace
}  // namespace actsearch::testing
