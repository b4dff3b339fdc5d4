/// How fast this machine trains: short measurements on random images.
#pragma once

#include "evaluator/network/recipe.h"
#include "grammar/program.h"

namespace actsearch {

/// Images per second that one network trains on random data, with `threads` threads inside it. One step is not timed. After it whole
/// steps are, at least three of them and for at least `seconds`.
double training_throughput(const Recipe& recipe, const Program& activation, Precision precision, int threads, double seconds);

/// Images per second of a recipe's convolutions alone, forward and backward.
struct ConvolutionThroughput {
  double library = 0;   ///< oneDNN's calls on whole images one after the other: what anyone who uses the library gets
  double training = 0;  ///< as training computes them (evaluator/cpu/convolution.h)
};

/// Timed as training_throughput is, each of the two for at least `seconds`.
ConvolutionThroughput convolution_throughput(const Recipe& recipe, Precision precision, int threads, double seconds);

}  // namespace actsearch
