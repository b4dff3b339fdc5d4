/// Convolutions of a network on a device: the one place that uses cuDNN, version 9, through its graph interface, loaded at run time.
///
/// Tensors are N × H × W × C (C innermost) in fp32 or bf16. Weights are out_channels × 3 × 3 × in_channels in the same type. Sums are
/// fp32. Calls that fail throw CudaError with cuDNN's own words. Objects belong to one thread at a time, with the device current.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/cuda/driver.h"
#include "kernels/storage.h"

namespace actsearch {

/// cuDNN for the work of one stream. The stream outlives the object. CudaMissing if there is no cuDNN 9.
class Cudnn {
 public:
  explicit Cudnn(CudaStream& stream);
  ~Cudnn();
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;

  struct Impl;
  Impl& impl() { return *impl_; }
  CudaStream& stream() { return stream_; }
  /// For example "9.19.0".
  static std::string version();

 private:
  CudaStream& stream_;
  std::unique_ptr<Impl> impl_;
};

enum class ConvolutionPass : std::uint8_t {
  kForward,        ///< y = x ∗ w
  kInputGradient,  ///< x = dL_dx from w and y = dL_dy
  kWeightGradient  ///< w = dL_dw from x and y = dL_dy
};

/// Zero padding. `side` is the input's.
struct CudaConvolutionShape {
  int batch = 0, in_channels = 0, out_channels = 0, side = 0;
  Storage storage = Storage::kFp32;
  int kernel = 3, stride = 1, padding = 1, groups = 1;
  int output_side() const { return (side + 2 * padding - kernel) / stride + 1; }
};

/// Which of cuDNN's engines is the fastest for a shape: found out once on a device and shared by all networks on it. Thread-safe.
class EngineChoices {
 public:
  /// With `deterministic` the first engine that cuDNN proposes is taken, not the fastest one measured, so that every run takes the same.
  explicit EngineChoices(bool deterministic) : deterministic_(deterministic) {}

 private:
  friend class CudnnConvolution;
  bool deterministic_;
  std::mutex mutex_;
  std::map<std::string, int> places_;  ///< of a pass and shape: the place in cuDNN's list of engines
};

/// One pass of one convolution, ready to run. Engines whose sums depend on timing are never taken; in fp32 neither are those that
/// round to shorter numbers.
class CudnnConvolution {
 public:
  /// Measures engines where `choices` does not know the shape: takes a moment, and memory for the tensors. CudaError if no engine fits.
  CudnnConvolution(Cudnn& cudnn, ConvolutionPass pass, const CudaConvolutionShape& shape, EngineChoices& choices);
  ~CudnnConvolution();
  CudnnConvolution(CudnnConvolution&&) noexcept;

  std::size_t workspace_bytes() const;
  /// Writes one of x, w and y: the pass's result. `workspace` has workspace_bytes().
  void run(CudaAddress x, CudaAddress w, CudaAddress y, CudaAddress workspace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
