// Trials of the user's own training: what a script is asked, what it may answer, and what each way to fail becomes.

#include "evaluator/external/external_trainer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "evaluator/external/process.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

class ExternalTrials : public ::testing::Test {
 protected:
  ExternalTrials() {
    conditions_.epochs = 4;
    settings_.trusted = true;
    settings_.say = [this](const std::string& line) { said_ += line + "\n"; };
    options_.seed = 7;
    options_.checkpoint = directory_.path() / "a trial.checkpoint";
  }
  /// The script may use $1: {module}, $2: {seed}, $3: {epochs}, $4: {state}, $5: {formula}.
  TrialOutcome train(const std::string& script, const std::string& formula = "x * tanh(x)") {
    std::ofstream(directory_.path() / "train.sh") << script << "\n";
    conditions_.command = "sh " + (directory_.path() / "train.sh").string() + " {module} {seed} {epochs} {state} {formula}";
    ExternalTrainer trainer(conditions_, settings_);
    return trainer.train(candidate_of(formula), options_);
  }
  void fails(const std::string& script, Failure failure, const std::string& part) {
    const TrialOutcome outcome = train(script);
    EXPECT_EQ(outcome.failure, failure) << script << "\n" << to_text(outcome.failure) << ": " << outcome.detail;
    EXPECT_NE(outcome.detail.find(part), std::string::npos) << script << "\n" << outcome.detail;
    std::filesystem::remove_all(options_.checkpoint);
  }

  TemporaryDirectory directory_;
  ExternalConditions conditions_;
  ExternalSettings settings_;
  TrialOptions options_;
  std::string said_;
};

// Goes on from $4/at, and tells each epoch.
constexpr const char* kGoesOn = R"sh(
i=$(cat "$4/at" 2>/dev/null || echo 0)
while [ $i -lt $3 ]; do i=$((i + 1)); echo $i > "$4/at"; echo "{\"epoch\": $i, \"train_loss\": 0.$((9 - i)), \"accuracy\": 0.$i}"; done
echo '{"score": 0.75}')sh";

TEST_F(ExternalTrials, AreAskedAndAnswered) {
  std::vector<int> told;
  options_.on_epoch = [&](const EpochMetrics& epoch) { told.push_back(epoch.epoch); };
  const TrialOutcome outcome = train(
      std::string("grep -q 'class Activation' \"$1\" || exit 9\n[ \"$ACTSEARCH_SEED $2 $5\" = '7 7 x * tanh(x)' ] || exit 8\n") + kGoesOn);
  EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  EXPECT_EQ(outcome.score, 0.75);
  ASSERT_EQ(outcome.epochs.size(), 4u);
  EXPECT_EQ(outcome.epochs[2].train_loss, 0.6);
  EXPECT_EQ(outcome.epochs[2].validation_accuracy, 0.3);
  EXPECT_TRUE(std::isnan(outcome.epochs[2].validation_loss)) << "what was not told is no number";
  EXPECT_EQ(told, (std::vector<int>{0, 1, 2, 3}));
}

TEST_F(ExternalTrials, PauseAndGoOn) {
  options_.pause_after = TrainingPoint{1, 0};
  TrialOutcome outcome = train(kGoesOn);
  EXPECT_TRUE(outcome.paused) << outcome.detail;
  ASSERT_EQ(outcome.epochs.size(), 1u);
  outcome = train("exit 1");
  EXPECT_TRUE(outcome.paused) << "it is there already, so nothing is called";
  options_.pause_after.reset();
  outcome = train(kGoesOn);
  EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  EXPECT_EQ(outcome.begun, (TrainingPoint{1, 0}));
  EXPECT_EQ(outcome.epochs.size(), 4u);
  EXPECT_EQ(said_, "");
}

TEST_F(ExternalTrials, AreNotCalledAgainOnceTheyHaveEndedWithAScore) {
  const TrialOutcome ended = train(kGoesOn), again = train("exit 1");
  EXPECT_EQ(again.failure, Failure::kNone) << again.detail;
  EXPECT_EQ(again.score, ended.score);
  EXPECT_EQ(again.epochs.size(), 4u);
  EXPECT_GE(again.seconds, ended.seconds) << "its first call's";
}

TEST_F(ExternalTrials, MayBeginAnewWhichIsSaidOnce) {
  const std::string script = R"sh(for i in $(seq $3); do echo "{\"epoch\": $i, \"train_loss\": 0.5}"; done; echo '{"score": 0.5}')sh";
  options_.pause_after = TrainingPoint{2, 0};
  EXPECT_TRUE(train(script).paused);
  options_.pause_after.reset();
  const TrialOutcome outcome = train(script);
  EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  EXPECT_EQ(outcome.epochs.size(), 4u);
  EXPECT_EQ(outcome.begun, TrainingPoint{});
  EXPECT_EQ(said_.find("begins paused trials anew"), said_.rfind("begins paused trials anew"));
  EXPECT_NE(said_.find("begins paused trials anew"), std::string::npos);
}

TEST_F(ExternalTrials, StopAndGoOn) {
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  options_.on_epoch = [&](const EpochMetrics&) { stop = true; };
  TrialOutcome outcome =
      train(R"sh(trap 'exit 0' TERM; echo 1 > "$4/at"; echo '{"epoch": 1, "train_loss": 0.8}'; while :; do sleep 0.05; done)sh");
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.epochs.size(), 1u);
  stop = false;
  options_.on_epoch = nullptr;
  outcome = train(kGoesOn);
  EXPECT_EQ(outcome.begun, (TrainingPoint{1, 0}));
  EXPECT_EQ(outcome.score, 0.75);
}

TEST_F(ExternalTrials, BeginAnewWhereACutOffStateIsOfNoUse) {
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  options_.on_epoch = [&](const EpochMetrics&) { stop = true; };
  settings_.grace = 50ms;
  // Killed amid its writing.
  EXPECT_TRUE(train("trap '' TERM; echo '{\"epoch\": 1, \"train_loss\": 0.8}'; echo damaged > \"$4/at\"; while :; do sleep 0.05; done")
                  .interrupted);
  stop = false;
  options_.on_epoch = nullptr;
  TrialOutcome outcome = train(std::string("grep -q damaged \"$4/at\" 2>/dev/null && exit 1\n") + kGoesOn);
  EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  EXPECT_EQ(outcome.epochs.size(), 4u);
  EXPECT_NE(said_.find("begins anew"), std::string::npos) << said_;

  // Killed between an epoch's state and its line: the rung's loss was never told.
  std::filesystem::remove_all(options_.checkpoint);
  options_.on_progress = [&](const TrainingPoint&, std::int64_t) { stop = true; };
  EXPECT_TRUE(train("trap '' TERM; echo 2 > \"$4/at\"; while :; do sleep 0.05; done").interrupted);
  stop = false;
  options_.on_progress = nullptr;
  options_.pause_after = TrainingPoint{2, 0};
  outcome = train(kGoesOn);
  EXPECT_TRUE(outcome.paused) << outcome.detail;
  EXPECT_EQ(outcome.epochs.size(), 2u);
}

TEST_F(ExternalTrials, FailWithTheirReason) {
  fails("echo 'ModuleNotFoundError: torch' >&2; exit 1", Failure::kExitCode, "exit code 1: ModuleNotFoundError: torch");
  fails("kill -KILL $$", Failure::kSignal, "signal 9");
  fails("echo hello", Failure::kNoScore, "{\"score\": 0.9}");
  fails("printf '{\"score\": 0.'", Failure::kNoScore, "");
  fails("echo '{\"score\": NaN}'", Failure::kNonFiniteScore, "score");
  fails("echo '{\"score\": 91.3}'", Failure::kScoreOutOfRange, "91.3");
  fails("echo '{\"score\": -0.1}'", Failure::kScoreOutOfRange, "-0.1");
  fails("echo '{\"epoch\": 5}'; echo '{\"score\": 0.5}'", Failure::kNoScore, "epochs 1 to 4");
  fails("echo '{\"epoch\": 0}'; echo '{\"score\": 0.5}'", Failure::kNoScore, "epoch 0");
  fails("echo '{\"score\": 0.5, \"seed\": 8}'", Failure::kForeignAnswer, "seed");
  fails("echo '{\"score\": 0.5, \"formula\": \"x\"}'", Failure::kForeignAnswer, "formula");
  options_.time_limit = 200ms;
  settings_.grace = 100ms;
  fails("trap '' TERM; while :; do sleep 0.05; done", Failure::kTimeOut, "longer than 0.2");
}

TEST_F(ExternalTrials, ThatPauseNeedATrainingLoss) {
  options_.pause_after = TrainingPoint{2, 0};
  fails("echo '{\"epoch\": 1, \"train_loss\": 0.1}'", Failure::kNoScore, "asked for 2 epochs");
  fails("echo '{\"epoch\": 2}'", Failure::kNonFiniteLoss, "train_loss");
  fails("echo '{\"epoch\": 2, \"train_loss\": NaN}'", Failure::kNonFiniteLoss, "train_loss");
}

TEST_F(ExternalTrials, MayBeMinimized) {
  conditions_.metric = "loss";
  conditions_.minimize = true;
  conditions_.highest = std::numeric_limits<double>::infinity();
  const TrialOutcome outcome = train("echo '{\"epoch\": 1, \"loss\": 3}'; echo '{\"loss\": 2.5}'");
  EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  EXPECT_EQ(outcome.score, -2.5) << "higher is better in what is stored";
  std::filesystem::remove_all(options_.checkpoint);
  const TrialOutcome with_accuracy = train("echo '{\"epoch\": 1, \"accuracy\": 0.8}'; echo '{\"loss\": 2.5}'");
  ASSERT_EQ(with_accuracy.epochs.size(), 1u);
  EXPECT_TRUE(std::isnan(with_accuracy.epochs[0].validation_accuracy)) << "an accuracy is no loss";
}

TEST_F(ExternalTrials, AreOfOneCommandAlone) {
  options_.pause_after = TrainingPoint{1, 0};
  EXPECT_TRUE(train(kGoesOn).paused);
  conditions_.version = "2";
  EXPECT_THROW(train(kGoesOn), CheckpointError);
  std::ofstream(options_.checkpoint / "told.json") << "{";
  EXPECT_THROW(train(kGoesOn), CheckpointError);
}

TEST_F(ExternalTrials, EndAScriptThatWasLeftRunning) {
  // As after the kill of a process: the script runs on, and its number stands in the trial's directory.
  std::filesystem::create_directories(options_.checkpoint / "state");
  ProcessCall left;
  left.command = "sleep 600";
  left.started = [&](pid_t group) {
    std::ofstream(options_.checkpoint / "process") << group << " " << *process_start(group) << "\n";
    const TrialOutcome outcome = train(kGoesOn);
    EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  };
  EXPECT_EQ(run_process(left, [](std::string_view) { return true; }).how, ProcessEnd::How::kSignal);
  EXPECT_NE(said_.find("left running"), std::string::npos) << said_;
}

TEST_F(ExternalTrials, EndTheChildrenOfAScriptThatWasKilledWithItsSearch) {
  // The search and the script's first process are killed, as by the system's want of memory. A child of the script lives on.
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that this process can take the script's place away
  const std::filesystem::path child = directory_.path() / "child";
  const pid_t search = fork();
  ASSERT_GE(search, 0);
  if (search == 0) {
    (void)train("sleep 600 & echo $! > '" + child.string() + ".part'; mv '" + child.string() + ".part' '" + child.string() + "'; wait");
    _exit(0);
  }
  while (!std::filesystem::exists(child)) std::this_thread::sleep_for(10ms);
  pid_t group = 0;
  std::ifstream(options_.checkpoint / "process") >> group;
  ASSERT_GT(group, 1);
  kill(search, SIGKILL);
  waitpid(search, nullptr, 0);
  kill(group, SIGKILL);
  ASSERT_EQ(waitpid(group, nullptr, 0), group);
  ASSERT_FALSE(process_start(group).has_value());
  const pid_t left = std::stoi(read_text(child));
  ASSERT_TRUE(process_start(left).has_value());

  const TrialOutcome outcome = train(kGoesOn);
  EXPECT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
  EXPECT_NE(said_.find("left running"), std::string::npos) << said_;
  int status = 0;
  EXPECT_EQ(waitpid(left, &status, 0), left);
  EXPECT_TRUE(WIFSIGNALED(status));
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(ExternalTrials, OfABrokenScriptEndTheSearch) {
  settings_.trusted = false;
  conditions_.command = "exit 3";
  const auto tries = [&](ExternalTrainer& trainer, const std::string& formula) {
    options_.checkpoint = directory_.path() / "one.checkpoint";
    std::filesystem::remove_all(options_.checkpoint);
    return trainer.train(candidate_of(formula), options_);
  };
  ExternalTrainer broken(conditions_, settings_);
  tries(broken, "tanh(x)");
  tries(broken, "sin(x)");
  tries(broken, "cos(x)");  // without ReLU among them it may be the functions
  EXPECT_THROW(tries(broken, "relu"), std::runtime_error);

  conditions_.command = "case {formula} in *max*) echo '{{\"score\": 0.5}}';; *) exit 3;; esac";
  ExternalTrainer fair(conditions_, settings_);
  EXPECT_EQ(tries(fair, "relu").failure, Failure::kNone);
  for (const char* formula : {"tanh(x)", "sin(x)", "cos(x)", "erf(x)"}) EXPECT_EQ(tries(fair, formula).failure, Failure::kExitCode);
}

TEST_F(ExternalTrials, ShareTheGpusEvenly) {
  settings_.gpus = {"0", "5"};
  conditions_.command = "sleep 0.4; echo '{{\"score\": 0.'$(echo {gpu})'}}'";
  ExternalTrainer trainer(conditions_, settings_);
  std::vector<double> scores(2);
  {
    std::vector<std::jthread> both;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      both.emplace_back([&, i] {
        TrialOptions options = options_;
        options.checkpoint = directory_.path() / std::to_string(i);
        scores[i] = trainer.train(candidate_of("relu"), options).score;
      });
    }
  }
  EXPECT_EQ(scores[0] + scores[1], 0.5);
}

TEST_F(ExternalTrials, NeedWhatTheyName) {
  conditions_.command = "train {gpu}";
  EXPECT_THROW(ExternalTrainer(conditions_, settings_), std::invalid_argument);
  conditions_.command = "train";
  conditions_.target = "fortran";
  EXPECT_THROW(ExternalTrainer(conditions_, settings_), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch::testing
