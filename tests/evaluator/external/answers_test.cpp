// The lines of a training script.

#include "evaluator/external/answers.h"

#include <gtest/gtest.h>

#include <cmath>

namespace actsearch {
namespace {

TEST(Answers, AreLinesWithAnEpochOrTheMetric) {
  const auto epoch = read_answer(R"( {"epoch": 3, "train_loss": 0.71, "accuracy": 0.803, "lr": [1, 2]})", "score");
  ASSERT_TRUE(epoch);
  EXPECT_EQ(epoch->epoch, 3);
  EXPECT_EQ(epoch->train_loss, 0.71);
  EXPECT_EQ(epoch->accuracy, 0.803);
  EXPECT_FALSE(epoch->score);
  const auto score = read_answer(R"({"f1": 0.5, "seed": 7, "formula": "x"})", "f1");
  ASSERT_TRUE(score);
  EXPECT_EQ(score->score, 0.5);
  EXPECT_EQ(score->seed, 7);
  EXPECT_EQ(score->formula, "x");
}

TEST(Answers, AreNothingElse) {
  for (const char* line : {"", "epoch 3", R"({"epoch": 3)", R"({"epoch": "3"})", R"({"other": 1})", "[1, 2]", "{}", R"({"score": "0.9"})",
                           R"({"score": 1e999})", "{\"score\": \xff}"})
    EXPECT_FALSE(read_answer(line, "score")) << line;
}

TEST(Answers, TakeWhatPythonWritesForNoNumber) {
  for (const char* line : {R"({"score": NaN})", R"({"score": -Infinity})", R"({"score": Infinity})", R"({"score": null})"}) {
    const auto answer = read_answer(line, "score");
    ASSERT_TRUE(answer && answer->score) << line;
    EXPECT_TRUE(std::isnan(*answer->score)) << line;
  }
  EXPECT_EQ(read_answer(R"({"score": 1, "formula": "NaN \" Infinity"})", "score")->formula, "NaN \" Infinity");
}

}  // namespace
}  // namespace actsearch
