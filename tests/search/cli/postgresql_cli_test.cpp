// The program on a PostgreSQL database.

#include <regex>
#include <set>
#include <thread>

#include "db/open/open_store.h"
#include "tests/db/postgresql/private_server.h"
#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

class PostgresqlCommands : public CommandLine {
 protected:
  void SetUp() override {
    if (const auto why = PrivateServer::unavailable()) GTEST_SKIP() << *why;
    place_ = PrivateServer::shared().new_database();
  }
  std::vector<std::string> search(const std::string& database, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"search",     "--db",     database,   "--data",        "synthetic:300",
                                   "--expr",     "relu",     "--recipe", "vgg16-slim",    "--unary",
                                   "tanh,relu",  "--binary", "add",      "--checkpoints", path("checkpoints"),
                                   "--epochs",   "1",        "--device", "cpu",           "--strategy",
                                   "exhaustive", "--seeds",  "2",        "--jobs",        "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// Trials of a command that only waits, for the seconds that a file says.
  std::vector<std::string> waiting() const {
    std::ofstream(path("train.sh")) << "sleep $(cat '" << path("pause") << "'); echo '{\"score\": 0.5}'\n";
    return {"search",
            "--db",
            place_,
            "--evaluator",
            "sh '" + path("train.sh") + "'",
            "--unary",
            "identity,tanh,relu,sin",
            "--binary",
            "add",
            "--strategy",
            "exhaustive",
            "--jobs",
            "1",
            "--checkpoints",
            path("checkpoints")};
  }
  void pause(const std::string& seconds) const { std::ofstream(path("pause")) << seconds; }
  std::string ask(const std::string& sql) const {
    const Table table = open_store(place_, Store::Access::kReadOnly)->queries()->query(sql);
    return table.rows.at(0).at(0).value_or("NULL");
  }
  /// Waits until the question has the answer.
  bool comes(const std::string& sql, const std::string& answer) const {
    for (int tries = 0; tries < 600; ++tries) {
      try {
        if (ask(sql) == answer) return true;
      } catch (const DatabaseError&) {  // the tables are not made yet, or the server is away
      }
      std::this_thread::sleep_for(50ms);
    }
    return false;
  }
  /// The cells of a line of CSV.
  static std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells{""};
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted)
        cells.emplace_back();
      else
        cells.back() += c;
    }
    return cells;
  }
  /// A table in CSV without its column of times.
  static std::string timeless(const std::string& csv) {
    std::istringstream lines(csv);
    std::string line, text;
    std::getline(lines, line);
    const std::vector<std::string> names = cells_of(line);
    const auto times = std::find(names.begin(), names.end(), "seconds") - names.begin();
    EXPECT_LT(times, std::ssize(names)) << csv;
    for (lines.seekg(0); std::getline(lines, line); text += '\n') {
      std::vector<std::string> cells = cells_of(line);
      if (times < std::ssize(cells)) cells.erase(cells.begin() + times);
      for (const std::string& cell : cells) text += cell + "|";
    }
    return text;
  }

  std::string place_;
};

TEST_F(PostgresqlCommands, ASearchHasTheLeaderboardOfTheSameSearchInAFile) {
  const std::string file = path("search.db");
  for (const std::string& database : {place_, file}) {
    const Ran ran = run(search(database));
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  const auto table = [&](const std::string& database, const std::string& sort) {
    const Ran ran = run({"leaderboard", "--db", database, "--format", "csv", "--sort", sort, "--compare", "relu"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return timeless(ran.out);
  };
  for (const char* const sort : {"accuracy", "lower-bound", "trials"}) {
    const std::string ours = table(place_, sort), theirs = table(file, sort);
    EXPECT_EQ(ours, theirs);
    EXPECT_EQ(std::count(theirs.begin(), theirs.end(), '\n'), 5) << theirs;
  }
  const std::string sql = "SELECT formula, seed, accuracy, train_loss, beta, attempts FROM trials ORDER BY formula, seed";
  const auto rows = [&](const std::string& database) { return run({"query", "--db", database, sql, "--format", "csv"}); };
  const Ran asked = rows(place_);
  EXPECT_EQ(asked.code, 0) << asked.err;
  EXPECT_EQ(asked.out, rows(file).out);

  const Ran again = run(search(place_));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials"), "8") << "the same command trains nothing twice";
  const Ran report = run({"report", "--db", place_, "--out", path("page")});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_NE(read_text(path("page") + "/index.html").find("search_"), std::string::npos) << "its title names the database";
}

TEST_F(PostgresqlCommands, TwoProcessesShareTheWorkAndAKilledOnesTrialIsTakenOver) {
  pause("60");
  Process killed(directory_.path(), waiting());
  ASSERT_TRUE(comes("SELECT count(*) FROM running", "1"));
  killed.kill(SIGKILL);
  killed.wait();
  pause("0.1");
  TemporaryDirectory one, two;
  Process first(one.path(), waiting()), second(two.path(), waiting());
  const Ran ended = first.wait(), other = second.wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status <> 'done'"), "0");
  EXPECT_EQ(ask("SELECT sum(attempts) - count(*) FROM trials"), "1") << "one trial began twice: that of the killed process";
}

TEST_F(PostgresqlCommands, ATrialThatOneWorkerGaveBackGoesOnAtAnotherWithTheSharedCheckpoints) {
  std::vector<std::string> words = search(place_, {"--budget-trials", "1"});
  *(std::find(words.begin(), words.end(), "--epochs") + 1) = "24";
  const std::string curve = "SELECT epoch, train_loss, seconds FROM epochs ORDER BY epoch";
  Process first(directory_.path(), words);
  ASSERT_TRUE(comes("SELECT count(*) >= 3 FROM epochs", "1"));
  first.kill(SIGTERM);
  const Ran ended = first.wait();
  EXPECT_EQ(ended.code, 130) << ended.err;
  ASSERT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'released'"), "1") << "SIGTERM gives it back";
  const std::string before = run({"query", "--db", place_, curve, "--format", "csv"}).out;
  TemporaryDirectory elsewhere;
  const Ran other = run_program(elsewhere.path(), words);
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(ask("SELECT count(*) FROM epochs"), "24");
  const std::string after = run({"query", "--db", place_, curve, "--format", "csv"}).out;
  EXPECT_EQ(after.substr(0, before.size()), before) << "the seconds of its first epochs are those of the first worker";
  EXPECT_FALSE(std::filesystem::exists(path("checkpoints"))) << "what has ended leaves none";
}

TEST_F(PostgresqlCommands, AServerThatIsStartedAnewInTheMiddleCostsNothing) {
  PrivateServer own;
  place_ = own.new_database();
  pause("0.3");
  Process searching(directory_.path(), waiting());
  ASSERT_TRUE(comes("SELECT count(*) > 1 FROM trials WHERE status = 'done'", "1"));
  own.stop();
  std::this_thread::sleep_for(500ms);
  own.start();
  const Ran ran = searching.wait();
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status <> 'done'"), "0");
  EXPECT_EQ(ask("SELECT sum(attempts) - count(*) FROM trials"), "0") << "no trial began twice";
  EXPECT_EQ(ask("SELECT done - (SELECT count(*) FROM trials) FROM recipes"), "0") << "none counts twice";
}

TEST_F(PostgresqlCommands, AResultThatWaitsForTheServerOutlivesItsProcess) {
  PrivateServer own;
  place_ = own.new_database();
  pause("0.5");
  Process killed(directory_.path(), waiting());
  ASSERT_TRUE(comes("SELECT count(*) FROM running", "1"));
  own.stop();
  const auto waits = [&] {
    for (const auto& file : std::filesystem::recursive_directory_iterator(path("checkpoints"))) {
      if (file.path().filename() == "told.json" && read_text(file.path()).find("\"score\": 0.5") != std::string::npos) return true;
    }
    return false;
  };
  for (int tries = 0; tries < 200 && !waits(); ++tries) std::this_thread::sleep_for(50ms);
  ASSERT_TRUE(waits()) << killed.err();
  killed.kill(SIGKILL);
  killed.wait();
  own.start();
  pause("600");  // the script is not to be called again
  std::vector<std::string> words = waiting();
  words.insert(words.end(), {"--budget-trials", "1"});
  const Ran other = run(words);
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(ask("SELECT status || ' ' || accuracy || ' ' || attempts FROM trials"), "done 0.5 2");
}

TEST_F(PostgresqlCommands, ACopyToAServerAndBackHasTheLeaderboardOfItsSource) {
  for (const char* const name : {"core1.db", "ten-epochs.db", "resnet20-short.db"}) {
    const std::string source = path(name), place = PrivateServer::shared().new_database(), back = path(std::string("back-") + name);
    std::filesystem::copy_file(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "docs/results" / name, source);
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{source, place}, {place, back}, {source, place}}) {
      const Ran ran = run({"copy", "--from", from, "--to", to});
      EXPECT_EQ(ran.code, 0) << ran.err;
      EXPECT_EQ(ran.out, "");
      EXPECT_EQ(ran.err.find("in the target, 0 there already") == std::string::npos, ran.err.find(" of which 0 new") != std::string::npos)
          << ran.err;
    }
    for (const char* const format : {"table", "csv"}) {
      const auto ranked = [&](const std::string& db) {
        const Ran ran = run({"leaderboard", "--db", db, "--format", format, "--top", "1000"});
        return ran.out + ran.err;
      };
      EXPECT_EQ(ranked(place), ranked(source)) << name;
      EXPECT_EQ(ranked(back), ranked(source)) << name;
    }
  }
}

TEST_F(PostgresqlCommands, ACopyThatIsKilledAndMeetsARestartAndIsRepeatedIsWhole) {
  PrivateServer own;
  place_ = own.new_database();
  const std::string source = path("source.db");
  std::filesystem::copy_file(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "docs/results/core1-seed1-h200.db", source);
  const std::vector<std::string> copy{"copy", "--from", source, "--to", place_};
  for (int round = 0; round < 8; ++round) {
    Process process(directory_.path(), copy);
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + 60 * round));
    process.kill(SIGKILL);
    process.wait();
  }
  {
    Process process(directory_.path(), copy);
    std::this_thread::sleep_for(200ms);
    own.stop();
    own.start();
    const Ran ran = process.wait();
    EXPECT_EQ(ran.code, 0) << ran.err;
  }
  for (const char* const sql :
       {"SELECT formula, recipe, seed, status, accuracy, epochs, seconds, attempts, finished FROM trials ORDER BY trial",
        "SELECT rank, formula, recipe, mean, n, bound, seconds FROM standings ORDER BY recipe_id, rank",
        "SELECT recipe, done FROM recipes ORDER BY recipe_id",
        "SELECT count(*) AS n, count(place) AS places, sum(place) AS sum FROM study_trials", "SELECT count(*) AS n FROM rejections",
        "SELECT count(*) AS n FROM epochs"}) {
    const auto asked = [&](const std::string& db) { return run({"query", "--db", db, sql, "--format", "csv"}).out; };
    EXPECT_TRUE(asked(place_) == asked(source)) << sql;
  }
}

TEST_F(PostgresqlCommands, ADatabaseIsNotCopiedIntoItselfNorFromAnotherProgram) {
  open_store(place_, Store::Access::kCreate);
  refuses({"copy", "--from", place_, "--to", place_ + "&application_name=other"}, kUsage, {"the same database"});
  const std::string other = PrivateServer::shared().new_database(), empty = PrivateServer::shared().new_database();
  const auto begin = other.find("@/") + 2;
  PrivateServer::shared().execute(other.substr(begin, other.find('?') - begin), "CREATE TABLE trial (kept text)");
  refuses({"copy", "--from", place_, "--to", other}, kFailure, {"not those of actsearch"});
  refuses({"copy", "--from", other, "--to", path("new.db")}, kFailure, {"not those of actsearch"});
  refuses({"copy", "--from", empty, "--to", path("new.db")}, kFailure, {"is empty: run a search into it first"});
  refuses({"copy", "--from", PrivateServer::shared().address("absent"), "--to", path("new.db")}, kFailure, {"does not exist"});
}

TEST_F(PostgresqlCommands, AClockThatIsAnHourOffTakesNobodysTrialAndLosesNone) {
  if (std::system("faketime --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "faketime is not installed";
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  for (const std::string& database : {place_, path("file.db")}) {
    const std::string flags = " --db '" + database + "'";
    /// A command of the program where the clock is so far off.
    const auto elsewhere = [&](const std::string& off, const std::string& command) {
      const std::string line = "DONT_FAKE_MONOTONIC=1 faketime -f " + off + " '" ACTSEARCH_PROGRAM "' " + command + flags + " > '" +
                               path("out") + "' 2> '" + path("err") + "'";
      EXPECT_EQ(std::system(line.c_str()), 0) << read_text(path("err"));
      return read_text(path("out"));
    };
    const std::string ask = "ask --conditions words --unary identity,tanh,sin --binary add --strategy exhaustive --lease 10m --format csv";
    std::set<std::string> formulas;
    for (const std::string off : {"+0s", "+1h", "-1h", "+0s"}) {
      const std::string handed_out = elsewhere(off, ask);
      ASSERT_EQ(lines(handed_out), 2) << handed_out;
      formulas.insert(cells_of(handed_out.substr(handed_out.find('\n') + 1)).at(1));
    }
    EXPECT_EQ(formulas.size(), 4u) << "to each another one, though an hour is longer than the lease";
    for (const std::string off : {"+1h", "-1h"}) EXPECT_EQ(lines(elsewhere(off, "ask --list --format csv")), 5) << off;
    int trial = 0;
    for (const std::string off : {"+1h", "-1h", "+1h", "-1h"}) elsewhere(off, "tell --trial " + std::to_string(++trial) + " --score 0.5");
    EXPECT_EQ(run({"query", "--db", database, "--format", "csv", "SELECT count(*) AS n FROM trials WHERE status = 'done'"}).out, "n\n4\n");
  }
}

TEST_F(PostgresqlCommands, WhatIsWrongWithADatabaseIsSaidOnceAndLeavesNothing) {
  refuses(search(PrivateServer::shared().address("absent")), kFailure, {"database \"absent\" does not exist", "check the address"});
  refuses(search("postgresql://role:sesame@/x"), kFailure, {"has a password", ".pgpass"});
  refuses({"leaderboard", "--db", place_}, kFailure, {"is empty: run a search into it first"});
}

}  // namespace
}  // namespace actsearch::testing
