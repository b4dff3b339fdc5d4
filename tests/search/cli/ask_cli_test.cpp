// ask and tell as a user's shell meets them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

using nlohmann::json;

class AskTellCommands : public CommandLine {
 protected:
  std::string db() const { return path("own.db"); }
  std::vector<std::string> asking(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"ask", "--db", db(), "--conditions", "resnet20 on my \"data\",\ntrain.py v3", "--epochs", "10"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  json ask(std::vector<std::string> more) const {
    more.insert(more.end(), {"--format", "json"});
    const Ran ran = run(asking(more));
    EXPECT_EQ(ran.code, 0) << ran.err;
    return json::parse(ran.out);
  }
  Ran tell(const std::string& trial, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"tell", "--db", db(), "--trial", trial};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  /// The answer on standard output, with exit code 0.
  std::string answer(const std::string& trial, const std::vector<std::string>& more) const {
    const Ran ran = tell(trial, more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.out;
  }
};

TEST_F(AskTellCommands, AskWritesModulesAndTellMakesALeaderboard) {
  const json asked = ask({"--count", "3", "--strategy", "evolution", "--seeds", "2", "--to", "pytorch", "--out", path("new/trials")});
  ASSERT_EQ(asked.size(), 3u);
  for (const json& row : asked) {
    EXPECT_EQ(row["module"], path("new/trials/trial-" + row["trial"].get<std::string>() + ".py"));
    const std::string module = read_text(row["module"].get<std::string>());
    EXPECT_NE(module.find("# y = " + row["formula"].get<std::string>()), std::string::npos);
    EXPECT_NE(module.find("# To be trained under: told epochs=10 metric=score"), std::string::npos) << module.substr(0, 600);
    EXPECT_NE(module.find("import torch"), std::string::npos);
    EXPECT_NE(module.find("class Activation("), std::string::npos) << "one name for every formula";
    EXPECT_EQ(row["from_epoch"], 0);
    EXPECT_EQ(row["to_epoch"], 10);
    EXPECT_EQ(row["lease_until"].get<std::string>().back(), 'Z');
  }
  EXPECT_EQ(asked[0]["formula"], asked[1]["formula"]);
  EXPECT_EQ(asked[1]["seed"], 1);

  EXPECT_EQ(answer("1", {"--epoch", "3", "--train-loss", "0.71", "--accuracy", "0.8"}), "go on\n");
  EXPECT_EQ(answer("1", {"--score", "0.913"}), "stored\n");
  EXPECT_EQ(answer("1", {"--score", "0.913"}), "already told\n");
  EXPECT_EQ(answer("2", {"--failed", "out of memory"}), "stored\n");
  EXPECT_EQ(answer("3", {"--renew", "--lease", "2h"}), "go on\n");
  const json again = json::parse(tell("3", {"--epoch", "1", "--train-loss", "0.5", "--format", "json"}).out);
  EXPECT_EQ(again["trial"], "3");
  EXPECT_EQ(again["answer"], "go on");
  EXPECT_EQ(again["reason"], nullptr);
  EXPECT_EQ(again["lease_until"].get<std::string>().back(), 'Z');
  EXPECT_EQ(answer("3", {"--score", "0.8"}), "stored\n");
  EXPECT_EQ(run({"tell", "--db", db(), "--formula", "x * tanh(x)", "--score", "0.95", "--seed", "3", "--conditions",
                 "resnet20 on my \"data\",\ntrain.py v3", "--epochs", "10"})
                .out,
            "stored\n");

  const Ran ranked = run({"leaderboard", "--db", db(), "--format", "json"});
  EXPECT_NE(ranked.err.find(R"(told epochs=10 metric=score conditions="resnet20 on my \"data\",\ntrain.py v3")"), std::string::npos)
      << ranked.err;
  const json rows = json::parse(ranked.out);
  ASSERT_EQ(rows.size(), 3u) << ranked.out;
  EXPECT_EQ(rows[0]["formula"], "x * tanh(x)");
  EXPECT_EQ(rows[0]["epochs"], nullptr) << "none was told";
  EXPECT_EQ(rows[0]["seconds"], nullptr);
  EXPECT_EQ(rows[1]["accuracy %"], 91.3);
  EXPECT_EQ(rows[1]["epochs"], 1);
  EXPECT_EQ(run({"leaderboard", "--db", db()}).out.find("s/trial"), std::string::npos);
  EXPECT_NE(run({"leaderboard", "--db", db(), "--failures"}).out.find("told failed  out of memory"), std::string::npos);
  EXPECT_EQ(run({"leaderboard", "--db", db(), "--recipe", "told epochs=10"}).code, 0);
}

TEST_F(AskTellCommands, ToldFilesCompareReportAndAnswerQueriesAsOthersDo) {
  for (int function = 0; function < 3; ++function) {
    for (const json& row : ask({"--count", "2", "--seeds", "2", "--baselines", "--racing", "--rungs", "1,3"})) {
      const std::string trial = row["trial"], score = "0." + std::to_string(60 + function) + std::to_string(row["seed"].get<int>());
      answer(trial, {"--epoch", "1", "--train-loss", "0.5", "--accuracy", "0.4"});
      answer(trial, {"--score", score});
    }
  }
  const Ran compared = run({"leaderboard", "--db", db(), "--compare", "relu", "--format", "json"});
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_NE(compared.out.find(R"("common_seeds":2)"), std::string::npos) << compared.out;
  EXPECT_EQ(run({"query", "--db", db(), "SELECT count(*) FROM epochs WHERE epoch = 0 AND train_loss = 0.5", "--format", "csv"}).out,
            "count(*)\n6\n");
  ask({"--count", "2", "--seeds", "2", "--baselines", "--racing", "--rungs", "1,3"});
  EXPECT_EQ(run({"query", "--db", db(), "SELECT count(*), max(planned_epochs) FROM running", "--format", "csv"}).out,
            "count(*),max(planned_epochs)\n2,10\n");
  const Ran report = run({"report", "--db", db(), "--out", path("page")});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_NE(read_text(path("page/index.html")).find("told epochs=10 metric=score"), std::string::npos);
  EXPECT_EQ(run({"export", "--db", db(), "--rank", "1", "--to", "c"}).code, 0);
  const Ran finalists = run({"finalists", "--db", db(), "--top", "2"});
  EXPECT_EQ(finalists.code, kUsage);
  EXPECT_NE(finalists.err.find("told by a loop of your own"), std::string::npos) << finalists.err;
}

TEST_F(AskTellCommands, ScoresAreToldAndShownInTheirOwnScale) {
  const std::vector<std::string> scale{"--metric", "perplexity", "--minimize"};
  for (const json& row : ask({"--count", "3", "--metric", "perplexity", "--minimize"}))
    EXPECT_EQ(answer(row["trial"], {"--score", row["trial"].get<std::string>() + "1.5"}), "stored\n");
  std::vector<std::string> elsewhere{"tell",
                                     "--db",
                                     db(),
                                     "--formula",
                                     "x * tanh(x)",
                                     "--score",
                                     "9.25",
                                     "--epochs",
                                     "10",
                                     "--conditions",
                                     "resnet20 on my \"data\",\ntrain.py v3"};
  elsewhere.insert(elsewhere.end(), scale.begin(), scale.end());
  EXPECT_EQ(run(elsewhere).out, "stored\n");

  const Ran ranked = run({"leaderboard", "--db", db()});
  EXPECT_EQ(ranked.code, 0) << ranked.err;
  EXPECT_NE(ranked.err.find("metric=perplexity goal=minimize range=0,inf conditions="), std::string::npos) << ranked.err;
  EXPECT_EQ(ranked.out.find('%'), std::string::npos) << ranked.out;
  const std::size_t best = ranked.out.find("9.2500"), worst = ranked.out.find("31.5000");
  EXPECT_NE(best, std::string::npos) << ranked.out;
  EXPECT_NE(worst, std::string::npos) << ranked.out;
  EXPECT_LT(best, worst) << "the lowest is the best: " << ranked.out;
  const json rows = json::parse(run({"leaderboard", "--db", db(), "--format", "json"}).out);
  EXPECT_EQ(rows[0]["perplexity"], 9.25);
  EXPECT_EQ(run({"report", "--db", db(), "--out", path("page")}).code, 0);
  EXPECT_NE(run(asking({})).err.find("note: the file has these conditions with --metric perplexity --minimize --score-range 0,inf"),
            std::string::npos);

  const auto refused = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts) { refuses(more, kUsage, parts); };
  refused({"tell", "--db", db(), "--trial", "1", "--score", "-1"}, {"the perplexity is a number from 0 to inf, lower is better"});
  refused({"tell", "--db", db(), "--trial", "1", "--score", "1", "--minimize"}, {"--minimize belongs to --formula"});
  refused(asking({"--score-range", "1,0"}), {"--score-range"});
  refused(asking({"--metric", "two words"}), {"one word"});
  refused({"ask", "--db", db(), "--list", "--metric", "perplexity"}, {"--metric does not go with it"});
}

TEST_F(AskTellCommands, ARaceIsToldWhomToPauseAndGoesOnFromThere) {
  const std::vector<std::string> race{"--racing", "--rungs", "1,3", "--eta", "2"};
  const auto with_count = [&](const std::string& count) {
    std::vector<std::string> words = race;
    words.insert(words.end(), {"--count", count});
    return ask(words);
  };
  ASSERT_EQ(with_count("2").size(), 2u);
  EXPECT_EQ(answer("1", {"--epoch", "1", "--train-loss", "0.5"}), "pause\n");
  EXPECT_EQ(answer("2", {"--epoch", "1", "--train-loss", "0.6"}), "pause\n");
  const json promoted = with_count("1");
  EXPECT_EQ(promoted[0]["trial"], "1.2");
  EXPECT_EQ(promoted[0]["from_epoch"], 1);
  EXPECT_EQ(promoted[0]["to_epoch"], 10);
  EXPECT_EQ(answer("1", {"--epoch", "2", "--train-loss", "0.4"}), "stop\n");
  EXPECT_EQ(answer("1.2", {"--epoch", "2", "--train-loss", "0.4"}), "go on\n");
  EXPECT_EQ(answer("2", {"--epoch", "2", "--train-loss", "0.4"}), "pause\n");
  refuses({"tell", "--db", db(), "--trial", "1.2", "--epoch", "3", "--accuracy", "0.5"}, kUsage, {"training loss"});
}

TEST_F(AskTellCommands, WhatIsOutIsListedAndCanBeGivenBack) {
  ask({"--count", "2", "--lease", "2h"});
  answer("2", {"--epoch", "4", "--train-loss", "0.5"});
  const auto list = [&] { return json::parse(run({"ask", "--db", db(), "--list", "--format", "json"}).out); };
  const json out = list();
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1]["trial"], "2");
  EXPECT_EQ(out[1]["epochs"], 4);
  EXPECT_EQ(out[1]["to_epoch"], 10);
  EXPECT_EQ(out[1]["conditions"], "resnet20 on my \"data\",\ntrain.py v3");
  EXPECT_GT(out[1]["lease_left"], 7'000);
  EXPECT_LE(out[1]["lease_left"], 7'200);
  const std::string table = run({"ask", "--db", db(), "--list"}).out;
  EXPECT_TRUE(table.find("  1h59m  ") != std::string::npos || table.find("  2h00m  ") != std::string::npos) << table;
  EXPECT_EQ(answer("2", {"--give-back"}), "given back\n");
  EXPECT_EQ(list().size(), 1u);
  EXPECT_EQ(ask({})[0]["trial"], "2.2");
  refuses({"ask", "--db", db(), "--list", "--count", "2"}, kUsage, {"--count does not go with it"});
}

TEST_F(AskTellCommands, TellRefusesWhatMakesNoSenseAndTheTrialStaysOut) {
  ask({});
  const auto usage = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts) {
    std::vector<std::string> words{"tell", "--db", db(), "--trial", "1"};
    words.insert(words.end(), more.begin(), more.end());
    refuses(words, kUsage, parts);
  };
  for (const char* score : {"1.01", "-0.1", "nan", "inf", "-inf", "good", "0.5,0.6", ""}) usage({"--score", score}, {});
  usage({"--score", "nan"}, {"0 to 1", "nan"});
  usage({}, {"--epoch, --score, --failed"});
  usage({"--score", "0.5", "--failed", "both"}, {"--score and --failed are both given"});
  usage({"--epoch", "1", "--score", "0.5"}, {"--epoch and --score"});
  usage({"--epoch", "1"}, {"training loss, an accuracy or both"});
  usage({"--epoch", "0", "--train-loss", "1"}, {"from 1 to"});
  usage({"--epoch", "11", "--train-loss", "1"}, {"10 epochs"});
  usage({"--epoch", "1", "--train-loss", "nan"}, {"finite"});
  usage({"--epoch", "1", "--accuracy", "80"}, {"0 to 1"});
  usage({"--score", "0.5", "--train-loss", "1"}, {"--train-loss belongs to --epoch"});
  usage({"--score", "0.5", "--seed", "1"}, {"--seed belongs to --formula"});
  usage({"--give-back", "--lease", "1h"}, {"--lease belongs to --renew"});
  usage({"--formula", "x", "--score", "0.5"}, {"either --trial T or --formula F"});
  refuses({"tell", "--db", db(), "--trial", "one", "--score", "0.5"}, kUsage, {"17.2", "'one'"});
  refuses({"tell", "--db", db(), "--score", "0.5"}, kUsage, {"either --trial T or --formula F"});
  refuses({"tell", "--db", db(), "--formula", "x * tanh(x)", "--score", "0.5"}, kUsage, {"--conditions is required"});
  refuses({"tell", "--db", db(), "--formula", "x +", "--score", "0.5", "--conditions", "c"}, kUsage, {"column"});
  refuses({"tell", "--db", path("none.db"), "--formula", "swish", "--score", "2", "--conditions", "c"}, kUsage, {"0 to 1"});
  refuses({"tell", "--db", path("none.db"), "--formula", "swish", "--score", "0.5", "--conditions", ""}, kUsage, {});
  refuses({"tell", "--db", path("none.db"), "--formula", "swish", "--renew", "--conditions", "c"}, kUsage, {"--score or --failed"});
  refuses({"tell", "--db", path("none.db"), "--trial", "1", "--score", "0.5"}, kFailure, {"there is no such file"});
  refuses({"tell", "--db", db(), "--trial", "7", "--score", "0.5"}, kFailure, {"there is no trial 7"});
  refuses({"tell", "--db", filled_database(), "--trial", "1", "--score", "0.5"}, kFailure, {"trial 1 was not asked for", "vgg-s"});
  EXPECT_EQ(answer("1", {"--score", "0.5"}), "stored\n");
  refuses({"tell", "--db", db(), "--trial", "1", "--score", "0.25"}, kFailure, {"0.5", "0.25"});
}

TEST_F(AskTellCommands, AskRefusesWhatMakesNoSenseAndLeavesNothing) {
  refuses({"ask", "--db", db()}, kUsage, {"--conditions is required"});
  refuses(asking({"--count", "0"}), kUsage, {"--count"});
  refuses(asking({"--lease", "0.5s"}), kUsage, {"--lease is a second at least"});
  refuses(asking({"--strategy", "evolutoin"}), kUsage, {"did you mean 'evolution'"});
  refuses(asking({"--rungs", "1"}), kUsage, {"belong to --racing"});
  refuses(asking({"--racing", "--rungs", "1", "--promote-by", "luck"}), kUsage, {"--promote-by", "'luck'"});
  refuses(asking({"--racing"}), kUsage, {"--racing needs --rungs"});
  refuses(asking({"--racing", "--rungs", "0.5,1"}), kUsage, {"whole number of epochs", "'0.5'"});
  refuses(asking({"--racing", "--rungs", "1,10"}), kUsage, {"cannot pause after 10"});
  refuses(asking({"--racing", "--rungs", "1", "--eta", "1"}), kUsage, {"above 1"});
  refuses(asking({"--to", "pytorch"}), kUsage, {"--to TARGET and --out DIR belong together"});
  refuses(asking({"--to", "pytroch", "--out", path("trials")}), kUsage, {"did you mean 'pytorch'"});
  refuses(asking({"--expr", "x - x"}), kUsage, {"constant"});
  refuses({"ask", "--db", db(), "--conditions", std::string(2'000, 'c')}, kUsage, {"at most 1000"});
  refuses({"ask", "--db", db(), "--list"}, kFailure, {"no such file"});
  std::ofstream(path("file")) << "in the way";
  refuses(asking({"--to", "pytorch", "--out", path("file")}), kUsage, {"is no folder"});
  EXPECT_FALSE(std::filesystem::exists(db()));
}

TEST_F(AskTellCommands, WhatCannotBeWrittenIsGivenBack) {
  std::filesystem::create_directories(path("trials/trial-2.py"));  // a folder is in the way of the second file
  const Ran ran = run(asking({"--count", "3", "--to", "pytorch", "--out", path("trials")}));
  EXPECT_NE(ran.code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(json::parse(run({"ask", "--db", db(), "--list", "--format", "json"}).out).size(), 0u);
  EXPECT_EQ(ask({"--count", "3"})[0]["trial"], "1.2");
}

TEST_F(AskTellCommands, ASpaceThatIsExhaustedSaysSo) {
  const std::vector<std::string> small{"--unary", "identity,tanh", "--binary", "add,mul", "--count", "100", "--format", "json"};
  const Ran all = run(asking(small));
  EXPECT_EQ(json::parse(all.out).size(), 6u) << all.out;
  EXPECT_NE(all.err.find("no more trials to hand out now"), std::string::npos) << all.err;
  EXPECT_EQ(run(asking(small)).out, "[]\n");
}

TEST_F(AskTellCommands, TheLoopOfTheDocumentRunsAsItStands) {
  if (std::system("jq --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "jq is not installed";
  const std::string document = read_text(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "docs/own-training.md");
  const std::size_t begin = document.find("```bash\n") + 8;
  std::string loop = document.substr(begin, document.find("```", begin) - begin);
  const std::string rounds = "seq 10";
  ASSERT_NE(loop.find(rounds), std::string::npos) << loop;
  loop.replace(loop.find(rounds), rounds.size(), "seq 3");
  std::ofstream(path("loop.sh")) << "set -eu\n" << loop;
  std::filesystem::create_directories(path("bin"));
  std::filesystem::create_symlink(ACTSEARCH_PROGRAM, path("bin/actsearch"));
  const std::string command = "cd '" + directory_.path().string() + "' && PATH=\"$PWD/bin:$PATH\" bash loop.sh > out 2> err";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_text(path("err"));
  EXPECT_EQ(read_text(path("err")), "");
  EXPECT_EQ(run({"query", "--db", db(), "SELECT sum(attempts) FROM trials", "--format", "csv"}).out, "sum(attempts)\n12\n");
  EXPECT_EQ(json::parse(run({"ask", "--db", db(), "--list", "--format", "json"}).out).size(), 0u) << "each was told, or is paused";
}

}  // namespace
}  // namespace actsearch::testing
