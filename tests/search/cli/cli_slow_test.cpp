// Whole runs of the program on a small synthetic set: kill it, interrupt it, share a file between two.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "db/sqlite/connection.h"
#include "db/sqlite/schema.h"
#include "db/sqlite/store.h"
#include "tests/search/process.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

class Runs : public ::testing::Test {
 protected:
  /// Flags of a study of 12 functions that trains in seconds.
  std::vector<std::string> study(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{
        "search",   "--db",    file_.string(), "--data", "synthetic:300", "--recipe",   "vgg16-slim", "--unary", "identity,sigmoid,tanh",
        "--binary", "add,mul", "--epochs",     "1",      "--strategy",    "exhaustive", "--seeds",    "4"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static constexpr int kTrials = 12 * 4;

  std::set<std::string> finished() const {
    std::set<std::string> trials;
    if (!std::filesystem::exists(file_)) return trials;
    const SqliteStore database(file_, Store::Access::kCreate);  // as the next run opens it
    for (const auto& row :
         database.query("SELECT formula || ' ' || seed || ' ' || coalesce(accuracy, status) FROM trials WHERE status IN ('done', 'failed')")
             .rows) {
      trials.insert(*row[0]);
    }
    return trials;
  }
  std::string ask(const std::string& sql) const { return cell(SqliteStore(file_, Store::Access::kReadOnly), sql); }
  /// What SQLite itself says of the file.
  void expect_intact() const {
    if (!std::filesystem::exists(file_)) return;
    const auto connection = open_for_writing(file_, 5s);
    auto check = connection->prepare("PRAGMA integrity_check");
    ASSERT_TRUE(check.step());
    EXPECT_EQ(check.text(0), "ok");
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "study.db";
};

TEST_F(Runs, BeyondALimitOnFileSizesItSaysSoAndGoesOnWithoutTheLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limited{1'000'000, before.rlim_max};  // room for the database, and not for a checkpoint
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  const Ran ran = run_program(directory_.path(), study({"--budget-trials", "1"}));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(ran.code, 1) << "the signal would be " << -SIGXFSZ;
  EXPECT_NE(ran.err.find("File too large; a limit on file sizes allows no more (`ulimit -f` shows it)"), std::string::npos) << ran.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'running'"), "0");
  EXPECT_EQ(run_program(directory_.path(), study({"--budget-trials", "1"})).code, 0);
}

TEST_F(Runs, APlaceForCheckpointsThatCannotBeMadeIsSaidWithWhatToDo) {
  const std::string in_the_way = file_.string() + ".checkpoints";
  std::ofstream(in_the_way) << "a file";
  for (const auto& words :
       {study({"--budget-trials", "1"}),
        {"rerun", "--db", file_.string(), "--data", "synthetic:300", "--recipe", "vgg16-slim", "--epochs", "1", "--expr", "x"}}) {
    const Ran ran = run_program(directory_.path(), words);
    EXPECT_EQ(ran.code, 1) << words[0];
    EXPECT_NE(ran.err.find("is in the way"), std::string::npos) << ran.err;
    EXPECT_EQ(ran.err.find("filesystem error"), std::string::npos) << ran.err;
  }
}

TEST_F(Runs, KilledAtFiftyRandomMomentsNoTrialIsLostOrDoneTwice) {
  constexpr int kKills = 50;
  const std::vector<std::string> two_trials = study({"--budget-trials", "2"});
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_program(directory_.path(), two_trials).code, 0);
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random(20171016);
  std::uniform_real_distribution<double> moment(0, 1.2 * whole);  // now and then a run comes to its end
  std::set<std::string> before = finished();
  int killed = 0;
  for (int i = 0; i < kKills; ++i) {
    Process process(directory_.path(), two_trials);
    std::this_thread::sleep_for(std::chrono::duration<double>(moment(random)));
    process.kill(SIGKILL);
    const Ran ran = process.wait();
    EXPECT_TRUE(ran.code == -SIGKILL || ran.code == 0) << ran.code << ran.err;
    killed += ran.code == -SIGKILL;
    expect_intact();
    const std::set<std::string> after = finished();
    EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end())) << "a finished trial is lost or was done again";
    before = after;
  }
  EXPECT_GT(killed, kKills / 2);
  const Ran last = run_program(directory_.path(), study());
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_NE(last.err.find("finished"), std::string::npos) << last.err;
  EXPECT_EQ(finished().size(), static_cast<std::size_t>(kTrials));
  EXPECT_EQ(ask("SELECT count(*) FROM (SELECT 1 FROM trials GROUP BY candidate, recipe_id, seed HAVING count(*) > 1)"), "0");
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'running'"), "0");
  expect_intact();
}

TEST_F(Runs, ARaceThatIsKilledAgainAndAgainFinishesWithTheScoresOfTrialsThatNeverPaused) {
  const auto words = [&](const std::string& file, const std::vector<std::string>& more) {
    std::vector<std::string> all{"search",
                                 "--db",
                                 file,
                                 "--data",
                                 "synthetic:700",
                                 "--recipe",
                                 "vgg16-slim",
                                 "--epochs",
                                 "2",
                                 "--unary",
                                 "identity,sigmoid,tanh",
                                 "--binary",
                                 "add,mul",
                                 "--strategy",
                                 "exhaustive",
                                 "--seeds",
                                 "4",
                                 "--device",
                                 "cpu"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  // 4 steps an epoch: pauses after the second, and after the first of the second epoch.
  const std::vector<std::string> race = words(file_.string(), {"--racing", "--rungs", "0.5,1.25", "--eta", "1.5"});
  std::mt19937 random(7);
  std::uniform_int_distribution<int> moment_ms(100, 1500);
  for (int i = 0; i < 10; ++i) {
    Process process(directory_.path(), race);
    std::this_thread::sleep_for(std::chrono::milliseconds(moment_ms(random)));
    process.kill(SIGKILL);
    process.wait();
    expect_intact();
  }
  const Ran last = run_program(directory_.path(), race);
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(ask("SELECT count(DISTINCT trial) FROM pauses WHERE epoch = 0 AND step = 2 AND epoch_steps = 4"), "48") << last.err;
  EXPECT_GE(std::stoi(ask("SELECT count(DISTINCT trial) FROM pauses WHERE epoch = 1 AND step = 1")), 24);
  EXPECT_GE(finished().size(), 16u) << "enough to predict from";
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'running'"), "0");

  const std::string straight = (directory_.path() / "straight.db").string();
  EXPECT_EQ(run_program(directory_.path(), words(straight, {})).code, 0);
  const auto scores = [](const std::filesystem::path& file, const std::string& formula, const std::string& seed) {
    return cell(
        SqliteStore(file, Store::Access::kReadOnly),
        "SELECT group_concat(train_loss || ' ' || validation_loss || ' ' || validation_accuracy, ', ') FROM epochs WHERE formula = '" +
            formula + "' AND seed = " + seed);
  };
  const SqliteStore raced(file_, Store::Access::kReadOnly);
  for (const auto& row : raced.query("SELECT formula, seed FROM trials WHERE status IN ('done', 'failed')").rows) {
    EXPECT_EQ(scores(file_, *row[0], *row[1]), scores(straight, *row[0], *row[1])) << *row[0] << " seed " << *row[1];
  }
}

TEST_F(Runs, ASearchWhoseBudgetIsShorterThanATrialFinishesWithTheScoresOfOneThatWasNeverCutOff) {
  const auto words = [](const std::filesystem::path& file, const std::vector<std::string>& more) {
    std::vector<std::string> all{"search",     "--db",       file.string(), "--data",   "synthetic:500", "--recipe",
                                 "vgg16-slim", "--epochs",   "2",           "--unary",  "sigmoid,tanh",  "--binary",
                                 "add",        "--strategy", "exhaustive",  "--device", "cpu",           "--jobs",
                                 "1",          "--rate",     "0.01"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  int runs = 0;
  std::string said;
  for (bool finished = false; !finished && runs < 200; ++runs) {
    const Ran ran = run_program(directory_.path(), words(file_, {"--budget-time", "0.5s"}));
    ASSERT_EQ(ran.code, 0) << ran.err;
    finished = ran.err.find("study finished") != std::string::npos || ran.err.find("was finished before") != std::string::npos;
    said += ran.err;
  }
  EXPECT_GT(runs, 2) << "none was cut off";
  EXPECT_NE(said.find("1 trial in progress goes on where it was next time"), std::string::npos) << said;
  EXPECT_NE(said.find("unfinished trials under these conditions"), std::string::npos) << said;
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".checkpoints"));
  const std::filesystem::path straight = directory_.path() / "straight.db";
  EXPECT_EQ(run_program(directory_.path(), words(straight, {})).code, 0);
  const auto scores = [](const std::filesystem::path& file) {
    std::vector<std::string> all;
    for (const auto& row : SqliteStore(file, Store::Access::kReadOnly)
                               .query("SELECT t.formula || ' ' || t.accuracy || ' ' || t.beta || ' ' || group_concat(e.train_loss || ' ' ||"
                                      " e.validation_loss) FROM trials t JOIN epochs e ON e.trial = t.trial WHERE t.status = 'done'"
                                      " GROUP BY t.trial ORDER BY t.formula")
                               .rows) {
      all.push_back(row[0].value_or(""));
    }
    return all;
  };
  EXPECT_EQ(scores(file_).size(), 3u);
  EXPECT_EQ(scores(file_), scores(straight));
}

TEST_F(Runs, CtrlCEndsWithTheLeaderboardAndKeepsWhatItHeld) {
  Process process(directory_.path(), study());
  for (int i = 0; i < 600 && process.err().find("trial 2:") == std::string::npos; ++i) std::this_thread::sleep_for(50ms);
  process.kill(SIGINT);
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_EQ(ran.out.rfind("rank", 0), 0u) << ran.out;
  EXPECT_NE(ran.err.find("interrupted"), std::string::npos) << ran.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'running'"), "0");
  EXPECT_GE(finished().size(), 2u);
}

TEST_F(Runs, TwoSignalsAtOnceAreOneCtrlC) {
  Process process(directory_.path(), study());
  for (int i = 0; i < 600 && process.err().find("trial 1:") == std::string::npos; ++i) std::this_thread::sleep_for(50ms);
  process.kill(SIGINT);
  std::this_thread::sleep_for(20ms);  // as timeout sends them, to the process and to its group
  process.kill(SIGINT);
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_EQ(ran.out.rfind("rank", 0), 0u) << "it ended in order: " << ran.out;
}

TEST_F(Runs, ASearchWithoutAScoreOffersNothingToRank) {
  const std::vector<std::string> longer_than_a_second{"search",   "--db",       file_.string(), "--data", "synthetic:20000",
                                                      "--recipe", "vgg16-slim", "--epochs",     "30"};
  const auto search = [&](std::vector<std::string> words) {
    words.insert(words.begin(), longer_than_a_second.begin(), longer_than_a_second.end());
    return run_program(directory_.path(), words);
  };
  const Ran early = search({"--budget-time", "1s"});
  EXPECT_EQ(early.code, 0) << early.err;
  EXPECT_EQ(early.out, "");
  EXPECT_NE(early.err.find("nothing to rank"), std::string::npos) << early.err;
  EXPECT_NE(early.err.find("run the same command again"), std::string::npos) << early.err;
  EXPECT_EQ(early.err.find("--failures"), std::string::npos) << "nothing has failed: " << early.err;
  EXPECT_EQ(early.err.find("actsearch rerun"), std::string::npos) << early.err;

  const Ran failed = search({"--budget-trials", "1", "--trial-time", "1s"});
  EXPECT_EQ(failed.code, 0) << failed.err;
  EXPECT_EQ(failed.out, "");
  EXPECT_NE(failed.err.find("nothing to rank"), std::string::npos) << failed.err;
  EXPECT_NE(failed.err.find("leaderboard --db " + file_.string() + " --failures"), std::string::npos) << failed.err;
}

TEST_F(Runs, AFileOfTheOtherPrecisionIsNotBegunAnewInSilence) {
  const std::vector<std::vector<std::string>> commands{study({"--budget-trials", "1", "--precision", "fp32"}),
                                                       {"rerun", "--db", file_.string(), "--data", "synthetic:600", "--recipe",
                                                        "vgg16-slim", "--epochs", "1", "--expr", "relu", "--precision", "fp32"}};
  for (const auto& command : commands) {
    const Ran first = run_program(directory_.path(), command);
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(first.err.find("note:"), std::string::npos) << first.err;
  }
  // As a processor with bf16 would have left it.
  open_for_writing(file_, 5s)->run("UPDATE recipe SET text = replace(text, 'precision=fp32', 'precision=bf16')");
  for (const auto& command : commands) {
    const Ran moved = run_program(directory_.path(), command);
    EXPECT_EQ(moved.code, 0) << moved.err;
    EXPECT_NE(moved.err.find("note: the file has 1 trial of this recipe in bf16"), std::string::npos) << moved.err;
    EXPECT_NE(moved.err.find("--precision bf16 would go on"), std::string::npos) << moved.err;
  }
}

TEST_F(Runs, TwoProcessesShareOneStudy) {
  std::filesystem::create_directories(directory_.path() / "a");
  std::filesystem::create_directories(directory_.path() / "b");
  Process a(directory_.path() / "a", study({"--jobs", "1"})), b(directory_.path() / "b", study({"--jobs", "1"}));
  const Ran first = a.wait(), second = b.wait();
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(finished().size(), static_cast<std::size_t>(kTrials));
  EXPECT_EQ(ask("SELECT max(attempts) FROM trials"), "1");
  const auto trials_of = [](const Ran& ran) {
    int count = 0;
    for (std::size_t at = ran.err.find("\ntrial "); at != std::string::npos; at = ran.err.find("\ntrial ", at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(trials_of(first) + trials_of(second), kTrials);
}

TEST_F(Runs, TheSameStudyInTwoFilesGivesTheSameScores) {
  const auto accuracies = [&] {
    const Ran ran = run_program(directory_.path(), {"search", "--db", file_.string(), "--data", "synthetic:1000", "--recipe", "vgg16-slim",
                                                    "--epochs", "3", "--jobs", "1", "--baselines", "--budget-trials", "2"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'done'"), "2");
    const std::set<std::string> trials = finished();
    std::filesystem::remove(file_);
    return trials;
  };
  EXPECT_EQ(accuracies(), accuracies());
}

TEST_F(Runs, ARerunThatIsKilledGoesOnFromItsCheckpoint) {
  const std::vector<std::string> words{"rerun",          "--db",     file_.string(), "--expr",    "relu", "--expr",
                                       "swish",          "--recipe", "vgg16-slim",   "--epochs",  "6",    "--data",
                                       "synthetic:1000", "--format", "csv",          "--threads", "1"};
  Process process(directory_.path(), words);
  for (int i = 0; i < 600 && process.err().find("epoch 3/6") == std::string::npos; ++i) std::this_thread::sleep_for(20ms);
  process.kill(SIGKILL);
  process.wait();
  const Ran again = run_program(directory_.path(), words);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.err.find("relu seed 0  epoch 1/6"), std::string::npos) << "begins again: " << again.err;
  EXPECT_EQ(std::count(again.out.begin(), again.out.end(), '\n'), 3) << again.out;
  EXPECT_EQ(ask("SELECT count(*) FROM epochs WHERE test_accuracy IS NOT NULL"), "12");
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".checkpoints"));
}

TEST_F(Runs, FinalistsAreScoredAfreshAndTrainedAtFullLengthAndGoOn) {
  const std::string db = file_.string();
  const auto search = run_program(directory_.path(), {"search", "--db", db, "--data", "synthetic:600", "--recipe", "vgg16-slim", "--epochs",
                                                      "1", "--baselines", "--budget-trials", "3"});
  ASSERT_EQ(search.code, 0) << search.err;
  const std::vector<std::string> words{"finalists", "--db",       db,         "--top", "2",      "--seeds",       "2",        "--full", "1",
                                       "--recipe",  "vgg16-slim", "--epochs", "2",     "--data", "synthetic:600", "--format", "csv"};
  {
    Process process(directory_.path(), words);
    for (int i = 0;
         i < 600 && ask("SELECT count(*) FROM trials t JOIN study_trials s ON s.trial = t.trial JOIN studies d ON d.study = s.study"
                        " WHERE d.kind = 'finalists' AND t.status = 'done'") == "0";
         ++i) {
      std::this_thread::sleep_for(20ms);
    }
    process.kill(SIGKILL);
    process.wait();
  }
  const Ran ran = run_program(directory_.path(), words);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_GE(std::count(ran.out.begin(), ran.out.end(), '\n'), 3) << ran.out;
  EXPECT_EQ(ask("SELECT count(*) FROM trials t JOIN recipes r ON r.recipe_id = t.recipe_id WHERE r.text LIKE '% fold=1 %' AND seed IN "
                "(1000, 1001)"
                " AND status = 'done'"),
            std::to_string(2 * (std::count(ran.out.begin(), ran.out.end(), '\n') - 1)));
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE final_test_accuracy IS NOT NULL AND attempts >= 1"), "2");
  const Ran again = run_program(directory_.path(), words);
  EXPECT_EQ(again.out, ran.out) << "nothing is left to do, and the same table comes out";
}

TEST_F(Runs, ACopyThatIsKilledAtAnyInstantAndRepeatedIsWhole) {
  const std::string source = directory_.path() / "source.db", whole = directory_.path() / "whole.db";
  std::filesystem::copy_file(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "docs/results/core1-seed1-h200.db", source);
  const auto copy = [&](const std::string& to) { return std::vector<std::string>{"copy", "--from", source, "--to", to}; };
  std::mt19937 random(20171016);
  int cut_short = 0;
  for (int round = 0; round < 15; ++round) {
    Process process(directory_.path(), copy(file_));
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 180));
    process.kill(SIGKILL);
    process.wait();
    expect_intact();
    if (!std::filesystem::exists(file_)) continue;
    const SqliteStore half(file_, Store::Access::kCreate);
    const int trials = std::stoi(cell(half, "SELECT count(*) FROM trials"));
    EXPECT_EQ(cell(half, "SELECT coalesce(sum(done), 0) FROM recipes"), cell(half, "SELECT count(*) FROM trials WHERE status = 'done'"));
    EXPECT_EQ(cell(half, "SELECT count(*) FROM trials WHERE trial NOT IN (SELECT trial FROM study_trials)"), "0");
    if (trials == 3'813) std::filesystem::remove_all(file_);
    cut_short += trials > 0 && trials < 3'813 ? 1 : 0;
  }
  EXPECT_GT(cut_short, 0) << "no kill came in the middle";
  for (const std::string& to : {file_.string(), whole}) EXPECT_EQ(run_program(directory_.path(), copy(to)).code, 0);
  for (const char* const sql : {"SELECT formula, recipe, seed, status, accuracy, epochs, seconds, finished FROM trials ORDER BY trial",
                                "SELECT * FROM standings ORDER BY recipe_id, rank", "SELECT * FROM recipes", "SELECT * FROM study_trials",
                                "SELECT * FROM rejections", "SELECT * FROM epochs", "SELECT * FROM pauses"}) {
    const auto of = [&](const std::filesystem::path& file) { return SqliteStore(file, Store::Access::kReadOnly).query(sql).rows; };
    EXPECT_TRUE(of(file_) == of(whole)) << sql;
  }
}

}  // namespace
}  // namespace actsearch::testing
