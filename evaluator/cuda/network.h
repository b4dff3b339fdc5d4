/// A network trained on an NVIDIA device: a whole training step is one graph, recorded once for each candidate.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evaluator/cuda/cudnn.h"
#include "evaluator/data/dataset.h"
#include "evaluator/network/recipe.h"
#include "evaluator/train/learner.h"
#include "grammar/program.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/driver.h"
#include "kernels/storage.h"

namespace actsearch {

/// The images of a data set in a device's memory, as uint8, once for all networks on it. Made with the device current.
struct CudaDataset {
  explicit CudaDataset(const Dataset& dataset);
  ImageShape shape;
  struct Images {
    std::size_t count = 0;
    CudaMemory pixels, labels;
  };
  Images train, test;
};

/// The text of the network's own kernels (evaluator/cuda/layers.cu), to be compiled once for a storage and a shape of images.
std::string cuda_layers_source(Storage storage, const ImageShape& images = kCifar10Shape);
/// The text of the kernels of x itself: batch norms without an activation use them.
std::string cuda_identity_source(Storage storage);
/// Both compiled for a device.
struct CudaNetworkCubins {
  std::string layers, identity;
};

/// Made once for a recipe, then used for one candidate after the other, by one thread at a time.
class CudaNetwork : public Learner {
 public:
  /// Everything but the cubins outlives the network. The cubins' layers are those of the data's shape. CudaOutOfMemory if it does not fit.
  /// std::invalid_argument if a layer's channels are not a multiple of 8, or the convolution that reads the image has groups.
  CudaNetwork(const CudaDevice& device, const CudaDataset& dataset, const Recipe& recipe, Precision precision, EngineChoices& choices,
              const CudaNetworkCubins& cubins);
  ~CudaNetwork() override;

  /// Starts over with another candidate and the initial weights of the seed. From here on the calling thread uses the network. `kernels`
  /// are the candidate's.
  void begin_trial(const Program& activation, std::unique_ptr<CudaActivation> kernels, std::uint64_t seed);

  void begin_epoch(const EpochPlan& plan) override;
  std::span<const BatchResult> train(std::int64_t first, std::int64_t count) override;
  std::int64_t steps_at_once() const override { return 16; }
  BatchResult evaluate(ImageRole role, std::span<const std::uint32_t> indices) override;
  std::vector<std::span<float>> state() override;
  void restore() override;
  std::vector<float> beta(int k) override;

  /// Kernels and library calls of one training step.
  std::size_t nodes_per_step() const;
  /// Device memory that this network holds, without what the libraries keep for themselves.
  std::size_t memory_bytes() const;

  /// For measurements, after begin_trial. Seconds of one training step's convolutions and products alone, and the bytes that the rest of
  /// the step must at least read and write. With a device's bandwidth they give the least time that a step could take.
  double library_seconds();
  std::size_t elementwise_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
