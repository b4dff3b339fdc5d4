/// One SIMD register of floats as a value type for the functions of grammar/functions.h: a thin wrapper over Eigen's packets.
///
/// Every operation follows IEEE semantics lane by lane: NaN in, NaN out; ±0 and ±Inf as the double reference has them, where a
/// float can hold the result. There are two exceptions. sin and cos beyond 1e13 are only bounded by 1; exp, expm1, sinh and cosh end at
/// the largest finite number (less 2e-5 of it) in place of Inf. tests/kernels/cpu/pack_test.cpp tests the accuracies.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <unsupported/Eigen/SpecialFunctions>

#include "grammar/functions.h"

namespace actsearch {

struct Pack {
  using Packet = Eigen::internal::packet_traits<float>::type;
  static constexpr int kLanes = Eigen::internal::unpacket_traits<Packet>::size;

  Packet v;

  Pack() = default;
  explicit Pack(const Packet& packet) : v(packet) {}
  Pack(double number) : v(Eigen::internal::pset1<Packet>(static_cast<float>(number))) {}  // NOLINT: numbers mix in formulas

  /// From and to memory aligned to 64 bytes.
  static Pack load(const float* from) { return Pack(Eigen::internal::pload<Packet>(from)); }
  void store(float* to) const { Eigen::internal::pstore(to, v); }
  static Pack broadcast(const float* from) { return Pack(Eigen::internal::pset1<Packet>(*from)); }
};

inline Pack operator+(const Pack& a, const Pack& b) { return Pack(Eigen::internal::padd(a.v, b.v)); }
inline Pack operator-(const Pack& a, const Pack& b) { return Pack(Eigen::internal::psub(a.v, b.v)); }
inline Pack operator*(const Pack& a, const Pack& b) { return Pack(Eigen::internal::pmul(a.v, b.v)); }
inline Pack operator/(const Pack& a, const Pack& b) { return Pack(Eigen::internal::pdiv(a.v, b.v)); }
inline Pack operator-(const Pack& a) { return Pack(Eigen::internal::pnegate(a.v)); }
/// a·b + c, rounded once where the processor can.
inline Pack multiply_add(const Pack& a, const Pack& b, const Pack& c) { return Pack(Eigen::internal::pmadd(a.v, b.v, c.v)); }

inline Pack abs(const Pack& a) { return Pack(Eigen::internal::pabs(a.v)); }
/// The processor's, rounded once. Eigen's goes through the reciprocal root, whose product with ∞ is NaN and with a denormal is 0.
inline Pack sqrt(const Pack& a) {
#if defined(__AVX512F__)
  return Pack(_mm512_sqrt_ps(a.v));
#elif defined(__AVX__)
  return Pack(_mm256_sqrt_ps(a.v));
#elif defined(__SSE__)
  return Pack(_mm_sqrt_ps(a.v));
#else
  return Pack(Eigen::internal::psqrt(a.v));
#endif
}
inline Pack maximum(const Pack& a, const Pack& b) { return Pack(Eigen::internal::pmax<Eigen::PropagateNaN>(a.v, b.v)); }
inline Pack minimum(const Pack& a, const Pack& b) { return Pack(Eigen::internal::pmin<Eigen::PropagateNaN>(a.v, b.v)); }

#ifdef __AVX512F__
inline Pack greater(const Pack& a, const Pack& b) {
  return Pack(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), _mm512_set1_ps(1.0f)));
}
inline Pack equal(const Pack& a, const Pack& b) {
  return Pack(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ), _mm512_set1_ps(1.0f)));
}
/// a > b ? yes : no, lane by lane; NaN chooses no.
inline Pack select_greater(const Pack& a, const Pack& b, const Pack& yes, const Pack& no) {
  return Pack(_mm512_mask_mov_ps(no.v, _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), yes.v));
}
#else
inline Pack greater(const Pack& a, const Pack& b) { return Pack(Eigen::internal::pand(Eigen::internal::pcmp_lt(b.v, a.v), Pack(1.0).v)); }
inline Pack equal(const Pack& a, const Pack& b) { return Pack(Eigen::internal::pand(Eigen::internal::pcmp_eq(a.v, b.v), Pack(1.0).v)); }
inline Pack select_greater(const Pack& a, const Pack& b, const Pack& yes, const Pack& no) {
  return Pack(Eigen::internal::pselect(Eigen::internal::pcmp_lt(b.v, a.v), yes.v, no.v));
}
#endif

/// |magnitude| with the sign of `sign`.
inline Pack copy_sign(const Pack& magnitude, const Pack& sign) {
  const auto bit = Pack(-0.0).v;
  return Pack(Eigen::internal::por(Eigen::internal::pandnot(magnitude.v, bit), Eigen::internal::pand(sign.v, bit)));
}

#ifndef __AVX512F__
/// A float this large has no fraction bits left: adding it rounds to a whole number, whose bits are then the sum's last ones.
inline constexpr float kRounder = 12582912.0f;  // 1.5 · 2^23

/// The bits of a float as integers, and back.
using IntegerPacket = Eigen::internal::unpacket_traits<Pack::Packet>::integer_packet;
inline IntegerPacket bits_of(const Pack& a) { return Eigen::internal::preinterpret<IntegerPacket>(a.v); }
inline Pack from_bits(const IntegerPacket& bits) { return Pack(Eigen::internal::preinterpret<Pack::Packet>(bits)); }
/// a · 2^n where both are normal numbers; `rounded` is n + kRounder.
inline Pack scale_by_power(const Pack& a, const Pack& rounded) {
  return from_bits(Eigen::internal::padd(bits_of(a), Eigen::internal::plogical_shift_left<23>(bits_of(rounded))));
}
#endif

/// A little less than the logarithms of the largest finite number and of twice that.
inline constexpr double kExpLimit = 88.72283, kSinhLimit = 89.41597;
// exp, sinh and cosh saturate by themselves.
inline Pack exp_limit(const Pack& x) { return x; }
inline Pack sinh_limit(const Pack& x) { return x; }
/// The largest finite number in place of an infinite one.
inline Pack finite(const Pack& a) {
  constexpr double kLargest = std::numeric_limits<float>::max();
#ifdef __AVX512F__
  // The constant comes first: the processor's min and max return their second operand when one is NaN.
  return Pack(_mm512_max_ps(Pack(-kLargest).v, _mm512_min_ps(Pack(kLargest).v, a.v)));
#else
  // a comes first: Eigen's min and max return their first operand when one is NaN.
  return Pack(Eigen::internal::pmax(Eigen::internal::pmin(a.v, Pack(kLargest).v), Pack(-kLargest).v));
#endif
}

#ifdef __AVX512F__
/// e^x by 2^n · e^r with |r| <= ln 2 / 2 and the Taylor polynomial of degree 7. Its relative error is below 2 ulp. It saturates below the
/// largest finite number and underflows through the denormals to 0.
inline Pack exp(const Pack& x) {
  // The constant comes first: the processor's min and max return their second operand when one is NaN.
  const Pack c(_mm512_max_ps(Pack(-104.0).v, _mm512_min_ps(Pack(kExpLimit).v, x.v)));
  const Pack n(_mm512_roundscale_ps((c * Pack(1.44269504088896341)).v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  const Pack r = multiply_add(n, Pack(2.12194440e-4), multiply_add(n, Pack(-0.693359375), c));
  Pack p = multiply_add(Pack(1.0 / 5040), r, Pack(1.0 / 720));
  p = multiply_add(p, r, Pack(1.0 / 120));
  p = multiply_add(p, r, Pack(1.0 / 24));
  p = multiply_add(p, r, Pack(1.0 / 6));
  p = multiply_add(p, r, Pack(0.5));
  p = multiply_add(p, r, Pack(1.0));
  p = multiply_add(p, r, Pack(1.0));
  return Pack(_mm512_scalef_ps(p.v, n.v));
}
#else
/// e^x by 2^m · 2^m · e^r with |r| <= ln 2 and a minimax polynomial (relative error below 2^-24.6). Two factors that are normal numbers
/// reach the largest finite number, where it saturates. They underflow through the denormals to 0 by themselves. Relative error below 2
/// ulp.
inline Pack exp(const Pack& x) {
  // x comes first: Eigen's min and max return their first operand when one is NaN.
  const Pack c(Eigen::internal::pmax(Eigen::internal::pmin(x.v, Pack(kExpLimit).v), Pack(-104.0).v));
  const Pack rounded = multiply_add(c, Pack(0.72134752044448170), Pack(kRounder)), m = rounded - Pack(kRounder);
  const Pack r = multiply_add(m, Pack(4.24388880e-4), multiply_add(m, Pack(-1.38671875), c));
  Pack p = multiply_add(r, Pack(1.7710031534079462e-4), Pack(1.4112434582784772e-3));
  p = multiply_add(p, r, Pack(8.35428573191166e-3));
  p = multiply_add(p, r, Pack(4.166100546717644e-2));
  p = multiply_add(p, r, Pack(1.666611135005951e-1));
  p = multiply_add(p, r, Pack(5.000003576278687e-1));
  p = multiply_add(p, r, Pack(1.0000003576278687));
  p = multiply_add(p, r, Pack(1.0));
  const Pack power = scale_by_power(Pack(1.0), rounded);
  return (p * power) * power;
}
#endif

#ifdef __AVX512F__
/// 1 / (1 + e^-x). e^-x is 2^n · 2^f: n the whole number nearest to -x / ln 2, 2^f a minimax polynomial (relative error below 2^-22). A
/// quotient costs as much as the exponential, so it is the processor's estimate and one step of Newton's method (2^-28). Results below
/// the smallest normal number are 0.
inline Pack logistic(const Pack& x) {
  // The constant comes first: the processor's min returns its second operand when one is NaN.
  const Pack c(_mm512_min_ps(Pack(104.0).v, x.v));
  const __mmask16 large = _mm512_cmp_ps_mask(x.v, Pack(-87.33654).v, _CMP_NLT_UQ);  // the result is, or NaN
  const Pack n(_mm512_roundscale_ps((c * Pack(-1.44269504088896341)).v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  const Pack f = multiply_add(c, Pack(-1.925963033500e-8), multiply_add(c, Pack(-1.44269502162933349609375), -n));
  Pack p = multiply_add(Pack(1.3276472454890609e-3), f, Pack(9.675541892647743e-3));
  p = multiply_add(p, f, Pack(5.550713092088699e-2));
  p = multiply_add(p, f, Pack(2.4022120237350464e-1));
  p = multiply_add(p, f, Pack(6.931469440460205e-1));
  p = multiply_add(p, f, Pack(1.0000001192092896));
  const Pack d = Pack(1.0) + Pack(_mm512_scalef_ps(p.v, n.v));
  const Pack r(_mm512_rcp14_ps(d.v));
  return Pack(_mm512_maskz_fmadd_ps(large, r.v, _mm512_fnmadd_ps(d.v, r.v, Pack(1.0).v), r.v));
}
#else
/// 1 / (1 + e^-x). e^-x is 2^n · e^-s: n the whole number nearest to -x / ln 2, e^-s a polynomial that costs the result at most 1.12
/// units in its last place. The division is exact, so that every processor has the same result. It goes on beside other packs'
/// polynomials. Results below the smallest normal number are 0.
inline Pack logistic(const Pack& x) {
  const Pack c(Eigen::internal::pmin(x.v, Pack(30.0).v));  // from 18 on the result is 1
  const Pack rounded = multiply_add(c, Pack(-1.44269504088896341), Pack(kRounder)), n = rounded - Pack(kRounder);
  const Pack s = multiply_add(n, Pack(-2.12194440e-4), multiply_add(n, Pack(0.693359375), c));
  Pack p = multiply_add(s, Pack(-8.317338302731514e-3), Pack(4.1897453367710114e-2));
  p = multiply_add(p, s, Pack(-1.6667115688323975e-1));
  p = multiply_add(p, s, Pack(4.999915361404419e-1));
  p = multiply_add(p, s, Pack(-9.999999403953552e-1));
  p = multiply_add(p, s, Pack(1.0));
  const Pack y = Pack(1.0) / (Pack(1.0) + scale_by_power(p, rounded));
  return Pack(Eigen::internal::pandnot(y.v, Eigen::internal::pcmp_lt(x.v, Pack(-87.33654).v)));
}
#endif

/// log(2^exponent · mantissa) for a mantissa in [√½, √2): the polynomial of Cephes (logf.c, S. Moshier).
inline Pack log_of_parts(const Pack& exponent, const Pack& mantissa) {
  const Pack f = mantissa - Pack(1.0), s = f * f;
#ifdef __AVX512F__
  Pack p = multiply_add(f, Pack(7.0376836292e-2), Pack(-1.1514610310e-1));
  p = multiply_add(f, p, Pack(1.1676998740e-1));
  p = multiply_add(f, p, Pack(-1.2420140846e-1));
  p = multiply_add(f, p, Pack(1.4249322787e-1));
  p = multiply_add(f, p, Pack(-1.6668057665e-1));
  p = multiply_add(f, p, Pack(2.0000714765e-1));
  p = multiply_add(f, p, Pack(-2.4999993993e-1));
  p = multiply_add(f, p, Pack(3.3333331174e-1));
#else
  // In three parts beside each other: what waits for a long chain keeps registers.
  Pack p = multiply_add(f, Pack(7.0376836292e-2), Pack(-1.1514610310e-1));
  p = multiply_add(f, p, Pack(1.1676998740e-1));
  Pack q = multiply_add(f, Pack(-1.2420140846e-1), Pack(1.4249322787e-1));
  q = multiply_add(f, q, Pack(-1.6668057665e-1));
  Pack r = multiply_add(f, Pack(2.0000714765e-1), Pack(-2.4999993993e-1));
  r = multiply_add(f, r, Pack(3.3333331174e-1));
  const Pack cube = f * s;
  p = multiply_add(cube, multiply_add(cube, p, q), r);
#endif
  return multiply_add(exponent, Pack(0.69314718055994531), f + multiply_add(f * s, p, Pack(-0.5) * s));
}
#ifdef __AVX512F__
/// Natural logarithm.
inline Pack log(const Pack& x) {
  const Pack mantissa(_mm512_getmant_ps(x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_nan)), exponent(_mm512_getexp_ps(x.v));
  const __mmask16 above = _mm512_cmp_ps_mask(mantissa.v, Pack(1.41421356237309505).v, _CMP_GT_OQ);
  return log_of_parts(Pack(_mm512_mask_add_ps(exponent.v, above, exponent.v, Pack(1.0).v)),
                      Pack(_mm512_mask_mul_ps(mantissa.v, above, mantissa.v, Pack(0.5).v)));
}
#else
/// Natural logarithm of positive normal numbers.
inline Pack log_of_normal(const Pack& x) {
  using namespace Eigen::internal;
  const IntegerPacket root_half = pset1<IntegerPacket>(0x3f3504f3), bits = bits_of(x);
  const IntegerPacket exponent = parithmetic_shift_right<23>(psub(bits, root_half));
  return log_of_parts(Pack(pcast<IntegerPacket, Pack::Packet>(exponent)), from_bits(psub(bits, plogical_shift_left<23>(exponent))));
}
/// Natural logarithm of anything.
inline Pack log_of_any(const Pack& x) {
  const Pack tiny = greater(Pack(1.17549435e-38), x);
  const Pack scaled = x * (Pack(1.0) + tiny * Pack(16777215.0));  // times 2^24
  const Pack finite = log_of_normal(scaled) - tiny * Pack(16.635532333438686);
  const Pack positive = select_greater(x, Pack(3.4028234664e38), x, finite);
  const Pack zero = x - Pack(1.0) / abs(x);  // -Inf, or NaN
  return select_greater(x, Pack(0.0), positive, select_greater(Pack(0.0), x, Pack(std::numeric_limits<double>::quiet_NaN()), zero));
}
/// Natural logarithm.
inline Pack log(const Pack& x) {
  using namespace Eigen::internal;
  const auto odd = por(pcmp_lt_or_nan(x.v, Pack(1.17549435e-38).v), pcmp_lt(Pack(3.4028234664e38).v, x.v));
  if (predux_any(odd)) [[unlikely]]
    return log_of_any(x);
  return log_of_normal(x);
}
#endif
/// log(1 + x): of the rounded sum, and to first order of what rounding took away.
inline Pack log1p(const Pack& x) {
  const Pack u = Pack(1.0) + x, lost = x - (u - Pack(1.0));
  const Pack correction = select_greater(Pack(3e38), u, select_greater(u, Pack(0.0), lost / u, Pack(0.0)), Pack(0.0));
  return log(u) + correction;
}
inline Pack tanh(const Pack& x) { return Pack(Eigen::internal::ptanh(x.v)); }
inline Pack erf(const Pack& x) { return Pack(Eigen::internal::generic_fast_erf_float(x.v)); }

inline bool any_beyond(const Pack& a, double limit) { return Eigen::internal::predux_any(Eigen::internal::pcmp_lt(Pack(limit).v, a.v)); }

/// a - quarters·π/2, of magnitude at most π/4, and the number of quarters, of which only the remainder by 4 counts.
struct Reduced {
#ifdef __AVX512F__
  Pack rest, quarters;
#else
  Pack rest;
  IntegerPacket quarters;
#endif
};
/// For 0 <= a <= 1e5 in single precision, π/2 in three parts (W. Cody and W. Waite, 1980).
inline Reduced reduce(const Pack& a) {
#ifdef __AVX512F__
  const Pack n(Eigen::internal::pfloor(multiply_add(a, Pack(0.6366197723675814), Pack(0.5)).v)), quarters = n;
#else
  const Pack rounded = multiply_add(a, Pack(0.6366197723675814), Pack(kRounder)), n = rounded - Pack(kRounder);
  const IntegerPacket quarters = bits_of(rounded);
#endif
  Pack r = multiply_add(n, Pack(-1.5707963705062866), a);
  r = multiply_add(n, Pack(4.371138828673793e-08), r);
  return {multiply_add(n, Pack(1.7151245100058819e-15), r), quarters};
}
#ifdef __AVX512F__
/// For any a, in double precision, π/2 in two parts: n times the first is exact to the last bit of a rest below 1. Beyond 1e13, where
/// neighbouring floats lie a million apart, the rest may be 0 instead of what it should be.
inline Reduced reduce_in_double(const Pack& a) {
  __m256 rest[2], quarters[2];
  const __m512d halves = _mm512_castps_pd(a.v);
  const __m512d wide[2] = {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)),
                           _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(halves, 1)))};
  for (int half = 0; half < 2; ++half) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC, kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
    const __m512d n = _mm512_roundscale_pd(_mm512_mul_pd(wide[half], _mm512_set1_pd(0.63661977236758134)), kNearest);
    __m512d r = _mm512_fnmadd_pd(n, _mm512_set1_pd(1.5707963267948966), wide[half]);
    r = _mm512_fnmadd_pd(n, _mm512_set1_pd(6.123233995736766e-17), r);
    const __m512d fours = _mm512_roundscale_pd(_mm512_mul_pd(n, _mm512_set1_pd(0.25)), kDown);
    rest[half] = _mm512_cvtpd_ps(r);
    quarters[half] = _mm512_cvtpd_ps(_mm512_fnmadd_pd(fours, _mm512_set1_pd(4.0), n));
  }
  const auto join = [](const __m256* parts) {
    const __m512d low = _mm512_castps_pd(_mm512_castps256_ps512(parts[0]));
    return Pack(_mm512_castpd_ps(_mm512_insertf64x4(low, _mm256_castps_pd(parts[1]), 1)));
  };
  const Pack r = join(rest);
  return {select_greater(abs(r), Pack(0.8), Pack(0.0), r), join(quarters)};
}
#endif

/// sin(rest + (quarters + turn)·π/2) by the polynomials of Cephes (sinf.c, S. Moshier): absolute error below 2^-22 of what was reduced.
inline Pack sine_of_turn(const Reduced& reduced, int turn) {
  const Pack r = reduced.rest, s = r * r;
  Pack p = multiply_add(s, Pack(-1.9515295891e-4), Pack(8.3321608736e-3));
  p = multiply_add(s, p, Pack(-1.6666654611e-1));
  const Pack sine = multiply_add(r * s, p, r);
  Pack q = multiply_add(s, Pack(2.443315711809948e-5), Pack(-1.388731625493765e-3));
  q = multiply_add(s, q, Pack(4.166664568298827e-2));
  const Pack cosine = multiply_add(s * s, q, multiply_add(s, Pack(-0.5), Pack(1.0)));
#ifdef __AVX512F__
  const Pack quarters = reduced.quarters + Pack(turn);
  const Pack halves(Eigen::internal::pfloor((quarters * Pack(0.5)).v)), whole(Eigen::internal::pfloor((halves * Pack(0.5)).v));
  const Pack odd = multiply_add(halves, Pack(-2.0), quarters), negative = multiply_add(whole, Pack(-2.0), halves);
  return select_greater(odd, Pack(0.5), cosine, sine) * multiply_add(negative, Pack(-2.0), Pack(1.0));
#else
  using namespace Eigen::internal;
  const IntegerPacket quarters = padd(reduced.quarters, pset1<IntegerPacket>(turn));
  const Pack odd = from_bits(parithmetic_shift_right<31>(plogical_shift_left<31>(quarters)));
  const Pack second_bit = from_bits(plogical_shift_left<30>(quarters));
  return Pack(pxor(pselect(odd.v, cosine.v, sine.v), pand(second_bit.v, Pack(-0.0).v)));
#endif
}
/// sin(|x| + turn·π/2); `function` is the same in double. GCC cannot inline what Eigen's own sine calls, and a network that explodes
/// is full of large arguments.
template <class Function>
Pack sine_of_magnitude(const Pack& x, int turn, Function function) {
  const Pack a = abs(x);
  if (!any_beyond(a, 1e5)) return sine_of_turn(reduce(a), turn);
#ifdef __AVX512F__
  static_cast<void>(function);
  return sine_of_turn(reduce_in_double(a), turn);
#else
  alignas(64) float lanes[Pack::kLanes];
  a.store(lanes);
  for (float& lane : lanes) lane = static_cast<float>(function(static_cast<double>(lane)));
  return Pack::load(lanes);
#endif
}
inline Pack sin(const Pack& x) {
  const Pack magnitude = sine_of_magnitude(x, 0, [](double lane) { return std::sin(lane); });
  return Pack(Eigen::internal::pxor(magnitude.v, Eigen::internal::pand(x.v, Pack(-0.0).v)));
}
inline Pack cos(const Pack& x) {
  return sine_of_magnitude(x, 1, [](double lane) { return std::cos(lane); });
}

/// e^x - 1: its series up to 0.5, where the difference would cancel.
inline Pack expm1(const Pack& x) {
  Pack p = multiply_add(x, Pack(1.0 / 40320), Pack(1.0 / 5040));
  p = multiply_add(p, x, Pack(1.0 / 720));
  p = multiply_add(p, x, Pack(1.0 / 120));
  p = multiply_add(p, x, Pack(1.0 / 24));
  p = multiply_add(p, x, Pack(1.0 / 6));
  p = multiply_add(p, x, Pack(0.5));
  return select_greater(Pack(0.5), abs(x), x * multiply_add(x, p, Pack(1.0)), exp(x) - Pack(1.0));
}

/// |x|, at most where the exponential functions of it are finite; NaN stays.
inline Pack limited_magnitude(const Pack& x) {
#ifdef __AVX512F__
  return Pack(_mm512_min_ps(Pack(kSinhLimit).v, abs(x).v));
#else
  return Pack(Eigen::internal::pmin(abs(x).v, Pack(kSinhLimit).v));
#endif
}

/// sinh: its series below 1, else (e^|x| - e^-|x|) / 2 with e^(|x|/2) squared, so that it saturates no earlier than it must.
inline Pack sinh(const Pack& x) {
  const Pack s = x * x;
  Pack p = multiply_add(s, Pack(1.0 / 362880), Pack(1.0 / 5040));
  p = multiply_add(s, p, Pack(1.0 / 120));
  p = multiply_add(s, p, Pack(1.0 / 6));
  const Pack series = multiply_add(x * s, p, x);
  const Pack h = exp(limited_magnitude(x) * Pack(0.5));
  const Pack large = copy_sign((Pack(0.5) * h) * h - Pack(0.5) / (h * h), x);
  return select_greater(Pack(1.0), abs(x), series, large);
}
inline Pack cosh(const Pack& x) {
  const Pack h = exp(limited_magnitude(x) * Pack(0.5));
  return (Pack(0.5) * h) * h + Pack(0.5) / (h * h);
}

/// asinh: Cephes' polynomial below 1/2 (asinhf.c, S. Moshier), else log(|x| + √(1 + x²)), and log |x| + log 2 where x² would lose 1.
inline Pack asinh(const Pack& x) {
  const Pack a = abs(x), s = a * a;
  Pack p = multiply_add(s, Pack(2.0122003309e-2), Pack(-4.2699340972e-2));
  p = multiply_add(s, p, Pack(7.4847586088e-2));
  p = multiply_add(s, p, Pack(-1.6666288134e-1));
  const Pack small = multiply_add(a * s, p, a);
  const Pack root = select_greater(a, Pack(1e4), Pack(0.0), sqrt(Pack(1.0) + s));
  const Pack large = log(a + root) + select_greater(a, Pack(1e4), Pack(0.6931471805599453), Pack(0.0));
  return copy_sign(select_greater(Pack(0.5), a, small, large), x);
}

/// atan by Cephes' reduction (atanf.c, S. Moshier): at tan(π/8) and tan(3π/8), one division, then an odd polynomial.
inline Pack atan(const Pack& x) {
  const Pack a = abs(x);
  const Pack big = greater(a, Pack(2.414213562373095));
  const Pack middle = greater(a, Pack(0.4142135623730950)) - big;
  const Pack base = big * Pack(1.5707963267948966) + middle * Pack(0.7853981633974483);
  // (a - 1) / (a + 1), -1 / a, or a: numerator and denominator chosen before dividing.
  const Pack numerator = select_greater(a, Pack(2.414213562373095), Pack(-1.0), a - middle);
  const Pack denominator = select_greater(a, Pack(2.414213562373095), a, Pack(1.0) + middle * a);
  const Pack t = numerator / denominator;
  const Pack s = t * t;
  Pack p = multiply_add(s, Pack(8.05374449538e-2), Pack(-1.38776856032e-1));
  p = multiply_add(s, p, Pack(1.99777106478e-1));
  p = multiply_add(s, p, Pack(-3.33329491539e-1));
  return copy_sign(base + multiply_add(t * s, p, t), x);
}

}  // namespace actsearch
