#include "kernels/cpu/eigen_kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "grammar/notation.h"
#include "grammar/space.h"
#include "kernels/cpu/pack_memory.h"
#include "tests/kernels/cpu/error_bound.h"
#include "tests/kernels/cpu/tensor.h"

namespace actsearch {
namespace {

Program program_of(const char* text) { return lower(parse(text)); }

/// 1,000 formulas: 700 of core1 and 300 of core2, in which every operator occurs.
std::vector<Expression> random_compositions() {
  std::vector<Expression> all;
  std::mt19937_64 random(20171016);
  const Space one("core1"), two("core2");
  for (int i = 0; i < 700; ++i) all.push_back(one.at(random() % one.size()));
  for (int i = 0; i < 300; ++i) all.push_back(two.at(random() % two.size()));
  return all;
}

/// Whether a value is one that fp32 holds with room for the intermediate results of a formula.
bool tame(double value) { return std::isfinite(value) && std::abs(value) < 1e15; }

TEST(EigenKernel, AgreesWithTheReferenceOnRandomCompositions) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform(-4, 4), beta_uniform(0.3, 1.7);
  std::int64_t compared = 0;
  for (const Expression& formula : random_compositions()) {
    const Program program = lower(formula);
    const EigenKernel kernel(program);
    std::vector<float> x(37), beta;
    for (float& value : x) value = static_cast<float>(uniform(random));
    for (int k = 0; k < program.parameter_count(); ++k) beta.push_back(static_cast<float>(beta_uniform(random)));
    const std::vector<double> exact_beta(beta.begin(), beta.end());
    std::vector<float> y(x.size()), dydx(x.size()), dydbeta(x.size() * beta.size());
    kernel.evaluate(x, beta, y.data(), dydx.data(), dydbeta.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      bool ambiguous = false;
      const auto bounds = testing::bounded_run(program, x[i], exact_beta, &ambiguous);
      bool all_tame = true;
      for (const auto& bound : bounds) all_tame = all_tame && (std::isnan(bound.value) || (tame(bound.value) && tame(bound.error)));
      if (ambiguous || !all_tame) continue;
      const auto check = [&](float got, std::uint16_t place, const char* what) {
        const auto& [expected, error] = bounds[place];
        if (std::isnan(expected)) {
          ASSERT_TRUE(std::isnan(got)) << what << " of " << to_text(formula) << " at " << x[i];
        } else {
          ASSERT_NEAR(got, expected, 4 * error + 1e-30) << what << " of " << to_text(formula) << " at " << x[i];
        }
        ++compared;
      };
      check(y[i], program.y, "y");
      check(dydx[i], program.dydx, "dydx");
      for (std::size_t k = 0; k < beta.size(); ++k) check(dydbeta[k * x.size() + i], program.dydbeta[k], "dydbeta");
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(compared, 50'000);  // the tests above really took place
}

TEST(EigenKernel, TheBackwardPassAgreesWithTheReferenceOnRandomCompositions) {
  constexpr std::size_t kChannels = 24;  // one row, so that a sum is one product
  std::mt19937_64 random(9);
  std::uniform_real_distribution<float> uniform(-4, 4), beta_uniform(0.3f, 1.7f);
  std::int64_t compared = 0;
  for (const Expression& formula : random_compositions()) {
    const Program program = lower(formula);
    const auto parameters = static_cast<std::size_t>(program.parameter_count());
    std::vector<float> z(kChannels), dy(kChannels), beta(parameters * kChannels), g(kChannels), sum_g(kChannels), sum_gz(kChannels);
    std::vector<float> sum_beta(beta.size());
    for (float& value : z) value = uniform(random);
    for (float& value : dy) value = uniform(random);
    for (float& value : beta) value = beta_uniform(random);
    EigenKernel(program).backward(Storage::kFp32, z.data(), dy.data(), 1, kChannels, nullptr, nullptr, beta.data(), g.data(),
                                  {sum_g.data(), sum_gz.data(), sum_beta.data()});
    for (std::size_t c = 0; c < kChannels; ++c) {
      std::vector<double> betas;
      for (std::size_t k = 0; k < parameters; ++k) betas.push_back(beta[k * kChannels + c]);
      bool ambiguous = false;
      const auto bounds = testing::bounded_run(program, z[c], betas, &ambiguous);
      bool all_tame = true;
      for (const auto& bound : bounds) all_tame = all_tame && tame(bound.value) && tame(bound.error);
      if (ambiguous || !all_tame) continue;
      const auto check = [&](float got, std::uint16_t place, const char* what) {
        const double factor = dy[c];
        const auto& [slope, error] = bounds[place];
        ASSERT_NEAR(got, factor * slope, std::abs(factor) * (4 * error + 0x1p-22 * std::abs(slope)) + 1e-30)
            << what << " of " << to_text(formula) << " at " << z[c];
        ++compared;
      };
      check(g[c], program.dydx, "dydx");
      ASSERT_EQ(sum_g[c], g[c]);
      ASSERT_NEAR(sum_gz[c], static_cast<double>(g[c]) * z[c], 0x1p-23 * std::abs(static_cast<double>(g[c]) * z[c]) + 1e-30);
      for (std::size_t k = 0; k < parameters; ++k) check(sum_beta[k * kChannels + c], program.dydbeta[k], "dydbeta");
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(compared, 20'000);
}

TEST(EigenKernel, TheReferenceDerivativesAgreeWithCentralDifferencesOnRandomCompositions) {
  std::mt19937_64 random(8);
  std::uniform_real_distribution<double> uniform(-3, 3), beta_uniform(0.4, 1.6);
  std::int64_t compared = 0;
  for (const Expression& formula : random_compositions()) {
    const Program program = lower(formula);
    std::vector<double> beta;
    for (int k = 0; k < program.parameter_count(); ++k) beta.push_back(beta_uniform(random));
    for (int repeat = 0; repeat < 5; ++repeat) {
      const double x = uniform(random);
      const Evaluation at = evaluate(program, x, beta);
      for (int variable = -1; variable < program.parameter_count(); ++variable) {
        const auto value = [&](double step) {
          auto moved = beta;
          if (variable >= 0) moved[static_cast<std::size_t>(variable)] += step;
          return evaluate_forward(program, variable < 0 ? x + step : x, moved);
        };
        const double slope = variable < 0 ? at.dydx : at.dydbeta[static_cast<std::size_t>(variable)];
        const auto difference = [&](double h) { return (value(h) - value(-h)) / (2 * h); };
        const double wide = difference(2e-5), narrow = difference(1e-5);
        // Two steps that disagree straddle a kink or a pole, or the value is too large for differences.
        const double rounding = 1e-15 * std::abs(at.y) / 1e-5;
        const double disagreement = std::abs(wide - narrow);
        if (!std::isfinite(slope) || !std::isfinite(narrow) || disagreement > 1e-5 * (1 + std::abs(narrow)) || rounding > 1e-4) continue;
        ASSERT_NEAR(slope, narrow, 2 * disagreement + 20 * rounding + 1e-8 * (1 + std::abs(slope)))
            << to_text(formula) << " at " << x << (variable < 0 ? " by x" : " by beta") << variable;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 5'000);
}

struct Layout {
  std::size_t rows, channels;
};
std::vector<Layout> awkward_layouts() {
  return {{1, 1},   {3, 1},   {255, 3},  {257, 3},  {17, 5},   {1, 16},   {33, 16}, {129, 32},
          {64, 33}, {7, 100}, {3, 1000}, {2, 1023}, {5, 1024}, {3, 1025}, {2, 4096}};
}

using testing::Tensor;

std::vector<float> random_floats(std::size_t n, std::uint64_t seed, float low = -2, float high = 2) {
  return testing::random_floats(n, seed, low, high);
}

class FusedPasses : public ::testing::TestWithParam<Storage> {};

TEST_P(FusedPasses, AgreeWithTheReferenceAtAwkwardSizes) {
  const double rounding = GetParam() == Storage::kBf16 ? 0x1p-8 : 0x1p-22;
  for (const char* const text :
       {"relu", "swish", "tanh(x) + beta0 * sin(beta1 * x)", "beta0 * x + beta1 * abs(x) + beta2 * gauss(x)", "2", "x"}) {
    const Program program = program_of(text);
    const EigenKernel kernel(program);
    const auto parameters = static_cast<std::size_t>(program.parameter_count());
    for (const auto& [rows, channels] : awkward_layouts()) {
      const std::size_t n = rows * channels;
      const Tensor z(GetParam(), random_floats(n, 1)), dy(GetParam(), random_floats(n, 2));
      const auto scale = random_floats(channels, 3, 0.5f, 1.5f), shift = random_floats(channels, 4);
      const auto beta = random_floats(parameters * channels, 5, 0.5f, 1.5f);
      Tensor y = z, g = dy;
      std::vector<float> sum_g(channels), sum_gz(channels), sum_beta(parameters * channels);
      kernel.forward(GetParam(), z.data(), rows, channels, scale.data(), shift.data(), beta.data(), y.data());
      kernel.backward(GetParam(), z.data(), dy.data(), rows, channels, scale.data(), shift.data(), beta.data(), g.data(),
                      {sum_g.data(), sum_gz.data(), sum_beta.data()});
      for (std::size_t c = 0; c < channels; ++c) {
        double expected_g = 0, expected_gz = 0, size_g = 0, size_gz = 0;
        std::vector<double> expected_beta(parameters), size_beta(parameters), betas;
        for (std::size_t k = 0; k < parameters; ++k) betas.push_back(beta[k * channels + c]);
        for (std::size_t r = 0; r < rows; ++r) {
          const std::size_t i = r * channels + c;
          const double u = static_cast<double>(scale[c]) * z[i] + shift[c];
          const Evaluation at = evaluate(program, u, betas);
          const double expected = dy[i] * at.dydx;
          const double near_kink = std::abs(u) < 1e-6 ? 10.0 : 0.0;
          ASSERT_NEAR(y[i], at.y, rounding * std::abs(at.y) + 4e-6) << text << ", " << rows << " x " << channels << ", element " << i;
          ASSERT_NEAR(g[i], expected, rounding * std::abs(expected) + 2e-5 + near_kink) << text << ", " << rows << " x " << channels;
          expected_g += expected;
          expected_gz += expected * z[i];
          size_g += std::abs(expected);
          size_gz += std::abs(expected * z[i]);
          for (std::size_t k = 0; k < parameters; ++k) {
            expected_beta[k] += dy[i] * at.dydbeta[k];
            size_beta[k] += std::abs(dy[i] * at.dydbeta[k]);
          }
        }
        // Each of the `rows` additions rounds once, and each term is good to a few units.
        const double unit = (static_cast<double>(rows) + 32) * 0x1p-24;
        ASSERT_NEAR(sum_g[c], expected_g, unit * size_g + 4e-6) << text << ", " << rows << " x " << channels;
        ASSERT_NEAR(sum_gz[c], expected_gz, unit * size_gz + 4e-6) << text;
        for (std::size_t k = 0; k < parameters; ++k)
          ASSERT_NEAR(sum_beta[k * channels + c], expected_beta[k], unit * size_beta[k] + 1e-5) << text;
      }
    }
  }
}

TEST_P(FusedPasses, AlignmentAndBeingInPlaceChangeNoBitAndWriteNothingElse) {
  const std::size_t bytes = storage_bytes(GetParam());
  for (const char* const text : {"swish", "relu", "2", "x", "beta0"}) {
    const Program program = program_of(text);
    const EigenKernel kernel(program);
    for (const auto& [rows, channels] : awkward_layouts()) {
      const std::size_t n = rows * channels;
      const Tensor z(GetParam(), random_floats(n, 1)), dy(GetParam(), random_floats(n, 2));
      const auto scale = random_floats(channels, 3, 0.5f, 1.5f), shift = random_floats(channels, 4);
      const auto beta = random_floats(channels, 5, 0.5f, 1.5f);
      std::vector<unsigned char> expected_y, expected_g;
      for (const std::size_t elements_off : {0, 1, 8}) {
        // A copy of a tensor that begins `elements_off` values after a multiple of 64, with 64 bytes of its own before and after it.
        const auto placed = [&](const Tensor& tensor, const auto& body) {
          std::vector<unsigned char> memory(n * bytes + 256, 0xa5);
          const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
          unsigned char* const at = memory.data() + (64 - address % 64) + 64 + elements_off * bytes;
          const auto* const source = static_cast<const unsigned char*>(tensor.data());
          std::copy(source, source + n * bytes, at);
          body(at);
          for (std::ptrdiff_t i = 1; i <= 64; ++i) {
            ASSERT_EQ(at[-i], 0xa5) << text << ", " << rows << " x " << channels;
            ASSERT_EQ(at[static_cast<std::ptrdiff_t>(n * bytes) + i - 1], 0xa5) << text << ", " << rows << " x " << channels;
          }
        };
        placed(z, [&](unsigned char* y) {
          kernel.forward(GetParam(), elements_off == 0 ? z.data() : y, rows, channels, scale.data(), shift.data(), beta.data(), y);
          const std::vector<unsigned char> got(y, y + n * bytes);
          if (elements_off == 0) expected_y = got;
          ASSERT_EQ(got, expected_y) << text << ", " << rows << " x " << channels;
        });
        placed(dy, [&](unsigned char* g) {
          std::vector<float> sum_g(channels), sum_gz(channels), sum_beta(channels);
          kernel.backward(GetParam(), z.data(), elements_off == 0 ? dy.data() : g, rows, channels, scale.data(), shift.data(), beta.data(),
                          g, {sum_g.data(), sum_gz.data(), sum_beta.data()});
          const std::vector<unsigned char> got(g, g + n * bytes);
          if (elements_off == 0) expected_g = got;
          ASSERT_EQ(got, expected_g) << text << ", " << rows << " x " << channels;
        });
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(FusedPasses, WithoutScaleAndShiftApplyTheBareActivation) {
  const Program program = program_of("swish1");
  const EigenKernel kernel(program);
  const Tensor z(GetParam(), random_floats(1001, 9));
  Tensor y = z;
  kernel.forward(GetParam(), z.data(), 1001, 1, nullptr, nullptr, nullptr, y.data());
  for (std::size_t i = 0; i < 1001; ++i) ASSERT_NEAR(y[i], evaluate_forward(program, z[i], {}), 0x1p-8);
}

TEST_P(FusedPasses, ASpecialValueStaysInItsLane) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const Program program = program_of("swish1");
  const EigenKernel kernel(program);
  for (const float special : {nan, inf, -inf, -0.0f, 1e-40f}) {
    auto values = random_floats(321, 10);
    const Tensor plain(GetParam(), values);
    values[123] = special;
    const Tensor z(GetParam(), values);
    Tensor y_plain = plain, y = z;
    kernel.forward(GetParam(), plain.data(), 107, 3, nullptr, nullptr, nullptr, y_plain.data());
    kernel.forward(GetParam(), z.data(), 107, 3, nullptr, nullptr, nullptr, y.data());
    for (std::size_t i = 0; i < 321; ++i) {
      if (i != 123) {
        ASSERT_EQ(y[i], y_plain[i]) << special;
      }
    }
    const double expected = evaluate_forward(program, special, {});
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(y[123])) << special;
    } else if (std::isinf(expected)) {
      EXPECT_EQ(y[123], expected) << special;
    } else {
      EXPECT_NEAR(y[123], expected, 1e-6) << special;
    }
  }
}

TEST_P(FusedPasses, BatchNormsSecondPassAndMomentsAgreeWithTheReference) {
  const double rounding = GetParam() == Storage::kBf16 ? 0x1p-8 : 0x1p-22;
  for (const auto& [rows, channels] : awkward_layouts()) {
    const std::size_t n = rows * channels;
    const Tensor g(GetParam(), random_floats(n, 1)), z(GetParam(), random_floats(n, 2, 100, 104));
    const auto a = random_floats(channels, 3), b = random_floats(channels, 4, -0.1f, 0.1f), d = random_floats(channels, 5);
    Tensor dz = g;
    batch_norm_apply(GetParam(), g.data(), z.data(), rows, channels, a.data(), b.data(), d.data(), dz.data());
    std::vector<float> mean(channels), variance(channels);
    channel_moments(GetParam(), z.data(), rows, channels, mean.data(), variance.data());
    for (std::size_t c = 0; c < channels; ++c) {
      double expected_mean = 0, expected_variance = 0;
      for (std::size_t r = 0; r < rows; ++r) expected_mean += z[r * channels + c] / static_cast<double>(rows);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t i = r * channels + c;
        expected_variance += (z[i] - expected_mean) * (z[i] - expected_mean) / static_cast<double>(rows);
        const double expected = static_cast<double>(a[c]) * g[i] + static_cast<double>(b[c]) * z[i] + d[c];
        ASSERT_NEAR(dz[i], expected, rounding * std::abs(expected) + 4e-6);
      }
      ASSERT_NEAR(mean[c], expected_mean, 1e-5 * std::abs(expected_mean));
      ASSERT_NEAR(variance[c], expected_variance, 1e-4 * expected_variance + 1e-6);
    }
  }
}

TEST_P(FusedPasses, MomentsOfSomeChannelsAreThoseOfAllBitForBit) {
  const std::size_t group = channel_group();
  for (const std::size_t channels : {group, 3 * group, 64 * group, 40 * group}) {
    for (const std::size_t rows : {1, 2, 7, 33, 1'001}) {
      const Tensor z(GetParam(), random_floats(rows * channels, 2, -3, 4));
      std::vector<float> mean(channels), variance(channels), shared_mean(channels), shared_variance(channels);
      channel_moments(GetParam(), z.data(), rows, channels, mean.data(), variance.data());
      for (std::size_t first = 0, width = group; first < channels; first += width, width += group) {
        channel_moments(GetParam(), z.data(), rows, channels, first, std::min(channels, first + width), shared_mean.data(),
                        shared_variance.data());
      }
      EXPECT_EQ(shared_mean, mean) << rows << " rows of " << channels;
      EXPECT_EQ(shared_variance, variance) << rows << " rows of " << channels;
    }
  }
  const Tensor z(GetParam(), random_floats(4 * group, 2));
  std::vector<float> mean(4 * group);
  EXPECT_THROW(channel_moments(GetParam(), z.data(), 1, 4 * group, 1, group, mean.data(), mean.data()), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Storages, FusedPasses, ::testing::Values(Storage::kFp32, Storage::kBf16),
                         [](const auto& instance) { return instance.param == Storage::kFp32 ? "fp32" : "bf16"; });

TEST(Bf16, RoundsToNearestEvenAndKeepsNaN) {
  EXPECT_EQ(Bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(Bf16(1.00390625f).bits, 0x3f80);  // half-way, to even
  EXPECT_EQ(Bf16(1.01171875f).bits, 0x3f82);  // half-way, to even
  EXPECT_EQ(Bf16(3.4e38f).bits, 0x7f80);      // past the largest: Inf
  EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(std::numeric_limits<float>::quiet_NaN()))));
  auto values = random_floats(1000, 11, -1e3f, 1e3f);
  const float largest = std::numeric_limits<float>::max(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> specials{std::numeric_limits<float>::quiet_NaN(), inf, -inf, largest, 0.0f, -0.0f, 1.00390625f, 1.01171875f};
  for (std::size_t i = 0; i < specials.size(); ++i) values[100 + 9 * i] = specials[i];
  std::vector<Bf16> stored(values.size());
  store_block(values.data(), stored.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(stored[i].bits, Bf16(values[i]).bits) << values[i];
}

TEST(EigenKernel, RefusesAWrongNumberOfParameters) {
  const EigenKernel kernel(program_of("swish"));
  const std::vector<float> x{1.0f};
  float y = 0, dydx = 0;
  EXPECT_THROW(kernel.evaluate(x, {}, &y, &dydx, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
