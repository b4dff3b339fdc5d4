#include "evaluator/network/recipe.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace actsearch {
namespace {

constexpr int kPool = Network::kPool;

/// Calls on_convolution(in, out, side) and on_dense(in, out) for every layer with weights, from the image to the classes.
template <class OnConvolution, class OnDense>
void for_each_layer(const Network& network, OnConvolution on_convolution, OnDense on_dense) {
  std::int64_t channels = network.images.channels, side = network.image_side;
  for (const int entry : network.features) {
    if (entry == kPool) {
      side /= 2;
    } else {
      on_convolution(channels, std::int64_t{entry}, side);
      channels = entry;
    }
  }
  std::int64_t units = channels * side * side;
  for (const int width : network.dense) {
    on_dense(units, std::int64_t{width});
    units = width;
  }
  on_dense(units, std::int64_t{network.images.classes});
}

/// VGG16's thirteen convolutions with `width` channels in the first block (64 in the original).
std::vector<int> vgg16_features(int width) {
  const int w1 = width, w2 = 2 * width, w3 = 4 * width, w4 = 8 * width;
  return {w1, w1, kPool, w2, w2, kPool, w3, w3, w3, kPool, w4, w4, w4, kPool, w4, w4, w4, kPool};
}

/// What the proxy recipes share; networks and lengths differ.
Recipe proxy(std::string name, std::string purpose, std::vector<int> features, int epochs) {
  Recipe recipe;
  recipe.name = std::move(name);
  recipe.purpose = std::move(purpose);
  recipe.network.features = std::move(features);
  recipe.epochs = epochs;
  recipe.schedule = {.kind = Schedule::Kind::kOneCycle, .peak = 0.1, .warmup = 0.25, .milestones = {}};
  recipe.weight_decay = 5e-4;
  return recipe;
}

/// For a first look: vgg-s at half the width, on images of a quarter of the pixels. Chosen by measurement: docs/results/quick.md.
Recipe quick() {
  Recipe recipe = proxy("quick", "a first look in seconds: vgg-s at half the width on images averaged to 16x16, 40,000 of them twice",
                        {16, 16, kPool, 32, 32, kPool, 64, 64, kPool}, 2);
  recipe.network.image_side = 16;
  recipe.train_size = 40'000;
  recipe.seed_spread = {.deviation = 0.0056, .degrees = 36, .source = "docs/results/quick.md"};  // ten seeds of four functions
  return recipe;
}

/// The default of search.
Recipe deep_proxy() {
  Recipe recipe =
      proxy("vgg16-slim", "deep proxy: VGG16's 13 convolutions at a quarter of the width; the default of search", vgg16_features(16), 3);
  recipe.seed_spread = {.deviation = 0.0045, .degrees = 38, .source = "docs/results/proxy-noise.md"};  // twenty seeds of two functions
  return recipe;
}

Recipe published_run() {
  Recipe recipe;
  recipe.name = "vgg16-bn-mxnet";
  recipe.purpose = "the published Apache MXNet 1.2 run to the letter: raw pixels, file order, flips only";
  recipe.network = {.features = vgg16_features(64),
                    .dense = {4096, 4096},
                    .dropout = 0.5,
                    .convolution_bias = true,
                    .initialisation = Network::Initialisation::kMxnet};
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

std::string to_text(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general).ptr};  // reads back exactly
}
std::string to_text(bool value) { return value ? "yes" : "no"; }

/// "64-64-M-128", or "none" for an empty list.
std::string to_text(const std::vector<int>& list) {
  if (list.empty()) return "none";
  std::string text;
  for (const int entry : list) text += (text.empty() ? "" : "-") + (entry == kPool ? std::string("M") : std::to_string(entry));
  return text;
}

std::string_view to_text(Network::Initialisation initialisation) {
  switch (initialisation) {
    case Network::Initialisation::kHe:
      return "he";
    case Network::Initialisation::kMxnet:
      return "mxnet";
  }
  throw std::logic_error("to_text: no such initialisation");
}

std::string to_text(const Schedule& schedule) {
  const std::string peak = " peak=" + to_text(schedule.peak);
  switch (schedule.kind) {
    case Schedule::Kind::kOneCycle:
      return "one-cycle" + peak + " warmup=" + to_text(schedule.warmup);
    case Schedule::Kind::kStep:
      return "step" + peak + " milestones=" + to_text(schedule.milestones) + " factor=" + to_text(schedule.factor);
  }
  throw std::logic_error("to_text: no such schedule");
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
      quick(),         proxy("vgg-s", "small proxy: 6 convolutions", {32, 32, kPool, 64, 64, kPool, 128, 128, kPool}, 4),
      deep_proxy(),    proxy("vgg-m", "vgg-s twice as wide", {64, 64, kPool, 128, 128, kPool, 256, 256, kPool}, 4),
      published_run(), full_length(),
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

Network for_images(Network network, const ImageShape& images) {
  const int reduction = network.images.side / network.image_side;
  int multiple = reduction;
  for (const int entry : network.features) multiple *= entry == kPool ? 2 : 1;
  if (images.side % multiple != 0) {
    const int below = images.side / multiple * multiple;
    throw std::invalid_argument(
        "its network halves images until a side of " + std::to_string(images.side) + " leaves a rest: it takes multiples of " +
        std::to_string(multiple) + "; resize them with --image-side " + std::to_string(below + multiple) +
        (below >= ImageShape::kLeastSide ? " or " + std::to_string(below) : std::string()) + ", or choose another --recipe");
  }
  network.images = images;
  network.image_side = images.side / reduction;
  return network;
}

std::int64_t parameter_count(const Network& network) {
  std::int64_t count = 0;
  for_each_layer(
      network,
      [&](std::int64_t in, std::int64_t out, std::int64_t) { count += 9 * in * out + 2 * out + (network.convolution_bias ? out : 0); },
      [&](std::int64_t in, std::int64_t out) { count += in * out + out; });
  return count;
}

std::int64_t forward_flop(const Network& network) {
  std::int64_t flop = 0;
  for_each_layer(
      network, [&](std::int64_t in, std::int64_t out, std::int64_t side) { flop += 2 * 9 * in * out * side * side; },
      [&](std::int64_t in, std::int64_t out) { flop += 2 * in * out; });
  return flop;
}

std::int64_t activation_channels(const Network& network) {
  std::int64_t channels = -network.images.classes;  // every layer has an activation but the last
  for_each_layer(
      network, [&](std::int64_t, std::int64_t out, std::int64_t) { channels += out; },
      [&](std::int64_t, std::int64_t out) { channels += out; });
  return channels;
}

std::string_view to_text(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
  }
  throw std::logic_error("to_text: no such precision");
}

std::string to_text(const Recipe& recipe, Precision precision) {
  const Network& network = recipe.network;
  const Augmentation& augmentation = recipe.augmentation;
  std::string text = recipe.name;
  const auto add = [&text](std::string_view key, std::string_view value) { text.append(" ").append(key).append("=").append(value); };
  add("features", to_text(network.features));
  add("dense", to_text(network.dense));
  add("dropout", to_text(network.dropout));
  add("convolution_bias", to_text(network.convolution_bias));
  add("initialisation", to_text(network.initialisation));
  add("batch_norm_momentum", to_text(network.batch_norm_momentum));
  add("batch_norm_epsilon", to_text(network.batch_norm_epsilon));
  add("epochs", std::to_string(recipe.epochs));
  add("batch", std::to_string(recipe.batch));
  add("schedule", to_text(recipe.schedule));
  add("momentum", to_text(recipe.momentum));
  add("weight_decay", to_text(recipe.weight_decay));
  add("decay_all", to_text(recipe.decay_all));
  add("flip", to_text(augmentation.flip));
  add("pad", std::to_string(augmentation.pad));
  add("normalise", to_text(augmentation.normalise));
  add("shuffle", to_text(augmentation.shuffle));
  add("validation", std::to_string(recipe.validation_size));
  // What came later is said where it is not as it always was: a text is an identity.
  if (network.images.channels != kCifar10Shape.channels) add("channels", std::to_string(network.images.channels));
  if (network.images.classes != kCifar10Shape.classes) add("classes", std::to_string(network.images.classes));
  if (network.image_side != kCifar10Shape.side) add("image_side", std::to_string(network.image_side));
  if (recipe.train_size > 0) add("train", std::to_string(recipe.train_size));
  if (recipe.validation_fold > 0) add("fold", std::to_string(recipe.validation_fold));
  add("precision", to_text(precision));
  return text;
}

}  // namespace actsearch
