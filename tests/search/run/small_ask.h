/// A study of a small space, asked for.
#pragma once

#include <chrono>

#include "search/run/ask.h"
#include "tests/search/support.h"

namespace actsearch::testing {

inline constexpr int kFunctions = 12;  // x+x, x+s, x+t, s+s, s+t, t+t and the same products
inline constexpr std::chrono::seconds kLease{600};

inline AskPlan small_ask(int epochs = 10) {
  return {.conditions = {"resnet20 on my data, train.py v3", epochs},
          .space = small_plan().space,
          .strategy = "exhaustive",
          .seed = 0,
          .seeds = 1,
          .baselines = false,
          .given = {},
          .race = std::nullopt,
          .commit = "abc",
          .machine = "a machine"};
}

}  // namespace actsearch::testing
