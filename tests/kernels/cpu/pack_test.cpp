#include "kernels/cpu/pack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace actsearch {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kTiny = std::numeric_limits<float>::denorm_min(), kHuge = std::numeric_limits<float>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class F>
std::vector<float> run(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> out(a.size());
  alignas(64) float left[Pack::kLanes], right[Pack::kLanes], result[Pack::kLanes];
  for (std::size_t i = 0; i < a.size(); i += Pack::kLanes) {
    for (int lane = 0; lane < Pack::kLanes; ++lane) {
      const std::size_t at = std::min(i + static_cast<std::size_t>(lane), a.size() - 1);
      left[lane] = a[at];
      right[lane] = b[at];
    }
    Pack value;
    if constexpr (F::arity == 1) {
      value = F::f(Pack::load(left));
    } else {
      value = F::f(Pack::load(left), Pack::load(right));
    }
    value.store(result);
    for (int lane = 0; lane < Pack::kLanes && i + static_cast<std::size_t>(lane) < a.size(); ++lane)
      out[i + static_cast<std::size_t>(lane)] = result[lane];
  }
  return out;
}

template <class F>
double reference(float a, float b) {
  if constexpr (F::arity == 1) {
    static_cast<void>(b);
    return F::f(static_cast<double>(a));
  } else {
    return F::f(static_cast<double>(a), static_cast<double>(b));
  }
}

/// Distance in units of the last place of the reference rounded to float.
double ulps(float got, double expected) {
  const auto rounded = static_cast<float>(expected);
  if (got == rounded) return 0;
  const float next = std::nextafter(std::abs(rounded), kInf);
  const double unit = static_cast<double>(next) - std::abs(static_cast<double>(rounded));
  return std::abs(static_cast<double>(got) - expected) / std::max(unit, 0x1p-149);
}

/// What each function is good for on [-20, 20]; where a result passes through 0 away from x = 0, the error is absolute instead.
template <class F>
double allowed_ulps() {
  if (std::is_same_v<F, Erf>) return 24;  // Eigen's rational approximation
  if (std::is_same_v<F, Tanh>) return 8;  // likewise
  if (std::is_same_v<F, Softplus>) return 6;
  if (std::is_same_v<F, SincSlope>) return 64;  // cancels between 0.5 and 2; checked absolutely too
  if (std::is_same_v<F, Gauss>) return 256;     // e^-(x²) magnifies the rounding of x² by x²
  if (std::is_same_v<F, Sinh> || std::is_same_v<F, Cosh>) return 8;
  return 4;
}
template <class F>
double allowed_absolute() {
  const bool crosses = std::is_same_v<F, Sin> || std::is_same_v<F, Cos> || std::is_same_v<F, Sinc> || std::is_same_v<F, SincSlope>;
  return crosses ? 0x1p-22 : 0;
}

/// Ends at the largest finite number.
template <class F>
bool saturates() {
  return std::is_base_of_v<Exp, F> || std::is_base_of_v<Expm1, F> || std::is_base_of_v<Sinh, F> || std::is_base_of_v<Cosh, F> ||
         std::is_same_v<F, Finite>;
}

TEST(Pack, EveryFunctionIsAsAccurateAsItsTableSays) {
  std::vector<float> a, b;
  for (int i = -40'000; i <= 40'000; ++i) {
    a.push_back(static_cast<float>(i) * 0.0005f + 1e-5f);
    b.push_back(static_cast<float>((i * 7919) % 4001) * 0.005f + 0.0013f);
  }
  for_each_function([&]<class F>() {
    const auto got = run<F>(a, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double expected = reference<F>(a[i], b[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(got[i])) << F::name << "(" << a[i] << ", " << b[i] << ") = " << got[i];
        continue;
      }
      if (std::abs(got[i] - expected) <= allowed_absolute<F>()) continue;
      ASSERT_LE(ulps(got[i], expected), allowed_ulps<F>())
          << F::name << "(" << a[i] << ", " << b[i] << ") = " << got[i] << ", not " << expected;
    }
  });
}

TEST(Pack, ASpecialValueInOneLaneIsTreatedAsInDoubleAndLeavesTheOthersAlone) {
  const std::vector<float> specials{kNan,  kInf,   -kInf, 0.0f,   -0.0f,  1e-40f,  -1e-40f, kTiny,  -kTiny,
                                    kHuge, -kHuge, 1e30f, -1e30f, 100.0f, -100.0f, 88.9f,   -103.0f};
  const auto try_all = [&]<class F>() {
    for (const float special : specials) {
      for (int place = 0; place < Pack::kLanes * F::arity; place += 5) {
        const auto lane = static_cast<std::size_t>(place % Pack::kLanes);
        std::vector<float> a(Pack::kLanes, 0.75f), b(Pack::kLanes, 1.25f);
        const auto plain = run<F>(a, b);
        (place < Pack::kLanes ? a : b)[lane] = special;
        const auto got = run<F>(a, b);
        const std::string where = std::string(F::name) + "(" + std::to_string(a[lane]) + ", " + std::to_string(b[lane]) + ")";
        for (std::size_t other = 0; other < got.size(); ++other) {
          if (other != lane) {
            ASSERT_EQ(got[other], plain[other]) << where << " in another lane";
          }
        }
        const double expected = reference<F>(a[lane], b[lane]);
        const float value = got[lane];
        if (std::isnan(expected)) {
          ASSERT_TRUE(std::isnan(value)) << where << " = " << value;
        } else if (std::abs(expected) > kHuge && saturates<F>()) {
          ASSERT_LE(std::abs(value), kHuge) << where;
          ASSERT_GE(expected > 0 ? value : -value, kHuge * (1 - 2e-5f)) << where;
        } else if (std::abs(expected) > kHuge) {
          ASSERT_EQ(value, expected > 0 ? kInf : -kInf) << where;
        } else if (std::abs(special) < 1e29f || !std::isfinite(special)) {
          // A result below the smallest normal number may be 0.
          ASSERT_NEAR(value, expected, 64 * 0x1p-24 * std::abs(expected) + 0x1p-126) << where;
        }
      }
    }
  };
  for_each_function(try_all);
  for_each_program_function(try_all);
}

TEST(Pack, SineAndCosineOfLargeArgumentsAreAccurateOnBothSidesOfTheirReductionsLimits) {
  std::vector<float> x;
  for (int i = -20'000; i <= 20'000; ++i) x.push_back(static_cast<float>(i) * 7.3f + 0.01f);  // to ±146,000; the limit is 100,000
  for (int i = 1; i < 8'000; ++i) x.push_back(static_cast<float>(std::pow(10.0, 5 + i * 0.001) * (i % 2 == 0 ? 1 : -1)));  // to 1e13
  while (x.size() % Pack::kLanes != 0) x.push_back(1.5707964f);
  const auto sine = run<Sin>(x, x), cosine = run<Cos>(x, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(sine[i], std::sin(static_cast<double>(x[i])), 0x1p-22) << x[i];
    ASSERT_NEAR(cosine[i], std::cos(static_cast<double>(x[i])), 0x1p-22) << x[i];
  }
  // Beyond, what is promised is that it is a sine of something.
  x.assign({1.1e13f, 1e15f, 1e20f, -1e30f, 3e38f, std::numeric_limits<float>::infinity()});
  x.resize(Pack::kLanes, 1.0f);
  const auto far_sine = run<Sin>(x, x), far_cosine = run<Cos>(x, x);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_LE(std::abs(far_sine[i]), 1.0f) << x[i];
    EXPECT_LE(std::abs(far_cosine[i]), 1.0f) << x[i];
  }
  EXPECT_TRUE(std::isnan(far_sine[5]) && std::isnan(far_cosine[5]));
}

TEST(Pack, ExponentialFunctionsAreRightUpToWhereTheySaturate) {
  std::vector<float> x;
  for (int i = 0; i < 4'096; ++i) x.push_back(88.0f + static_cast<float>(i) * 0x1p-11f);
  const auto exponential = run<Exp>(x, x), less_one = run<Expm1>(x, x), sine = run<Sinh>(x, x), cosine = run<Cosh>(x, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = std::min<double>(kHuge, std::exp(static_cast<double>(x[i])));
    const double half = std::min<double>(kHuge, 0.5 * std::exp(static_cast<double>(x[i])));
    ASSERT_NEAR(exponential[i] / e, 1, 2e-5) << x[i];
    ASSERT_NEAR(less_one[i] / e, 1, 2e-5) << x[i];
    ASSERT_NEAR(sine[i] / half, 1, 2e-5) << x[i];
    ASSERT_NEAR(cosine[i] / half, 1, 2e-5) << x[i];
  }
}

TEST(Pack, ZeroKeepsItsSignWhereTheFunctionIsOdd) {
  const std::vector<float> zero(Pack::kLanes, -0.0f);
  EXPECT_TRUE(std::signbit(run<Sin>(zero, zero)[0]));
  EXPECT_TRUE(std::signbit(run<Sinh>(zero, zero)[0]));
  EXPECT_TRUE(std::signbit(run<Expm1>(zero, zero)[0]));
  EXPECT_TRUE(std::signbit(run<Asinh>(zero, zero)[0]));
  EXPECT_TRUE(std::signbit(run<Atan>(zero, zero)[0]));
  EXPECT_TRUE(std::signbit(run<Cube>(zero, zero)[0]));
  EXPECT_FALSE(std::signbit(run<Negate>(zero, zero)[0]));
}

}  // namespace
}  // namespace actsearch
