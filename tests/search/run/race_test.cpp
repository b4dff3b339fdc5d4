#include "search/run/race.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "db/sqlite/connection.h"
#include "db/sqlite/schema.h"
#include "search/run/funnel.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

// x+x, x+s, x+t, s+s, s+t, t+t and the same products.
constexpr int kFunctions = 12;
constexpr std::int64_t kEpochSteps = 10;  // an epoch
constexpr int kEpochs = 4;                // a trial

/// A stand-in for training with pauses: its checkpoint holds the point alone. The training loss falls with the function's value at 1, so
/// the best of the small space are known.
struct Racer {
  double seconds_per_epoch = 0.001;

  TrialOutcome operator()(const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) const {
    const double y =
        evaluate_forward(candidate.program, 1.0, std::vector<double>(static_cast<std::size_t>(candidate.program.parameter_count()), 1.0));
    TrialOutcome outcome;
    if (std::ifstream checkpoint(options.checkpoint); checkpoint) checkpoint >> outcome.begun.epochs >> outcome.begun.steps;
    const TrainingPoint end = std::max(options.pause_after.value_or(TrainingPoint{recipe.epochs, 0}), outcome.begun);
    for (int epoch = 0; epoch < end.epochs; ++epoch) {
      EpochMetrics metrics;
      metrics.epoch = epoch;
      metrics.train_loss = 10 - y - 0.1 * epoch;
      metrics.validation_accuracy = 0.1 + 0.1 * y;
      outcome.epochs.push_back(metrics);
      if (epoch >= outcome.begun.epochs && options.on_epoch) options.on_epoch(metrics);
    }
    outcome.paused = end < TrainingPoint{recipe.epochs, 0};
    if (end.steps > 0) {
      outcome.partial = PartialEpoch{
          .epoch = end.epochs, .steps = end.steps, .epoch_steps = kEpochSteps, .train_loss = 10 - y, .train_accuracy = 0, .seconds = 0};
    }
    if (!outcome.epochs.empty()) outcome.score = outcome.epochs.back().validation_accuracy;
    outcome.seconds_before = seconds_per_epoch * epochs(outcome.begun);
    outcome.seconds = seconds_per_epoch * epochs(end);
    if (!options.checkpoint.empty()) {
      std::filesystem::create_directories(options.checkpoint.parent_path());
      std::ofstream(options.checkpoint) << end.epochs << ' ' << end.steps;
    }
    return outcome;
  }
  static double epochs(const TrainingPoint& point) { return point.epochs + static_cast<double>(point.steps) / kEpochSteps; }
};

class RaceTest : public RunsOnDatabase {
 protected:
  SearchPlan plan(std::vector<TrainingPoint> rungs, double eta) const {
    SearchPlan plan = small_plan();
    plan.run.racing = Racing{std::move(rungs), kEpochSteps, eta};
    plan.run.checkpoints = directory_.path() / "checkpoints";
    return plan;
  }
  SearchReport run(const SearchPlan& plan, const Evaluator& evaluator = Racer{}) {
    return run_search(database_, plan, evaluator, progress_, interrupt_);
  }
  int number(const std::string& sql) const { return std::stoi(cell(database_, sql)); }
  int count(const std::string& table, const std::string& where = "1") const {
    return number("SELECT count(*) FROM " + table + " WHERE " + where);
  }
};

TEST_F(RaceTest, TheBestOfThoseThatReachARungGoOn) {
  const SearchReport report = run(plan({{1, 0}, {2, 0}}, 3));
  EXPECT_EQ(report.run.ending, Ending::kFinished);
  // 12 come to the first rung; of all seen by then a third goes on, and of those a third again to the end. Who is promoted early may turn
  // out not to be among the best, so there may be a few more.
  EXPECT_EQ(count("study_trials"), kFunctions);
  EXPECT_GE(report.run.done, 1);
  EXPECT_LE(report.run.done, 4);
  EXPECT_EQ(count("trials", "status = 'running'"), 0);
  EXPECT_EQ(number("SELECT count(DISTINCT trial) FROM epochs"), kFunctions);
  const int at_second = count("epochs", "epoch = 1");
  EXPECT_GE(at_second, 4);
  EXPECT_LE(at_second, 8);
  EXPECT_EQ(cell(database_, "SELECT formula FROM leaderboard ORDER BY mean DESC LIMIT 1"), "x + x") << "the best of all came through";
  EXPECT_LT(report.run.epochs, kEpochs * kFunctions / 2) << "for less than half of the epochs";
}

TEST_F(RaceTest, RungsMayLieInsideEpochs) {
  const SearchReport report = run(plan({{0, 2}, {1, 5}}, 3));
  EXPECT_EQ(count("pauses", "epoch = 0 AND step = 2 AND epoch_steps = 10"), kFunctions);
  const int at_second = count("pauses", "epoch = 1 AND step = 5 AND epochs = 1.5");
  EXPECT_GE(at_second, 4);
  EXPECT_LE(at_second, 8);
  EXPECT_EQ(count("epochs", "epoch = 0"), at_second) << "an epoch that is not whole is none";
  EXPECT_EQ(cell(database_, "SELECT formula FROM leaderboard ORDER BY mean DESC LIMIT 1"), "x + x");
  EXPECT_EQ(count("epochs", "epoch = 3"), report.run.done);
  EXPECT_NEAR(report.run.epochs, 0.2 * kFunctions + 1.3 * at_second + 2.5 * static_cast<double>(report.run.done), 1e-9);
  EXPECT_EQ(report.run.paused, kFunctions + at_second);
}

TEST_F(RaceTest, ItsFunnelCountsEachTrialOnceAtEachRung) {
  const SearchReport report = run(plan({{0, 5}, {2, 0}}, 3));
  const Id recipe = database_.recipe("vgg-s", small_plan().run.recipe_text);
  const std::vector<FunnelStage> stages = race_funnel(database_, report.study, recipe);
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].epochs, 0.5);
  EXPECT_EQ(stages[1].epochs, 2);
  EXPECT_EQ(stages[2].epochs, 0) << "the end";
  EXPECT_EQ(stages[0].entered, kFunctions);
  EXPECT_EQ(stages[0].judged, kFunctions);
  EXPECT_GE(stages[0].went_on, 4);
  EXPECT_EQ(stages[1].entered, stages[0].went_on);
  EXPECT_EQ(stages[1].judged, count("epochs", "epoch = 1"));
  EXPECT_EQ(stages[2].entered, stages[1].went_on);
  EXPECT_EQ(stages[2].judged, report.run.done);
  EXPECT_EQ(stages[0].stopped + stages[1].stopped, count("paused"));
  for (const FunnelStage& stage : stages) EXPECT_EQ(stage.entered, stage.judged + stage.failed + stage.under_way);
}

TEST_F(RaceTest, ItsFunnelTellsWhoFailedAndWhoIsUnderWay) {
  const SearchPlan plan = this->plan({{0, 5}, {2, 0}}, 1e6);  // nobody goes on
  const SearchReport report = run(plan);
  {
    sqlite::Connection raw(file_, sqlite::Connection::Mode::kCreate, 1s);
    raw.execute(
        "UPDATE trial SET status = 'failed' WHERE id = 1;"                                     // behind the first rung
        "UPDATE trial SET status = 'failed' WHERE id = 2; DELETE FROM pause WHERE trial = 2;"  // before it
        "UPDATE trial SET status = 'running' WHERE id = 3;");                                  // behind it
  }
  const auto stages = race_funnel(database_, report.study, database_.recipe("vgg-s", plan.run.recipe_text));
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].failed, 1);
  EXPECT_EQ(stages[0].judged, kFunctions - 1);
  EXPECT_EQ(stages[0].stopped, kFunctions - 3);
  EXPECT_EQ(stages[0].went_on, 2);
  EXPECT_EQ(stages[1].entered, 2);
  EXPECT_EQ(stages[1].failed, 1);
  EXPECT_EQ(stages[1].under_way, 1);
  EXPECT_EQ(stages[1].judged, 0);
  EXPECT_EQ(stages[2].entered, 0);
}

TEST_F(RaceTest, AStudyThatIsNoRaceHasNoFunnel) {
  const SearchReport report = run_search(database_, small_plan(), fake_outcome, progress_, interrupt_);
  EXPECT_TRUE(race_funnel(database_, report.study, 1).empty());
  EXPECT_TRUE(race_funnel(database_, report.study + 1, 1).empty());
  EXPECT_TRUE(read_rungs(R"({"racing":{"rungs":["1",[1],[1,"2"],{}]}})").empty()) << "what no version writes";
  EXPECT_EQ(read_rungs(R"({"racing":{"rungs":[[0,5],2]}})"), (std::vector<TrainingPoint>{{0, 5}, {2, 0}}));
}

TEST_F(RaceTest, RungsAndEtaArePartOfWhatTheStudyIs) {
  SearchPlan plan = this->plan({{0, 2}, {1, 0}, {1, 5}}, 3);
  plan.run.jobs = 1;
  plan.run.budget.trials = 1;
  const Id study = run(plan).study;
  EXPECT_EQ(cell(database_, "SELECT json_extract(conditions, '$.racing') FROM studies"), R"({"rungs":[[0,2],1,[1,5]],"eta":3.0})");
  EXPECT_EQ(run(plan).study, study);
  plan.run.racing->eta = 4;
  EXPECT_NE(run(plan).study, study);
}

/// A training whose losses say nothing of its end, which follows from the function.
TrialOutcome with_losses_that_say_nothing(const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
  TrialOutcome outcome = Racer{}(candidate, recipe, options);
  const double loss = 1 + static_cast<double>(std::hash<std::string>()(candidate.formula + std::to_string(options.seed)) % 1000) / 1000;
  for (EpochMetrics& epoch : outcome.epochs) epoch.train_loss = loss;
  if (outcome.partial) outcome.partial->train_loss = loss;
  return outcome;
}

TEST_F(RaceTest, ByPredictionsTheFunctionsThatEndWellGoOnThoughTheirLossesDoNotTell) {
  std::map<PromoteBy, double> mean;
  for (const PromoteBy promote_by : {PromoteBy::kLoss, PromoteBy::kPrediction}) {
    SearchPlan plan = this->plan({{0, 2}, {2, 0}}, 2);
    plan.run.racing->promote_by = promote_by;
    plan.run.seeds = 20;
    plan.run.jobs = 1;
    plan.run.recipe_text += promote_by == PromoteBy::kLoss ? " by loss" : " by prediction";
    const SearchReport report = run(plan, with_losses_that_say_nothing);
    EXPECT_EQ(report.run.ending, Ending::kFinished);
    const std::string of =
        " FROM trials WHERE status = 'done' AND recipe_id = (SELECT recipe_id FROM recipes WHERE text = '" + plan.run.recipe_text + "')";
    ASSERT_GT(number("SELECT count(*)" + of), 3 * static_cast<int>(kEndsToLearnFrom));
    if (promote_by == PromoteBy::kPrediction) {
      EXPECT_LE(number("SELECT count(*)" + of), kFunctions * plan.run.seeds / 4) << "no more than eta lets go on";
    }
    // Those that ended after the model had learned.
    mean[promote_by] =
        std::stod(cell(database_, "SELECT avg(accuracy) FROM (SELECT accuracy" + of + " ORDER BY finished, trial LIMIT -1 OFFSET " +
                                      std::to_string(kEndsToLearnFrom) + ")"));
  }
  EXPECT_GT(mean[PromoteBy::kPrediction], mean[PromoteBy::kLoss] + 0.03);
}

TEST_F(RaceTest, ByPredictionsARaceThatIsCutOffGoesOnAsItWouldHave) {
  std::vector<std::string> ends;
  for (const bool cut_off : {false, true}) {
    SearchPlan plan = this->plan({{0, 2}, {2, 0}}, 2);
    plan.run.racing->promote_by = PromoteBy::kPrediction;
    plan.run.seeds = 12;
    plan.run.jobs = 1;
    plan.run.recipe_text += cut_off ? " cut off" : " at once";
    if (cut_off) {
      plan.run.budget.trials = 21;
      EXPECT_EQ(run(plan, with_losses_that_say_nothing).run.ending, Ending::kBudget);
      plan.run.budget = {};
    }
    EXPECT_EQ(run(plan, with_losses_that_say_nothing).run.ending, Ending::kFinished);
    ends.push_back(cell(database_,
                        "SELECT group_concat(formula || ' ' || seed, ', ') FROM (SELECT formula, seed FROM trials WHERE status ="
                        " 'done' AND recipe_id = (SELECT recipe_id FROM recipes WHERE text = '" +
                            plan.run.recipe_text + "') ORDER BY finished, trial)"));
  }
  EXPECT_GT(ends[0].size(), 300u);
  EXPECT_EQ(ends[0], ends[1]);
}

TEST_F(RaceTest, ByPredictionsWhatEndedBeforeTheRaceTakesNoPlaceInIt) {
  SearchPlan plan = small_plan();
  plan.run.seeds = 3;
  EXPECT_EQ(run(plan, with_losses_that_say_nothing).run.done, 3 * kFunctions);
  plan = this->plan({{1, 0}}, 2);
  plan.run.racing->promote_by = PromoteBy::kPrediction;
  plan.run.seeds = 6;
  const SearchReport report = run(plan, with_losses_that_say_nothing);
  EXPECT_EQ(report.run.paused, 3 * kFunctions);
  EXPECT_GE(report.run.done, 3 * kFunctions / 2 - 2) << "half of those that came to the rung in this race";
  EXPECT_LE(report.run.done, 3 * kFunctions / 2);
}

TEST_F(RaceTest, ByPredictionsReferencesTakeNoPlaceOfOthers) {
  SearchPlan plan = this->plan({{0, 2}}, 2);
  plan.run.racing->promote_by = PromoteBy::kPrediction;
  plan.baselines = true;
  plan.run.seeds = 4;
  run(plan, with_losses_that_say_nothing);
  const std::string others = "name NOT IN ('relu', 'swish', 'swish1')";
  EXPECT_EQ(count("trials", "status = 'done' AND NOT " + others), 3 * plan.run.seeds) << "they all come to the end";
  const int judged = count("pauses", others);
  EXPECT_GE(judged, kFunctions * plan.run.seeds);
  EXPECT_GE(count("trials", "status = 'done' AND " + others), judged / 2 - 2);
}

TEST_F(RaceTest, ByPredictionsATrialCutOffBetweenTwoRungsGoesOnWithoutAnotherPlace) {
  SearchPlan plan = this->plan({{0, 2}, {2, 0}}, 2);
  plan.run.racing->promote_by = PromoteBy::kPrediction;
  plan.run.seeds = 8;
  plan.run.jobs = 1;
  int ended = 0;
  const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, TrialOptions options) {
    const bool cut_off = ended >= static_cast<int>(kEndsToLearnFrom) && options.pause_after == TrainingPoint{2, 0};
    if (cut_off) options.pause_after = TrainingPoint{1, 3};
    TrialOutcome outcome = with_losses_that_say_nothing(candidate, recipe, options);
    ended += outcome.paused ? 0 : 1;
    if (cut_off) {
      outcome.paused = false;
      outcome.interrupted = interrupt_ = true;
    }
    return outcome;
  });
  interrupt_ = false;
  ASSERT_EQ(count("trials", "status = 'released' AND trial NOT IN (SELECT trial FROM pauses WHERE epoch = 1)"),
            count("trials", "status = 'released'"));
  Race race(database_, report.study, database_.recipe(plan.run.recipe.name, plan.run.recipe_text), *plan.run.racing, kEpochs);
  const auto promotions = race.promotions();
  int cut_off = 0;
  for (const Race::Promotion& one : promotions) {
    if (one.stretch.from != TrainingPoint{1, 3}) continue;
    ++cut_off;
    EXPECT_EQ(one.stretch.to, (TrainingPoint{2, 0}));
  }
  EXPECT_EQ(cut_off, 1) << "another process would take it up";
  EXPECT_EQ(run(plan, with_losses_that_say_nothing).run.ending, Ending::kFinished);
  EXPECT_LE(count("trials", "status = 'done'"), kFunctions * plan.run.seeds / 4 + static_cast<int>(kEndsToLearnFrom));
  EXPECT_EQ(count("trials", "status = 'running'"), 0);
}

TEST_F(RaceTest, WhereNobodyHasChosenItPromotesAsTheFilesRaceDoes) {
  SearchPlan plan = this->plan({{0, 2}}, 7);
  plan.run.jobs = 1;
  plan.run.budget.trials = 1;
  const auto settled = [&](const RaceChoice& choice) {
    SearchPlan asked = plan;
    settle_race(database_, choice, asked);
    return std::pair(asked.run.racing->promote_by, asked.run.racing->eta);
  };
  const auto by_loss = std::pair(PromoteBy::kLoss, 2.2), by_prediction = std::pair(PromoteBy::kPrediction, 2.0);
  EXPECT_EQ(settled({}), by_prediction);
  EXPECT_EQ(settled({.promote_by = PromoteBy::kLoss}), by_loss);
  EXPECT_EQ(settled({.eta = 3}), std::pair(PromoteBy::kPrediction, 3.0));

  settle_race(database_, {.promote_by = PromoteBy::kLoss}, plan);
  run(plan);
  EXPECT_EQ(settled({}), by_loss) << "as before there were predictions";
  EXPECT_EQ(settled({.eta = 3}), std::pair(PromoteBy::kPrediction, 3.0)) << "another study";
  EXPECT_EQ(settled({.promote_by = PromoteBy::kPrediction}), by_prediction);
  settle_race(database_, {.promote_by = PromoteBy::kPrediction}, plan);
  const SearchReport report = run(plan);
  EXPECT_EQ(settled({}), by_prediction) << "the file has both";
  const auto conditions = database_.reads().conditions(report.study);
  ASSERT_TRUE(conditions.has_value());
  EXPECT_EQ(read_racing(*conditions)->promote_by, PromoteBy::kPrediction);
}

TEST_F(RaceTest, ARaceIsNotGoneOnWithByAnotherVersionOfTheModel) {
  SearchPlan plan = this->plan({{0, 2}}, 3);
  plan.run.racing->promote_by = PromoteBy::kPrediction;
  StudyRecord record = to_record(plan);
  const std::string model(kEndModel);
  ASSERT_NE(record.conditions.find(model), std::string::npos);
  record.conditions.replace(record.conditions.find(model), model.size(), "curve features 0, ends 0");
  database_.study(record);
  try {
    run(plan);
    FAIL() << "it went on";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("it began with 'curve features 0, ends 0'"), std::string::npos) << error.what();
  }
}

TEST_F(RaceTest, WhatItFinishedIsAnObservationOfItsStudy) {
  SearchPlan plan = this->plan({{0, 5}}, 2);
  plan.strategy = "evolution";
  const SearchReport report = run(plan);
  ASSERT_GT(report.run.done, 0);
  const auto observations = database_.observations(report.study);
  EXPECT_EQ(observations.size(), static_cast<std::size_t>(report.run.done)) << "each that came to the end, with its place";
}

/// A study's candidates, and what is said of them.
class Hearing : public CandidateSource {
 public:
  explicit Hearing(StudyCandidates& candidates) : candidates_(candidates) {}
  std::optional<Candidate> next() override { return candidates_.next(); }
  void observe(const Candidate& candidate, std::optional<double> accuracy) override {
    ASSERT_TRUE(candidate.index.has_value()) << candidate.formula << " comes from no place that a strategy knows";
    EXPECT_TRUE(heard.emplace(*candidate.index, accuracy).second) << candidate.formula << " is told once";
    candidates_.observe(candidate, accuracy);
  }
  std::map<std::uint64_t, std::optional<double>> heard;

 private:
  StudyCandidates& candidates_;
};

TEST_F(RaceTest, AStrategyThatLearnsHearsOfAPromotedTrialInTheSameRun) {
  for (const char* const strategy : {"evolution", "ppo"}) {
    SearchPlan plan = this->plan({{0, 5}, {2, 0}}, 2);
    plan.strategy = strategy;
    StudyRecord record;
    record.kind = "search";
    record.strategy = strategy;
    record.seed = plan.run.seed = 11;
    // Of its own, or what the strategy before has finished would need no trial.
    plan.run.recipe_text += strategy;
    const Id study = database_.study(record);
    StudyCandidates candidates(database_, study, plan, interrupt_);
    Hearing source(candidates);
    const RunReport report = run_trials(database_, study, plan.run, source, Racer{}, progress_, interrupt_);
    ASSERT_GT(report.done, 0);
    EXPECT_EQ(source.heard.size(), static_cast<std::size_t>(report.done)) << strategy << " heard of each that came to the end";
    const auto stored = database_.observations(study);
    ASSERT_EQ(stored.size(), source.heard.size());
    for (const Observation& seen : stored) EXPECT_EQ(source.heard.at(seen.place), seen.accuracy) << strategy << ", place " << seen.place;
  }
}

TEST_F(RaceTest, PausedByABudgetItGoesOnWhereItsTrialsAre) {
  for (const TrainingPoint rung : {TrainingPoint{1, 0}, {1, 4}}) {
    SearchPlan plan = this->plan({rung}, 2);
    plan.run.recipe_text += std::to_string(rung.steps);
    plan.run.jobs = 1;
    plan.run.budget.epochs = 12;
    const SearchReport first = run(plan);
    EXPECT_EQ(first.run.ending, Ending::kBudget);
    EXPECT_LE(first.run.epochs, 12);
    EXPECT_GT(first.run.epochs, 12 - kEpochs);
    plan.run.budget = {};
    int started_over = 0;
    const SearchReport second = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
      started_over += options.pause_after.has_value();
      return Racer{}(candidate, recipe, options);
    });
    EXPECT_EQ(second.study, first.study);
    EXPECT_EQ(second.run.ending, Ending::kFinished);
    EXPECT_EQ(count("study_trials", "study = " + std::to_string(second.study)), kFunctions);
    EXPECT_GT(second.run.skipped, 0) << "who waits at a rung does not run to it again";
    EXPECT_EQ(started_over, kFunctions - static_cast<int>(first.run.paused));
    EXPECT_GE(first.run.done + second.run.done, kFunctions / 2);
  }
}

TEST_F(RaceTest, TheTrialBudgetIsReachedAndNotExceededThoughSomePause) {
  SearchPlan plan = this->plan({{0, 1}}, 2);
  plan.run.jobs = 3;
  plan.run.budget.trials = 4;
  const SearchReport report = run(plan);
  EXPECT_EQ(report.run.done, 4);
  EXPECT_EQ(report.run.ending, Ending::kBudget);
}

TEST_F(RaceTest, PrefersWhatWillReachItsRungInTimeAndUsesTheRest) {
  SearchPlan plan = this->plan({{0, 1}}, 2);
  plan.run.jobs = 1;
  plan.run.budget.time = 10s;
  std::vector<bool> to_the_rung;
  // As it says: 0.4 s to the rung, 15.6 s from there to the end.
  const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    to_the_rung.push_back(options.pause_after.has_value());
    return Racer{.seconds_per_epoch = 4}(candidate, recipe, options);
  });
  ASSERT_GT(to_the_rung.size(), static_cast<std::size_t>(kFunctions));
  EXPECT_TRUE(std::all_of(to_the_rung.begin(), to_the_rung.begin() + kFunctions, [](bool rung) { return rung; }))
      << "all come to the rung before anybody begins what will not end";
  EXPECT_FALSE(to_the_rung[kFunctions]) << "then the best of them uses the rest";
  EXPECT_EQ(report.run.paused, kFunctions);
  EXPECT_EQ(report.run.ending, Ending::kFinished) << "for it took no time";
}

TEST_F(RaceTest, ReferencesGoOnWhateverTheirLossAndOneAtATimeThoughOthersAreJudged) {
  for (const int jobs : {1, 3}) {
    SearchPlan plan = this->plan({{0, 1}, {1, 0}}, 1e6);  // on its merit nobody goes on
    plan.baselines = true;
    plan.run.recipe_text += std::to_string(jobs);
    plan.run.jobs = jobs;
    std::mutex mutex;
    int together = 0, most = 0;
    const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
      const bool promoted = std::filesystem::exists(options.checkpoint);
      {
        const std::lock_guard lock(mutex);
        together += promoted;
        most = std::max(most, together);
      }
      const TrialOutcome outcome = Racer{}(candidate, recipe, options);
      const std::lock_guard lock(mutex);
      together -= promoted;
      return outcome;
    });
    EXPECT_EQ(report.run.done, 3);
    EXPECT_EQ(cell(database_,
                   "SELECT group_concat(name, ' ') FROM (SELECT name FROM trials WHERE status = 'done' AND recipe_id ="
                   " (SELECT recipe_id FROM recipes WHERE text = '" +
                       plan.run.recipe_text + "') ORDER BY finished, trial)"),
              "relu swish swish1");
    EXPECT_EQ(most, 1);
    EXPECT_EQ(report.run.ending, Ending::kFinished);
  }
}

TEST_F(RaceTest, ATrialCutOffBetweenTwoRungsGoesOnFirstThoughOthersAreBetter) {
  SearchPlan plan = this->plan({{0, 2}, {2, 0}}, 2);
  plan.run.jobs = 1;
  // As a run leaves it that is interrupted on the way from the first rung to the second.
  std::string cut_off;
  run(plan, [&](const Candidate& candidate, const Recipe& recipe, TrialOptions options) {
    if (options.pause_after == TrainingPoint{2, 0}) {
      options.pause_after = TrainingPoint{1, 3};
      TrialOutcome outcome = Racer{}(candidate, recipe, options);
      outcome.paused = false;
      outcome.interrupted = interrupt_ = true;
      cut_off = options.checkpoint;
      return outcome;
    }
    return Racer{}(candidate, recipe, options);
  });
  interrupt_ = false;
  ASSERT_FALSE(cut_off.empty());
  EXPECT_EQ(count("pauses", "epoch = 1"), 0) << "where it was cut off is no rung";
  std::vector<std::string> began;
  std::vector<TrainingPoint> at;
  const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    const TrialOutcome outcome = Racer{}(candidate, recipe, options);
    began.push_back(options.checkpoint);
    at.push_back(outcome.begun);
    return outcome;
  });
  EXPECT_EQ(began.front(), cut_off);
  EXPECT_EQ(at.front(), (TrainingPoint{1, 3}));
  EXPECT_EQ(report.run.ending, Ending::kFinished);
  EXPECT_EQ(count("trials", "status = 'running'"), 0);
  EXPECT_EQ(count("pauses", "epoch = 0 AND step = 2"), kFunctions);
}

TEST_F(RaceTest, ARaceWithOtherRungsTakesUpWhereAnotherLeftItsTrials) {
  run(plan({{0, 3}}, 1e6));
  ASSERT_EQ(count("pauses"), kFunctions);
  std::mutex mutex;
  std::vector<TrainingPoint> begun;
  const auto watched = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    const TrialOutcome outcome = Racer{}(candidate, recipe, options);
    const std::lock_guard lock(mutex);
    begun.push_back(outcome.begun);
    return outcome;
  };
  // Its first rung is passed: it compares them at its second.
  run(plan({{0, 1}, {0, 5}}, 1e6), watched);
  EXPECT_EQ(begun, std::vector<TrainingPoint>(kFunctions, {0, 3}));
  EXPECT_EQ(count("pauses", "step = 5"), kFunctions);
  // Its only rung is where they are: nothing to train before the best go on.
  begun.clear();
  const SearchReport last = run(plan({{0, 5}}, 4), watched);
  EXPECT_EQ(count("study_trials", "study = " + std::to_string(last.study)), kFunctions);
  EXPECT_EQ(begun.size(), static_cast<std::size_t>(kFunctions + last.run.done));
  EXPECT_GE(last.run.done, kFunctions / 4);
  EXPECT_NEAR(last.run.epochs, 3.5 * static_cast<double>(last.run.done), 1e-9);
}

TEST_F(RaceTest, AProcessKilledBetweenItsCheckpointAndTheDatabaseLosesNoRung) {
  run(plan({{0, 3}}, 1e6));
  {
    sqlite::Connection raw(file_, sqlite::Connection::Mode::kCreate, 1s);
    raw.execute("DELETE FROM pause; UPDATE trial SET status = 'running', lease_until_ms = 0, owner = 'of a process that is gone'");
  }
  run(plan({{0, 3}}, 1e6), [](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    const TrialOutcome outcome = Racer{}(candidate, recipe, options);
    EXPECT_EQ(outcome.begun, (TrainingPoint{0, 3})) << "trained again";
    return outcome;
  });
  EXPECT_EQ(count("pauses", "step = 3"), kFunctions);
  EXPECT_EQ(count("trials", "status = 'released'"), kFunctions);
}

TEST(RungsAfter, AreRoundedToWholeSteps) {
  Recipe recipe;
  recipe.epochs = 3;
  const std::vector<TrainingPoint> expected{{0, 35}, {0, 176}, {1, 0}, {2, 350}};
  EXPECT_EQ(rungs_after({0.1, 0.5, 1, 2.9971}, recipe, 351), expected);
}

TEST(RungsAfter, ThatComeToLieOnEachOtherOrOnTheEndsAreRefused) {
  Recipe recipe;
  recipe.epochs = 2;
  for (const auto& [epochs, why] : std::vector<std::pair<std::vector<double>, std::string>>{
           {{0.04, 1}, "at the begin"}, {{0.5, 0.54}, "on the rung before it"}, {{1, 1.96}, "at the end"}, {{1, 2}, "at the end"}}) {
    try {
      rungs_after(epochs, recipe, kEpochSteps);
      ADD_FAILURE() << why;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("10 steps"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace actsearch::testing
