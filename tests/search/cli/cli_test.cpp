// The command line as people meet it: what each mistake is answered with, and that results alone are on standard output.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "db/sqlite/store.h"
#include "grammar/notation.h"
#include "search/text/machine.h"
#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

using nlohmann::json;

TEST_F(CommandLine, RefusesRacesThatCannotBe) {
  const auto search = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"search", "--db", path("race.db"), "--data", "synthetic:400", "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  refuses(search({"--rungs", "1"}), kUsage, {"belong to --racing"});
  refuses(search({"--promote-by", "loss"}), kUsage, {"belong to --racing"});
  refuses(search({"--racing", "--promote-by", "accuracy"}), kUsage, {"--promote-by", "'accuracy'", "prediction, loss"});
  refuses(search({"--racing", "--rungs", "3"}), kUsage, {"cannot pause after 3", "--epochs"});
  refuses(search({"--racing", "--rungs", "2,1"}), kUsage, {"ascend", "'1'"});
  refuses(search({"--racing", "--rungs", "0,1"}), kUsage, {"'0'"});
  refuses(search({"--racing", "--rungs", "0.5,0.25"}), kUsage, {"ascend", "'0.25'"});
  refuses(search({"--racing", "--rungs", "0.5,0.5"}), kUsage, {"ascend", "'0.5'"});
  refuses(search({"--racing", "--rungs", "-0.1,1"}), kUsage, {"above 0", "'-0.1'"});
  refuses(search({"--racing", "--rungs", "0.1,,1"}), kUsage, {"--rungs", "empty"});
  refuses(search({"--racing", "--rungs", "0.1,inf"}), kUsage, {"'inf'"});
  refuses(search({"--racing", "--rungs", "0.1,3.5"}), kUsage, {"cannot pause after 3.5", "--epochs"});
  refuses(search({"--racing", "--eta", "0.5"}), kUsage, {"above 1"});
  refuses(search({"--racing", "--eta", "4,5"}), kUsage, {"above 1"});
  refuses(search({"--racing", "--rungs", "1,x"}), kUsage, {"'x'"});
  refuses(search({"--racing", "--eta", "1"}), kUsage, {"above 1"});
  refuses(search({"--racing", "--eta", "many"}), kUsage, {"'many'"});
  EXPECT_FALSE(std::filesystem::exists(path("race.db")));
  // 400 images, of which 40 validate, in batches of 128: an epoch is 2 steps.
  for (const auto& [rungs, why] : std::vector<std::pair<std::string, std::string>>{
           {"0.1,1", "after 0.1 epochs is no pause of its own: an epoch here has 2 steps, so it comes to lie at the begin"},
           {"0.5,0.6,1", "after 0.6 epochs is no pause of its own: an epoch here has 2 steps, so it comes to lie on the rung before it"},
           {"1,2.9", "after 2.9 epochs is no pause of its own: an epoch here has 2 steps, so it comes to lie at the end"}}) {
    const Ran ran = run(search({"--racing", "--rungs", rungs}));
    EXPECT_EQ(ran.code, kUsage) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("actsearch: --rungs: a rung " + why), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(path("race.db"))) << "though the data were there";
  }
}

/// The working directory and the proxy of downloads for as long as it lives: a directory, and a port where nobody listens.
class WithoutNetwork {
 public:
  explicit WithoutNetwork(const std::filesystem::path& directory) : home_(std::filesystem::current_path()) {
    std::filesystem::current_path(directory);
    setenv("https_proxy", "http://127.0.0.1:9", 1);
  }
  ~WithoutNetwork() {
    std::filesystem::current_path(home_);
    unsetenv("https_proxy");
  }
  WithoutNetwork(const WithoutNetwork&) = delete;
  WithoutNetwork& operator=(const WithoutNetwork&) = delete;

 private:
  std::filesystem::path home_;
};

TEST_F(CommandLine, WithoutDataThatCanBeHadThereIsAnErrorWithThreeWaysOnAndNothingIsCreated) {
  const std::string before = contents();
  const WithoutNetwork without(directory_.path());
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"search", "--db", "a.db"}, {"rerun", "--db", "a.db", "--expr", "relu"}}) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, kFailure) << ran.err;
    EXPECT_EQ(ran.out, "");
    for (const char* part :
         {"actsearch: there is no CIFAR-10 here", "tried:", "actsearch data fetch data", "--data DIR", "--data synthetic"})
      EXPECT_NE(ran.err.find(part), std::string::npos) << part << " is not in: " << ran.err;
    EXPECT_EQ(contents(), before) << words.front();
  }
}

TEST_F(CommandLine, DataThatCannotBeUsedLeaveNoDatabaseAndNoFolder) {
  const std::string nowhere = path("nowhere");
  refuses({"search", "--db", path("a.db"), "--data", nowhere}, kFailure, {"nowhere"});
  refuses({"search", "--db", path("a.db"), "--data", nowhere, "--racing"}, kFailure, {"nowhere"});
  refuses({"rerun", "--db", path("a.db"), "--data", nowhere, "--expr", "relu"}, kFailure, {"nowhere"});
  refuses({"rerun", "--db", path("a.db"), "--data", "synthetic:100", "--top", "1"}, kFailure, {"a.db", "run a search"});
  refuses({"finalists", "--db", path("a.db"), "--data", "synthetic:100", "--top", "1"}, kFailure, {"a.db", "run a search"});
  for (const char* command : {"leaderboard", "serve"}) refuses({command, "--db", path("a.db")}, kFailure, {"a.db", "no such file"});
  refuses({"search", "--db", path(std::string(300, 'a')), "--data", "synthetic:100"}, kFailure,
          {"File name too long; choose a shorter name"});
  refuses({"report", "--db", path("a.db"), "--out", path("page")}, kFailure, {"no such file"});
  refuses({"query", "--db", path("a.db"), "SELECT 1"}, kFailure, {"no such file"});
  refuses({"proxies", "--db", path("a.db"), "--truth", "vgg-s"}, kFailure, {"no such file"});
  refuses({"plot", "--db", path("a.db"), "--rank", "1", "--out", path("new.svg")}, kFailure, {"no such file"});
  refuses({"export", "--db", path("a.db"), "--to", "c", "--out", path("new.h")}, kFailure, {"no such file"});
}

TEST_F(CommandLine, ARecipeThatNeitherTheFileNorTheProgramHasIsAMistakeWhereverItIsNamed) {
  const std::string db = filled_database();
  const std::vector<std::string> parts{"no recipe 'nope'", "the file has vgg-s", "the program knows", "vgg16-slim"};
  refuses({"leaderboard", "--db", db, "--recipe", "nope"}, kUsage, parts);
  refuses({"leaderboard", "--db", db, "--recipe", "nope epochs=4"}, kUsage, parts);
  refuses({"leaderboard", "--db", db, "--recipe", "nope", "--failures"}, kUsage, parts);
  refuses({"leaderboard", "--db", db, "--recipe", "vgg-z"}, kUsage, {"did you mean 'vgg-"});
  refuses({"export", "--db", db, "--recipe", "nope", "--to", "c"}, kUsage, parts);
  refuses({"plot", "--db", db, "--recipe", "nope", "--rank", "1"}, kUsage, parts);
  refuses({"proxies", "--db", db, "--truth", "nope"}, kUsage, parts);
  refuses({"rerun", "--db", db, "--top", "1", "--from", "nope", "--data", "synthetic:100"}, kUsage, parts);
  refuses({"finalists", "--db", db, "--top", "1", "--from", "nope", "--data", "synthetic:100"}, kUsage, parts);
  EXPECT_EQ(run({"leaderboard", "--db", db, "--recipe", "vgg-m"}).code, 0) << "its search may have only begun";
}

/// The examples of a help text: lines that hold a command of this program with arguments.
std::vector<std::string> examples(const std::string& help) {
  std::vector<std::string> found;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find("actsearch ");
    if (at == std::string::npos || line.rfind("usage:", 0) == 0 || line.find("COMMAND") != std::string::npos) continue;
    const bool begins = line.find_first_not_of(' ') == at;
    const bool after_a_label =
        at >= 2 && line.find_last_not_of(' ', at - 1) != std::string::npos && line[line.find_last_not_of(' ', at - 1)] == ':';
    if (begins || after_a_label)
      found.push_back(line.substr(at, line.find("   (") == std::string::npos ? line.npos : line.find("   (") - at));
  }
  return found;
}

TEST_F(CommandLine, EveryExampleOfEveryHelpWorks) {
  // As the examples have them: a search's file, and the panel of this repository.
  std::filesystem::rename(filled_database(), path("first.db"));
  std::filesystem::create_directories(path("docs/results"));
  std::filesystem::copy_file(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "docs/results/panel.db", path("docs/results/panel.db"));
  SqliteStore(path("docs/results/panel.db"), Store::Access::kCreate);  // of this version
  std::filesystem::create_directories(path("bin"));
  std::filesystem::create_symlink(ACTSEARCH_PROGRAM, path("bin/actsearch"));
  std::ofstream(path("data")) << "so that no download begins";

  std::vector<std::string> all = examples(run({"--help"}).out);
  for (const char* command :
       {"search", "ask",  "tell", "leaderboard", "query",     "rerun",   "finalists", "proxies", "copy",  "merge",      "report",
        "serve",  "show", "plot", "export",      "operators", "recipes", "spaces",    "data",    "bench", "completion", "help"}) {
    for (const std::string& example : examples(run({command, "--help"}).out)) {
      EXPECT_EQ(example.rfind(std::string("actsearch ") + command, 0), 0u) << "in the help of " << command << ": " << example;
      all.push_back(example);
    }
  }
  EXPECT_GE(all.size(), 10u);
  for (const std::string& example : all) {
    std::string line = example;
    if (line.rfind("actsearch search", 0) == 0) line += " --data synthetic:200 --batch 50 --epochs 1 --budget-trials 1 --jobs 1";
    const std::string in_the_directory =
        "cd '" + directory_.path().string() + "' && PATH=\"$PWD/bin:$PATH\" && { " + line + "; } > stdout 2> stderr";
    const int status = std::system(in_the_directory.c_str());
    const int expected = line.rfind("actsearch data fetch", 0) == 0 ? kFailure : 0;  // it gets as far as the file that is in the way
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, expected) << example << "\n" << read_text(path("stderr"));
  }
}

TEST_F(CommandLine, HelpOfACommandIsThatOfItsFlag) {
  for (const char* command : {"search", "proxies", "data"}) EXPECT_EQ(run({"help", command}).out, run({command, "--help"}).out);
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  refuses({"help", "serch"}, kUsage, {"no command 'serch'", "did you mean 'search'"});
}

TEST_F(CommandLine, ShowPrintsValuesAsTextWhereAskedTo) {
  const Ran ran = run({"show", "swish", "--at", "-2,0.5", "--beta", "1.5", "--format", "text"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.find('{'), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.rfind("x * sigmoid(beta * x)\n", 0), 0u) << ran.out;
  for (const char* part : {"f(x)", "f'(x)", "df/dbeta", "kernel f(x)", "-2", "0.5"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part;
  EXPECT_EQ(json::parse(run({"show", "swish", "--at", "1", "--format", "json"}).out)["reference"].size(), 1u);
  EXPECT_NE(run({"show", "log(x)", "--at", "-1", "--format", "text"}).out.find("nan"), std::string::npos);
  const auto points = json::parse(run({"show", "sqrt(x)", "--at", "-1,inf,-inf,nan", "--format", "json"}).out)["reference"];
  EXPECT_EQ(points[0]["y"], "nan") << "without a sign";
  EXPECT_EQ(points[1]["x"], "inf");
  EXPECT_EQ(points[1]["y"], "inf");
  EXPECT_EQ(points[2]["x"], "-inf");
  EXPECT_EQ(points[3]["y"], "nan");
}

TEST_F(CommandLine, ShowSaysWhereAFunctionIsOutOfSinglePrecisionsRange) {
  const auto line_of = [&](const char* formula) {
    const std::string out = run({"show", formula}).out;
    const std::size_t at = out.find("out of range");
    return at == std::string::npos ? std::string() : out.substr(at + 16, out.find('\n', at) - at - 16);
  };
  EXPECT_EQ(line_of("exp(x)"), "value at x >= 88.7344; slope at x >= 88.7344");
  EXPECT_EQ(line_of("sqrt(x)").find("value at x <= "), 0u) << line_of("sqrt(x)");
  EXPECT_EQ(line_of("sqrt(exp(x))").find("value at x >= "), 0u) << line_of("sqrt(exp(x))");
  for (const char* const formula : {"swish", "x * tanh(exp(x))", "x / (cosh(x) + 1e-07)", "log(1 + exp(x))"}) {
    EXPECT_EQ(line_of(formula).find("none"), 0u) << formula << ": " << line_of(formula);
  }
  const auto spans = json::parse(run({"show", "exp(x)", "--format", "json"}).out)["out_of_range"];
  EXPECT_EQ(spans["value"], (json{{88.734375, 10000.0}}));
}

TEST_F(CommandLine, WhatMeasuresSaysFirstHowLongItWillTakeAndCtrlCEndsIt) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"bench", "--device", "cpu"}, {"recipes", "--measure"}}) {
    const std::filesystem::path own = directory_.path() / words.front();
    std::filesystem::create_directory(own);
    Process process(own, words);
    for (int i = 0; i < 1200 && process.err().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(process.err().rfind("this takes about ", 0), 0u) << process.err();
    process.kill(SIGINT);
    const Ran ran = process.wait();
    EXPECT_EQ(ran.code, 130) << words.front() << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("interrupted"), std::string::npos) << ran.err;
  }
}

TEST_F(CommandLine, LeaderboardComparesWithAReference) {
  const std::string db = path("compare.db");
  {
    SqliteStore database(db, Store::Access::kCreate);
    std::ostringstream log;
    Progress progress(log, {});
    const std::atomic<bool> interrupt{false};
    SearchPlan plan = small_plan();
    plan.run.seeds = 3;
    run_search(database, plan, fake_outcome, progress, interrupt);
  }
  const Ran table = run({"leaderboard", "--db", db, "--compare", "x + x"});
  EXPECT_EQ(table.code, 0) << table.err;
  for (const char* part : {"− x + x, points", "95 % of all", "p (Dunnett)", "equal within", "worse"})
    EXPECT_NE(table.out.find(part), std::string::npos) << table.out;
  const Ran rows = run({"leaderboard", "--db", db, "--compare", "x + x", "--format", "json"});
  int compared = 0;
  for (const json& row : json::parse(rows.out)) {
    if (row["difference"].is_null()) continue;
    ++compared;
    EXPECT_EQ(row["common_seeds"], 3);
    EXPECT_GE(row["p"], row["p_alone"]);
    EXPECT_GT(row["equal_within"], 0);
  }
  EXPECT_EQ(compared, 11);
  EXPECT_EQ(run({"leaderboard", "--db", db, "--compare", "x + x", "--margin", "200"}).out.find("not told apart"), std::string::npos);
  refuses({"leaderboard", "--db", db, "--compare", "x + x", "--margin", "0"}, kUsage, {"--margin 0", "above 0"});
  refuses({"leaderboard", "--db", db, "--margin", "1"}, kUsage, {"--margin", "--compare"});
  refuses({"leaderboard", "--db", db, "--compare", "relu"}, kUsage, {"--compare relu", "several seeds"});
  const auto best = json::parse(rows.out)[0]["formula"].get<std::string>();
  EXPECT_EQ(run({"leaderboard", "--db", db, "--compare", best, "--top", "1"}).code, 0) << "what it is compared with is not shown";
  refuses({"leaderboard", "--db", db, "--compare", "relu("}, kUsage, {"expected"});
  refuses({"leaderboard", "--db", db, "--compare", "3"}, kUsage, {"constant"});
  refuses({"leaderboard", "--db", db, "--compare", "relu", "--failures"}, kUsage, {"--compare"});
}

TEST_F(CommandLine, RefusesComparisonsThatHaveNothingToCompare) {
  const std::string one_function = database_of({"identity"}, {"add"}, 3), one_seed = filled_database();
  refuses({"leaderboard", "--db", one_function, "--compare", "x + x"}, kUsage, {"--compare x + x", "another function"});
  refuses({"leaderboard", "--db", one_function, "--compare", "gelu"}, kUsage, {"--compare gelu", "finished trials of it"});
  refuses({"leaderboard", "--db", one_seed, "--compare", "x + x"}, kUsage, {"--compare x + x", "several seeds"});
  refuses({"finalists", "--db", one_function, "--top", "5", "--compare", "x + x"}, kUsage, {"--compare x + x", "the only finalist"});
  refuses({"finalists", "--db", one_function, "--top", "5", "--seeds", "1"}, kUsage, {"--seeds 1", "at least 2 trials"});
  for (const std::string& file : {one_function, one_seed})
    EXPECT_EQ(run({"leaderboard", "--db", file}).code, 0) << "what is there is still there";
}

TEST_F(CommandLine, RefusesPanelsThatAreTooSmall) {
  const std::string one = database_of({"identity"}, {"add"}, 2), two = database_of({"identity"}, {"add", "mul"}, 1);
  refuses({"proxies", "--db", one, "--truth", "vgg-s"}, kUsage, {"vgg-s has tried 1 function,", "at least 5"});
  refuses({"proxies", "--db", two, "--truth", "vgg-s"}, kUsage, {"vgg-s has tried 2 functions,", "at least 5"});
  const std::string twelve = filled_database();
  refuses({"proxies", "--db", twelve, "--truth", "vgg-s"}, kUsage, {"no other recipe of the database has tried 5"});
  refuses({"proxies", "--db", twelve, "--truth", "vgg-s", "--top", "12"}, kUsage, {"no other recipe of the database has tried 12"});
  refuses({"proxies", "--db", twelve, "--truth", "vgg-s", "--top", "13"}, kUsage, {"has tried 12 functions", "at least 13"});
  refuses({"proxies", "--db", twelve, "--truth", "vgg-m"}, kUsage, {"no finished trials under recipe vgg-m"});
  refuses({"proxies", "--db", twelve, "--truth", "vgg-x"}, kUsage, {"--truth: no recipe 'vgg-x'", "the file has vgg-s"});
  for (const char* const top : {"0", "-1", "many"})
    refuses({"proxies", "--db", twelve, "--truth", "vgg-s", "--top", top}, kUsage, {"--top"});
}

TEST_F(CommandLine, RefusesToGoOnWithAStudyOfAnotherModelAndLosesNothing) {
  const auto search = [&](const std::string& file, const std::string& strategy) {
    return std::vector<std::string>{
        "search", "--db",   path(file), "--data",     "synthetic:200", "--recipe", "vgg-s",    "--epochs", "1",   "--batch",
        "50",     "--jobs", "1",        "--strategy", strategy,        "--unary",  "relu,sin", "--binary", "max", "--budget-trials",
        "1"};
  };
  ASSERT_EQ(run(search("new.db", "surrogate")).code, 0);
  ASSERT_EQ(run(search("old.db", "random")).code, 0);
  const std::string known = "curve features 1", older = "curve features 0";
  {
    StudyRecord study = SqliteStore(path("new.db"), Store::Access::kReadOnly).studies().front();
    const std::size_t at = study.conditions.find(known);
    ASSERT_NE(at, std::string::npos) << study.conditions;
    study.conditions.replace(at, known.size(), older);
    SqliteStore(path("old.db"), Store::Access::kCreate).study(study);
  }
  const std::string before = run({"leaderboard", "--db", path("old.db"), "--format", "csv"}).out, files = contents();
  const Ran refused = run(search("old.db", "surrogate"));
  EXPECT_EQ(refused.code, kUsage) << refused.err;
  EXPECT_EQ(refused.out, "");
  for (const std::string& part :
       {std::string("actsearch: the file has this study with another model"), older, known, std::string("--seed")})
    EXPECT_NE(refused.err.find(part), std::string::npos) << refused.err;
  EXPECT_EQ(contents(), files) << "nothing is created or changed";
  EXPECT_EQ(run({"leaderboard", "--db", path("old.db"), "--format", "csv"}).out, before);
  EXPECT_EQ(std::count(before.begin(), before.end(), '\n'), 2) << before;
}

TEST_F(CommandLine, ReportWritesOnePageAndReplacesNoneUnasked) {
  const std::string db = filled_database(), out = directory_.path() / "new" / "page";
  const Ran ran = run({"report", "--db", db, "--out", out});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, out + "/index.html\n");
  const std::string page = read_text(out + "/index.html");
  EXPECT_NE(page.find("<!doctype html>"), std::string::npos);
  EXPECT_NE(page.find("filled.db"), std::string::npos);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(out), {}), 1);
  refuses({"report", "--db", db, "--out", out}, kUsage, {"index.html is there already", "--force"});
  EXPECT_EQ(run({"report", "--db", db, "--out", out, "--force"}).code, 0);
}

TEST_F(CommandLine, ReportRefusesWhatCannotBe) {
  const std::string db = filled_database();
  refuses({"report", "--db", db}, kUsage, {"--out is required"});
  refuses({"report", "--out", path("page")}, kUsage, {"--db is required"});
  refuses({"report", "--db", path("none.db"), "--out", path("page")}, kFailure, {"no such file"});
  EXPECT_FALSE(std::filesystem::exists(path("page")));
  refuses({"report", "--db", db, "--out", db}, kFailure, {"the directory cannot be made"});
  std::ofstream(path("text.db")) << "no database";
  refuses({"report", "--db", path("text.db"), "--out", path("page")}, kFailure, {"not an SQLite database"});
}

TEST_F(CommandLine, HelpOfEveryCommandIsOnStandardOutput) {
  const Ran overview = run({"--help"});
  EXPECT_EQ(overview.code, 0);
  for (const char* command : {"search", "leaderboard", "query", "rerun", "finalists", "proxies", "report", "serve", "show", "plot",
                              "export", "operators", "recipes", "spaces", "data", "bench", "completion", "help"}) {
    EXPECT_NE(overview.out.find(command), std::string::npos) << command;
    const Ran help = run({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_EQ(help.out.rfind(std::string("usage: actsearch ") + command, 0), 0u) << help.out;
    EXPECT_EQ(help.err, "") << command;
  }
}

TEST_F(CommandLine, VersionStatesCommitAndInstructionSets) {
  const Ran ran = run({"--version"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.out.find("commit "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(built_instruction_sets()), std::string::npos) << ran.out;
}

TEST_F(CommandLine, RefusesUnknownCommandsAndFlagsWithASuggestion) {
  refuses({}, kUsage, {"a command is expected"});
  refuses({"serch"}, kUsage, {"no command 'serch'", "did you mean 'search'"});
  refuses({"search", "--db", path("a.db"), "--budgettime", "1m"}, kUsage, {"--budgettime", "did you mean '--budget-time'"});
  refuses({"search", "--db", path("a.db"), "--budget", "1m"}, kUsage, {"--budget"});
  refuses({"search", "--db", path("a.db"), "-j", "1"}, kUsage, {"arguments without a flag"});
  refuses({"search", "--db", path("a.db"), "--seed", "1", "--seed", "2"}, kUsage, {"--seed"});
  refuses({"search", "--db"}, kUsage, {"--db"});
  refuses({"operators", "extra"}, kUsage, {"arguments without a flag"});
  EXPECT_FALSE(std::filesystem::exists(path("a.db")));
}

TEST_F(CommandLine, RefusesUnknownOperatorsRecipesSpacesAndFormulas) {
  refuses({"search", "--db", path("a.db"), "--recipe", "vgg-x"}, kUsage, {"no 'vgg-x'", "did you mean 'vgg-", "vgg16-slim"});
  refuses({"search", "--db", path("a.db"), "--space", "core9"}, kUsage, {"core9", "core1"});
  refuses({"search", "--db", path("a.db"), "--unary", "identity,sigmoyd"}, kUsage, {"sigmoyd", "did you mean 'sigmoid'"});
  refuses({"search", "--db", path("a.db"), "--binary", "ad"}, kUsage, {"'ad'", "did you mean 'add'"});
  refuses({"search", "--db", path("a.db"), "--unary", "identity,,sin"}, kUsage, {"empty"});
  refuses({"search", "--db", path("a.db"), "--unary", "sin,sin"}, kUsage, {"twice"});
  refuses({"search", "--db", path("a.db"), "--strategy", "greedy"}, kUsage, {"greedy", "exhaustive"});
  refuses({"search", "--db", path("a.db"), "--strategy", "surrogate", "--unary", "beta", "--binary", "add"}, kUsage,
          {"no function of core1 with these operators has a finite", "choose other operators"});
  refuses({"search", "--db", path("a.db"), "--precision", "fp16"}, kUsage, {"fp16", "bf16"});
  refuses({"search", "--db", path("a.db"), "--recipe", "vgg16-bn"}, kUsage, {"no validation images"});
  refuses({"show", "x * sigmod(x)"}, kUsage, {"sigmod", "did you mean 'sigmoid'"});
  refuses({"show", "x +"}, kUsage, {"column 4"});
  refuses({"show", std::string(1 << 16, '(')}, kUsage, {});
  refuses({"rerun", "--db", path("a.db"), "--expr", "swich"}, kUsage, {"swich", "did you mean 'swish'"});
  refuses({"rerun", "--db", path("a.db"), "--expr", "1 + 2"}, kUsage, {"constant"});
  EXPECT_FALSE(std::filesystem::exists(path("a.db"))) << "a mistake creates no database";
}

TEST_F(CommandLine, RefusesScoresThatCannotBe) {
  refuses({"search", "--db", path("a.db"), "--score", "validation-loss"}, kUsage, {"--score", "validation_loss"});
  refuses({"search", "--db", path("a.db"), "--score", "validation_loss", "--recipe", "vgg16-bn-mxnet"}, kUsage, {"no validation images"});
  refuses({"search", "--db", path("a.db"), "--score", "validation_loss", "--evaluator", "true"}, kUsage, {"--score", "built-in"});
  EXPECT_FALSE(std::filesystem::exists(path("a.db")));
}

TEST_F(CommandLine, RefusesBudgetsSeedsAndJobsThatMakeNoSense) {
  for (const std::vector<std::string>& flag : {std::vector<std::string>{"--small"}, {"--jobs", "2"}}) {
    std::vector<std::string> words{"bench", "--device", "cpu"};
    words.insert(words.end(), flag.begin(), flag.end());
    refuses(words, kUsage, {flag.front(), "CUDA devices"});
  }
  for (const char* flag : {"--budget-time", "--budget-trials", "--budget-epochs", "--seeds", "--epochs", "--jobs"}) {
    for (const char* value : {"0", "-1", "many", ""}) refuses({"search", "--db", path("a.db"), flag, value}, kUsage, {flag});
  }
  refuses({"search", "--db", path("a.db"), "--budget-time", "0s"}, kUsage, {"--budget-time", "more than nothing"});
  refuses({"search", "--db", path("a.db"), "--budget-epochs", "1"}, kUsage, {"less than one trial"});
  refuses({"search", "--db", path("a.db"), "--jobs", std::to_string(available_cores() + 1)}, kUsage, {"--jobs", "cores"});
  refuses({"search", "--db", path("a.db"), "--seed", "-1"}, kUsage, {"--seed"});
  for (const char* value : {"0", "-0.1", "101", "nan", "fast", "0.1,0.2", ""})
    refuses({"search", "--db", path("a.db"), "--rate", value}, kUsage, {"--rate"});
  for (const char* value : {"1", "4097", "0", "many"}) refuses({"search", "--db", path("a.db"), "--batch", value}, kUsage, {"--batch"});
  EXPECT_FALSE(std::filesystem::exists(path("a.db")));
}

TEST_F(CommandLine, EpochsBatchAndRateMakeAnotherRecipeThatItsFieldsName) {
  for (const char* const rate : {"0.1", "0.03"}) {
    const Ran ran = run({"search", "--db", path("other.db"), "--recipe", "vgg-s", "--epochs", "1", "--batch", "50", "--rate", rate,
                         "--data", "synthetic:100", "--budget-trials", "5", "--jobs", "1", "--baselines"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find("vgg-s for 1 epoch (batch 50, rate " + std::string(rate) + ") in"), std::string::npos) << ran.err;
  }
  const Ran recipes =
      run({"query", "--db", path("other.db"), "--format", "csv",
           "SELECT text LIKE 'vgg-s % epochs=1 batch=50 schedule=one-cycle peak=0.03 %' AS slow FROM recipes ORDER BY slow"});
  EXPECT_EQ(recipes.out, "slow\n0\n1\n") << recipes.err;
  const Ran ranked = run({"leaderboard", "--db", path("other.db"), "--recipe", "vgg-s peak=0.03"});
  EXPECT_NE(ranked.err.find(" peak=0.03 "), std::string::npos) << ranked.err;
  const Ran compared = run({"proxies", "--db", path("other.db"), "--truth", "vgg-s peak=0.1", "--format", "csv"});
  EXPECT_NE(compared.err.find(" peak=0.1 "), std::string::npos) << compared.err;
  EXPECT_NE(compared.out.find(" peak=0.03 "), std::string::npos) << compared.out;
  EXPECT_EQ(compared.out.find(" peak=0.1 "), std::string::npos) << compared.out;
  EXPECT_EQ(run({"leaderboard", "--db", path("other.db"), "--recipe", "vgg-s peak=3"}).err,
            "no finished trials under recipe vgg-s peak=3 yet\nnot shown: 2 other conditions; --recipe takes a recipe's name, such a text, "
            "or the name and some fields of it\n");
}

TEST_F(CommandLine, ALossThatRanksHasATableOfItsOwnWithTheLowestFirst) {
  const std::string file = path("losses.db");
  const auto search = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "search", "--db",          file,     "--recipe", "vgg-s",      "--epochs",   "1",       "--batch", "50",
        "--data", "synthetic:200", "--jobs", "1",        "--strategy", "exhaustive", "--unary", "relu",    "--binary",
        "max",    "--expr",        "swish",  "--expr",   "tanh",       "--seeds",    "2"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  EXPECT_EQ(search({}).code, 0);
  const Ran by_loss = search({"--score", "validation_loss"});
  EXPECT_EQ(by_loss.code, 0) << by_loss.err;
  EXPECT_NE(by_loss.err.find("study finished: 6 trials"), std::string::npos) << "those by accuracy are others: " << by_loss.err;
  EXPECT_EQ(by_loss.err.find(" %  "), std::string::npos) << "a loss is no share: " << by_loss.err;
  EXPECT_NE(by_loss.out.find("validation loss"), std::string::npos) << by_loss.out;

  const auto rows = json::parse(run({"leaderboard", "--db", file, "--recipe", "vgg-s score=validation_loss", "--format", "json"}).out);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_GT(rows[0]["validation loss"], 0);
  EXPECT_LE(rows[0]["validation loss"], rows[1]["validation loss"]);
  EXPECT_LE(rows[1]["validation loss"], rows[2]["validation loss"]);
  // The same trainings, ranked by accuracy, have the same losses.
  const auto others = json::parse(run({"leaderboard", "--db", file, "--recipe", "vgg-s", "--format", "json"}).out);
  std::map<std::string, double> losses;
  for (const auto& row : others) losses[row["formula"]] = row["validation_loss"];
  for (const auto& row : rows) EXPECT_NEAR(row["validation loss"], losses.at(row["formula"]), 1e-12) << row["formula"];

  const Ran judged = run({"finalists", "--db", file, "--from", "vgg-s score=validation_loss", "--top", "1", "--seeds", "2", "--full", "0",
                          "--data", "synthetic:200", "--jobs", "1", "--format", "json"});
  EXPECT_EQ(judged.code, 0) << judged.err;
  EXPECT_NE(judged.out.find("validation loss"), std::string::npos) << judged.out;
}

TEST_F(CommandLine, RefusesABatchThatTheImagesDoNotFill) {
  for (const std::vector<std::string>& command : {std::vector<std::string>{"search"}, {"rerun", "--expr", "relu"}}) {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"--db", path("a.db"), "--recipe", "vgg-s", "--data", "synthetic:600", "--batch", "1000"});
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, kUsage) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("actsearch: the training set has fewer images than one batch of 1000"), std::string::npos) << ran.err;
  }
}

TEST_F(CommandLine, RefusesFlagsThatContradictEachOtherOrAreMissing) {
  refuses({"search"}, kUsage, {"--db is required"});
  refuses({"leaderboard"}, kUsage, {"--db is required"});
  refuses({"query", "SELECT 1"}, kUsage, {"--db is required"});
  refuses({"query", "--db", path("a.db")}, kUsage, {"SELECT statement is expected"});
  refuses({"rerun", "--db", path("a.db")}, kUsage, {"--top", "--expr"});
  refuses({"rerun", "--db", path("a.db"), "--top", "1", "--expr", "relu"}, kUsage, {"--top", "--expr"});
  refuses({"rerun", "--db", path("a.db"), "--expr", "relu", "--threads", std::to_string(available_cores() + 1)}, kUsage, {"--threads"});
  refuses({"finalists", "--db", path("a.db")}, kUsage, {"--top N is required"});
  refuses({"finalists", "--db", path("a.db"), "--top", "3", "--seeds", "1"}, kUsage, {"--seeds 1 is not enough", "at least 2 trials"});
  refuses({"finalists", "--db", path("a.db"), "--top", "3", "--full", "4"}, kUsage, {"--full 4", "--top 3"});
  refuses({"finalists", "--db", path("a.db"), "--top", "3", "--compare", "7"}, kUsage, {"constant"});
  refuses({"proxies", "--db", path("a.db")}, kUsage, {"--truth is required"});
  refuses({"leaderboard", "--db", path("a.db"), "--failures", "--sort", "time"}, kUsage, {"--failures"});
  refuses({"leaderboard", "--db", path("a.db"), "--sort", "acuracy"}, kUsage, {"did you mean 'accuracy'"});
  refuses({"leaderboard", "--db", path("a.db"), "--format", "xml"}, kUsage, {"xml", "json"});
  refuses({"show"}, kUsage, {"a formula is expected"});
  refuses({"show", "swish", "--beta", "1,2", "--at", "0"}, kUsage, {"1 parameters", "2 values"});
  refuses({"show", "relu", "--emit", "fortran"}, kUsage, {"fortran", "cuda"});
  refuses({"show", "relu", "--emit", "cuda", "--at", "1"}, kUsage, {"--emit", "--at"});
  refuses({"show", "relu", "--at", "one"}, kUsage, {"'one' is not a number"});
  refuses({"data"}, kUsage, {"fetch DIR"});
  refuses({"data", "delete", "x"}, kUsage, {"delete", "fetch"});
  refuses({"data", "check"}, kUsage, {"directory"});
}

TEST_F(CommandLine, FailuresOfTheEnvironmentExitWithOne) {
  std::ofstream(path("text.db")) << "this is a text, not a database, and long enough to be told apart from an empty file";
  refuses({"leaderboard", "--db", path("missing.db")}, kFailure, {"missing.db"});
  refuses({"leaderboard", "--db", path("text.db")}, kFailure, {"text.db"});
  refuses({"search", "--db", path("text.db"), "--data", "synthetic"}, kFailure, {"text.db"});
  refuses({"search", "--db", path("no/such/directory/a.db"), "--data", "synthetic"}, kFailure, {"directory"});
  refuses({"search", "--db", path("b.db"), "--data", path("nowhere")}, kFailure, {"nowhere"});
  refuses({"finalists", "--db", path("missing.db"), "--top", "3"}, kFailure, {"missing.db", "run a search"});
  EXPECT_FALSE(std::filesystem::exists(path("missing.db")));
  refuses({"data", "check", directory_.path()}, kFailure, {"data_batch_1.bin"});
  EXPECT_EQ(read_text(path("text.db")).substr(0, 14), "this is a text") << "left as it is";
}

TEST_F(CommandLine, ABrokenBatchFileIsNamed) {
  std::filesystem::create_directory(path("data"));
  for (const char* file :
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}) {
    std::ofstream(directory_.path() / "data" / file) << "short";
  }
  refuses({"data", "check", path("data")}, kFailure, {"data_batch_1.bin"});
  refuses({"search", "--db", path("b.db"), "--data", path("data")}, kFailure, {"data_batch_1.bin"});
}

TEST_F(CommandLine, LeaderboardSpeaksEveryFormatAndItsJsonIsOnlyJson) {
  const std::string file = filled_database();
  const Ran as_json = run({"leaderboard", "--db", file, "--format", "json", "--top", "5"});
  EXPECT_EQ(as_json.code, 0) << as_json.err;
  const json rows = json::parse(as_json.out);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0]["rank"], 1);
  EXPECT_GE(rows[0]["accuracy %"], rows[1]["accuracy %"]);
  EXPECT_GT(rows[0]["accuracy %"], 1);
  const Ran as_csv = run({"leaderboard", "--db", file, "--format", "csv"});
  EXPECT_EQ(as_csv.out.rfind("rank,tied_first,tied_last,status,formula,name,recipe,accuracy %,± %,n,", 0), 0u) << as_csv.out;
  const Ran as_table = run({"leaderboard", "--db", file, "--recipe", "vgg-s"});
  EXPECT_EQ(std::count(as_table.out.begin(), as_table.out.end(), '\n'), 13) << as_table.out;
  EXPECT_EQ(json::parse(run({"leaderboard", "--db", file, "--failures", "--format", "json"}).out), json::array());
  EXPECT_EQ(json::parse(run({"leaderboard", "--db", file, "--recipe", "vgg-m", "--format", "json"}).out), json::array());
}

TEST_F(CommandLine, LeaderboardShowsOneFunctionOfEachKind) {
  const std::string file = filled_database();
  const auto all = json::parse(run({"leaderboard", "--db", file, "--top", "100", "--format", "json"}).out);
  const auto kinds = json::parse(run({"leaderboard", "--db", file, "--top", "100", "--distinct", "0.5", "--format", "json"}).out);
  ASSERT_LT(kinds.size(), all.size());
  EXPECT_EQ(kinds[0]["formula"], all[0]["formula"]);
  std::size_t functions = 0;
  for (const auto& row : kinds) {
    functions += 1 + row["alike"].get<std::size_t>();
    EXPECT_EQ(row["formula"], all[row["rank"].get<std::size_t>() - 1]["formula"]) << "ranks are those among all functions";
  }
  EXPECT_EQ(functions, all.size());
  EXPECT_EQ(json::parse(run({"leaderboard", "--db", file, "--top", "1", "--distinct", "100", "--format", "json"}).out)[0]["alike"],
            all.size() - 1);
  for (const char* const value : {"0", "-1", "nan", "0.1,0.2", "near"})
    refuses({"leaderboard", "--db", file, "--distinct", value}, kUsage, {"--distinct"});
  refuses({"leaderboard", "--db", file, "--distinct", "0.1", "--failures"}, kUsage, {"--failures"});
  refuses({"finalists", "--db", file, "--top", "2", "--distinct", "0"}, kUsage, {"--distinct"});
}

TEST_F(CommandLine, LeaderboardShowsTheFrontOfScoreAgainstCost) {
  const std::string file = filled_database();
  const auto all = json::parse(run({"leaderboard", "--db", file, "--top", "100", "--format", "json"}).out);
  const auto front = json::parse(run({"leaderboard", "--db", file, "--top", "100", "--front", "--format", "json"}).out);
  ASSERT_FALSE(front.empty());
  ASSERT_LT(front.size(), all.size());
  EXPECT_EQ(front[0]["formula"], all[0]["formula"]) << "nothing is better than the best";
  for (std::size_t i = 1; i < front.size(); ++i) {
    EXPECT_GT(front[i]["rank"], front[i - 1]["rank"]);
    EXPECT_LT(front[i]["ns"], front[i - 1]["ns"]);
  }
  const Ran both = run({"leaderboard", "--db", file, "--distinct", "0.15", "--front"});
  EXPECT_NE(both.out.find("alike"), std::string::npos) << both.out;
  refuses({"leaderboard", "--db", file, "--front", "--sort", "time"}, kUsage, {"--front", "--sort"});
  refuses({"leaderboard", "--db", file, "--front", "--failures"}, kUsage, {"--failures"});
}

/// Fills a file as a race leaves it: so many functions finished, and two paused.
void fill_race(const std::filesystem::path& file, int finished) {
  SqliteStore database(file, Store::Access::kCreate);
  const Id recipe = database.recipe("vgg-s", "vgg-s epochs=4 precision=fp32 data=none");
  const Id study =
      database.study({"search", "core1", "random", 0, "vgg-s epochs=4 precision=fp32 data=none", "none", "{}", "abc", "a machine"});
  const auto claimed = [&](const std::string& formula) {
    Claim claim;
    EXPECT_EQ(database.claim(study, database.candidate({formula, formula, "", 0}), recipe, 0, std::chrono::seconds(60), &claim),
              ClaimState::kClaimed);
    return claim.trial;
  };
  const std::vector<std::string> formulas{"tanh(x)", "sin(x)", "cos(x)"};
  for (int i = 0; i < finished; ++i) {
    TrialRecord record;
    record.validation_accuracy = 0.7;
    database.finish(claimed(formulas.at(static_cast<std::size_t>(i))), record, {});
  }
  const PauseRecord pause{.epoch = 0, .step = 25, .epoch_steps = 100, .train_loss = 2.25, .train_accuracy = 0.2, .seconds = 1};
  database.pause(claimed("x"), {}, pause);
  PauseRecord further = pause;
  further.step = 50;
  database.pause(claimed("abs(x)"), {}, further);
}

TEST_F(CommandLine, LeaderboardListsWhatARaceHasPausedAfterWhatHasFinished) {
  fill_race(path("race.db"), 2);
  const Ran table = run({"leaderboard", "--db", path("race.db")});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.err.find("provisional: 2 trials that a race has paused; they come last and have no rank"), std::string::npos)
      << table.err;
  EXPECT_NE(table.out.find("paused at 0.5 of 4 epochs"), std::string::npos) << table.out;
  const json rows = json::parse(run({"leaderboard", "--db", path("race.db"), "--format", "json"}).out);
  ASSERT_EQ(rows.size(), 4u);
  std::string order;
  for (const json& row : rows) order += row["status"].get<std::string>() + " " + row["formula"].get<std::string>() + ", ";
  EXPECT_EQ(order, "finished sin(x), finished tanh(x), paused abs(x), paused x, ");
  EXPECT_EQ(json::parse(run({"leaderboard", "--db", path("race.db"), "--format", "json", "--top", "3"}).out).size(), 3u);
  const Ran few = run({"leaderboard", "--db", path("race.db"), "--top", "2"});
  EXPECT_EQ(few.out.find("paused"), std::string::npos) << few.out;
  EXPECT_NE(few.err.find("(a larger --top shows them)"), std::string::npos) << few.err;
}

TEST_F(CommandLine, WithoutAFinishedTrialTheLeaderboardListsTheProvisionalAndSaysSo) {
  fill_race(path("race.db"), 0);
  const Ran table = run({"leaderboard", "--db", path("race.db")});
  EXPECT_EQ(table.code, 0);
  EXPECT_NE(table.err.find("no finished trials yet\nprovisional: 2 trials that a race has paused, under: vgg-s epochs=4"),
            std::string::npos)
      << table.err;
  EXPECT_EQ(table.out,
            "formula  n  status                      training loss\n"
            "abs(x)   1  paused at 0.5 of 4 epochs          2.2500\n"
            "x        1  paused at 0.25 of 4 epochs         2.2500\n");
  refuses({"export", "--db", path("race.db"), "--rank", "1", "--to", "pytorch"}, kUsage, {"rank"});
}

TEST_F(CommandLine, QueryReadsAndNeverWrites) {
  const std::string file = filled_database();
  const Ran ran = run({"query", "--db", file, "SELECT count(*) AS n FROM trials", "--format", "json"});
  EXPECT_EQ(json::parse(ran.out), json::parse(R"([{"n": 12}])"));
  refuses({"query", "--db", file, "DELETE FROM trial"}, kUsage, {"SELECT"});
  refuses({"query", "--db", file, "SELECT nowhere FROM trials"}, kUsage, {"SQLite rejects", "no such column: nowhere"});
  EXPECT_EQ(run({"query", "--db", file, "SELECT count(*) FROM trials", "--format", "csv"}).out, "count(*)\n12\n");
}

TEST_F(CommandLine, ShowPrintsRowsFromTheReferenceAndFromTheKernel) {
  const Ran ran = run({"show", "x * sigmoid(beta * x)", "--at", "-2,0,1.5", "--beta", "1.5"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json shown = json::parse(ran.out);
  ASSERT_EQ(shown["reference"].size(), 3u);
  ASSERT_EQ(shown["eigen"].size(), 3u);
  const Program swish = lower(parse("swish"));
  for (std::size_t i = 0; i < 3; ++i) {
    const double x = shown["reference"][i]["x"];
    const Evaluation value = evaluate(swish, x, {1.5});
    EXPECT_DOUBLE_EQ(shown["reference"][i]["y"], value.y);
    EXPECT_DOUBLE_EQ(shown["reference"][i]["dydx"], value.dydx);
    EXPECT_DOUBLE_EQ(shown["reference"][i]["dydbeta"][0], value.dydbeta[0]);
    EXPECT_NEAR(shown["eigen"][i]["y"], value.y, 1e-6);
    EXPECT_NEAR(shown["eigen"][i]["dydx"], value.dydx, 1e-6);
    EXPECT_NEAR(shown["eigen"][i]["dydbeta"][0], value.dydbeta[0], 1e-6);
  }
}

TEST_F(CommandLine, ShowTakesFormulasThatBeginWithAMinusAndValuesThatAreNotFinite) {
  const json shown = json::parse(run({"show", "-log(x)", "--at", "-1,0,1"}).out);
  EXPECT_EQ(shown["reference"][0]["y"], "nan");
  EXPECT_EQ(shown["reference"][1]["y"], "inf");
  EXPECT_EQ(shown["reference"][2]["y"], 0);
}

TEST_F(CommandLine, ShowStatesPropertiesAsTextAndJson) {
  const json relu = json::parse(run({"show", "relu", "--format", "json"}).out);
  EXPECT_EQ(relu["formula"], "max(x, 0)");
  EXPECT_EQ(relu["name"], "relu");
  EXPECT_EQ(relu["properties"]["minimum"], 0);
  EXPECT_EQ(relu["properties"]["maximum"], "inf");
  EXPECT_EQ(relu["properties"]["monotonicity"], "increasing");
  const Ran text = run({"show", "swish"});
  EXPECT_NE(text.out.find("x * sigmoid(beta * x)"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find('*'), std::string::npos);
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos) << "no colours into a file";
}

TEST_F(CommandLine, ShowEmitsTheKernelsAsCuda) {
  const Ran ran = run({"show", "x * sigmoid(beta * x)", "--emit", "cuda"});
  EXPECT_EQ(ran.code, 0);
  for (const char* part : {"activation_forward(", "activation_sums(", "activation_apply(", "#define PARAMETERS 1"}) {
    EXPECT_NE(ran.out.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(ran.err, "");
}

TEST_F(CommandLine, ListsWhatThereIs) {
  const json operators = json::parse(run({"operators", "--format", "json"}).out);
  EXPECT_EQ(std::count_if(operators.begin(), operators.end(), [](const json& row) { return row["kind"] == "unary"; }), 25);
  EXPECT_EQ(std::count_if(operators.begin(), operators.end(), [](const json& row) { return row["kind"] == "binary"; }), 10);
  const json swish = json::parse(run({"spaces", "--find", "swish1", "--format", "json"}).out);
  std::set<std::string> spellings;
  for (const json& row : swish) spellings.insert(row["spelling"]);
  EXPECT_TRUE(spellings.contains("mul(identity(x), sigmoid(x))"));
  EXPECT_TRUE(spellings.contains("sigmoid_mul(identity(x), identity(x))"));
  EXPECT_FALSE(spellings.contains("sigmoid_mul(beta_times(x), identity(x))")) << "that is another function, with a parameter";
  refuses({"spaces", "--find", "5"}, kUsage, {"constant"});
  const json spaces = json::parse(run({"spaces", "--format", "json"}).out);
  ASSERT_EQ(spaces.size(), 3u);
  EXPECT_EQ(spaces[0]["spellings"], 6250);
  const Ran listed = run({"recipes", "--format", "json"});
  EXPECT_EQ(listed.err, "") << "it measures nothing unless asked to";
  const json recipes = json::parse(listed.out);
  const auto published = std::find_if(recipes.begin(), recipes.end(), [](const json& row) { return row["recipe"] == "vgg16-bn-mxnet"; });
  ASSERT_NE(published, recipes.end());
  EXPECT_EQ((*published)["parameters"], 33646666);
}

}  // namespace
}  // namespace actsearch::testing
