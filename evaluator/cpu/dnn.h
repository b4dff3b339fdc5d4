/// oneDNN's convolutions and matrix products for a network on the CPU: the one place that uses the library.
///
/// Activations are N × H × W × C (C innermost) in the storage type of the precision, fp32 or bf16. For convolutions their images are
/// interleaved. Weights and their gradients are plain fp32 and are converted here. Buffers belong to the caller. Calls that fail throw
/// std::runtime_error with oneDNN's own message. An object is used by the thread that made its context, and by no other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "evaluator/cpu/buffer.h"
#include "evaluator/network/recipe.h"

namespace actsearch {

/// Engine, stream, thread count and scratch memory of one network. Construct and use on one thread: the count is that thread's setting.
class DnnContext {
 public:
  explicit DnnContext(int threads);
  ~DnnContext();
  DnnContext(const DnnContext&) = delete;
  DnnContext& operator=(const DnnContext&) = delete;

  int threads() const { return threads_; }
  /// At least `size` bytes whose contents a layer may rely on within one of its calls. Growing moves them.
  unsigned char* scratch(std::size_t size);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  int threads_;
  Buffer scratch_;
  std::unique_ptr<Impl> impl_;
};

/// What a convolution reads and writes per batch.
struct ConvolutionShape {
  int batch = 0, in_channels = 0, out_channels = 0, side = 0;  ///< side: height and width of the input
  int interleave = 1;  ///< images whose pixels take turns (evaluator/cpu/interleave.h); divides batch, and is 1 where the stride is not
  int kernel = 3, stride = 1, padding = 1, groups = 1;
  int output_side() const { return (side + 2 * padding - kernel) / stride + 1; }
};

/// Convolution with zero padding and without bias, as oneDNN computes its sum. Weights: out_channels × kernel × kernel × in_channels /
/// groups. evaluator/cpu/convolution.h has the faster ways of some shapes.
class DirectConvolution {
 public:
  /// Without `input_gradient` backward computes no dL_dx (the network's first layer).
  DirectConvolution(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient);
  ~DirectConvolution();
  DirectConvolution(DirectConvolution&&) noexcept;

  void set_weights(const float* weights);
  void forward(const void* x, void* y);
  /// Of the x last given to forward. dL_dx may be null.
  void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// y = x · weightsᵀ: x is rows × inputs, weights outputs × inputs, y rows × outputs.
class MatrixProduct {
 public:
  /// `fp32_output`: y is fp32 whatever the precision; dL_dy stays in the storage type.
  MatrixProduct(DnnContext& context, int rows, int inputs, int outputs, Precision precision, bool fp32_output);
  ~MatrixProduct();
  MatrixProduct(MatrixProduct&&) noexcept;

  void set_weights(const float* weights);
  void forward(const void* x, void* y);
  void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What a pool reads and writes per batch. Padding counts as no pixel.
struct PoolShape {
  int batch = 0, channels = 0, side = 0, kernel = 0, stride = 0, padding = 0;
  bool average = false;  ///< else the largest
};

/// Max- or average-pool. Tensors are batch × side × side × channels.
class Pool {
 public:
  Pool(DnnContext& context, const PoolShape& shape, Precision precision);
  ~Pool();
  Pool(Pool&&) noexcept;

  void forward(const void* x, void* y);
  /// Of the x last given to forward.
  void backward(const void* dL_dy, void* dL_dx);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether oneDNN computes bf16 natively on this processor.
bool has_native_bf16();

/// bf16 where has_native_bf16(), else fp32.
Precision native_precision();

}  // namespace actsearch
