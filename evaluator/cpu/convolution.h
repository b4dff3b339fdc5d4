/// A network's convolutions on the CPU, each computed in the way that is fastest for its shape and precision.
///
/// | way | where | multiplications |
/// | --- | --- | --- |
/// | Winograd's (evaluator/cpu/winograd.h) | fp32, 3×3 with stride 1, channels in whole registers, from side 3 on | a quarter |
/// | one matrix product | fp32, 3×3 on images of 2×2, whose pixels all see each other | 4/9 |
/// | the sum as it stands, by oneDNN (evaluator/cpu/dnn.h) | all else; interleaved images with a stride are put in order for it | all |
///
/// docs/performance.md has the measurements. The choice depends on shape and precision and on nothing else, so a run repeats bit for bit.
#pragma once

#include <memory>

#include "evaluator/cpu/dnn.h"
#include "evaluator/network/plan.h"

namespace actsearch {

/// How many images of a batch take turns in memory, pixel by pixel (evaluator/cpu/interleave.h). In bf16 it is 8 where that divides the
/// batch, since oneDNN's matrix tiles are then full. In fp32 images lie one after the other.
int interleaved_images(int batch, Precision precision);
/// The same for a whole network: 1 where a pool has padding.
int interleaved_images(const Plan& plan, int batch, Precision precision);

/// Convolution with zero padding and no bias. Weights: out_channels × kernel × kernel × in_channels / groups, fp32. Tensors are N × H × W ×
/// C (C innermost) with images interleaved as the shape says, in the precision's storage type. Buffers belong to the caller. Used by the
/// thread that made the context. std::runtime_error with oneDNN's message where oneDNN fails.
class Convolution {
 public:
  /// Without `input_gradient` backward computes no dL_dx (the network's first layer). The context outlives the object.
  /// std::invalid_argument if `interleave` does not divide the batch.
  Convolution(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient);
  ~Convolution();
  Convolution(Convolution&&) noexcept;

  void set_weights(const float* weights);
  void forward(const void* x, void* y);
  /// Of the x last given to forward. dL_dx may be null.
  void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights);

  /// One way of computing it.
  class Way;

 private:
  std::unique_ptr<Way> way_;
};

}  // namespace actsearch
