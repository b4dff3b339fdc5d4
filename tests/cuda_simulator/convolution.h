/// What the simulated cuDNN computes: a 2-D cross-correlation and its two gradients, accumulated in float.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tests/cuda_simulator/numbers.h"

namespace cuda_simulator {

/// A tensor in device memory: N, C, H, W (for a filter K, C, R, S), strides in elements.
struct Tensor {
  std::array<std::int64_t, 4> dims, strides;
  Number type;
  std::int64_t alignment, uid;

  /// From the first byte to the last.
  std::size_t bytes() const;
  /// No two elements share a place.
  bool injective() const;
  std::size_t place(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const;
};

enum class Pass { kForward, kData, kFilter };

struct Convolution {
  Pass pass;
  std::array<std::int64_t, 2> pre, post, stride, dilation;
  Tensor x, w, y;
  float alpha, beta;

  const Tensor& output() const { return pass == Pass::kForward ? y : pass == Pass::kData ? x : w; }
  /// What does not fit together; empty if all does.
  std::string mismatch() const;
  /// output = alpha·result + beta·output, by pointers to the tensors' first elements; the output is not read when beta is 0.
  void run(void* x_data, void* w_data, void* y_data) const;
};

}  // namespace cuda_simulator
