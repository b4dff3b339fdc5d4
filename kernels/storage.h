/// Between tensors in memory (fp32 or bf16) and fp32 packs and blocks.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/pack.h"

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

/// One pack from and to memory of any alignment.
inline Pack load_pack(const float* from) { return Pack(Eigen::internal::ploadu<Pack::Packet>(from)); }
inline void store_pack(const Pack& pack, float* to) { Eigen::internal::pstoreu(to, pack.v); }
inline Pack load_pack(const Bf16* from) {
#ifdef __AVX512F__
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return Pack(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)));
#else
  alignas(64) float lanes[Pack::kLanes];
  for (int i = 0; i < Pack::kLanes; ++i) lanes[i] = static_cast<float>(from[i]);
  return Pack::load(lanes);
#endif
}
inline void store_pack(const Pack& pack, Bf16* to) {
#ifdef __AVX512BF16__
  // The instruction takes denormals as zero, which bf16's users accept everywhere else too.
  const __m256bh bits = _mm512_cvtneps_pbh(pack.v);
  std::memcpy(static_cast<void*>(to), &bits, sizeof bits);
#else
  alignas(64) float lanes[Pack::kLanes];
  pack.store(lanes);
  for (int i = 0; i < Pack::kLanes; ++i) to[i] = Bf16(lanes[i]);
#endif
}

/// n floats from a block in cache to memory.
template <class Stored>
void store_block(const float* from, Stored* to, std::size_t n) {
  std::size_t i = 0;
  for (; i + Pack::kLanes <= n; i += Pack::kLanes) store_pack(load_pack(from + i), to + i);
  for (; i < n; ++i) to[i] = Stored(from[i]);
}

}  // namespace actsearch
