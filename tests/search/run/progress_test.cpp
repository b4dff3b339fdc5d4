#include "search/run/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace actsearch {
namespace {

using namespace std::chrono_literals;

ProgressState state() {
  ProgressState state;
  state.done = 13;
  state.failed = 1;
  state.judged = 13;
  state.planned = 20;
  state.best = 0.78214;
  state.best_label = "swish1";
  state.elapsed = 400s;
  state.left = 190s;
  state.jobs = {{"relu", 0.425}, {"max(x, tanh(x))", 0.999}};
  return state;
}

TEST(Progress, StatesScoresRateTimeLeftAndTheBestInPerCent) {
  EXPECT_EQ(progress_text(state()), "13/20 trials: 12 scored, 1 failed  best 78.21 % swish1  1.9 trials/min  3m10s left");
  ProgressState nothing_yet;
  nothing_yet.elapsed = 5s;
  EXPECT_EQ(progress_text(nothing_yet), "0 scored  5.0s");
}

TEST(Progress, BeforeTheFirstScoreItSaysWhenThatIsDue) {
  ProgressState early;
  early.left = 520s;
  early.first_score = 80s;
  EXPECT_EQ(progress_text(early), "0 scored  first score in 1m20s  8m40s left");
  early.best = 0.5;
  early.best_label = "relu";
  EXPECT_EQ(progress_text(early), "0 scored  best 50.00 % relu  8m40s left") << "an earlier run's";
}

TEST(Progress, ARaceCountsWhoIsJudgedAndWhoWaits) {
  ProgressState race = state();
  race.judged = 61;
  race.paused = 46;
  EXPECT_EQ(progress_text(race),
            "13/20 trials: 12 scored, 1 failed, 61 judged, 46 paused  best 78.21 % swish1  1.9 trials/min  3m10s left");
}

TEST(Progress, EachJobHasItsFunctionAndItsPercentage) {
  EXPECT_EQ(job_texts(state(), 10), (std::vector<std::string>{" 42 %  relu", " 99 %  max(x, tanh(x))"}));
  ProgressState many = state();
  many.jobs.assign(8, {"relu", 0.1});
  const auto lines = job_texts(many, 4);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines.back(), "       and 5 more");
}

TEST(Progress, CutsByCharactersAndNotByBytes) {
  EXPECT_EQ(cut("f(β) = 1", 3), "f(β");
  EXPECT_EQ(cut("short", 80), "short");
}

TEST(Progress, OffATerminalItLogsALineNowAndThenWithoutControlCharacters) {
  std::ostringstream out;
  Progress progress(out, {.terminal = false});
  const auto start = Progress::Clock::now();
  for (int i = 0; i <= 600; ++i) progress.update(state(), start + i * 100ms);  // a minute
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_EQ(text.find_first_of("\r\x1b"), std::string::npos);
  EXPECT_EQ(text.substr(0, text.find('\n')), progress_text(state()) + "  now: 42 %  relu; 99 %  max(x, tanh(x))");
}

TEST(Progress, OnATerminalTheLiveLinesGiveWayToLinesThatStay) {
  std::ostringstream out;
  Progress progress(out, {.terminal = true, .colour = false, .width = 40, .height = 10});
  const auto now = Progress::Clock::now();
  progress.update(state(), now);
  const std::string drawn = cut(progress_text(state()), 39) + "\n 42 %  relu\n 99 %  max(x, tanh(x))";
  EXPECT_EQ(out.str(), drawn);
  progress.update(state(), now + 1s);
  const std::string erased = "\r\x1b[2A\x1b[J";  // from the third line to the first, and all below it
  EXPECT_EQ(out.str(), drawn + erased + drawn);
  progress.say("trial 1");
  progress.clear();
  EXPECT_EQ(out.str(), drawn + erased + drawn + erased + "trial 1\n");
}

TEST(Progress, IsNeverHigherThanTheTerminal) {
  std::ostringstream out;
  Progress progress(out, {.terminal = true, .colour = false, .width = 80, .height = 4});
  ProgressState many = state();
  many.jobs.assign(64, {"relu", 0.1});
  progress.update(many);
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST(Progress, ColoursOnlyWhenAllowed) {
  std::ostringstream plain, coloured;
  Progress(plain, {.terminal = true, .colour = false}).update(state());
  Progress(coloured, {.terminal = true, .colour = true}).update(state());
  EXPECT_EQ(plain.str().find("\x1b[36m"), std::string::npos);
  EXPECT_NE(coloured.str().find("\x1b[36m"), std::string::npos);
}

}  // namespace
}  // namespace actsearch
