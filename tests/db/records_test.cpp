#include <limits>
#include <thread>

#include "db/store.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class Records : public StoreTest {};
ACTSEARCH_ON_EVERY_STORE(Records);

TEST_P(Records, EqualConditionsAreOneStudy) {
  Store& db = open();
  const Id first = db.study(study_record(1));
  StudyRecord again = study_record(1);
  again.commit = "another commit";
  again.machine = "another machine";
  EXPECT_EQ(db.study(again), first);
  EXPECT_NE(db.study(study_record(2)), first);
  const auto studies = db.studies();
  ASSERT_EQ(studies.size(), 2u);
  EXPECT_EQ(studies[0].commit, "abc123");
  EXPECT_EQ(studies[0].conditions, R"({"seeds":1})");
  EXPECT_EQ(studies[1].seed, 2u);
}

TEST_P(Records, AFingerprintIsOneCandidateThatTakesTheFirstName) {
  Store& db = open();
  const Id id = db.candidate({"f", "x * sigmoid(x)", "", 0});
  EXPECT_EQ(db.candidate({"f", "sigmoid(x) * x", "swish1", 0}), id);
  EXPECT_EQ(db.candidate({"f", "x * sigmoid(x)", "silu", 0}), id);
  EXPECT_EQ(cell(db, "SELECT formula || ' ' || name FROM candidates"), "x * sigmoid(x) swish1");
}

TEST_P(Records, ARecipeIsItsText) {
  Store& db = open();
  const Id bf16 = db.recipe("vgg-s", "vgg-s bf16");
  EXPECT_EQ(db.recipe("vgg-s", "vgg-s bf16"), bf16);
  EXPECT_NE(db.recipe("vgg-s", "vgg-s fp32"), bf16);
}

TEST_P(Records, ARejectionIsKeptOncePerStudy) {
  Store& db = open();
  const Id one = db.study(study_record(1)), two = db.study(study_record(2));
  for (const Id study : {one, one, two}) db.reject(study, "x - x", "constant");
  EXPECT_EQ(db.counts(one).rejected, 1);
  EXPECT_EQ(cell(db, "SELECT count(*) FROM rejections WHERE reason = 'constant'"), "2");
}

TEST_P(Records, SeedsOf64BitsComeBack) {
  Store& db = open();
  constexpr auto kLargest = std::numeric_limits<std::uint64_t>::max();
  const Id id = db.study(study_record(kLargest));
  EXPECT_EQ(db.study(study_record(kLargest)), id);
  EXPECT_EQ(db.studies().at(0).seed, kLargest);
}

TEST_P(Records, AFinishedTrialKeepsItsResultItsEpochsAndItsTimes) {
  Store& db = open();
  Search search(db);
  TrialRecord result = accuracy(0.75, 12.5);
  result.final_test_accuracy = 0.7;
  result.best_test_accuracy = 0.72;
  result.beta = R"([{"mean":1.25,"deviation":0.1,"min":1,"max":1.5}])";
  search.finished("x", 7, result, 3);
  const Table trial = db.queries()->query(
      "SELECT formula, recipe, seed, status, validation_accuracy, final_test_accuracy, best_test_accuracy, train_loss, beta0, epochs,"
      " seconds, attempts FROM trials");
  const std::vector<std::optional<std::string>> expected = {"x",    "vgg-s", "7",    "done", "0.75", "0.7",
                                                            "0.72", "0.5",   "1.25", "3",    "12.5", "1"};
  ASSERT_EQ(trial.rows.size(), 1u);
  EXPECT_EQ(trial.rows[0], expected);
  EXPECT_EQ(cell(db, "SELECT group_concat(epoch) FROM epochs WHERE formula = 'x'"), "0,1,2");
  EXPECT_EQ(cell(db, "SELECT started LIKE '20__-__-__T__:__:__.___Z' AND finished >= started FROM trials"), "1");
  EXPECT_EQ(cell(db, "SELECT owner FROM trials"), db.owner());
}

TEST_P(Records, AFailureKeepsItsReasonAndDetail) {
  Store& db = open();
  Search search(db);
  TrialRecord failed;
  failed.failure = "non-finite loss";
  failed.failure_detail = "step 17: loss is nan";
  failed.train_loss = std::numeric_limits<double>::quiet_NaN();
  EpochRecord epoch = epoch_record(0);
  epoch.train_loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(db.finish(search.claimed("exp(x)", 3).trial, failed, {epoch}));
  Claim claim;
  EXPECT_EQ(search.claim("exp(x)", 3, &claim), ClaimState::kDone);
  const auto failures = db.failures("vgg-s");
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].formula, "exp(x)");
  EXPECT_EQ(failures[0].recipe, "vgg-s");
  EXPECT_EQ(failures[0].reason, "non-finite loss");
  EXPECT_EQ(failures[0].detail, "step 17: loss is nan");
  EXPECT_EQ(failures[0].seed, 3u);
  EXPECT_TRUE(db.failures("vgg-m").empty());
  EXPECT_TRUE(db.leaderboard({}).empty());
  EXPECT_EQ(cell(db, "SELECT train_loss FROM epochs"), "NULL");
}

TEST_P(Records, EpochsOfARunningTrialReplaceThoseOfTheSameNumber) {
  Store& db = open();
  Search search(db);
  const Claim claim = search.claimed("x", 0);
  db.add_epoch(claim.trial, epoch_record(0));
  EpochRecord epoch = epoch_record(1);
  epoch.seconds = 1;
  db.add_epoch(claim.trial, epoch);
  epoch.seconds = 2;
  db.add_epoch(claim.trial, epoch);
  EXPECT_EQ(cell(db, "SELECT group_concat(epoch || ':' || CAST(seconds AS INTEGER)) FROM epochs"), "0:0,1:2");
  EXPECT_TRUE(db.finish(claim.trial, accuracy(0.5), {}));
  EXPECT_EQ(cell(db, "SELECT epochs FROM trials"), "2");
}

TEST_P(Records, CountsAreThoseOfTheStudyEvenWhereAnotherDidTheWork) {
  Store& db = open();
  Search search(db);
  search.finished("x", 0, accuracy(0.5));
  search.finished("x", 1, accuracy(0.5));
  TrialRecord failed;
  failed.failure = "time-out";
  search.finished("exp(x)", 0, failed);
  search.claimed("sin(x)", 0);
  db.reject(search.study, "x - x", "constant");
  const StudyCounts counts = db.counts(search.study);
  EXPECT_EQ(counts.candidates, 3);
  EXPECT_EQ(counts.done, 2);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.running, 1);
  EXPECT_EQ(counts.rejected, 1);

  const Id other = db.study(study_record(2));
  Claim claim;
  EXPECT_EQ(db.claim(other, db.candidate(candidate_record("x")), search.recipe, 0, kLease, &claim), ClaimState::kDone);
  EXPECT_EQ(db.counts(other).done, 1);
  EXPECT_EQ(db.counts(other).failed, 0);
}

TEST_P(Records, HostileTextIsStoredAsItIs) {
  Store& db = open();
  Search search(db);
  const std::string hostile = "'; DROP TABLE trial; --\n\"x\" %s \xf0\x9f\x92\xa3";
  search.finished(hostile, 0, accuracy(0.5));
  db.reject(search.study, hostile, hostile);
  EXPECT_EQ(cell(db, "SELECT formula FROM trials"), hostile);
  EXPECT_EQ(cell(db, "SELECT formula FROM rejections"), hostile);
  EXPECT_EQ(db.leaderboard({}).at(0).formula, hostile);
  EXPECT_TRUE(db.leaderboard({.recipe = hostile}).empty());
  EXPECT_EQ(cell(db, "SELECT count(*) FROM trials"), "1");
}

TEST_P(Records, ReopeningFindsEverything) {
  {
    Store& db = open();
    Search(db).finished("x", 0, accuracy(0.5));
  }
  Store& db = open();
  Search search(db);
  Claim claim;
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kDone);
  EXPECT_EQ(db.counts(search.study).done, 1);
}

TEST_P(Records, ThreadsMayShareOneDatabase) {
  Store& db = open();
  Search search(db);
  constexpr int kThreads = 4, kTrials = 20;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int seed = 0; seed < kTrials; ++seed) {
        Claim claim;
        if (search.claim("x", static_cast<std::uint64_t>(seed), &claim) != ClaimState::kClaimed) continue;
        EXPECT_TRUE(db.finish(claim.trial, accuracy(0.5), {epoch_record(0)}));
        EXPECT_EQ(db.leaderboard({}).size(), 1u);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(db.leaderboard({}).at(0).n, kTrials);
  EXPECT_EQ(cell(db, "SELECT max(attempts) FROM trials"), "1");
}

}  // namespace
}  // namespace actsearch::testing
