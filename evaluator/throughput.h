/// How fast this machine trains: short measurements on random images.
#pragma once

#include "evaluator/recipe.h"
#include "grammar/program.h"

namespace actsearch {

struct Throughput {
  double images_per_second = 0;  ///< whole training steps, one network
  /// The library calls of the convolutions alone, on whole images one after the other: what anyone who uses the library gets.
  double convolution_images_per_second = 0;
  /// The same with images interleaved, as training has them (evaluator/interleave.h).
  double interleaved_convolution_images_per_second = 0;
  int steps = 0;  ///< timed steps
};

/// Trains on random data for at least `seconds` after warm-up, with `threads` threads inside the network.
Throughput measure_throughput(const Recipe& recipe, const Program& activation, Precision precision, int threads, double seconds);

}  // namespace actsearch
