/// A network being trained on some device: what the trainer drives, and what it hands over for an epoch.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "evaluator/data/augmentation.h"
#include "evaluator/data/dataset.h"
#include "evaluator/network/recipe.h"

namespace actsearch {

/// Everything that is random or scheduled in one epoch, decided on the CPU beforehand, so that every device does the same.
struct EpochPlan {
  struct Image {
    std::uint32_t index = 0;  ///< in the training set
    ImageTransform transform;
  };
  std::vector<Image> images;                ///< steps × batch, in the order of training
  std::vector<double> rates;                ///< learning rate of each step
  std::vector<std::uint64_t> dropout_keys;  ///< of each step
  std::int64_t steps() const { return static_cast<std::int64_t>(rates.size()); }
};

struct BatchResult {
  double loss_sum = 0;  ///< cross-entropy in nats, summed over the images
  int correct = 0;      ///< images whose largest logit is their label's
};

enum class ImageRole : std::uint8_t { kTraining, kTest };  ///< which of the data set's two sets

/// Misuse is std::invalid_argument: the network is to be fitted to the data (for_images) before a learner is made.
inline void require_same_shape(const Network& network, const Dataset& dataset) {
  if (network.images.channels != dataset.shape.channels || network.images.side != dataset.shape.side ||
      network.images.classes != dataset.shape.classes) {
    throw std::invalid_argument("the recipe is not fitted to the data: its images have another shape");
  }
}

/// Used by one thread at a time.
class Learner {
 public:
  virtual ~Learner() = default;

  /// Training steps now follow `plan`, which stays alive until the next call.
  virtual void begin_epoch(const EpochPlan& plan) = 0;
  /// Trains the epoch's steps first … first + count - 1. One result a step, valid until the next call.
  virtual std::span<const BatchResult> train(std::int64_t first, std::int64_t count) = 0;
  /// The count that suits the device; between calls the trainer looks whether it is to stop.
  virtual std::int64_t steps_at_once() const = 0;
  /// Loss and hits over those images, without augmentation and with running statistics.
  virtual BatchResult evaluate(ImageRole role, std::span<const std::uint32_t> indices) = 0;

  /// What a checkpoint keeps: the trainable values, their momenta, and each batch norm's running mean and variance. In memory of the
  /// learner's, valid until the next call of anything.
  virtual std::vector<std::span<float>> state() = 0;
  /// Takes up what was written through state().
  virtual void restore() = 0;
  /// The activation's parameter k in every channel of every layer, in order.
  virtual std::vector<float> beta(int k) = 0;
};

}  // namespace actsearch
