#include "evaluator/network/recipe.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace actsearch {
namespace {

constexpr int kPool = Vgg::kPool;

/// VGG16's thirteen convolutions with `width` channels in the first block (64 in the original).
std::vector<int> vgg16_features(int width) {
  const int w1 = width, w2 = 2 * width, w3 = 4 * width, w4 = 8 * width;
  return {w1, w1, kPool, w2, w2, kPool, w3, w3, w3, kPool, w4, w4, w4, kPool, w4, w4, w4, kPool};
}

/// A VGG without hidden dense layers.
Network features_only(std::vector<int> features, bool average_pool = false) {
  return vgg({.features = std::move(features), .dense = {}, .dropout = 0, .convolution_bias = false, .average_pool = average_pool});
}

/// What the proxy recipes share; networks and lengths differ.
Recipe proxy(std::string name, std::string purpose, Network network, int epochs) {
  Recipe recipe;
  recipe.name = std::move(name);
  recipe.purpose = std::move(purpose);
  recipe.network = std::move(network);
  recipe.epochs = epochs;
  recipe.schedule = {.kind = Schedule::Kind::kOneCycle, .peak = 0.1, .warmup = 0.25, .milestones = {}};
  recipe.weight_decay = 5e-4;
  return recipe;
}

/// For a first look: vgg-s at half the width, on images of a quarter of the pixels. Chosen by measurement: docs/results/quick.md.
Recipe quick() {
  Recipe recipe = proxy("quick", "a first look in seconds: vgg-s at half the width on images averaged to 16x16, 40,000 of them twice",
                        features_only({16, 16, kPool, 32, 32, kPool, 64, 64, kPool}), 2);
  recipe.network.image_side = 16;
  recipe.train_size = 40'000;
  recipe.seed_spread = {.deviation = 0.0056, .degrees = 36, .source = "docs/results/quick.md"};  // ten seeds of four functions
  return recipe;
}

/// The default of search.
Recipe deep_proxy() {
  Recipe recipe = proxy("vgg16-slim", "deep proxy: VGG16's 13 convolutions at a quarter of the width; the default of search",
                        features_only(vgg16_features(16)), 3);
  recipe.seed_spread = {.deviation = 0.0045, .degrees = 38, .source = "docs/results/proxy-noise.md"};   // twenty seeds of two functions
  recipe.loss_spread = {.deviation = 0.0082, .degrees = 162, .source = "docs/results/truer-score.md"};  // three seeds of 81 functions
  return recipe;
}

/// Residual networks at full length: with crops, as their authors train them. The schedule and its rate are ours.
Recipe residual(std::string name, std::string purpose, Network network, int epochs) {
  Recipe recipe = proxy(std::move(name), std::move(purpose), std::move(network), epochs);
  recipe.augmentation.pad = 4;
  return recipe;
}

/// As many floating-point operations as vgg16-slim's three epochs.
Recipe short_residual() {
  Recipe recipe = proxy("resnet20-short", "resnet20 at the cost of vgg16-slim: 32,000 images twice", resnet(3), 2);
  recipe.train_size = 32'000;
  return recipe;
}

Recipe published_run() {
  Recipe recipe;
  recipe.name = "vgg16-bn-mxnet";
  recipe.purpose = "the published Apache MXNet 1.2 run to the letter: raw pixels, file order, flips only";
  recipe.network =
      vgg({.features = vgg16_features(64), .dense = {4096, 4096}, .dropout = 0.5, .convolution_bias = true, .average_pool = false});
  recipe.network.initialisation = Network::Initialisation::kMxnet;
  recipe.epochs = 40;
  recipe.schedule = {.kind = Schedule::Kind::kStep, .peak = 0.1, .milestones = {10, 20, 30}, .factor = 0.1};
  recipe.weight_decay = 1e-4;
  recipe.decay_all = true;
  recipe.augmentation = {.flip = true, .pad = 0, .normalise = false, .shuffle = false};
  recipe.validation_size = 0;
  return recipe;
}

Recipe full_length() {
  Recipe recipe = published_run();
  recipe.name = "vgg16-bn";
  recipe.purpose = "the same network with normalised, shuffled and cropped images and He initialisation";
  recipe.network.initialisation = Network::Initialisation::kHe;
  recipe.weight_decay = 5e-4;
  recipe.decay_all = false;
  recipe.augmentation = {.flip = true, .pad = 4, .normalise = true, .shuffle = true};
  return recipe;
}

}  // namespace

double Schedule::rate(std::int64_t step, std::int64_t steps_per_epoch, int epochs) const {
  switch (kind) {
    case Kind::kOneCycle: {
      // The middle of the step, so that neither the first nor the last step is wasted at rate 0.
      const double progress = (static_cast<double>(step) + 0.5) / static_cast<double>(steps_per_epoch * epochs);
      return peak * (progress < warmup ? progress / warmup : (1.0 - progress) / (1.0 - warmup));
    }
    case Kind::kStep: {
      const std::int64_t epoch = step / steps_per_epoch;
      const auto passed = std::count_if(milestones.begin(), milestones.end(), [&](int milestone) { return epoch > milestone; });
      return peak * std::pow(factor, static_cast<double>(passed));
    }
  }
  throw std::logic_error("Schedule::rate: no such schedule");
}

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> kRecipes{
      quick(),
      proxy("vgg-s", "small proxy: 6 convolutions", features_only({32, 32, kPool, 64, 64, kPool, 128, 128, kPool}), 4),
      deep_proxy(),
      proxy("vgg16-slim-average", "vgg16-slim with average-pools in place of max-pools", features_only(vgg16_features(16), true), 3),
      short_residual(),
      proxy("vgg-m", "vgg-s twice as wide", features_only({64, 64, kPool, 128, 128, kPool, 256, 256, kPool}), 4),
      residual("wrn-10-2", "wide residual network of 10 layers, twice as wide", wide_resnet(1, 2), 28),
      residual("resnet20", "the paper's child network, for the paper's 10,000 steps (28 epochs are 9,828)", resnet(3), 28),
      residual("resnet56", "residual network of 56 layers", resnet(9), 60),
      published_run(),
      full_length(),
  };
  return kRecipes;
}

const Recipe& find_recipe(std::string_view name) {
  std::string known;
  for (const Recipe& recipe : recipes()) {
    if (recipe.name == name) return recipe;
    known += (known.empty() ? "" : ", ") + recipe.name;
  }
  throw std::invalid_argument("no recipe is called \"" + std::string(name) + "\"; there are " + known);
}

Network network_of(std::vector<Layer> layers) {
  for (const Recipe& recipe : recipes()) {
    if (recipe.network.layers != layers) continue;
    Network same;
    same.text = recipe.network.text;
    same.summary = recipe.network.summary;
    same.layers = std::move(layers);
    return same;
  }
  Network own;
  own.text = layers_text(layers);
  const auto activations = std::count_if(layers.begin(), layers.end(), [](const Layer& one) { return one.kind == LayerKind::kActivation; });
  own.summary = std::to_string(layers.size()) + " layers, " + std::to_string(activations) + " activations";
  own.layers = std::move(layers);
  return own;
}

}  // namespace actsearch
