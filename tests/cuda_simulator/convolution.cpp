// Compiled without sanitizers: these loops are most of what the tests of the backend do.
#include "tests/cuda_simulator/convolution.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace cuda_simulator {
namespace {

constexpr std::array<const char*, 2> kAxes{"height", "width"};

/// A tensor in the order of axes that the loops run in, as floats; the last axis is the one to be vectorized.
struct Packed {
  std::array<std::size_t, 4> order;  // which of the tensor's axes
  std::array<std::size_t, 4> dims;
  std::vector<float> values;

  Packed(const Tensor& tensor, std::array<std::size_t, 4> axes) : order(axes) {
    std::size_t count = 1;
    for (std::size_t i = 0; i < 4; ++i) count *= dims[i] = static_cast<std::size_t>(tensor.dims[order[i]]);
    values.assign(count, 0.0f);
  }
  /// f(place in `values`, place in the tensor), for every element.
  template <class F>
  void each(const Tensor& tensor, F&& f) const {
    std::size_t at = 0;
    std::array<std::int64_t, 4> i{};
    for (std::size_t a = 0; a < dims[0]; ++a) {
      for (std::size_t b = 0; b < dims[1]; ++b) {
        for (std::size_t c = 0; c < dims[2]; ++c) {
          for (std::size_t d = 0; d < dims[3]; ++d) {
            i[order[0]] = static_cast<std::int64_t>(a), i[order[1]] = static_cast<std::int64_t>(b);
            i[order[2]] = static_cast<std::int64_t>(c), i[order[3]] = static_cast<std::int64_t>(d);
            f(at++, tensor.place(i[0], i[1], i[2], i[3]));
          }
        }
      }
    }
  }
  void read(const Tensor& tensor, const void* data) {
    each(tensor, [&](std::size_t at, std::size_t place) { values[at] = load(data, tensor.type, place); });
  }
  float* row(std::size_t a, std::size_t b, std::size_t c) { return values.data() + ((a * dims[1] + b) * dims[2] + c) * dims[3]; }
};

/// to[j] += a·from[j]
void add_scaled(float* __restrict to, float a, const float* __restrict from, std::size_t count) {
  for (std::size_t j = 0; j < count; ++j) to[j] += a * from[j];
}

}  // namespace

std::size_t Tensor::bytes() const {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < 4; ++i) last += (dims[i] - 1) * strides[i];
  return (static_cast<std::size_t>(last) + 1) * bytes_of(type);
}

bool Tensor::injective() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> axes;
  for (std::size_t i = 0; i < 4; ++i) {
    if (dims[i] > 1) axes.emplace_back(strides[i], dims[i]);
  }
  std::sort(axes.begin(), axes.end());
  std::int64_t reach = 0;
  for (const auto& [stride, dim] : axes) {
    if (stride <= reach) return false;
    reach += stride * (dim - 1);
  }
  return true;
}

std::size_t Tensor::place(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const {
  return static_cast<std::size_t>(a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]);
}

std::string Convolution::mismatch() const {
  if (x.dims[0] != y.dims[0]) return "x and y have different batches";
  if (x.dims[1] % w.dims[1] != 0) return "the channels of x are not whole groups of those of w";
  if (w.dims[0] % (x.dims[1] / w.dims[1]) != 0) return "the filters are not as many for each group";
  if (y.dims[1] != w.dims[0]) return "y has not one channel for each filter";
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = dilation[i] * (w.dims[2 + i] - 1) + 1, padded = x.dims[2 + i] + pre[i] + post[i];
    if (padded < reach || y.dims[2 + i] != (padded - reach) / stride[i] + 1) return std::string("y has the wrong ") + kAxes[i];
  }
  return {};
}

void Convolution::run(void* x_data, void* w_data, void* y_data) const {
  // x and y as N, H, W, C; the filter so that its last axis is the one that the pass runs over.
  Packed px(x, {0, 2, 3, 1}), py(y, {0, 2, 3, 1}),
      pw(w, pass == Pass::kData ? std::array<std::size_t, 4>{2, 3, 0, 1} : std::array<std::size_t, 4>{2, 3, 1, 0});
  if (pass != Pass::kData) px.read(x, x_data);
  if (pass != Pass::kFilter) pw.read(w, w_data);
  if (pass != Pass::kForward) py.read(y, y_data);
  const std::size_t channels = px.dims[3], filters = py.dims[3];
  const auto of_group = static_cast<std::size_t>(w.dims[1]);  // channels of x that a filter reads
  const std::size_t filters_of_group = filters / (channels / of_group);
  for (std::size_t n = 0; n < py.dims[0]; ++n) {
    for (std::size_t p = 0; p < py.dims[1]; ++p) {
      for (std::size_t q = 0; q < py.dims[2]; ++q) {
        float* const out = py.row(n, p, q);
        for (std::size_t r = 0; r < pw.dims[0]; ++r) {
          const std::int64_t h = static_cast<std::int64_t>(p) * stride[0] - pre[0] + static_cast<std::int64_t>(r) * dilation[0];
          if (h < 0 || h >= x.dims[2]) continue;
          for (std::size_t s = 0; s < pw.dims[1]; ++s) {
            const std::int64_t v = static_cast<std::int64_t>(q) * stride[1] - pre[1] + static_cast<std::int64_t>(s) * dilation[1];
            if (v < 0 || v >= x.dims[3]) continue;
            float* const in = px.row(n, static_cast<std::size_t>(h), static_cast<std::size_t>(v));
            switch (pass) {
              case Pass::kForward:
                for (std::size_t c = 0; c < channels; ++c) {
                  const std::size_t first = c / of_group * filters_of_group;
                  add_scaled(out + first, in[c], pw.row(r, s, c % of_group) + first, filters_of_group);
                }
                break;
              case Pass::kData:
                for (std::size_t k = 0; k < filters; ++k)
                  add_scaled(in + k / filters_of_group * of_group, out[k], pw.row(r, s, k), of_group);
                break;
              case Pass::kFilter:
                for (std::size_t c = 0; c < channels; ++c) {
                  const std::size_t first = c / of_group * filters_of_group;
                  add_scaled(pw.row(r, s, c % of_group) + first, in[c], out + first, filters_of_group);
                }
                break;
            }
          }
        }
      }
    }
  }
  const Packed& result = pass == Pass::kForward ? py : pass == Pass::kData ? px : pw;
  const Tensor& to = output();
  void* const data = pass == Pass::kForward ? y_data : pass == Pass::kData ? x_data : w_data;
  result.each(to, [&](std::size_t at, std::size_t place) {
    float value = alpha * result.values[at];
    if (beta != 0.0f) value += beta * load(data, to.type, place);
    store(data, to.type, place, value);
  });
}

}  // namespace cuda_simulator
