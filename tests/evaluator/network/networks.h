/// Networks for tests.
#pragma once

#include "evaluator/network/network.h"

namespace actsearch::testing {

/// Every kind of layer, in every way that a step of the plan can be made: on images of 32×32.
inline Network every_kind_of_layer() {
  using K = LayerKind;
  Network network;
  network.text = "layers=every-kind";
  const auto add = [&](K kind, const char* name = "", std::vector<std::string> inputs = {}) -> Layer& {
    Layer layer;
    layer.kind = kind;
    layer.name = name;
    layer.inputs = std::move(inputs);
    return network.layers.emplace_back(layer);
  };
  const auto window = [](Layer& layer, int kernel, int stride, int padding) -> Layer& {
    layer.kernel = kernel;
    layer.stride = stride;
    layer.padding = padding;
    return layer;
  };
  const auto convolution = [&](int channels, int kernel, int stride, int padding, std::vector<std::string> inputs = {}) -> Layer& {
    Layer& layer = window(add(K::kConvolution, "", std::move(inputs)), kernel, stride, padding);
    layer.channels = channels;
    return layer;
  };
  convolution(8, 5, 2, 2).bias = true;  // 16×16, a bias and the activation
  add(K::kActivation, "stem");
  convolution(16, 3, 1, 1).groups = 2;  // in groups, then batch norm alone
  add(K::kBatchNorm, "left");
  convolution(16, 1, 1, 0, {"stem"}).bias = true;  // a bias alone
  network.layers.back().name = "right";
  add(K::kAdd, "sum", {"left", "right"});
  add(K::kActivation, "joined");  // an activation alone
  window(add(K::kMaxPool), 3, 1, 1);
  add(K::kAdd, "twice", {"joined", "sum"});  // two that others read too
  window(add(K::kAveragePool), 2, 2, 0);
  convolution(16, 3, 1, 1).bias = true;  // a bias that batch norm takes away
  add(K::kBatchNorm);
  add(K::kActivation);
  window(add(K::kMaxPool), 2, 2, 0);
  window(add(K::kAveragePool, "small"), 3, 1, 1);
  add(K::kFlatten);
  add(K::kDense).channels = 24;
  add(K::kActivation);
  add(K::kDropout).probability = 0;
  add(K::kDense).channels = 16;  // a dense layer without activation
  add(K::kDense);
  network.layers[7].name = "pooled";
  network.layers[8].inputs = {"pooled", "sum"};
  return network;
}

}  // namespace actsearch::testing
