/// What the simulated cuBLASLt computes: D = alpha·op(A)·op(B) + beta·C, column-major, accumulated in float.
#pragma once

#include <string>

#include "tests/cuda_simulator/numbers.h"

namespace cuda_simulator {

/// Columns of `rows` elements, each `leading` elements after the one before.
struct Matrix {
  std::size_t rows, columns, leading;
  Number type;
  std::size_t bytes() const { return ((columns - 1) * leading + rows) * bytes_of(type); }
};

struct Product {
  Matrix a, b, c, d;
  bool transpose_a, transpose_b;
  float alpha, beta;

  /// What does not fit together; empty if all does.
  std::string mismatch() const;
  /// C is not read when beta is 0; it may be D.
  void run(const void* a_data, const void* b_data, const void* c_data, void* d_data) const;
};

}  // namespace cuda_simulator
