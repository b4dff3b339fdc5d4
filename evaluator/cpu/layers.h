/// The layers around the library's convolutions and products. They are batch norm fused with the candidate activation, the plain
/// activation of dense layers, max-pool, dropout and the loss. Tensors are rows × channels in the storage type; per-channel arrays are
/// fp32.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluator/data/random.h"
#include "evaluator/train/learner.h"
#include "kernels/cpu/eigen_kernel.h"

namespace actsearch {

/// Batch normalisation and activation in one: y = f(gamma·(z - mean)/√(variance + epsilon) + delta; beta).
/// (S. Ioffe and C. Szegedy, 2015; delta is their shift, as beta is the activation's parameter here.)
class NormalisedActivation {
 public:
  /// The activation outlives the layer.
  NormalisedActivation(const EigenKernel& activation, Storage storage, std::size_t channels, double momentum, double epsilon, int threads);

  struct Values {
    const float* gamma;  ///< channels
    const float* delta;  ///< channels
    const float* beta;   ///< activation parameters × channels
  };
  struct Gradients {
    float* gamma;
    float* delta;
    float* beta;
  };
  /// Normalises with the batch's own statistics and moves the running ones towards them.
  void forward_training(const Values& values, const void* z, std::size_t rows, void* y);
  /// Normalises with the running statistics.
  void forward_inference(const Values& values, const void* z, std::size_t rows, void* y);
  /// dL_dz from dL_dy, in place, for the z last given to forward_training. Gradients are overwritten.
  void backward(const Values& values, const void* z, std::size_t rows, void* dL_dy, const Gradients& gradients);

  /// Running mean and variance: state of the layer, kept in checkpoints.
  std::vector<float>& running_mean() { return running_mean_; }
  std::vector<float>& running_variance() { return running_variance_; }

 private:
  void batch_statistics(const void* z, std::size_t rows);
  void set_affine(const Values& values, const std::vector<float>& mean, const std::vector<float>& inverse_deviation);
  void apply(const Values& values, const void* z, std::size_t rows, void* y) const;

  const EigenKernel& activation_;
  Storage storage_;
  std::size_t channels_;
  float momentum_, epsilon_;
  int threads_;
  std::vector<float> running_mean_, running_variance_;
  std::vector<float> mean_, inverse_deviation_;  ///< of the last training batch
  std::vector<float> scale_, shift_;             ///< u = scale·z + shift
  std::vector<float> partial_;                   ///< sums of each thread's range
};

/// y = f(z + bias; beta): an activation without batch norm, such as a hidden dense layer's.
class BiasedActivation {
 public:
  BiasedActivation(const EigenKernel& activation, Storage storage, std::size_t units, int threads);
  void forward(const float* bias, const float* beta, const void* z, std::size_t rows, void* y) const;
  /// dL_dz from dL_dy, in place; dL_dbias and dL_dbeta are overwritten.
  void backward(const float* bias, const float* beta, const void* z, std::size_t rows, void* dL_dy, float* dL_dbias, float* dL_dbeta);

 private:
  const EigenKernel& activation_;
  Storage storage_;
  std::size_t units_;
  int threads_;
  std::vector<float> ones_, partial_;
};

/// 2×2 max-pool with stride 2. x: images × side × side × channels (side even); y: half the side.
void max_pool(Storage storage, const void* x, std::size_t images, std::size_t side, std::size_t channels, void* y, int threads);
/// dL_dx from dL_dy: the gradient goes to the first (row by row) of the four that equals the maximum y.
void max_pool_backward(Storage storage, const void* x, const void* y, const void* dL_dy, std::size_t images, std::size_t side,
                       std::size_t channels, void* dL_dx, int threads);

/// sum = a + b of n elements, rounded once. sum may be a or b.
void add(Storage storage, const void* a, const void* b, std::size_t n, void* sum, int threads);

/// Sets each element to 0 with probability p and scales the others by 1/(1-p), in place. The key decides which ones. So the same call
/// on the gradient is the backward pass.
void dropout(Storage storage, void* x, std::size_t n, double p, std::uint64_t key, int threads);

/// Softmax cross-entropy over rows × classes fp32 logits. dL_dlogits (storage type, may be null) is the gradient of the mean loss.
BatchResult softmax_cross_entropy(const float* logits, std::size_t classes, std::span<const Label> labels, Storage storage,
                                  void* dL_dlogits);

}  // namespace actsearch
