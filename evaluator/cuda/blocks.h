/// What a network on a CUDA device consists of: its layers' memory and plans, its kernels, and the records that they share with the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "evaluator/cuda/cublas_lt.h"
#include "evaluator/cuda/cudnn.h"
#include "kernels/cuda/driver.h"

/// A namespace of its own: the names are those of evaluator/cuda/layers.cu.
namespace actsearch::cuda_network {

// What evaluator/cuda/layers.cu calls by the same names.
struct Progress {
  std::uint32_t step = 0, current = 0;
  float rate = 0;
  std::uint32_t unused = 0;
  std::uint64_t dropout_key = 0;
};
struct PlannedImage {
  std::uint32_t index = 0;
  std::int8_t dx = 0, dy = 0;
  std::uint8_t flip = 0, unused = 0;
};
struct StepResult {
  double loss_sum = 0;
  std::int32_t correct = 0, unused = 0;
};
struct Chunk {
  std::uint64_t offset = 0;
  std::uint32_t size = 0, kind = 0;
};
struct FirstLayer {
  std::uint64_t values = 0, stored = 0;
};
inline constexpr std::uint32_t kDecays = 1, kIsWeight = 2, kIsPadded = 4;  // bits of Chunk::kind

/// Channels of an image as the first convolution reads it: tensor cores want eight, so five of them are zero.
inline constexpr std::size_t kStoredImageChannels = 8;

inline constexpr unsigned kThreads = 256;  ///< of a block, where the kernel does not say otherwise

inline unsigned blocks_for(std::size_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); }

/// Device memory of the network's, counted.
class Memory {
 public:
  CudaMemory operator()(std::size_t bytes) {
    CudaMemory memory(bytes);
    total_ += bytes;
    return memory;
  }
  CudaMemory floats(std::size_t count) { return (*this)(count * sizeof(float)); }
  void give_back(const CudaMemory& memory) { total_ -= memory.size(); }
  std::size_t total() const { return total_; }

 private:
  std::size_t total_ = 0;
};

/// Per-channel arrays of one layer, one after the other.
class ChannelArrays {
 public:
  enum Array : std::uint8_t { kRunningMean, kRunningVariance, kMean, kInverseDeviation, kScale, kShift, kA, kB, kD, kCount };
  ChannelArrays(Memory& memory, std::size_t channels) : channels_(channels), memory_(memory.floats(kCount * channels)) {}
  CudaAddress operator[](Array array) const { return memory_.address() + static_cast<std::size_t>(array) * channels_ * sizeof(float); }

 private:
  std::size_t channels_;
  CudaMemory memory_;
};

/// What a step of the plan needs beside its tensors. Of the kinds one is there.
struct Work {
  struct Convolution {
    CudnnConvolution forward, weight_gradient;
    std::optional<CudnnConvolution> input_gradient;  // not of the one that reads the image
  };
  struct Product {
    CudaProduct forward, weight_gradient, input_gradient;
  };
  std::optional<Convolution> convolution;
  std::optional<Product> product;
  std::optional<ChannelArrays> arrays;  // of a batch norm
};

/// A pool's numbers.
struct PoolWindow {
  std::int32_t side = 0, result_side = 0, kernel = 0, stride = 0, padding = 0;
};

/// The kernels of layers.cu.
struct LayerKernels {
  explicit LayerKernels(const std::string& cubin) : module(cubin) {}
  CudaModule module;
  CudaFunction begin_step = module.function("begin_step"), fill_batch = module.function("fill_batch"),
               channel_sums = module.function("channel_sums"), finish_statistics = module.function("finish_statistics"),
               running_affine = module.function("running_affine"), finish_backward = module.function("finish_backward"),
               finish_bias = module.function("finish_bias"), max_pool = module.function("max_pool"),
               max_pool_backward = module.function("max_pool_backward"), window_pool = module.function("window_pool"),
               window_pool_backward = module.function("window_pool_backward"), add_tensors = module.function("add_tensors"),
               copy_tensor = module.function("copy_tensor"), dropout = module.function("dropout"),
               cross_entropy = module.function("cross_entropy"), descend = module.function("descend"),
               store_weights = module.function("store_weights");
};

}  // namespace actsearch::cuda_network
