/// Between tensors in memory (fp32 or bf16) and packs of fp32.
#pragma once

#include <cstddef>
#include <cstring>

#include "kernels/pack.h"
#include "kernels/storage.h"

namespace actsearch {

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
