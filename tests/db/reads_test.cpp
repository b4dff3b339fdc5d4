// What the parts of a search read beside rankings.

#include "db/reads.h"

#include <algorithm>
#include <map>

#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class ReadsTest : public StoreTest {};
ACTSEARCH_ON_EVERY_STORE(ReadsTest);

TEST_P(ReadsTest, ScoresAreBySeedAndExactToTheLastBit) {
  Store& db = open();
  Search search(db);
  constexpr std::uint64_t kHuge = (std::uint64_t{1} << 63) + 5;
  const double third = 1.0 / 3;
  TrialRecord tested = accuracy(third);
  tested.final_test_accuracy = 0.1 + 0.2;
  search.finished("x", 0, tested);
  search.finished("x", kHuge, accuracy(0.25));
  search.finished("sin(x)", 0, accuracy(0.75));
  const Reads& reads = db.reads();
  const Id x = db.candidate(candidate_record("x"));
  EXPECT_EQ(reads.scores(x, search.recipe, Score::kValidation), (std::map<std::uint64_t, double>{{0, third}, {kHuge, 0.25}}));
  EXPECT_EQ(reads.scores(x, search.recipe, Score::kFinalTest), (std::map<std::uint64_t, double>{{0, 0.1 + 0.2}}));
  EXPECT_TRUE(reads.scores(x, search.recipe + 1, Score::kValidation).empty());
  EXPECT_EQ(reads.highest_seed(search.recipe, kHuge - 1, kHuge + 1), kHuge);
  EXPECT_EQ(reads.highest_seed(search.recipe, 1, 10), std::nullopt);
  EXPECT_EQ(reads.best(search.recipe)->label, "sin(x)");
  EXPECT_EQ(reads.best(search.recipe + 1), std::nullopt);
}

TEST_P(ReadsTest, TrialsTellTheirStatusAndHowFarTheyCame) {
  Store& db = open();
  Search search(db);
  search.finished("x", 0, accuracy(0.5), 2);
  search.claimed("sin(x)", 0);
  db.pause(search.claimed("cos(x)", 0).trial, {epoch_record(0)},
           PauseRecord{.epoch = 1, .step = 25, .epoch_steps = 100, .train_loss = 1, .train_accuracy = 0.5, .seconds = 1});
  TrialRecord failed;
  failed.failure = "diverged";
  search.finished("exp(x)", 0, failed, 1);
  const Reads& reads = db.reads();
  const auto trials = reads.trials(search.study, search.recipe);
  ASSERT_EQ(trials.size(), 4u);
  const auto has = [&](TrialStatus status, int epochs, std::int64_t steps) {
    return std::count_if(trials.begin(), trials.end(),
                         [&](const StudyTrial& trial) { return trial.status == status && trial.epochs == epochs && trial.steps == steps; });
  };
  EXPECT_EQ(has(TrialStatus::kDone, 2, 0), 1);
  EXPECT_EQ(has(TrialStatus::kRunning, 0, 0), 1);
  EXPECT_EQ(has(TrialStatus::kReleased, 1, 25), 1);
  EXPECT_EQ(has(TrialStatus::kFailed, 1, 0), 1);
  EXPECT_EQ(reads.epoch_steps(search.study), 100);
  const TrialCounts counts = reads.counts(search.recipe);
  EXPECT_EQ(counts.done, 1);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.unfinished, 2);
  EXPECT_EQ(reads.failure(db.candidate(candidate_record("exp(x)")), search.recipe, search.recipe), "diverged");
  EXPECT_EQ(reads.failure(db.candidate(candidate_record("x")), search.recipe, search.recipe), "");
  EXPECT_EQ(reads.ended_seeds(candidate_record("exp(x)").fingerprint, search.recipe), std::vector<std::uint64_t>{0});
  EXPECT_TRUE(reads.ended_seeds(candidate_record("cos(x)").fingerprint, search.recipe).empty());
}

TEST_P(ReadsTest, AFunctionWhoseTrialsAllFailedHasNoMean) {
  Store& db = open();
  Search search(db);
  search.finished("x", 0, accuracy(0.5, 10));
  search.finished("x", 1, accuracy(0.7, 20));
  TrialRecord failed;
  failed.failure = "diverged";
  failed.seconds = 5;
  search.finished("exp(x)", 0, failed);
  const auto scores = db.reads().function_scores(search.recipe);
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_DOUBLE_EQ(scores[0].accuracy.value(), 0.6);
  EXPECT_EQ(scores[0].finished, 2);
  EXPECT_DOUBLE_EQ(scores[0].seconds, 30);
  EXPECT_EQ(scores[1].accuracy, std::nullopt);
  EXPECT_EQ(scores[1].finished, 0);
  EXPECT_EQ(scores[1].seconds, 0);
}

TEST_P(ReadsTest, TheChangeTokenChangesWithWhatIsShown) {
  Store& db = open();
  Search search(db);
  const std::string empty = db.change_token();
  EXPECT_EQ(db.change_token(), empty);
  const Id trial = search.claimed("x", 0).trial;
  const std::string claimed = db.change_token();
  EXPECT_NE(claimed, empty);
  db.add_epoch(trial, epoch_record(0));
  const std::string epoch = db.change_token();
  EXPECT_NE(epoch, claimed);
  db.finish(trial, accuracy(0.5), {});
  EXPECT_NE(db.change_token(), epoch);
}

}  // namespace
}  // namespace actsearch::testing
