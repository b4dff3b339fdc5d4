#include <bit>
#include <cstdint>

#include "evaluator/cpu/layers.h"
#include "evaluator/cpu/parallel.h"

namespace actsearch {
namespace {

/// The bits of a float or bf16 as a signed integer of the same order, and back: the map is its own inverse.
template <class Bits>
Bits ordered(Bits bits) {
  constexpr int kSign = 8 * sizeof(Bits) - 1;
  using Unsigned = std::make_unsigned_t<Bits>;
  return static_cast<Bits>(bits ^ static_cast<Bits>(static_cast<Unsigned>(bits >> kSign) >> 1));
}

/// The ordered bits of minus infinity: below lie the NaNs whose sign bit is set.
template <class Bits>
constexpr std::make_unsigned_t<Bits> kLeast = sizeof(Bits) == 2 ? 0x807fu : 0x807fffffu;

/// The same order from 0, minus infinity, with all NaN at the top, and back. Integers of 16 bits are compared twice as many at a time as
/// floats.
template <class Bits>
std::make_unsigned_t<Bits> rank_of(Bits bits) {
  using Unsigned = std::make_unsigned_t<Bits>;
  return static_cast<Unsigned>(static_cast<Unsigned>(ordered(bits)) - kLeast<Bits>);
}
template <class Bits>
Bits of_rank(std::make_unsigned_t<Bits> rank) {
  return ordered(static_cast<Bits>(rank + kLeast<Bits>));
}

/// The four pixels of one window: pointers to their channels.
template <class T>
struct Window {
  T* corner[4];
  Window(T* image, std::size_t side, std::size_t channels, std::size_t row, std::size_t column) {
    T* const first = image + (2 * row * side + 2 * column) * channels;
    corner[0] = first;
    corner[1] = first + channels;
    corner[2] = first + side * channels;
    corner[3] = first + (side + 1) * channels;
  }
};

template <class Bits>
void pool_window(const Window<const Bits>& x, std::size_t channels, Bits* y) {
  const Bits *const a = x.corner[0], *const b = x.corner[1], *const c = x.corner[2], *const d = x.corner[3];
#pragma omp simd
  for (std::size_t i = 0; i < channels; ++i) {
    const auto upper = std::max(rank_of(a[i]), rank_of(b[i])), lower = std::max(rank_of(c[i]), rank_of(d[i]));
    y[i] = of_rank<Bits>(std::max(upper, lower));
  }
}

template <class Bits>
void route_window(const Window<const Bits>& x, const Bits* y, const Bits* dy, std::size_t channels, const Window<Bits>& dx) {
  const Bits *const a = x.corner[0], *const b = x.corner[1], *const c = x.corner[2];
  Bits *const da = dx.corner[0], *const db = dx.corner[1], *const dc = dx.corner[2], *const dd = dx.corner[3];
#pragma omp simd  // x, dy and dx are different tensors
  for (std::size_t i = 0; i < channels; ++i) {
    // All ones where the gradient goes, else 0.
    const Bits in_a = static_cast<Bits>(-(a[i] == y[i]));
    const Bits in_b = static_cast<Bits>(-(b[i] == y[i]) & ~in_a);
    const Bits in_c = static_cast<Bits>(-(c[i] == y[i]) & ~(in_a | in_b));
    const Bits gradient = dy[i];
    da[i] = static_cast<Bits>(gradient & in_a);
    db[i] = static_cast<Bits>(gradient & in_b);
    dc[i] = static_cast<Bits>(gradient & in_c);
    dd[i] = static_cast<Bits>(gradient & ~(in_a | in_b | in_c));
  }
}

/// Calls body(offset of the image in x, window row, window column, offset of the window's result in y) for every window.
template <class Body>
void for_each_window(std::size_t images, std::size_t side, std::size_t channels, int threads, Body&& body) {
  const std::size_t half = side / 2;
  parallel_ranges(threads, images, [&](int, std::size_t first, std::size_t last) {
    for (std::size_t n = first; n < last; ++n) {
      for (std::size_t row = 0; row < half; ++row) {
        for (std::size_t column = 0; column < half; ++column) {
          body(n * side * side * channels, row, column, ((n * half + row) * half + column) * channels);
        }
      }
    }
  });
}

template <class Bits>
void pool(const void* x, std::size_t images, std::size_t side, std::size_t channels, void* y, int threads) {
  for_each_window(images, side, channels, threads, [&](std::size_t image, std::size_t row, std::size_t column, std::size_t result) {
    pool_window({static_cast<const Bits*>(x) + image, side, channels, row, column}, channels, static_cast<Bits*>(y) + result);
  });
}

template <class Bits>
void route(const void* x, const void* y, const void* dy, std::size_t images, std::size_t side, std::size_t channels, void* dx,
           int threads) {
  for_each_window(images, side, channels, threads, [&](std::size_t image, std::size_t row, std::size_t column, std::size_t result) {
    route_window({static_cast<const Bits*>(x) + image, side, channels, row, column}, static_cast<const Bits*>(y) + result,
                 static_cast<const Bits*>(dy) + result, channels, {static_cast<Bits*>(dx) + image, side, channels, row, column});
  });
}

}  // namespace

void max_pool(Storage storage, const void* x, std::size_t images, std::size_t side, std::size_t channels, void* y, int threads) {
  switch (storage) {
    case Storage::kFp32:
      pool<std::int32_t>(x, images, side, channels, y, threads);
      return;
    case Storage::kBf16:
      pool<std::int16_t>(x, images, side, channels, y, threads);
      return;
  }
}

void max_pool_backward(Storage storage, const void* x, const void* y, const void* dL_dy, std::size_t images, std::size_t side,
                       std::size_t channels, void* dL_dx, int threads) {
  switch (storage) {
    case Storage::kFp32:
      route<std::int32_t>(x, y, dL_dy, images, side, channels, dL_dx, threads);
      return;
    case Storage::kBf16:
      route<std::int16_t>(x, y, dL_dy, images, side, channels, dL_dx, threads);
      return;
  }
}

}  // namespace actsearch
