/// Between tensors in memory (fp32 or bf16) and packs of fp32.
#pragma once

#include <cstddef>
#include <cstring>

#include "kernels/cpu/pack.h"
#include "kernels/storage.h"

namespace actsearch {

/// One pack from and to memory of any alignment.
inline Pack load_pack(const float* from) { return Pack(Eigen::internal::ploadu<Pack::Packet>(from)); }
inline void store_pack(const Pack& pack, float* to) { Eigen::internal::pstoreu(to, pack.v); }
inline Pack load_pack(const Bf16* from) {
#ifdef __AVX512F__
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return Pack(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)));
#elif defined(__AVX2__)
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return Pack(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)));
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
#elif defined(__AVX2__) && !defined(__AVX512F__)
  // As Bf16(float) rounds.
  const __m256i bits = _mm256_castps_si256(pack.v), upper = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  const __m256i words = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(pack.v, pack.v, _CMP_UNORD_Q)));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), 0b1000);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
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
