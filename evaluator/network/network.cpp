#include "evaluator/network/network.h"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace actsearch {
namespace {

constexpr std::array<std::pair<LayerKind, std::string_view>, 10> kKinds{{{LayerKind::kConvolution, "convolution"},
                                                                         {LayerKind::kBatchNorm, "batch_norm"},
                                                                         {LayerKind::kActivation, "activation"},
                                                                         {LayerKind::kAdd, "add"},
                                                                         {LayerKind::kMaxPool, "max_pool"},
                                                                         {LayerKind::kAveragePool, "average_pool"},
                                                                         {LayerKind::kGlobalAveragePool, "global_average_pool"},
                                                                         {LayerKind::kFlatten, "flatten"},
                                                                         {LayerKind::kDense, "dense"},
                                                                         {LayerKind::kDropout, "dropout"}}};

std::string number(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general).ptr};  // reads back exactly
}

/// "64-64-M-128", or "none" for an empty list.
std::string list(const std::vector<int>& entries) {
  if (entries.empty()) return "none";
  std::string text;
  for (const int entry : entries) text += (text.empty() ? "" : "-") + (entry == Vgg::kPool ? std::string("M") : std::to_string(entry));
  return text;
}

/// Appends layers in the order of calls.
class Builder {
 public:
  std::vector<Layer> layers;

  void add(LayerKind kind, std::vector<std::string> inputs = {}, std::string name = "") {
    Layer layer;
    layer.kind = kind;
    layer.inputs = std::move(inputs);
    layer.name = std::move(name);
    layers.push_back(std::move(layer));
  }
  void convolution(int channels, int kernel, int stride, bool bias = false, std::vector<std::string> inputs = {}) {
    add(LayerKind::kConvolution, std::move(inputs));
    Layer& layer = layers.back();
    layer.channels = channels;
    layer.kernel = kernel;
    layer.stride = stride;
    layer.padding = kernel / 2;
    layer.bias = bias;
  }
  void pool(LayerKind kind, int size) {
    add(kind);
    layers.back().kernel = layers.back().stride = size;
  }
  void dense(int units) {
    add(LayerKind::kDense);
    layers.back().channels = units;
  }
  /// Names what was added last.
  std::string named(std::string name) { return layers.back().name = std::move(name); }
};

}  // namespace

std::string_view to_text(LayerKind kind) {
  for (const auto& [known, word] : kKinds) {
    if (known == kind) return word;
  }
  throw std::logic_error("to_text: no such layer");
}

LayerKind layer_kind(std::string_view word) {
  std::string all;
  for (const auto& [kind, known] : kKinds) {
    if (known == word) return kind;
    all += (all.empty() ? "" : ", ") + std::string(known);
  }
  throw std::invalid_argument("no layer is called \"" + std::string(word) + "\"; there are " + all);
}

std::string layers_text(const std::vector<Layer>& layers) {
  std::string text = "layers=";
  const Layer usual;
  for (const Layer& layer : layers) {
    if (text.back() != '=') text += ';';
    text += to_text(layer.kind);
    const auto add = [&](std::string_view key, int value, int unless) {
      if (value != unless) text.append(",").append(key).append(":").append(std::to_string(value));
    };
    add("channels", layer.channels, usual.channels);
    add("kernel", layer.kernel, usual.kernel);
    add("stride", layer.stride, usual.stride);
    add("padding", layer.padding, usual.padding);
    add("groups", layer.groups, usual.groups);
    add("bias", layer.bias ? 1 : 0, 0);
    if (layer.probability != 0) text += ",probability:" + number(layer.probability);
    if (!layer.name.empty()) text += ",name:" + layer.name;
    for (const std::string& input : layer.inputs) text += ",from:" + input;
  }
  return text;
}

Network vgg(const Vgg& options) {
  Builder build;
  std::string summary;
  for (const int entry : options.features) {
    summary += (summary.empty() ? "" : "-") + (entry == Vgg::kPool ? std::string(options.average_pool ? "A" : "M") : std::to_string(entry));
    if (entry == Vgg::kPool) {
      build.pool(options.average_pool ? LayerKind::kAveragePool : LayerKind::kMaxPool, 2);
      continue;
    }
    build.convolution(entry, 3, 1, options.convolution_bias);
    build.add(LayerKind::kBatchNorm);
    build.add(LayerKind::kActivation);
  }
  build.add(LayerKind::kFlatten);
  for (const int width : options.dense) {
    summary += "-D" + std::to_string(width);
    build.dense(width);
    build.add(LayerKind::kActivation);
    if (options.dropout > 0) {
      build.add(LayerKind::kDropout);
      build.layers.back().probability = options.dropout;
    }
  }
  build.dense(0);
  Network network;
  network.layers = std::move(build.layers);
  network.summary = std::move(summary);
  network.text = "features=" + list(options.features) + " dense=" + list(options.dense) + " dropout=" + number(options.dropout) +
                 " convolution_bias=" + (options.convolution_bias ? "yes" : "no");
  if (options.average_pool) network.text += " pool=average";
  return network;
}

Network resnet(int blocks) {
  Builder build;
  build.convolution(16, 3, 1);
  build.add(LayerKind::kBatchNorm);
  build.add(LayerKind::kActivation);
  std::string input = build.named("stem");
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      const std::string place = std::to_string(stage + 1) + "." + std::to_string(block + 1);
      const int channels = 16 << stage, stride = stage > 0 && block == 0 ? 2 : 1;
      build.convolution(channels, 3, stride, false, {input});
      build.add(LayerKind::kBatchNorm);
      build.add(LayerKind::kActivation);
      build.convolution(channels, 3, 1);
      build.add(LayerKind::kBatchNorm);
      const std::string residual = build.named("residual" + place);
      if (stride > 1) {
        build.convolution(channels, 1, stride, false, {input});
        build.add(LayerKind::kBatchNorm);
        input = build.named("shortcut" + place);
      }
      build.add(LayerKind::kAdd, {residual, input});
      build.add(LayerKind::kActivation);
      input = build.named("block" + place);
    }
  }
  build.add(LayerKind::kGlobalAveragePool);
  build.dense(0);
  Network network;
  network.layers = std::move(build.layers);
  network.summary = "residual, 16-32-64, " + std::to_string(blocks) + " blocks each";
  network.text = "resnet=16-32-64 blocks=" + std::to_string(blocks) + " shortcut=projection";
  return network;
}

Network wide_resnet(int blocks, int width) {
  Builder build;
  build.convolution(16, 3, 1);
  std::string input = build.named("stem");
  int in = 16;
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      const std::string place = std::to_string(stage + 1) + "." + std::to_string(block + 1);
      const int channels = (16 << stage) * width, stride = stage > 0 && block == 0 ? 2 : 1;
      build.add(LayerKind::kBatchNorm, {input});
      build.add(LayerKind::kActivation);
      const std::string activated = build.named("activated" + place);
      build.convolution(channels, 3, stride);
      build.add(LayerKind::kBatchNorm);
      build.add(LayerKind::kActivation);
      build.convolution(channels, 3, 1);
      const std::string residual = build.named("residual" + place);
      if (in != channels || stride > 1) {
        build.convolution(channels, 1, stride, false, {activated});
        build.layers.back().padding = 0;
        input = build.named("shortcut" + place);
      }
      build.add(LayerKind::kAdd, {residual, input});
      input = build.named("block" + place);
      in = channels;
    }
  }
  build.add(LayerKind::kBatchNorm);
  build.add(LayerKind::kActivation);
  build.add(LayerKind::kGlobalAveragePool);
  build.dense(0);
  Network network;
  network.layers = std::move(build.layers);
  network.summary = "wide residual, " + std::to_string(16 * width) + "-" + std::to_string(32 * width) + "-" + std::to_string(64 * width) +
                    ", " + std::to_string(blocks) + " block" + (blocks == 1 ? "" : "s") + " each";
  network.text = "wide_resnet=16-32-64 width=" + std::to_string(width) + " blocks=" + std::to_string(blocks) + " shortcut=projection";
  return network;
}

}  // namespace actsearch
