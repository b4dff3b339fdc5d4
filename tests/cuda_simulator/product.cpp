// Compiled without sanitizers: these loops are most of what the tests of the backend do.
#include "tests/cuda_simulator/product.h"

#include <vector>

namespace cuda_simulator {
namespace {

/// op(matrix), packed, in columns.
std::vector<float> packed(const Matrix& matrix, bool transpose, const void* data) {
  std::vector<float> values(matrix.rows * matrix.columns);
  for (std::size_t j = 0; j < matrix.columns; ++j) {
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      values[transpose ? i * matrix.columns + j : j * matrix.rows + i] = load(data, matrix.type, j * matrix.leading + i);
    }
  }
  return values;
}

}  // namespace

std::string Product::mismatch() const {
  for (const Matrix* const matrix : {&a, &b, &c, &d}) {
    if (matrix->rows == 0 || matrix->columns == 0) return "a matrix is empty";
    if (matrix->leading < matrix->rows) return "a leading dimension is less than the rows";
  }
  if ((transpose_a ? a.columns : a.rows) != d.rows) return "A and D have different rows";
  if ((transpose_b ? b.rows : b.columns) != d.columns) return "B and D have different columns";
  if ((transpose_a ? a.rows : a.columns) != (transpose_b ? b.columns : b.rows)) return "A and B have different inner dimensions";
  if (c.rows != d.rows || c.columns != d.columns) return "C and D have different shapes";
  return {};
}

void Product::run(const void* a_data, const void* b_data, const void* c_data, void* d_data) const {
  const std::vector<float> left = packed(a, transpose_a, a_data), right = packed(b, transpose_b, b_data);
  const std::size_t inner = transpose_a ? a.rows : a.columns;
  std::vector<float> column(d.rows);
  for (std::size_t j = 0; j < d.columns; ++j) {
    column.assign(d.rows, 0.0f);
    float* __restrict const sums = column.data();
    for (std::size_t k = 0; k < inner; ++k) {
      const float factor = right[j * inner + k];
      const float* __restrict const from = left.data() + k * d.rows;
      for (std::size_t i = 0; i < d.rows; ++i) sums[i] += factor * from[i];
    }
    for (std::size_t i = 0; i < d.rows; ++i) {
      float value = alpha * column[i];
      if (beta != 0.0f) value += beta * load(c_data, c.type, j * c.leading + i);
      store(d_data, d.type, j * d.leading + i, value);
    }
  }
}

}  // namespace cuda_simulator
