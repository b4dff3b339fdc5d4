/// oneDNN's convolutions and matrix products for a network on the CPU: the one place that uses the library.
///
/// Activations are N × H × W × C (C innermost), for convolutions with images interleaved, in the storage type of the precision (fp32 or
/// bf16); weights and their gradients are fp32 and plain, and are converted here. Buffers belong to the caller. Calls that fail throw
/// std::runtime_error with oneDNN's own message. Objects are used by one thread at a time, the one that made their context.
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

/// What a layer reads and writes per batch.
struct ConvolutionShape {
  int batch = 0, in_channels = 0, out_channels = 0, side = 0;  ///< side: height and width of input and output
  int interleave = 1;  ///< images whose pixels take turns (evaluator/cpu/interleave.h); divides batch
};

/// 3×3 convolution, stride 1, zero padding 1, no bias, as oneDNN computes its sum. Weights: out_channels × 3 × 3 × in_channels.
/// evaluator/cpu/convolution.h has the faster ways of some shapes.
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

/// Whether oneDNN computes bf16 natively on this processor.
bool has_native_bf16();

/// bf16 where has_native_bf16(), else fp32.
Precision native_precision();

}  // namespace actsearch
