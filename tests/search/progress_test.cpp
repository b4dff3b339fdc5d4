#include "search/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace actsearch {
namespace {

using namespace std::chrono_literals;

ProgressState state() {
  return {.done = 14, .failed = 1, .planned = 20, .best = 0.78214, .best_label = "swish1", .elapsed = 400s, .left = 190s};
}

TEST(Progress, StatesDoneRateTimeLeftAndBest) {
  EXPECT_EQ(progress_text(state(), 0), "14/20 trials (1 failed)  2.1 trials/min  3m10s left  best 0.7821 swish1");
  ProgressState nothing_yet;
  nothing_yet.elapsed = 5s;
  EXPECT_EQ(progress_text(nothing_yet, 0), "0 trials  5.0s");
}

TEST(Progress, ARacesPausesAreCountedBesideTheTrialsThatEnded) {
  ProgressState race = state();
  race.paused = 30;
  EXPECT_EQ(progress_text(race, 0), "14/20 trials (1 failed, 30 pauses)  2.1 trials/min  3m10s left  best 0.7821 swish1");
  race.failed = 0;
  race.paused = 1;
  EXPECT_EQ(progress_text(race, 0), "14/20 trials (1 pause)  2.1 trials/min  3m10s left  best 0.7821 swish1");
}

TEST(Progress, CutsTheLiveLineToTheTerminal) { EXPECT_EQ(progress_text(state(), 12), "14/20 trials"); }

TEST(Progress, OffATerminalItLogsALineNowAndThenWithoutControlCharacters) {
  std::ostringstream out;
  Progress progress(out, {.terminal = false});
  const auto start = Progress::Clock::now();
  for (int i = 0; i <= 600; ++i) progress.update(state(), start + i * 100ms);  // a minute
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_EQ(text.find_first_of("\r\x1b"), std::string::npos);
}

TEST(Progress, OnATerminalTheLiveLineGivesWayToLinesThatStay) {
  std::ostringstream out;
  Progress progress(out, {.terminal = true, .colour = false, .width = 80});
  progress.update(state());
  progress.say("trial 1");
  progress.clear();
  EXPECT_EQ(out.str(), "\r\x1b[K" + progress_text(state(), 79) + "\r\x1b[Ktrial 1\n");
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
