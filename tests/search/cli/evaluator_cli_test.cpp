// Searches with the user's own command, as people run them.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

class EvaluatorCommand : public CommandLine {
 protected:
  EvaluatorCommand() {
    // Its score is drawn from the formula's length; it goes on from {state}.
    write("my train.sh", R"sh(
i=$(cat "$4/at" 2>/dev/null || echo 0)
case "$5" in *exp*) echo "exp is too hot" >&2; exit 4;; esac
q=$(printf %s "$5" | wc -c)
while [ $i -lt $3 ]; do i=$((i + 1)); echo $i > "$4/at"; echo "{\"epoch\": $i, \"train_loss\": $q.$i}"; done
echo "{\"score\": 0.$((100 + q + $2))}"
)sh");
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  std::string command(const std::string& script = "my train.sh") const {
    return "sh " + ("'" + path(script) + "'") + " {module} {seed} {epochs} {state} {formula}";
  }
  std::vector<std::string> search(const std::vector<std::string>& more, const std::string& script = "my train.sh") const {
    std::vector<std::string> words{"search",   "--db",    path("own.db"), "--evaluator", command(script), "--unary", "identity,tanh,exp",
                                   "--binary", "mul,add", "--strategy",   "exhaustive"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string ask(const std::string& sql) const { return cell(SqliteStore(path("own.db"), Store::Access::kReadOnly), sql); }
};

TEST_F(EvaluatorCommand, ScoresEveryFunctionAndFailuresAreResults) {
  const Ran ran = run(search({"--seeds", "2", "--jobs", "2"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("score %"), std::string::npos) << ran.out;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status = 'failed'"), ask("SELECT count(*) FROM trials WHERE formula LIKE '%exp%'"));
  EXPECT_EQ(ask("SELECT detail FROM failures LIMIT 1"), "exit code 4: exp is too hot");
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE name = 'relu' AND accuracy IN (0.109, 0.11)"), "2") << "ReLU is always there";
  const std::string trials = ask("SELECT count(*) FROM trials");

  const Ran again = run(search({"--seeds", "2", "--jobs", "2"}));
  EXPECT_NE(again.err.find("this study was finished before"), std::string::npos) << again.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials"), trials);
  const Ran mended = run(search({"--seeds", "2", "--evaluator-version", "2", "--budget-trials", "2"}));
  EXPECT_EQ(mended.code, 0) << mended.err;
  EXPECT_EQ(ask("SELECT count(*) FROM recipes"), "2") << "another version ranks apart";

  const Ran compared = run({"leaderboard", "--db", path("own.db"), "--compare", "relu"});
  EXPECT_NE(compared.out.find("− relu, points"), std::string::npos) << compared.out << compared.err;
  const Ran finalists = run({"finalists", "--db", path("own.db"), "--top", "2", "--seeds", "2"});
  EXPECT_EQ(finalists.code, 0) << finalists.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE seed >= 1000"), "6");
  EXPECT_EQ(finalists.out.find("full"), std::string::npos) << finalists.out;
  EXPECT_EQ(run({"report", "--db", path("own.db"), "--out", path("page")}).code, 0);
}

TEST_F(EvaluatorCommand, TwoCommandsInOneFileAreRankedSeparatelyAndTheSecondIsToldSo) {
  write("other.sh", "echo '{\"score\": 0.9}'\n");
  const Ran first = run(search({"--budget-trials", "4", "--jobs", "1"}));
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.err.find("note:"), std::string::npos) << first.err;
  const Ran second = run(search({"--budget-trials", "2", "--jobs", "1"}, "other.sh"));
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_NE(
      second.err.find("note: the file has trials of an evaluator command that differ in --evaluator: they and the new ones are ranked "
                      "separately"),
      std::string::npos)
      << second.err;
  EXPECT_NE(second.out.find("90.00"), std::string::npos) << second.out;
  EXPECT_EQ(second.out.find("10.90"), std::string::npos) << "the other command's score of ReLU: " << second.out;
  EXPECT_EQ(ask("SELECT count(*) FROM recipes"), "2");
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE name = 'relu'"), "2") << "each command scores it";

  const auto ranked = [&](const std::string& script) {
    return run({"leaderboard", "--db", path("own.db"), "--recipe", ask("SELECT text FROM recipes WHERE text LIKE '%" + script + "%'")});
  };
  const Ran of_first = ranked("my train.sh"), of_second = ranked("other.sh");
  EXPECT_EQ(of_first.out.find("90.00"), std::string::npos) << of_first.out;
  EXPECT_EQ(of_second.out.find("10.90"), std::string::npos) << of_second.out;
  for (const Ran& one : {of_first, of_second}) EXPECT_NE(one.err.find("not shown: 1 other conditions"), std::string::npos) << one.err;
  EXPECT_EQ(run(search({"--budget-trials", "1"}, "other.sh")).err.find("note:"), std::string::npos) << "who has begun there knows";
}

TEST_F(EvaluatorCommand, RacesAndGoesOnWhereItWas) {
  const Ran ran = run(search({"--epochs", "4", "--racing", "--rungs", "1,2", "--jobs", "2"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE name = 'relu' AND status = 'done'"), "1") << "the reference goes to its end";
  EXPECT_NE(ask("SELECT count(*) FROM trials WHERE status = 'released'"), "0");
  // One call trained each epoch once: none began anew.
  EXPECT_EQ(ran.err.find("anew"), std::string::npos) << ran.err;
  EXPECT_EQ(ask("SELECT max(c) FROM (SELECT count(*) AS c FROM epochs GROUP BY trial)"), "4");
}

TEST_F(EvaluatorCommand, SurvivesKills) {
  write("slow.sh", R"sh(
i=$(cat "$4/at" 2>/dev/null || echo 0)
while [ $i -lt $3 ]; do sleep 0.1; i=$((i + 1)); echo $i > "$4/at"; echo "{\"epoch\": $i, \"train_loss\": 1}"; done
echo "{\"score\": 0.5}"
)sh");
  const auto words = search({"--epochs", "3", "--jobs", "4"}, "slow.sh");
  std::string before = "0";
  for (int i = 0; i < 4; ++i) {
    Process process(directory_.path(), words);
    std::this_thread::sleep_for(std::chrono::milliseconds(500 + 130 * i));
    process.kill(SIGKILL);
    process.wait();
    if (!std::filesystem::exists(path("own.db"))) continue;
    const std::string done = ask("SELECT count(*) FROM trials WHERE status = 'done'");
    EXPECT_GE(std::stoi(done), std::stoi(before)) << "what was finished is lost";
    before = done;
  }
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE status <> 'done'"), "0");
  EXPECT_EQ(ask("SELECT count(*) FROM trials WHERE accuracy <> 0.5"), "0");
  // An epoch that ended while nobody listened may be missing. None is there twice.
  EXPECT_EQ(ask("SELECT count(*) FROM (SELECT trial FROM epochs GROUP BY trial HAVING count(*) > 3)"), "0");
}

TEST_F(EvaluatorCommand, ThatFailsFromTheStartEndsTheSearch) {
  write("broken.sh", "echo 'ImportError: no torch' >&2; exit 1\n");
  const Ran ran = run(search({}, "broken.sh"));
  EXPECT_EQ(ran.code, kFailure) << ran.err;
  EXPECT_NE(ran.err.find("it is the script that fails"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("ImportError: no torch"), std::string::npos) << ran.err;
}

TEST_F(EvaluatorCommand, IsCheckedWithoutAFile) {
  const Ran good = run(search({"--epochs", "4", "--check-evaluator"}));
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_NE(good.out.find("epoch 1: train_loss 9.1"), std::string::npos) << good.out;
  EXPECT_NE(good.out.find("score: 0.109"), std::string::npos) << good.out;
  EXPECT_FALSE(std::filesystem::exists(path("own.db")));
  write("silent.sh", "exit 0\n");
  const Ran silent = run(search({"--check-evaluator"}, "silent.sh"));
  EXPECT_EQ(silent.code, kFailure);
  EXPECT_NE(silent.out.find("no score"), std::string::npos) << silent.out;
}

TEST_F(EvaluatorCommand, MayBeMinimized) {
  write("loss.sh", "printf '{\"perplexity\": %d.5}\\n' $(printf %s \"$5\" | wc -c)\n");
  const Ran ran = run(search({"--metric", "perplexity", "--minimize"}, "loss.sh"));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("perplexity"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("-7.5"), std::string::npos) << "shown as it was told: " << ran.out;
  const Ran exported = run({"export", "--db", path("own.db"), "--rank", "1", "--to", "c"});
  EXPECT_NE(exported.out.find("Score: perplexity "), std::string::npos) << exported.out << exported.err;
  EXPECT_EQ(exported.out.find("perplexity -"), std::string::npos) << exported.out;
  EXPECT_EQ(ask("SELECT formula FROM leaderboard ORDER BY mean DESC LIMIT 1"),
            ask("SELECT formula FROM candidates ORDER BY length(formula), formula LIMIT 1"));
}

TEST_F(EvaluatorCommand, RefusesWhatDoesNotFit) {
  const auto with = [&](const std::vector<std::string>& more) { return search(more); };
  refuses(with({"--recipe", "vgg-s"}), kUsage, {"--recipe", "built-in"});
  refuses(with({"--data", "synthetic:300"}), kUsage, {"--data"});
  refuses(with({"--target", "fortran"}), kUsage, {"fortran", "pytorch"});
  refuses(with({"--score-range", "1,0"}), kUsage, {"--score-range"});
  refuses(with({"--epochs", "4", "--racing", "--rungs", "0.5"}), kUsage, {"whole epochs"});
  refuses({"search", "--db", path("x.db"), "--evaluator", "train {modul}"}, kUsage, {"{modul}", "{module}"});
  refuses({"search", "--db", path("x.db"), "--evaluator", "train {gpu}"}, kUsage, {"--gpus"});
  refuses({"search", "--db", path("x.db"), "--evaluator", "train", "--epochs", "3"}, kUsage, {"{epochs}"});
  refuses({"search", "--db", path("x.db"), "--evaluator", " "}, kUsage, {"empty"});
  refuses({"search", "--db", path("x.db"), "--metric", "loss"}, kUsage, {"--metric", "--evaluator"});
}

}  // namespace
}  // namespace actsearch::testing
