/// How long measurements will take, judged by one that takes under a second.
#pragma once

#include <chrono>

#include "evaluator/network/recipe.h"

namespace actsearch {

/// One short training on one core; other networks and threads take time in proportion to their operations.
class SpeedProbe {
 public:
  explicit SpeedProbe(Precision precision);
  /// Of training_throughput(recipe, …, threads, seconds): at least four steps.
  std::chrono::duration<double> measurement(const Recipe& recipe, int threads, double seconds) const;

 private:
  double flop_per_second_ = 1;  ///< forward passes alone, of one core
};

/// Says it on standard error before it begins.
void say_duration(std::chrono::duration<double> duration);

}  // namespace actsearch
