/// Between tensors in memory (fp32 or bf16) and fp32 blocks in cache.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace actsearch {

/// bf16: the upper half of a float, rounded to nearest even; NaN stays NaN.
struct Bf16 {
  std::uint16_t bits = 0;
  Bf16() = default;
  explicit Bf16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    bits = static_cast<std::uint16_t>(std::isnan(value) ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

/// n elements from memory to floats.
inline void load_block(const float* from, float* to, std::size_t n) { std::memcpy(to, from, n * sizeof(float)); }
inline void load_block(const Bf16* from, float* to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

/// n floats to memory.
inline void store_block(const float* from, float* to, std::size_t n) { std::memcpy(to, from, n * sizeof(float)); }
inline void store_block(const float* from, Bf16* to, std::size_t n) {
  std::size_t i = 0;
#ifdef __AVX512BF16__
  for (; i + 32 <= n; i += 32) {
    // The instruction takes denormals as zero, which bf16's users accept everywhere else too.
    const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
    std::memcpy(static_cast<void*>(to + i), &pair, sizeof pair);
  }
#endif
  for (; i < n; ++i) to[i] = Bf16(from[i]);
}

}  // namespace actsearch
