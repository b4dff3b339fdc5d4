/// Where a network's layers keep their trainable values in Parameters, and what they start from: the same for every device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "evaluator/network/parameters.h"
#include "evaluator/network/recipe.h"

namespace actsearch {

/// A convolution with the batch norm and the activation after it. The numbers are offsets into Parameters.
struct FeatureLayout {
  std::size_t in_channels = 0, channels = 0;
  int side = 0;                                ///< of its input and output images
  bool pool = false;                           ///< a 2×2 max-pool follows
  std::size_t weights = 0;                     ///< channels × 3 × 3 × in_channels
  std::size_t gamma = 0, delta = 0, beta = 0;  ///< channels, channels, activation parameters × channels
  int output_side() const { return pool ? side / 2 : side; }
  /// Values of an image that leaves the convolution, and that leaves the pool (or the activation, without one).
  std::size_t elements() const { return channels * static_cast<std::size_t>(side * side); }
  std::size_t output_elements() const { return channels * static_cast<std::size_t>(output_side() * output_side()); }
};

struct DenseLayout {
  std::size_t inputs = 0, units = 0;
  std::size_t weights = 0, bias = 0;  ///< units × inputs, units
  std::size_t beta = 0;               ///< activation parameters × units; the last layer has no activation
};

struct NetworkLayout {
  std::vector<FeatureLayout> features;
  std::vector<DenseLayout> hidden;
  DenseLayout head;  ///< to the classes
};

/// Adds all segments of the network to `parameters`: gamma and beta at their starts, the rest 0.
NetworkLayout lay_out(const Network& network, int activation_parameters, Parameters& parameters);

/// Normal weights as the network's initialisation says, from one stream per layer, so that a layer's start does not depend on the others.
void initialise(const Network& network, const NetworkLayout& layout, std::uint64_t seed, Parameters& parameters);

/// The activation's parameter k in every channel of every layer, in order; `values` are those of Parameters.
std::vector<float> beta_of(const NetworkLayout& layout, int k, const float* values);

}  // namespace actsearch
