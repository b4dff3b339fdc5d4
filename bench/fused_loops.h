/// What the blocked kernel is measured against: loops compiled for one function, as one would write them by hand in AVX-512 or AVX2.
/// Tensors as in kernels/cpu/eigen_kernel.h, fp32 or bf16, with channels a multiple of 16.
#pragma once

#ifdef __AVX2__

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/storage.h"

namespace actsearch::bench {

inline constexpr std::size_t kRowsPerBlock = 32;  ///< the block of rows stays in the first-level cache while the channels are walked

#ifdef __AVX512F__
using Vector = __m512;
inline Vector all(float value) { return _mm512_set1_ps(value); }
inline Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
inline Vector subtract(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
inline Vector multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
inline Vector divide(Vector a, Vector b) { return _mm512_div_ps(a, b); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
inline Vector negated_multiply_add(Vector a, Vector b, Vector c) { return _mm512_fnmadd_ps(a, b, c); }
inline Vector maximum(Vector a, Vector b) { return _mm512_max_ps(a, b); }
inline Vector one_where_positive(Vector a) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_GT_OQ), all(1.0f));
}
inline Vector round(Vector a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// a · 2^n.
inline Vector scale_by_power(Vector a, Vector n) { return _mm512_scalef_ps(a, n); }

inline Vector load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(Vector value, float* to) { _mm512_storeu_ps(to, value); }
inline Vector load(const Bf16* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline void store(Vector value, Bf16* to) {
#ifdef __AVX512BF16__
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
#else
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
#endif
}
#else
using Vector = __m256;
inline Vector all(float value) { return _mm256_set1_ps(value); }
inline Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
inline Vector subtract(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
inline Vector multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
inline Vector divide(Vector a, Vector b) { return _mm256_div_ps(a, b); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector negated_multiply_add(Vector a, Vector b, Vector c) { return _mm256_fnmadd_ps(a, b, c); }
inline Vector maximum(Vector a, Vector b) { return _mm256_max_ps(a, b); }
inline Vector one_where_positive(Vector a) { return _mm256_and_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_GT_OQ), all(1.0f)); }
inline Vector round(Vector a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// a · 2^n, where both and the result are normal numbers.
inline Vector scale_by_power(Vector a, Vector n) {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}

inline Vector load(const float* from) { return _mm256_loadu_ps(from); }
inline void store(Vector value, float* to) { _mm256_storeu_ps(to, value); }
inline Vector load(const Bf16* from) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline void store(Vector value, Bf16* to) {
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0b1000);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
}
#endif

inline constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);

/// e^x for |x| < 87 to fp32's accuracy: 2^n · e^r, |r| <= ln 2 / 2, and a polynomial of degree 6.
inline Vector exponential(Vector x) {
  const Vector n = round(multiply(x, all(1.44269504f)));
  Vector r = negated_multiply_add(n, all(0.693359375f), x);
  r = multiply_add(n, all(2.12194440e-4f), r);
  Vector p = all(1.0f / 720);
  for (const float coefficient : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = multiply_add(p, r, all(coefficient));
  return scale_by_power(p, n);
}

inline Vector sigmoid(Vector x) { return divide(all(1.0f), add(all(1.0f), exponential(subtract(all(0.0f), x)))); }

/// A function for the loops below: its value and its slopes at a vector of points.
struct HandRelu {
  static constexpr int kParameters = 0;
  static Vector value(Vector u, const Vector*) { return maximum(u, all(0.0f)); }
  static Vector slope(Vector u, const Vector*, Vector*) { return one_where_positive(u); }
};

/// x · sigmoid(beta · x).
struct HandSwish {
  static constexpr int kParameters = 1;
  static Vector value(Vector u, const Vector* beta) { return multiply(u, sigmoid(multiply(beta[0], u))); }
  static Vector slope(Vector u, const Vector* beta, Vector* dydbeta) {
    const Vector s = sigmoid(multiply(beta[0], u));
    const Vector us = multiply(u, negated_multiply_add(s, s, s));  // u · s · (1 - s)
    dydbeta[0] = multiply(u, us);
    return multiply_add(beta[0], us, s);
  }
};

/// y = F(scale[c]·z + shift[c]; beta_k[c]).
template <class F, class Stored>
void fused_forward(const Stored* z, std::size_t rows, std::size_t channels, const float* scale, const float* shift, const float* beta,
                   Stored* y) {
  std::array<Vector, F::kParameters + 1> b;
  for (std::size_t block = 0; block < rows; block += kRowsPerBlock) {
    const std::size_t end = std::min(rows, block + kRowsPerBlock);
    for (std::size_t c = 0; c < channels; c += kLanes) {
      const Vector a = load(scale + c), d = load(shift + c);
      for (int k = 0; k < F::kParameters; ++k) {
        b[static_cast<std::size_t>(k)] = load(beta + static_cast<std::size_t>(k) * channels + c);
      }
      for (std::size_t r = block; r < end; ++r) {
        const std::size_t i = r * channels + c;
        store(F::value(multiply_add(a, load(z + i), d), b.data()), y + i);
      }
    }
  }
}

/// g = dL_dy · F'(u) and, per channel, Σ g, Σ g·z and Σ dL_dy · ∂F/∂beta (of one parameter at most).
template <class F, class Stored>
void fused_backward(const Stored* z, const Stored* dL_dy, std::size_t rows, std::size_t channels, const float* scale, const float* shift,
                    const float* beta, Stored* g, float* sum_g, float* sum_gz, float* sum_beta) {
  static_assert(F::kParameters <= 1);
  std::fill_n(sum_g, channels, 0.0f);
  std::fill_n(sum_gz, channels, 0.0f);
  if (F::kParameters > 0) std::fill_n(sum_beta, channels, 0.0f);
  for (std::size_t block = 0; block < rows; block += kRowsPerBlock) {
    const std::size_t end = std::min(rows, block + kRowsPerBlock);
    for (std::size_t c = 0; c < channels; c += kLanes) {
      const Vector a = load(scale + c), d = load(shift + c);
      const Vector b = F::kParameters > 0 ? load(beta + c) : all(0.0f);
      Vector total_g = load(sum_g + c), total_gz = load(sum_gz + c);
      Vector total_beta = F::kParameters > 0 ? load(sum_beta + c) : all(0.0f);
      for (std::size_t r = block; r < end; ++r) {
        const std::size_t i = r * channels + c;
        const Vector z_r = load(z + i), dy = load(dL_dy + i);
        Vector dydbeta = all(0.0f);
        const Vector g_r = multiply(dy, F::slope(multiply_add(a, z_r, d), &b, &dydbeta));
        total_g = add(total_g, g_r);
        total_gz = multiply_add(g_r, z_r, total_gz);
        if (F::kParameters > 0) total_beta = multiply_add(dy, dydbeta, total_beta);
        store(g_r, g + i);
      }
      store(total_g, sum_g + c);
      store(total_gz, sum_gz + c);
      if (F::kParameters > 0) store(total_beta, sum_beta + c);
    }
  }
}

}  // namespace actsearch::bench

#endif  // __AVX2__
