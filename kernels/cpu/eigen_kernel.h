/// The CPU kernel of one activation: its Program run block by block in SIMD registers, fused with batch norm's scale and shift.
///
/// Tensors are rows × channels, channels innermost (NHWC with rows = N·H·W), fp32 or bf16 in memory and fp32 in arithmetic. Parameter
/// and per-channel arrays are fp32. Buffers belong to the caller, may have any alignment, and do not overlap unless said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "grammar/program.h"
#include "kernels/storage.h"

namespace actsearch {

/// Compiled once per candidate; then immutable, and safe to use from several threads at once.
class EigenKernel {
 public:
  explicit EigenKernel(const Program& program);
  ~EigenKernel();
  EigenKernel(EigenKernel&&) noexcept;

  int parameter_count() const;

  /// y[r, c] = f(scale[c]·z[r, c] + shift[c]; beta_k[c]). scale and shift may be null together: 1 and 0.
  /// beta: parameter_count() × channels. y may be z.
  void forward(Storage storage, const void* z, std::size_t rows, std::size_t channels, const float* scale, const float* shift,
               const float* beta, void* y) const;

  /// Sums of the first backward pass, per channel, added to in the order of rows (so deterministic).
  struct Sums {
    float* g = nullptr;     ///< channels: Σ g
    float* gz = nullptr;    ///< channels: Σ g·z (raw z; the caller turns it into Σ g·ẑ). May be null: not wanted.
    float* beta = nullptr;  ///< parameter_count() × channels: Σ dL_dy·∂f/∂beta_k
  };
  /// g[r, c] = dL_dy[r, c]·f'(u[r, c]) with u as in forward, and the sums (overwritten). g may be dL_dy.
  void backward(Storage storage, const void* z, const void* dL_dy, std::size_t rows, std::size_t channels, const float* scale,
                const float* shift, const float* beta, void* g, const Sums& sums) const;

  /// Value and partial derivatives at n points with one set of parameters: what `show --at` prints beside the reference.
  /// dydbeta: parameter_count() × n.
  void evaluate(std::span<const float> x, std::span<const float> beta, float* y, float* dydx, float* dydbeta) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// dz[r, c] = a[c]·g[r, c] + b[c]·z[r, c] + d[c]: the second backward pass. dz may be g.
void batch_norm_apply(Storage storage, const void* g, const void* z, std::size_t rows, std::size_t channels, const float* a, const float* b,
                      const float* d, void* dz);

/// sum = a + b of n elements, rounded once. sum may be a or b.
void add_tensors(Storage storage, const void* a, const void* b, std::size_t n, void* sum);

/// Mean and (biased) variance of each channel over the rows; sums are taken about the first row, which guards against cancellation.
void channel_moments(Storage storage, const void* z, std::size_t rows, std::size_t channels, float* mean, float* variance);
/// The same bits, for the channels from `first` up to `last` alone. So threads share a tensor whose rows do not divide among them. All
/// three are multiples of channel_group(). mean, variance: of all channels; the others' stay as they are.
void channel_moments(Storage storage, const void* z, std::size_t rows, std::size_t channels, std::size_t first, std::size_t last,
                     float* mean, float* variance);
std::size_t channel_group();

}  // namespace actsearch
