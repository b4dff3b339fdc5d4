/// A recipe: network, optimiser, schedule, augmentation and precision as one named value, stored whole with every trial.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/data/augmentation.h"

namespace actsearch {

/// A VGG-style network: conv 3×3 pad 1 → batch norm → activation for each positive entry, 2×2 max-pool for each kPool; then
/// dense → activation → dropout for each entry of `dense`, then a dense layer to the classes.
struct Network {
  static constexpr int kPool = -1;
  ImageShape images = kCifar10Shape;  ///< of the data; search/run/study.h fits a recipe to others
  int image_side =
      kCifar10Shape.side;     ///< height and width that it sees: the data's, or a divisor, to which squares of pixels are averaged
  std::vector<int> features;  ///< output channels, or kPool
  std::vector<int> dense;     ///< widths of the hidden dense layers
  double dropout = 0;         ///< probability of dropping, after each hidden dense layer
  bool convolution_bias = false;
  enum class Initialisation : std::uint8_t {
    kHe,    ///< N(0, √(2 / fan_in)) for convolutions and hidden dense layers, N(0, √(1 / fan_in)) for the last
    kMxnet  ///< convolutions N(0, √(2 / (9 · out_channels))), dense N(0, 0.01)
  } initialisation = Initialisation::kHe;
  double batch_norm_momentum = 0.9;  ///< running = momentum · running + (1 - momentum) · batch
  double batch_norm_epsilon = 1e-5;
};

struct Schedule {
  enum class Kind : std::uint8_t {
    kOneCycle,  ///< linear from 0 up to `peak` over `warmup` of all steps, then linear down to 0
    kStep       ///< `peak`, times `factor` after each epoch listed in `milestones` (epoch > milestone, strictly)
  } kind = Kind::kOneCycle;
  double peak = 0.1;
  double warmup = 0.25;
  std::vector<int> milestones;
  double factor = 0.1;
  /// The rate for step `step` (from 0) of `steps_per_epoch · epochs` in all.
  double rate(std::int64_t step, std::int64_t steps_per_epoch, int epochs) const;
};

enum class Precision : std::uint8_t { kFp32, kBf16 };

/// How far single trials of a recipe lie apart that differ in their seed alone, as it was once measured.
struct MeasuredSpread {
  double deviation = 0;  ///< standard deviation of the validation accuracy
  int degrees = 0;       ///< of freedom of that estimate
  std::string source;    ///< the page with the measurement
};

struct Recipe {
  std::string name;
  std::string purpose;  ///< one line for people
  Network network;
  int epochs = 1;
  int batch = 128;
  Schedule schedule;
  double momentum = 0.9;
  double weight_decay = 0;
  bool decay_all = false;  ///< also biases and batch-norm scale and shift; never beta
  Augmentation augmentation;
  int validation_size = 5'000;  ///< images of the training set that validate; 0: trains on all (the test set is reported by rerun alone)
  int train_size = 0;           ///< images that train, the same share of each class; 0: all that do not validate
  int validation_fold = 0;      ///< which of them (stratified_split): searches use the first, so that others stay unseen by a choice
  std::optional<MeasuredSpread> seed_spread;  ///< on real CIFAR-10, with all fields as find_recipe has them
};

/// All recipes, from the shortest training to the longest.
const std::vector<Recipe>& recipes();
/// std::invalid_argument naming the known ones if there is none of that name.
const Recipe& find_recipe(std::string_view name);

/// The same network for images of another shape, averaged by the same factor. std::invalid_argument, which names the sides that suit, where
/// the factor does not divide the side or a pool meets an odd one.
Network for_images(Network network, const ImageShape& images);

/// Trainable parameters, without the activation's betas.
std::int64_t parameter_count(const Network& network);
/// Floating-point operations (2 per multiply-add) of one image's forward pass through convolutions and dense layers.
std::int64_t forward_flop(const Network& network);
/// How many activation layers, and how many channels (units) they have together: one beta each per parameter of the candidate.
std::int64_t activation_channels(const Network& network);

/// The recipe's full text: every field but `purpose` and `seed_spread`, one line, stable; with the precision it is the identity of a
/// trial's conditions.
std::string to_text(const Recipe& recipe, Precision precision);
std::string_view to_text(Precision precision);

}  // namespace actsearch
