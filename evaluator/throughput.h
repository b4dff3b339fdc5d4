/// How fast this machine trains: short measurements on random images.
#pragma once

#include "evaluator/recipe.h"
#include "grammar/program.h"

namespace actsearch {

struct Throughput {
  double images_per_second = 0;              ///< whole training steps, one network
  double convolution_images_per_second = 0;  ///< the library calls of the convolutions alone, same shapes: the limit
  int steps = 0;                             ///< timed steps
};

/// Trains on random data for at least `seconds` after warm-up, with `threads` threads inside the network.
Throughput measure_throughput(const Recipe& recipe, const Program& activation, Precision precision, int threads, double seconds);

}  // namespace actsearch
