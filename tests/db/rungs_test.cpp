// What a race asks of the database: who has come as far as a rung, in which order, and who waits there.

#include <chrono>
#include <thread>

#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class Rungs : public StoreTest {
 protected:
  static PauseRecord pause_at(int epoch, std::int64_t step, double train_loss) {
    return {.epoch = epoch, .step = step, .epoch_steps = 100, .train_loss = train_loss, .train_accuracy = 0.25, .seconds = 1.5};
  }
  static std::vector<std::string> formulas(const std::vector<RungTrial>& rung) {
    std::vector<std::string> all;
    for (const RungTrial& trial : rung) all.push_back(trial.record.formula);
    return all;
  }
};
ACTSEARCH_ON_EVERY_STORE(Rungs);

TEST_P(Rungs, AreOrderedByTheTrainingLossAndTellWhoWaits) {
  Store& db = open();
  Search search(db);
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  db.pause(search.claimed("sin(x)", 0).trial, {}, pause_at(0, 25, 1.0));
  db.pause(search.claimed("cos(x)", 0).trial, {}, pause_at(0, 25, 1.5));
  db.pause(search.claimed("exp(x)", 0).trial, {}, pause_at(0, 50, 0.1));  // elsewhere
  search.claimed("sin(x)", 0);                                            // goes on
  const auto rung = db.rung(search.study, search.recipe, 0, 25);
  EXPECT_EQ(formulas(rung), (std::vector<std::string>{"sin(x)", "cos(x)", "x"}));
  EXPECT_FALSE(rung[0].given_back);
  ASSERT_TRUE(rung[1].given_back);
  EXPECT_EQ(rung[1].given_back->epochs, 0);
  EXPECT_EQ(rung[1].given_back->steps, 25);
}

TEST_P(Rungs, AtTheEndOfAnEpochHoldAllThatTrainedIt) {
  Store& db = open();
  Search search(db);
  EpochRecord good = epoch_record(0), bad = epoch_record(0);
  good.train_loss = 1;
  bad.train_loss = 2;
  db.pause(search.claimed("x", 0).trial, {bad}, std::nullopt);
  db.pause(search.claimed("sin(x)", 0).trial, {good}, pause_at(1, 10, 0.5));
  search.finished("cos(x)", 0, accuracy(0.5));
  const auto rung = db.rung(search.study, search.recipe, 1, 0);
  EXPECT_EQ(formulas(rung), (std::vector<std::string>{"sin(x)", "cos(x)", "x"}));
  ASSERT_TRUE(rung[0].given_back);
  EXPECT_EQ(rung[0].given_back->epochs, 1);
  EXPECT_EQ(rung[0].given_back->steps, 10);
  EXPECT_FALSE(rung[1].given_back) << "it has ended";
  EXPECT_EQ(rung[2].given_back->steps, 0);
  EXPECT_EQ(formulas(db.rung(search.study, search.recipe, 1, 10)), std::vector<std::string>{"sin(x)"});
}

TEST_P(Rungs, KnowTheLossThereAndHowATrialEnded) {
  Store& db = open();
  Search search(db);
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  const Claim ends = search.claimed("sin(x)", 0), fails = search.claimed("exp(x)", 0);
  db.pause(ends.trial, {}, pause_at(0, 25, 1.0));
  db.pause(fails.trial, {}, pause_at(0, 25, 3.0));
  search.finished("sin(x)", 0, accuracy(0.75));
  TrialRecord failure;
  failure.failure = "non-finite loss";
  db.finish(search.claimed("exp(x)", 0).trial, failure, {});
  const auto rung = db.rung(search.study, search.recipe, 0, 25);
  ASSERT_EQ(formulas(rung), (std::vector<std::string>{"sin(x)", "x", "exp(x)"}));
  EXPECT_EQ(rung[0].train_loss, 1.0);
  ASSERT_TRUE(rung[0].end);
  EXPECT_EQ(rung[0].end->score, 0.75);
  EXPECT_EQ(rung[0].end->finished.size(), std::string("2026-01-31T12:00:00.000Z").size());
  EXPECT_FALSE(rung[1].end) << "it waits";
  EXPECT_FALSE(rung[2].end) << "it failed";
  for (const RungTrial& trial : rung) EXPECT_FALSE(trial.earlier);
}

TEST_P(Rungs, KnowWhatEndedBeforeTheStudy) {
  Store& db = open();
  Search search(db);
  search.finished("x", 0, accuracy(0.5));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const Id later = db.study(study_record(2));
  const Id x = db.candidate(candidate_record("x"));
  Claim claim;
  EXPECT_EQ(db.claim(later, x, search.recipe, 0, std::chrono::seconds(60), &claim), ClaimState::kDone);
  EXPECT_EQ(db.claim(later, x, search.recipe, 1, std::chrono::seconds(60), &claim), ClaimState::kClaimed);
  db.pause(claim.trial, {epoch_record(0)}, std::nullopt);
  const auto rung = db.rung(later, search.recipe, 1, 0);
  ASSERT_EQ(rung.size(), 2u);
  for (const RungTrial& trial : rung) EXPECT_EQ(trial.earlier, trial.seed == 0);
  EXPECT_FALSE(db.rung(search.study, search.recipe, 1, 0).at(0).earlier);
}

TEST_P(Rungs, PausesOfAnEarlierEpochDoNotCountAsStepsOfTheNext) {
  Store& db = open();
  Search search(db);
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 50, 2.0));
  db.pause(search.claimed("x", 0).trial, {epoch_record(0)}, std::nullopt);
  const Id x = db.candidate(candidate_record("x"));
  const auto left = db.given_back(search.study, x, search.recipe, 0);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->epochs, 1);
  EXPECT_EQ(left->steps, 0);
  EXPECT_TRUE(left->in_study);
  EXPECT_EQ(db.rung(search.study, search.recipe, 0, 50).size(), 1u) << "it has been there";
}

TEST_P(Rungs, KnowOfTrialsThatOtherStudiesGaveBack) {
  Store& db = open();
  Search search(db);
  const Id other = db.study(study_record(2)), x = db.candidate(candidate_record("x"));
  EXPECT_FALSE(db.given_back(other, x, search.recipe, 0));
  const Claim claim = search.claimed("x", 0);
  EXPECT_FALSE(db.given_back(other, x, search.recipe, 0)) << "it is at work";
  db.pause(claim.trial, {}, pause_at(0, 25, 2.0));
  ASSERT_TRUE(db.given_back(other, x, search.recipe, 0));
  EXPECT_FALSE(db.given_back(other, x, search.recipe, 0)->in_study);
  EXPECT_TRUE(db.rung(other, search.recipe, 0, 25).empty());
}

TEST_P(Rungs, OnlyWhoHoldsTheClaimStoresAPause) {
  Store& db = open();
  Search search(db);
  const Claim lost = search.claimed("x", 0, 0s);
  Store& thief = open();
  Search other(thief);
  other.claimed("x", 0);
  db.pause(lost.trial, {epoch_record(0)}, pause_at(1, 25, 2.0));
  EXPECT_EQ(cell(db, "SELECT count(*) FROM pauses"), "0");
  EXPECT_EQ(cell(db, "SELECT count(*) FROM epochs"), "0");
  EXPECT_EQ(cell(db, "SELECT status FROM trials"), "running");
}

TEST_P(Rungs, APauseGoesWithItsTrialAndMayBeToldTwice) {
  Store& db = open();
  Search search(db);
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  EXPECT_EQ(cell(db, "SELECT count(*) FROM pauses"), "1");
  EXPECT_EQ(cell(db, "SELECT epochs FROM pauses"), "0.25");
  db.release(search.claimed("x", 0).trial);
  EXPECT_EQ(cell(db, "SELECT count(*) FROM pauses"), "0");
}

}  // namespace
}  // namespace actsearch::testing
