/// 3×3 convolutions by Winograd's minimal filtering F(4×4, 3×3). The matrices A, B and G are those of Lavin and Gray, "Fast Algorithms
/// for Convolutional Neural Networks", CVPR 2016.
///
/// An output is cut into tiles of 4×4 pixels. Each needs 6×6 pixels of input. Transformed (Bᵀ d B), these are 36 numbers a channel, and
/// so are the weights (G g Gᵀ). At each of the 36 places the tiles are a matrix, tiles × channels. One matrix product a place gives the
/// transformed output; Aᵀ m A is then the output. That is 36 multiplications where the sum takes 144. The gradients of input and weights
/// are made of the same parts. Sums round differently from the direct way: in fp32 by some 1e-5 of the terms' magnitude.
///
/// The products are our own. Their inner dimension is a layer's channels, 16 to 128, and there those of Eigen and oneDNN need twice the
/// time (docs/performance.md).
#pragma once

#include <cstddef>
#include <vector>

#include "evaluator/cpu/dnn.h"

namespace actsearch {

/// Stride 1, zero padding 1, no bias, fp32, whole images: batch × side × side × channels. Weights: out_channels × 3 × 3 × in_channels.
/// The same arguments give the same bits, whatever the number of threads. Buffers belong to the caller; they need no alignment.
class WinogradConvolution {
 public:
  /// Whether the shape is one for it: channels in whole registers, at least 3×3 pixels, images not interleaved.
  static bool takes(const ConvolutionShape& shape);

  /// The context outlives the object; its threads and scratch memory are used.
  WinogradConvolution(DnnContext& context, const ConvolutionShape& shape);

  void set_weights(const float* weights);
  void forward(const float* x, float* y);
  /// dL_dx may be null.
  void backward(const float* x, const float* dL_dy, float* dL_dx, float* dL_dweights);

 private:
  struct Scratch;
  Scratch scratch() const;
  void convolve(const float* x, std::size_t in, const Buffer& weights, std::size_t out, float* y) const;
  void weights_gradient(const float* x, const float* dL_dy, float* dL_dweights);

  DnnContext& context_;
  std::size_t side_, in_, out_;
  std::size_t tiles_a_side_, tiles_;  ///< tiles_: of the batch
  std::size_t chunk_;                 ///< tiles that are transformed and multiplied at a time by one thread
  Buffer forward_weights_;            ///< transformed: 36 × in × out, in panels
  Buffer backward_weights_;           ///< transformed, turned by 180°: 36 × out × in, in panels
  Buffer gradient_;                   ///< transformed: 36 × out × in
  std::vector<float> transposed_;     ///< 3 × 3 × in × out
};

}  // namespace actsearch
