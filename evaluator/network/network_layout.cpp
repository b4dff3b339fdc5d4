#include "evaluator/network/network_layout.h"

#include <cmath>

#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"
#include "grammar/operators.h"

namespace actsearch {

NetworkLayout lay_out(const Network& network, int activation_parameters, Parameters& parameters) {
  NetworkLayout layout;
  const auto add_beta = [&](std::size_t channels) {
    return parameters.add(ParameterKind::kBeta, channels * static_cast<std::size_t>(activation_parameters), static_cast<float>(kBetaStart));
  };
  const auto add_dense = [&](std::size_t inputs, std::size_t units) {
    DenseLayout dense{.inputs = inputs, .units = units};
    dense.weights = parameters.add(ParameterKind::kWeight, units * inputs, 0.0f);
    dense.bias = parameters.add(ParameterKind::kBias, units, 0.0f);
    return dense;
  };

  int side = network.image_side;
  auto in = static_cast<std::size_t>(network.images.channels);
  for (const int entry : network.features) {
    if (entry == Network::kPool) {
      layout.features.back().pool = true;
      side /= 2;
      continue;
    }
    FeatureLayout feature{.in_channels = in, .channels = static_cast<std::size_t>(entry), .side = side};
    feature.weights = parameters.add(ParameterKind::kWeight, feature.channels * 9 * in, 0.0f);
    if (network.convolution_bias) parameters.add(ParameterKind::kConvolutionBias, feature.channels, 0.0f);
    feature.gamma = parameters.add(ParameterKind::kNormScale, feature.channels, 1.0f);
    feature.delta = parameters.add(ParameterKind::kNormShift, feature.channels, 0.0f);
    feature.beta = add_beta(feature.channels);
    layout.features.push_back(feature);
    in = feature.channels;
  }
  std::size_t inputs = layout.features.back().output_elements();
  for (const int width : network.dense) {
    DenseLayout dense = add_dense(inputs, static_cast<std::size_t>(width));
    dense.beta = add_beta(dense.units);
    layout.hidden.push_back(dense);
    inputs = dense.units;
  }
  layout.head = add_dense(inputs, static_cast<std::size_t>(network.images.classes));
  return layout;
}

void initialise(const Network& network, const NetworkLayout& layout, std::uint64_t seed, Parameters& parameters) {
  std::uint64_t layer = 0;
  const auto fill = [&](std::size_t offset, std::size_t size, double deviation) {
    RandomStream random(Draw::kWeights, seed, layer++);
    float* const weights = parameters.value(offset);
    for (std::size_t i = 0; i < size; ++i) weights[i] = static_cast<float>(deviation * random.normal());
  };
  const bool mxnet = network.initialisation == Network::Initialisation::kMxnet;
  for (const FeatureLayout& feature : layout.features) {
    fill(feature.weights, feature.channels * 9 * feature.in_channels,
         std::sqrt(2.0 / (9.0 * static_cast<double>(mxnet ? feature.channels : feature.in_channels))));
  }
  for (const DenseLayout& dense : layout.hidden) {
    fill(dense.weights, dense.units * dense.inputs, mxnet ? 0.01 : std::sqrt(2.0 / static_cast<double>(dense.inputs)));
  }
  const DenseLayout& head = layout.head;
  fill(head.weights, head.units * head.inputs, mxnet ? 0.01 : std::sqrt(1.0 / static_cast<double>(head.inputs)));
}

std::vector<float> beta_of(const NetworkLayout& layout, int k, const float* values) {
  std::vector<float> all;
  const auto append = [&](std::size_t offset, std::size_t channels) {
    const float* const first = values + offset + static_cast<std::size_t>(k) * channels;
    all.insert(all.end(), first, first + channels);
  };
  for (const FeatureLayout& feature : layout.features) append(feature.beta, feature.channels);
  for (const DenseLayout& dense : layout.hidden) append(dense.beta, dense.units);
  return all;
}

}  // namespace actsearch
