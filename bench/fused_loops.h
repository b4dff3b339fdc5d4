/// What the blocked kernel is measured against: loops compiled for one function, as one would write them by hand in AVX-512.
/// Tensors as in kernels/eigen_kernel.h, in bf16, with channels a multiple of 16.
#pragma once

#ifdef __AVX512F__

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/storage.h"

namespace actsearch::bench {

inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kRowsPerBlock = 32;  ///< the block of rows stays in the first-level cache while the channels are walked

inline __m512 load_bf16(const Bf16* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

inline void store_bf16(__m512 value, Bf16* to) {
#ifdef __AVX512BF16__
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
#else
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
#endif
}

/// e^x for |x| < 87 to fp32's accuracy: 2^n · e^r, |r| <= ln 2 / 2, and a polynomial of degree 6.
inline __m512 exp_ps(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 720);
  for (const float coefficient : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(coefficient));
  }
  return _mm512_scalef_ps(p, n);
}

inline __m512 sigmoid_ps(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  return _mm512_div_ps(one, _mm512_add_ps(one, exp_ps(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

/// A function for the loops below: its value and its slopes at 16 points.
struct HandRelu {
  static constexpr int kParameters = 0;
  static __m512 value(__m512 u, const __m512*) { return _mm512_max_ps(u, _mm512_setzero_ps()); }
  static __m512 slope(__m512 u, const __m512*, __m512*) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(u, _mm512_setzero_ps(), _CMP_GT_OQ), _mm512_set1_ps(1.0f));
  }
};

/// x · sigmoid(beta · x).
struct HandSwish {
  static constexpr int kParameters = 1;
  static __m512 value(__m512 u, const __m512* beta) { return _mm512_mul_ps(u, sigmoid_ps(_mm512_mul_ps(beta[0], u))); }
  static __m512 slope(__m512 u, const __m512* beta, __m512* dydbeta) {
    const __m512 s = sigmoid_ps(_mm512_mul_ps(beta[0], u));
    const __m512 us = _mm512_mul_ps(u, _mm512_fnmadd_ps(s, s, s));  // u · s · (1 - s)
    dydbeta[0] = _mm512_mul_ps(u, us);
    return _mm512_fmadd_ps(beta[0], us, s);
  }
};

/// y = F(scale[c]·z + shift[c]; beta_k[c]).
template <class F>
void fused_forward(const Bf16* z, std::size_t rows, std::size_t channels, const float* scale, const float* shift, const float* beta,
                   Bf16* y) {
  std::array<__m512, F::kParameters + 1> b;
  for (std::size_t block = 0; block < rows; block += kRowsPerBlock) {
    const std::size_t end = std::min(rows, block + kRowsPerBlock);
    for (std::size_t c = 0; c < channels; c += kLanes) {
      const __m512 a = _mm512_loadu_ps(scale + c), d = _mm512_loadu_ps(shift + c);
      for (int k = 0; k < F::kParameters; ++k)
        b[static_cast<std::size_t>(k)] = _mm512_loadu_ps(beta + static_cast<std::size_t>(k) * channels + c);
      for (std::size_t r = block; r < end; ++r) {
        const std::size_t i = r * channels + c;
        store_bf16(F::value(_mm512_fmadd_ps(a, load_bf16(z + i), d), b.data()), y + i);
      }
    }
  }
}

/// g = dL_dy · F'(u) and, per channel, Σ g, Σ g·z and Σ dL_dy · ∂F/∂beta (of one parameter at most).
template <class F>
void fused_backward(const Bf16* z, const Bf16* dL_dy, std::size_t rows, std::size_t channels, const float* scale, const float* shift,
                    const float* beta, Bf16* g, float* sum_g, float* sum_gz, float* sum_beta) {
  static_assert(F::kParameters <= 1);
  std::fill_n(sum_g, channels, 0.0f);
  std::fill_n(sum_gz, channels, 0.0f);
  if (F::kParameters > 0) std::fill_n(sum_beta, channels, 0.0f);
  for (std::size_t block = 0; block < rows; block += kRowsPerBlock) {
    const std::size_t end = std::min(rows, block + kRowsPerBlock);
    for (std::size_t c = 0; c < channels; c += kLanes) {
      const __m512 a = _mm512_loadu_ps(scale + c), d = _mm512_loadu_ps(shift + c);
      const __m512 b = F::kParameters > 0 ? _mm512_loadu_ps(beta + c) : _mm512_setzero_ps();
      __m512 total_g = _mm512_loadu_ps(sum_g + c), total_gz = _mm512_loadu_ps(sum_gz + c);
      __m512 total_beta = F::kParameters > 0 ? _mm512_loadu_ps(sum_beta + c) : _mm512_setzero_ps();
      for (std::size_t r = block; r < end; ++r) {
        const std::size_t i = r * channels + c;
        const __m512 z_r = load_bf16(z + i), dy = load_bf16(dL_dy + i);
        __m512 dydbeta = _mm512_setzero_ps();
        const __m512 g_r = _mm512_mul_ps(dy, F::slope(_mm512_fmadd_ps(a, z_r, d), &b, &dydbeta));
        total_g = _mm512_add_ps(total_g, g_r);
        total_gz = _mm512_fmadd_ps(g_r, z_r, total_gz);
        if (F::kParameters > 0) total_beta = _mm512_fmadd_ps(dy, dydbeta, total_beta);
        store_bf16(g_r, g + i);
      }
      _mm512_storeu_ps(sum_g + c, total_g);
      _mm512_storeu_ps(sum_gz + c, total_gz);
      if (F::kParameters > 0) _mm512_storeu_ps(sum_beta + c, total_beta);
    }
  }
}

}  // namespace actsearch::bench

#endif  // __AVX512F__
