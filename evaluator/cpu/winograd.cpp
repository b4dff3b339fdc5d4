#include "evaluator/cpu/winograd.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "evaluator/cpu/parallel.h"

namespace actsearch {
namespace {

// A register of floats, and how many rows of a product have their sums in registers at once: twice as many sums as rows, which leaves
// room for what they are made of.
#if defined(__AVX512F__)
constexpr std::size_t kLanes = 16, kRows = 12;
#elif defined(__AVX__)
constexpr std::size_t kLanes = 8, kRows = 6;
#else
constexpr std::size_t kLanes = 4, kRows = 6;
#endif
using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
void store(float* to, const Lanes& lanes) { std::memcpy(to, &lanes, sizeof lanes); }

constexpr std::size_t kOutput = 4, kInput = 6, kTaps = 3;  ///< side of a tile's output and input, and of the weights
constexpr std::size_t kPlaces = kInput * kInput;

/// Calls body(0), …, body(n - 1) with constants.
template <std::size_t n, class Body>
[[gnu::always_inline]] inline void unrolled(Body&& body) {
  [&]<std::size_t... i>(std::index_sequence<i...>) { (body(std::integral_constant<std::size_t, i>{}), ...); }
  (std::make_index_sequence<n>{});
}

// ---- The transforms of one row or column --------------------------------------------------------------------------------

/// Bᵀ d
struct InputTransform {
  [[gnu::always_inline]] std::array<Lanes, kInput> operator()(const std::array<Lanes, kInput>& d) const {
    const Lanes p = d[3] - 4.0f * d[1], q = d[4] - 4.0f * d[2], r = 2.0f * (d[3] - d[1]), s = d[4] - d[2];
    return {4.0f * d[0] - 5.0f * d[2] + d[4], q + p, q - p, s + r, s - r, 4.0f * d[1] - 5.0f * d[3] + d[5]};
  }
};
/// Aᵀ m
struct OutputTransform {
  [[gnu::always_inline]] std::array<Lanes, kOutput> operator()(const std::array<Lanes, kInput>& m) const {
    const Lanes p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    return {m[0] + p + r, q + 2.0f * s, p + 4.0f * r, q + 8.0f * s + m[5]};
  }
};
/// A y
struct GradientTransform {
  [[gnu::always_inline]] std::array<Lanes, kInput> operator()(const std::array<Lanes, kOutput>& y) const {
    const Lanes p = y[0] + y[2], q = y[1] + y[3], r = y[0] + 4.0f * y[2], s = 2.0f * y[1] + 8.0f * y[3];
    return {y[0], p + q, p - q, r + s, r - s, y[3]};
  }
};
/// G g
struct WeightsTransform {
  [[gnu::always_inline]] std::array<Lanes, kInput> operator()(const std::array<Lanes, kTaps>& g) const {
    const Lanes p = (g[0] + g[2]) * (-1.0f / 6), q = g[1] * (1.0f / 6), r = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), s = g[1] * (1.0f / 12);
    return {g[0] * 0.25f, p - q, p + q, r + s, r - s, g[2]};
  }
};
/// Gᵀ u
struct WeightsGradientTransform {
  [[gnu::always_inline]] std::array<Lanes, kTaps> operator()(const std::array<Lanes, kInput>& u) const {
    const Lanes p = u[1] + u[2], q = u[2] - u[1], r = u[3] + u[4], s = u[3] - u[4];
    return {u[0] * 0.25f - p * (1.0f / 6) + r * (1.0f / 24), q * (1.0f / 6) + s * (1.0f / 12), (r - p) * (1.0f / 6) + u[5]};
  }
};

/// transform · x · transformᵀ: first of each column, then of each row of what comes out. read(row, column) gives x, write(row, column,
/// lanes) takes the result.
template <std::size_t from, std::size_t to, class Transform, class Read, class Write>
[[gnu::always_inline]] inline void transform_both(Transform&& transform, Read&& read, Write&& write) {
  std::array<std::array<Lanes, from>, to> half;
  unrolled<from>([&](auto column) {
    std::array<Lanes, from> x;
    unrolled<from>([&](auto row) { x[row] = read(row, column); });
    const std::array<Lanes, to> y = transform(x);
    unrolled<to>([&](auto row) { half[row][column] = y[row]; });
  });
  unrolled<to>([&](auto row) {
    const std::array<Lanes, to> y = transform(half[row]);
    unrolled<to>([&](auto column) { write(row, column, y[column]); });
  });
}

// ---- The matrix products -------------------------------------------------------------------------------------------------

/// A matrix read row by row in columns of a register's width: element (row, column) is at data[column / kLanes · panel + row · step +
/// column % kLanes].
struct Panels {
  const float* data;
  std::size_t panel, step;
};
/// A matrix whose element (row, column) is at data[row · row_step + column · column_step].
struct Strided {
  const float* data;
  std::size_t row_step, column_step;
};

/// c = a·b, or c += a·b, for `rows` rows of a and `panels` panels of b.
template <std::size_t rows, std::size_t panels>
void multiply_tile(const Strided& a, const Panels& b, std::size_t depth, float* c, std::size_t c_step, bool add) {
  std::array<std::array<Lanes, panels>, rows> sums;
  unrolled<rows>([&](auto r) { unrolled<panels>([&](auto p) { sums[r][p] = add ? load(c + r * c_step + p * kLanes) : Lanes{}; }); });
  for (std::size_t k = 0; k < depth; ++k) {
    std::array<Lanes, panels> row;
    unrolled<panels>([&](auto p) { row[p] = load(b.data + p * b.panel + k * b.step); });
    unrolled<rows>([&](auto r) {
      const float factor = a.data[r * a.row_step + k * a.column_step];
      unrolled<panels>([&](auto p) { sums[r][p] += row[p] * factor; });
    });
  }
  unrolled<rows>([&](auto r) { unrolled<panels>([&](auto p) { store(c + r * c_step + p * kLanes, sums[r][p]); }); });
}

/// The same for any number of rows up to `most`, and width / kLanes panels.
template <std::size_t most>
void multiply_rows(const Strided& a, std::size_t rows, const Panels& b, std::size_t width, std::size_t depth, float* c, bool add) {
  if constexpr (most > 1) {
    if (rows < most) return multiply_rows<most - 1>(a, rows, b, width, depth, c, add);
  }
  std::size_t column = 0;
  for (; column + 2 * kLanes <= width; column += 2 * kLanes)
    multiply_tile<most, 2>(a, {b.data + column / kLanes * b.panel, b.panel, b.step}, depth, c + column, width, add);
  if (column < width) multiply_tile<most, 1>(a, {b.data + column / kLanes * b.panel, b.panel, b.step}, depth, c + column, width, add);
}

/// c = a·b, or c += a·b: rows × depth times depth × width, c row by row. kLanes divides the width.
void multiply(const Strided& a, std::size_t rows, const Panels& b, std::size_t width, std::size_t depth, float* c, bool add) {
  for (std::size_t row = 0; row < rows; row += kRows)
    multiply_rows<kRows>({a.data + row * a.row_step, a.row_step, a.column_step}, std::min(kRows, rows - row), b, width, depth,
                         c + row * width, add);
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------------

/// Where the pixels of tiles lie in a batch of images.
struct Tiling {
  std::size_t side, tiles_a_side;

  /// The size × size pixels of a tensor whose first is `before` pixels left of and above tile `tile`'s own first; `outside` for those that
  /// the image does not have.
  template <std::size_t size, class Float>
  std::array<Float*, size * size> pixels(Float* tensor, std::size_t channels, std::size_t tile, std::size_t before, Float* outside) const {
    const std::size_t a_image = tiles_a_side * tiles_a_side, place = tile % a_image;
    Float* const image = tensor + tile / a_image * side * side * channels;
    // Where a pixel lies left of or above the image these wrap around to large numbers.
    const std::size_t top = place / tiles_a_side * kOutput - before, left = place % tiles_a_side * kOutput - before;
    std::array<Float*, size * size> pixels;
    for (std::size_t row = 0; row < size; ++row) {
      for (std::size_t column = 0; column < size; ++column) {
        const std::size_t y = top + row, x = left + column;
        pixels[row * size + column] = y < side && x < side ? image + (y * side + x) * channels : outside;
      }
    }
    return pixels;
  }
};

/// Floats between the matrices of neighbouring places, each of tiles × channels. Not a power of two: the 36 would share few cache sets.
std::size_t place_step(std::size_t tiles, std::size_t channels) { return tiles * channels + 16; }

constexpr std::size_t kMostChannels = 4096;
/// What lies outside of an image: zeros to read, and a place to write what nobody reads.
const std::array<float, kMostChannels> kNothing{};

/// Bᵀ d B of one tile into row `row` of 36 matrices.
void transform_input(const Tiling& tiling, const float* x, std::size_t channels, std::size_t tile, float* places, std::size_t step) {
  const auto d = tiling.pixels<kInput>(x, channels, tile, 1, kNothing.data());
  for (std::size_t c = 0; c < channels; c += kLanes) {
    transform_both<kInput, kInput>(
        InputTransform{}, [&](auto row, auto column) { return load(d[row * kInput + column] + c); },
        [&](auto row, auto column, const Lanes& v) { store(places + (row * kInput + column) * step + c, v); });
  }
}
/// A y Aᵀ of one tile.
void transform_gradient(const Tiling& tiling, const float* dy, std::size_t channels, std::size_t tile, float* places, std::size_t step) {
  const auto y = tiling.pixels<kOutput>(dy, channels, tile, 0, kNothing.data());
  for (std::size_t c = 0; c < channels; c += kLanes) {
    transform_both<kOutput, kInput>(
        GradientTransform{}, [&](auto row, auto column) { return load(y[row * kOutput + column] + c); },
        [&](auto row, auto column, const Lanes& v) { store(places + (row * kInput + column) * step + c, v); });
  }
}
/// Aᵀ m A of one tile; `unread` has room for the channels of a pixel.
void transform_output(const Tiling& tiling, const float* places, std::size_t step, std::size_t channels, std::size_t tile, float* y,
                      float* unread) {
  const auto pixels = tiling.pixels<kOutput>(y, channels, tile, 0, unread);
  for (std::size_t c = 0; c < channels; c += kLanes) {
    transform_both<kInput, kOutput>(
        OutputTransform{}, [&](auto row, auto column) { return load(places + (row * kInput + column) * step + c); },
        [&](auto row, auto column, const Lanes& v) { store(pixels[row * kOutput + column] + c, v); });
  }
}

/// G g Gᵀ of depth × width pairs of channels, in panels of kLanes of the width. Tap t of pair (row, column) is at taps[t][row · row_step +
/// column].
void transform_weights(const std::array<const float*, kTaps * kTaps>& taps, std::size_t row_step, std::size_t depth, std::size_t width,
                       float* panels) {
  for (std::size_t row = 0; row < depth; ++row) {
    for (std::size_t column = 0; column < width; column += kLanes) {
      float* const to = panels + column * depth + row * kLanes;
      transform_both<kTaps, kInput>(
          WeightsTransform{}, [&](auto y, auto x) { return load(taps[y * kTaps + x] + row * row_step + column); },
          [&](auto y, auto x, const Lanes& v) { store(to + (y * kInput + x) * depth * width, v); });
    }
  }
}

}  // namespace

bool WinogradConvolution::takes(const ConvolutionShape& s) {
  const auto whole = [](int channels) { return channels % static_cast<int>(kLanes) == 0 && channels <= static_cast<int>(kMostChannels); };
  return s.interleave == 1 && s.side >= 3 && whole(s.in_channels) && whole(s.out_channels);
}

/// Two sets of 36 matrices, of the input's and of the output's channels, for each thread its share of a chunk of tiles.
struct WinogradConvolution::Scratch {
  float* first;
  float* second;
};

WinogradConvolution::WinogradConvolution(DnnContext& context, const ConvolutionShape& s)
    : context_(context),
      side_(static_cast<std::size_t>(s.side)),
      in_(static_cast<std::size_t>(s.in_channels)),
      out_(static_cast<std::size_t>(s.out_channels)),
      tiles_a_side_((side_ + kOutput - 1) / kOutput),
      tiles_(static_cast<std::size_t>(s.batch) * tiles_a_side_ * tiles_a_side_),
      chunk_(24 * std::clamp<std::size_t>(std::max(in_, out_) / 128, 1, 4)),
      forward_weights_(kPlaces * in_ * out_ * sizeof(float)),
      backward_weights_(forward_weights_.size()),
      gradient_(forward_weights_.size()),
      transposed_(kTaps * kTaps * in_ * out_) {
  (void)scratch();  // as much as will ever be wanted, so that layers find it grown when training begins
}

WinogradConvolution::Scratch WinogradConvolution::scratch() const {
  const std::size_t threads = static_cast<std::size_t>(context_.threads()), most = std::max(in_, out_),
                    half = kPlaces * place_step(chunk_, most) * threads;
  auto* const first = reinterpret_cast<float*>(context_.scratch((2 * half + threads * most) * sizeof(float)));
  return {first, first + half};
}

void WinogradConvolution::set_weights(const float* weights) {
  std::array<const float*, kTaps * kTaps> taps;
  for (std::size_t tap = 0; tap < taps.size(); ++tap) {
    for (std::size_t o = 0; o < out_; ++o) {
      for (std::size_t i = 0; i < in_; ++i) transposed_[(tap * in_ + i) * out_ + o] = weights[(o * taps.size() + tap) * in_ + i];
    }
    taps[tap] = transposed_.data() + tap * in_ * out_;
  }
  transform_weights(taps, out_, in_, out_, reinterpret_cast<float*>(forward_weights_.data()));
  // The gradient of the input is a convolution of dL_dy with the weights turned by 180°, from out to in.
  for (std::size_t tap = 0; tap < taps.size(); ++tap) taps[tap] = weights + (taps.size() - 1 - tap) * in_;
  transform_weights(taps, taps.size() * in_, out_, in_, reinterpret_cast<float*>(backward_weights_.data()));
}

void WinogradConvolution::convolve(const float* x, std::size_t in, const Buffer& weights, std::size_t out, float* y) const {
  const Tiling tiling{side_, tiles_a_side_};
  const std::size_t step_in = place_step(chunk_, in), step_out = place_step(chunk_, out), most = std::max(in, out);
  const auto* const panels = reinterpret_cast<const float*>(weights.data());
  const Scratch all = scratch();
  const std::size_t threads = static_cast<std::size_t>(context_.threads());
  parallel_ranges(context_.threads(), (tiles_ + chunk_ - 1) / chunk_, [&](int part, std::size_t first, std::size_t last) {
    const auto own = static_cast<std::size_t>(part);
    float* const v = all.first + own * kPlaces * place_step(chunk_, most);
    float* const m = all.second + own * kPlaces * place_step(chunk_, most);
    float* const unread = all.second + threads * kPlaces * place_step(chunk_, most) + own * most;
    for (std::size_t begin = first * chunk_; begin < std::min(tiles_, last * chunk_); begin += chunk_) {
      const std::size_t count = std::min(chunk_, tiles_ - begin);
      for (std::size_t i = 0; i < count; ++i) transform_input(tiling, x, in, begin + i, v + i * in, step_in);
      for (std::size_t place = 0; place < kPlaces; ++place) {
        multiply({v + place * step_in, in, 1}, count, {panels + place * in * out, kLanes * in, kLanes}, out, in, m + place * step_out,
                 false);
      }
      for (std::size_t i = 0; i < count; ++i) transform_output(tiling, m + i * out, step_out, out, begin + i, y, unread);
    }
  });
}

void WinogradConvolution::weights_gradient(const float* x, const float* dL_dy, float* dL_dweights) {
  const Tiling tiling{side_, tiles_a_side_};
  const int threads = context_.threads();
  // All threads transform tiles, then all add up products, each for its own places: so a sum's order does not depend on their number.
  const std::size_t together = chunk_ * static_cast<std::size_t>(threads);
  const std::size_t step_in = place_step(together, in_), step_out = place_step(together, out_);
  const Scratch all = scratch();
  auto* const sums = reinterpret_cast<float*>(gradient_.data());
  for (std::size_t begin = 0; begin < tiles_; begin += together) {
    const std::size_t count = std::min(together, tiles_ - begin);
    parallel_ranges(threads, count, [&](int, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        transform_input(tiling, x, in_, begin + i, all.first + i * in_, step_in);
        transform_gradient(tiling, dL_dy, out_, begin + i, all.second + i * out_, step_out);
      }
    });
    parallel_ranges(threads, kPlaces, [&](int, std::size_t first, std::size_t last) {
      for (std::size_t place = first; place < last; ++place) {
        multiply({all.second + place * step_out, 1, out_}, out_, {all.first + place * step_in, kLanes, in_}, in_, count,
                 sums + place * out_ * in_, begin > 0);
      }
    });
  }
  parallel_ranges(threads, out_, [&](int, std::size_t first, std::size_t last) {
    for (std::size_t o = first; o < last; ++o) {
      for (std::size_t i = 0; i < in_; i += kLanes) {
        transform_both<kInput, kTaps>(
            WeightsGradientTransform{}, [&](auto row, auto column) { return load(sums + ((row * kInput + column) * out_ + o) * in_ + i); },
            [&](auto row, auto column, const Lanes& g) { store(dL_dweights + (o * kTaps * kTaps + row * kTaps + column) * in_ + i, g); });
      }
    }
  });
}

void WinogradConvolution::forward(const float* x, float* y) { convolve(x, in_, forward_weights_, out_, y); }

void WinogradConvolution::backward(const float* x, const float* dL_dy, float* dL_dx, float* dL_dweights) {
  if (dL_dx) convolve(dL_dy, out_, backward_weights_, in_, dL_dx);
  weights_gradient(x, dL_dy, dL_dweights);
}

}  // namespace actsearch
