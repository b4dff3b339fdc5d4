#include "evaluator/cpu/layers.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "evaluator/cpu/convolution.h"
#include "evaluator/cpu/descend.h"
#include "evaluator/cpu/interleave.h"
#include "evaluator/network/plan.h"
#include "evaluator/network/recipe.h"
#include "grammar/notation.h"
#include "tests/kernels/cpu/tensor.h"

namespace actsearch {
namespace {

using testing::random_floats;
using testing::Tensor;

/// Relative size of one rounding of a stored value.
double storage_rounding(Precision precision) { return precision == Precision::kBf16 ? 0x1p-8 : 0x1p-22; }
Storage storage_of(Precision precision) { return precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32; }

class EachPrecision : public ::testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (GetParam() == Precision::kBf16 && !has_native_bf16()) GTEST_SKIP() << "this processor has no native bf16";
  }
};
INSTANTIATE_TEST_SUITE_P(Precisions, EachPrecision, ::testing::Values(Precision::kFp32, Precision::kBf16),
                         [](const auto& instance) { return std::string(to_text(instance.param)); });

// ---- Convolution -----------------------------------------------------------------------------------------------------

/// The convolutions of the proxies' recipes, one of the full network and two odd ones, at a small batch: (in, out, side), each once.
std::vector<ConvolutionShape> recipe_shapes() {
  std::set<std::tuple<int, int, int>> unique;
  for (const char* const name : {"vgg-s", "vgg16-slim"}) {
    Parameters parameters(Parameters::Kept::kSizes);
    const Plan steps = plan(find_recipe(name).network, 0, parameters);
    for (const Step& step : steps.steps) {
      if (step.kind != StepKind::kConvolution) continue;
      unique.insert({steps.shape(step.x).channels, steps.shape(step.y).channels, steps.shape(step.x).side});
    }
  }
  std::vector<ConvolutionShape> shapes{{2, 256, 512, 4}, {16, 5, 7, 6}, {2, 64, 80, 6}};
  for (const auto& [in, out, side] : unique) shapes.push_back({4, in, out, side});
  return shapes;
}

TEST_P(EachPrecision, ConvolutionsOfTheRecipesAgreeWithTheReferenceForwardAndBackward) {
  DnnContext context(1);
  for (const ConvolutionShape& s : recipe_shapes()) {
    const auto batch = static_cast<std::size_t>(s.batch), in = static_cast<std::size_t>(s.in_channels),
               out = static_cast<std::size_t>(s.out_channels), side = static_cast<std::size_t>(s.side);
    const std::size_t pixels = batch * side * side;
    const Tensor x(storage_of(GetParam()), random_floats(pixels * in, 1)), dy(storage_of(GetParam()), random_floats(pixels * out, 2));
    // Weights that bf16 holds exactly, so that only sums and results round.
    const Tensor weights(storage_of(GetParam()), random_floats(out * 9 * in, 3));
    std::vector<float> w(out * 9 * in), dw(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = weights[i];
    std::vector<double> ry(pixels * out), rdx(pixels * in), rdw(w.size()), ay(ry.size()), adx(rdx.size()), adw(rdw.size());
    for (std::size_t n = 0; n < batch; ++n) {
      for (std::size_t h = 0; h < side; ++h) {
        for (std::size_t v = 0; v < side; ++v) {
          for (std::size_t kh = 0; kh < 3; ++kh) {
            for (std::size_t kw = 0; kw < 3; ++kw) {
              if (h + kh < 1 || h + kh > side || v + kw < 1 || v + kw > side) continue;
              const std::size_t xp = ((n * side + h + kh - 1) * side + v + kw - 1) * in, yp = ((n * side + h) * side + v) * out;
              for (std::size_t o = 0; o < out; ++o) {
                const double d = dy[yp + o];
                const std::size_t wp = ((o * 3 + kh) * 3 + kw) * in;
                for (std::size_t i = 0; i < in; ++i) {
                  const double xv = x[xp + i], wv = w[wp + i];
                  ry[yp + o] += xv * wv;
                  ay[yp + o] += std::abs(xv * wv);
                  rdx[xp + i] += d * wv;
                  adx[xp + i] += std::abs(d * wv);
                  rdw[wp + i] += d * xv;
                  adw[wp + i] += std::abs(d * xv);
                }
              }
            }
          }
        }
      }
    }
    for (const int group : {1, std::gcd(s.batch, 8)}) {
      Tensor y = dy, dx = x, turns_x = x, turns_dy = dy, turns_y = dy, turns_dx = x;
      const std::size_t element = storage_bytes(storage_of(GetParam())), images = static_cast<std::size_t>(group);
      interleave(x.data(), batch, side * side, in * element, images, turns_x.data());
      interleave(dy.data(), batch, side * side, out * element, images, turns_dy.data());
      Convolution convolution(context, {s.batch, s.in_channels, s.out_channels, s.side, group}, GetParam(), true);
      convolution.set_weights(w.data());
      convolution.forward(turns_x.data(), turns_y.data());
      convolution.backward(turns_x.data(), turns_dy.data(), turns_dx.data(), dw.data());
      deinterleave(turns_y.data(), batch, side * side, out * element, images, y.data());
      deinterleave(turns_dx.data(), batch, side * side, in * element, images, dx.data());
      const std::string where =
          std::to_string(in) + " to " + std::to_string(out) + " at " + std::to_string(side) + ", interleaved " + std::to_string(group);
      const double rounding = storage_rounding(GetParam());
      // fp32 sums of k products are off by at most k·2^-24 of the sum of magnitudes; 64 covers blocked sums of any length here.
      for (std::size_t i = 0; i < ry.size(); ++i) {
        ASSERT_NEAR(y[i], ry[i], rounding * std::abs(ry[i]) + 64 * 0x1p-24 * ay[i] + 1e-30) << where;
      }
      for (std::size_t i = 0; i < rdx.size(); ++i) {
        ASSERT_NEAR(dx[i], rdx[i], rounding * std::abs(rdx[i]) + 64 * 0x1p-24 * adx[i] + 1e-30) << where;
      }
      for (std::size_t i = 0; i < rdw.size(); ++i) ASSERT_NEAR(dw[i], rdw[i], 256 * 0x1p-24 * adw[i] + 1e-30) << where;
    }
  }
}

/// Other kernels, strides and groups, which the networks beside PyTorch check against a reference: the same, interleaved or not.
TEST_P(EachPrecision, ConvolutionsOfAnyKernelAndStrideAreTheSameInterleaved) {
  DnnContext context(1);
  for (const ConvolutionShape& whole : {ConvolutionShape{8, 16, 32, 8, 1, 3, 2, 1, 1}, ConvolutionShape{8, 16, 32, 8, 1, 1, 2, 0, 1},
                                        ConvolutionShape{8, 16, 8, 6, 1, 5, 1, 2, 1}, ConvolutionShape{8, 16, 16, 6, 1, 3, 1, 1, 4},
                                        ConvolutionShape{8, 8, 16, 9, 1, 3, 2, 0, 2}}) {
    ConvolutionShape turns = whole;
    turns.interleave = 8;
    const auto batch = static_cast<std::size_t>(whole.batch), in = static_cast<std::size_t>(whole.in_channels),
               out = static_cast<std::size_t>(whole.out_channels), x_pixels = static_cast<std::size_t>(whole.side * whole.side),
               y_pixels = static_cast<std::size_t>(whole.output_side() * whole.output_side()),
               element = storage_bytes(storage_of(GetParam()));
    const Tensor x(storage_of(GetParam()), random_floats(batch * x_pixels * in, 1)),
        dy(storage_of(GetParam()), random_floats(batch * y_pixels * out, 2));
    const std::vector<float> w =
        random_floats(out * static_cast<std::size_t>(whole.kernel * whole.kernel * whole.in_channels / whole.groups), 3);
    std::vector<float> dw(w.size()), dw_turns(w.size());
    Tensor y = dy, dx = x, y_again = dy, dx_again = x, x_turns = x, dy_turns = dy, y_turns = dy, dx_turns = x;
    Convolution plain(context, whole, GetParam(), true);
    plain.set_weights(w.data());
    plain.forward(x.data(), y.data());
    plain.backward(x.data(), dy.data(), dx.data(), dw.data());
    interleave(x.data(), batch, x_pixels, in * element, 8, x_turns.data());
    interleave(dy.data(), batch, y_pixels, out * element, 8, dy_turns.data());
    Convolution interleaved(context, turns, GetParam(), true);
    interleaved.set_weights(w.data());
    interleaved.forward(x_turns.data(), y_turns.data());
    interleaved.backward(x_turns.data(), dy_turns.data(), dx_turns.data(), dw_turns.data());
    deinterleave(y_turns.data(), batch, y_pixels, out * element, 8, y_again.data());
    deinterleave(dx_turns.data(), batch, x_pixels, in * element, 8, dx_again.data());
    const double rounding = 2 * storage_rounding(GetParam()) + 1e-5;
    const std::string where =
        std::to_string(whole.kernel) + "×" + std::to_string(whole.kernel) + ", stride " + std::to_string(whole.stride);
    for (std::size_t i = 0; i < batch * y_pixels * out; ++i) ASSERT_NEAR(y_again[i], y[i], rounding * (std::abs(y[i]) + 1)) << where;
    for (std::size_t i = 0; i < batch * x_pixels * in; ++i) ASSERT_NEAR(dx_again[i], dx[i], rounding * (std::abs(dx[i]) + 1)) << where;
    for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(dw_turns[i], dw[i], 1e-4 * (std::abs(dw[i]) + 1)) << where;
  }
}

TEST_P(EachPrecision, MatrixProductsAgreeWithTheReferenceForwardAndBackward) {
  DnnContext context(1);
  for (const auto& [rows, inputs, outputs] : {std::tuple{1, 1, 1}, {5, 128, 10}, {128, 512, 64}, {3, 33, 17}}) {
    const auto r = static_cast<std::size_t>(rows), in = static_cast<std::size_t>(inputs), out = static_cast<std::size_t>(outputs);
    Tensor x(storage_of(GetParam()), random_floats(r * in, 1)), dy(storage_of(GetParam()), random_floats(r * out, 2)), dx = x;
    const Tensor weights(storage_of(GetParam()), random_floats(out * in, 3));
    std::vector<float> w(out * in), dw(out * in), y(r * out);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = weights[i];
    MatrixProduct product(context, rows, inputs, outputs, GetParam(), true);
    product.set_weights(w.data());
    product.forward(x.data(), y.data());
    product.backward(x.data(), dy.data(), dx.data(), dw.data());
    for (std::size_t n = 0; n < r; ++n) {
      for (std::size_t o = 0; o < out; ++o) {
        double sum = 0, size = 0;
        for (std::size_t i = 0; i < in; ++i) {
          sum += static_cast<double>(x[n * in + i]) * w[o * in + i];
          size += std::abs(static_cast<double>(x[n * in + i]) * w[o * in + i]);
        }
        ASSERT_NEAR(y[n * out + o], sum, 64 * 0x1p-24 * size);
      }
      for (std::size_t i = 0; i < in; ++i) {
        double sum = 0, size = 0;
        for (std::size_t o = 0; o < out; ++o) {
          sum += static_cast<double>(dy[n * out + o]) * w[o * in + i];
          size += std::abs(static_cast<double>(dy[n * out + o]) * w[o * in + i]);
        }
        ASSERT_NEAR(dx[n * in + i], sum, storage_rounding(GetParam()) * std::abs(sum) + 64 * 0x1p-24 * size);
      }
    }
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) {
        double sum = 0, size = 0;
        for (std::size_t n = 0; n < r; ++n) {
          sum += static_cast<double>(dy[n * out + o]) * x[n * in + i];
          size += std::abs(static_cast<double>(dy[n * out + o]) * x[n * in + i]);
        }
        ASSERT_NEAR(dw[o * in + i], sum, 64 * 0x1p-24 * size);
      }
    }
  }
}

TEST_P(EachPrecision, MaxPoolTakesTheLargestOfFourAndReturnsItsGradientThere) {
  for (const auto& [batch, channels, side] : {std::tuple{2, 16, 8}, {1, 5, 2}, {3, 32, 4}}) {
    const auto c = static_cast<std::size_t>(channels), s = static_cast<std::size_t>(side), half = s / 2;
    const std::size_t n = static_cast<std::size_t>(batch) * s * s * c;
    Tensor x(storage_of(GetParam()), random_floats(n, 1)), y(storage_of(GetParam()), random_floats(n / 4, 2)),
        dy(storage_of(GetParam()), random_floats(n / 4, 3)), dx = x;
    const Storage storage = storage_of(GetParam());
    const auto images = static_cast<std::size_t>(batch);
    max_pool(storage, x.data(), images, s, c, y.data(), 2);
    max_pool_backward(storage, x.data(), y.data(), dy.data(), images, s, c, dx.data(), 2);
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch); ++b) {
      for (std::size_t p = 0; p < half * half * c; ++p) {
        const std::size_t channel = p % c, column = p / c % half, row = p / c / half;
        float largest = -1e30f;
        float gradient = 0;
        for (std::size_t k = 0; k < 4; ++k) {
          const std::size_t at = ((b * s + 2 * row + k / 2) * s + 2 * column + k % 2) * c + channel;
          largest = std::max(largest, x[at]);
          gradient += dx[at];
          ASSERT_TRUE(dx[at] == 0 || x[at] == y[b * half * half * c + p]);
        }
        ASSERT_EQ(y[b * half * half * c + p], largest);
        ASSERT_EQ(gradient, dy[b * half * half * c + p]);
      }
    }
  }
}

TEST(MaxPool, OrdersNegativeValuesZerosAndInfinitiesAndGivesATieToTheFirst) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const auto& [four, largest, place] : {std::tuple{std::vector<float>{-3, -1, -2, -4}, -1.0f, 1},
                                             {{-inf, -5, -inf, -6}, -5.0f, 1},
                                             {{1, inf, 2, 3}, inf, 1},
                                             {{2, 2, 2, 2}, 2.0f, 0},
                                             {{-0.0f, -1, -1, -0.0f}, 0.0f, 0}}) {
    std::vector<float> y(1), dx(4);
    const std::vector<float> dy{7};
    max_pool(Storage::kFp32, four.data(), 1, 2, 1, y.data(), 1);
    max_pool_backward(Storage::kFp32, four.data(), y.data(), dy.data(), 1, 2, 1, dx.data(), 1);
    EXPECT_EQ(y[0], largest);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(dx[static_cast<std::size_t>(i)], i == place ? 7.0f : 0.0f);
  }
}

TEST(MaxPool, KeepsNanOfEitherSign) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const float not_a_number : {nan, std::copysign(nan, -1.0f)}) {
    for (std::size_t place = 0; place < 4; ++place) {
      std::vector<float> x{-inf, -2, 3, inf}, y(1), dx(4);
      x[place] = not_a_number;
      max_pool(Storage::kFp32, x.data(), 1, 2, 1, y.data(), 1);
      EXPECT_TRUE(std::isnan(y[0])) << place;
      const std::vector<float> dy{7};
      max_pool_backward(Storage::kFp32, x.data(), y.data(), dy.data(), 1, 2, 1, dx.data(), 1);
      EXPECT_EQ(dx[place], 7.0f) << place;
      std::vector<std::uint16_t> short_x, short_y(1);
      for (const float value : x) short_x.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
      max_pool(Storage::kBf16, short_x.data(), 1, 2, 1, short_y.data(), 1);
      EXPECT_GT(short_y[0] & 0x7fff, 0x7f80) << place;
    }
  }
}

TEST(Interleave, LetsThePixelsOfAGroupOfImagesTakeTurns) {
  // Four images of three pixels of two bytes: image, pixel.
  const std::string images = "a0a1a2b0b1b2c0c1c2d0d1d2";
  std::string turns(images.size(), ' '), back(images.size(), ' ');
  interleave(images.data(), 4, 3, 2, 2, turns.data());
  EXPECT_EQ(turns, "a0b0a1b1a2b2c0d0c1d1c2d2");
  deinterleave(turns.data(), 4, 3, 2, 2, back.data());
  EXPECT_EQ(back, images);
  EXPECT_EQ(interleaved_images(128, Precision::kBf16), 8);
  EXPECT_EQ(interleaved_images(20, Precision::kBf16), 4);
  EXPECT_EQ(interleaved_images(7, Precision::kBf16), 1);
  EXPECT_EQ(interleaved_images(128, Precision::kFp32), 1);
}

TEST(Convolution, RefusesAnInterleaveThatDoesNotDivideTheBatch) {
  DnnContext context(1);
  EXPECT_THROW(Convolution(context, {6, 3, 4, 8, 4}, Precision::kFp32, true), std::invalid_argument);
  EXPECT_THROW(Convolution(context, {6, 3, 4, 8, 0}, Precision::kFp32, true), std::invalid_argument);
}

// ---- Batch norm with activation --------------------------------------------------------------------------------------

/// Batch norm and activation in double, with the gradients by the chain rule written out element by element.
struct ReferenceNorm {
  std::vector<double> y, dz, dgamma, ddelta, dbeta;
  std::vector<double> dz_terms;  ///< the sum of magnitudes of what dz is a difference of
  ReferenceNorm(const Program& program, const Tensor& z, const Tensor& dy, std::size_t rows, std::size_t channels,
                const std::vector<float>& gamma, const std::vector<float>& delta, const std::vector<float>& beta, double epsilon)
      : y(rows * channels), dz(rows * channels), dgamma(channels), ddelta(channels), dbeta(beta.size()), dz_terms(rows * channels) {
    const std::size_t parameters = beta.size() / channels;
    const auto m = static_cast<double>(rows);
    for (std::size_t c = 0; c < channels; ++c) {
      double mean = 0, variance = 0;
      for (std::size_t r = 0; r < rows; ++r) mean += z[r * channels + c] / m;
      for (std::size_t r = 0; r < rows; ++r) variance += (z[r * channels + c] - mean) * (z[r * channels + c] - mean) / m;
      const double inverse = 1 / std::sqrt(variance + epsilon);
      std::vector<double> betas, g(rows), normalised(rows);
      for (std::size_t k = 0; k < parameters; ++k) betas.push_back(beta[k * channels + c]);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t i = r * channels + c;
        normalised[r] = (z[i] - mean) * inverse;
        const Evaluation at = evaluate(program, gamma[c] * normalised[r] + delta[c], betas);
        y[i] = at.y;
        g[r] = dy[i] * at.dydx;
        ddelta[c] += g[r];
        dgamma[c] += g[r] * normalised[r];
        for (std::size_t k = 0; k < parameters; ++k) dbeta[k * channels + c] += dy[i] * at.dydbeta[k];
      }
      for (std::size_t r = 0; r < rows; ++r) {
        // d(normalised_s)/d(z_r) = inverse·(δ_rs - 1/m - normalised_r·normalised_s/m)
        dz[r * channels + c] = gamma[c] * inverse * (g[r] - ddelta[c] / m - normalised[r] * dgamma[c] / m);
        dz_terms[r * channels + c] =
            gamma[c] * inverse * (std::abs(g[r]) + std::abs(ddelta[c]) / m + std::abs(normalised[r] * dgamma[c]) / m);
      }
    }
  }
};

TEST_P(EachPrecision, NormalisedActivationAgreesWithTheReferenceOnOneAndTwoThreads) {
  const double rounding = storage_rounding(GetParam());
  for (const char* const text : {"relu", "swish", "x", "sigmoid(beta0 * x) * sin(beta1 * x)"}) {
    const Program program = lower(parse(text));
    const EigenKernel kernel(program);
    for (const auto& [rows, channels] : {std::pair<std::size_t, std::size_t>{2, 1}, {64, 16}, {75, 5}, {128, 128}}) {
      for (const int threads : {1, 2}) {
        const Storage storage = storage_of(GetParam());
        const Tensor z(storage, random_floats(rows * channels, 1, -1, 3)), dy(storage, random_floats(rows * channels, 2));
        const auto gamma = random_floats(channels, 3, 0.5f, 1.5f), delta = random_floats(channels, 4);
        const auto beta = random_floats(channels * static_cast<std::size_t>(program.parameter_count()), 5, 0.5f, 1.5f);
        std::vector<float> dgamma(channels), ddelta(channels), dbeta(beta.size());
        NormalisedActivation layer(kernel, storage, channels, 0.9, 1e-5, threads);
        Tensor y = z, dz = dy;
        const NormalisedActivation::Values values{gamma.data(), delta.data(), beta.data()};
        layer.forward_training(values, z.data(), rows, y.data());
        layer.backward(values, z.data(), rows, dz.data(), {dgamma.data(), ddelta.data(), dbeta.data()});
        const ReferenceNorm expected(program, z, dy, rows, channels, gamma, delta, beta, 1e-5);
        const std::string where = std::string(text) + ", " + std::to_string(rows) + " x " + std::to_string(channels);
        const double unit = 0x1p-24 * (64 + static_cast<double>(rows));
        for (std::size_t i = 0; i < rows * channels; ++i) {
          ASSERT_NEAR(y[i], expected.y[i], rounding * std::abs(expected.y[i]) + 2e-5) << where;
          // g is stored, and so rounded, between the passes; the rest is fp32.
          ASSERT_NEAR(dz[i], expected.dz[i], (2 * rounding + 2e-5) * (expected.dz_terms[i] + std::abs(expected.dz[i])) + 1e-5) << where;
        }
        for (std::size_t c = 0; c < channels; ++c) {
          const double size = 2.0 * static_cast<double>(rows);
          ASSERT_NEAR(ddelta[c], expected.ddelta[c], 4 * unit * size + 1e-5) << where;
          ASSERT_NEAR(dgamma[c], expected.dgamma[c], 8 * unit * size + 1e-5) << where;
        }
        for (std::size_t i = 0; i < dbeta.size(); ++i)
          ASSERT_NEAR(dbeta[i], expected.dbeta[i], 8 * unit * 4.0 * static_cast<double>(rows) + 1e-5) << where;
      }
    }
  }
}

TEST(NormalisedActivation, ManyThreadsWhoseNumberDoesNotDivideTheRowsComeToTheBitsOfOne) {
  const EigenKernel kernel(lower(parse("x * sigmoid(x)")));
  const std::size_t rows = 1'001, channels = 48;
  const Tensor z(Storage::kFp32, random_floats(rows * channels, 1, -2, 3));
  const auto gamma = random_floats(channels, 2), delta = random_floats(channels, 3);
  const NormalisedActivation::Values values{gamma.data(), delta.data(), nullptr};
  std::vector<std::vector<float>> outputs;
  for (const int threads : {1, 2, 3, 5}) {
    NormalisedActivation layer(kernel, Storage::kFp32, channels, 0.9, 1e-5, threads);
    std::vector<float> y(rows * channels);
    layer.forward_training(values, z.data(), rows, y.data());
    outputs.push_back(y);
  }
  for (const auto& y : outputs) EXPECT_EQ(y, outputs.front());
}

TEST(NormalisedActivation, InferenceUsesTheRunningStatistics) {
  const Program program = lower(parse("x"));
  const EigenKernel kernel(program);
  NormalisedActivation layer(kernel, Storage::kFp32, 1, 0.9, 1e-5, 1);
  const std::vector<float> gamma{2}, delta{1}, z{0, 2, 4, 6};  // mean 3, variance 5
  std::vector<float> y(4);
  const NormalisedActivation::Values values{gamma.data(), delta.data(), nullptr};
  layer.forward_training(values, z.data(), 4, y.data());
  EXPECT_FLOAT_EQ(layer.running_mean()[0], 0.3f);
  EXPECT_FLOAT_EQ(layer.running_variance()[0], 1.4f);
  layer.forward_inference(values, z.data(), 4, y.data());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(y[i], 2 * (z[i] - 0.3) / std::sqrt(1.4 + 1e-5) + 1, 1e-5);
}

TEST_P(EachPrecision, BiasedActivationAgreesWithTheReference) {
  const Program program = lower(parse("swish"));
  const EigenKernel kernel(program);
  for (const int threads : {1, 2}) {
    const std::size_t rows = 9, units = 70;
    const Tensor z(storage_of(GetParam()), random_floats(rows * units, 1)), dy(storage_of(GetParam()), random_floats(rows * units, 2));
    const auto bias = random_floats(units, 3), beta = random_floats(units, 4, 0.5f, 1.5f);
    std::vector<float> dbias(units), dbeta(units);
    Tensor y = z, dz = dy;
    BiasedActivation layer(kernel, storage_of(GetParam()), units, threads);
    layer.forward(bias.data(), beta.data(), z.data(), rows, y.data());
    layer.backward(bias.data(), beta.data(), z.data(), rows, dz.data(), dbias.data(), dbeta.data());
    for (std::size_t c = 0; c < units; ++c) {
      double expected_bias = 0, expected_beta = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t i = r * units + c;
        const Evaluation at = evaluate(program, static_cast<double>(z[i]) + bias[c], {beta[c]});
        ASSERT_NEAR(y[i], at.y, storage_rounding(GetParam()) * std::abs(at.y) + 4e-6);
        ASSERT_NEAR(dz[i], dy[i] * at.dydx, storage_rounding(GetParam()) * std::abs(dy[i] * at.dydx) + 4e-6);
        expected_bias += dy[i] * at.dydx;
        expected_beta += dy[i] * at.dydbeta[0];
      }
      ASSERT_NEAR(dbias[c], expected_bias, 2e-5);
      ASSERT_NEAR(dbeta[c], expected_beta, 2e-5);
    }
  }
}

// ---- Dropout, loss, descent ------------------------------------------------------------------------------------------

TEST(Dropout, DropsTheStatedShareAndIsAFunctionOfItsKey) {
  const std::size_t n = 100'000;
  std::vector<float> x(n, 1.0f), again(n, 1.0f), other(n, 1.0f);
  dropout(Storage::kFp32, x.data(), n, 0.3, 5, 1);
  dropout(Storage::kFp32, again.data(), n, 0.3, 5, 2);
  dropout(Storage::kFp32, other.data(), n, 0.3, 6, 1);
  std::size_t dropped = 0;
  for (const float value : x) {
    ASSERT_TRUE(value == 0 || std::abs(value - 1 / 0.7f) < 1e-6f);
    dropped += value == 0;
  }
  // Six standard deviations of a binomial count.
  EXPECT_NEAR(static_cast<double>(dropped), 0.3 * n, 6 * std::sqrt(n * 0.3 * 0.7));
  EXPECT_EQ(x, again);
  EXPECT_NE(x, other);
}

TEST(SoftmaxCrossEntropy, AgreesWithTheDefinitionAndItsGradientWithDifferences) {
  const auto logits = random_floats(4 * 10, 1, -3, 3);
  const std::vector<Label> labels{0, 3, 9, 3};
  std::vector<float> gradient(40);
  const BatchResult result = softmax_cross_entropy(logits.data(), 10, labels, Storage::kFp32, gradient.data());
  const auto loss = [&](const std::vector<float>& at) {
    double sum = 0;
    for (std::size_t n = 0; n < 4; ++n) {
      double normaliser = 0;
      for (std::size_t c = 0; c < 10; ++c) normaliser += std::exp(static_cast<double>(at[n * 10 + c]));
      sum += std::log(normaliser) - at[n * 10 + labels[n]];
    }
    return sum;
  };
  EXPECT_NEAR(result.loss_sum, loss(logits), 1e-6);
  for (std::size_t i = 0; i < 40; ++i) {
    auto up = logits, down = logits;
    up[i] += 0.01f;
    down[i] -= 0.01f;
    EXPECT_NEAR(gradient[i], (loss(up) - loss(down)) / 0.02 / 4, 1e-4);
  }
}

TEST(SoftmaxCrossEntropy, TakesAnyNumberOfClasses) {
  for (const std::size_t classes : {2, 7, 1'000}) {
    const auto logits = random_floats(3 * classes, 1, -3, 3);
    const std::vector<Label> labels{0, static_cast<Label>(classes - 1), static_cast<Label>(classes / 2)};
    std::vector<float> gradient(3 * classes);
    const BatchResult result = softmax_cross_entropy(logits.data(), classes, labels, Storage::kFp32, gradient.data());
    double loss = 0;
    for (std::size_t n = 0; n < 3; ++n) {
      double normaliser = 0;
      for (std::size_t c = 0; c < classes; ++c) normaliser += std::exp(static_cast<double>(logits[n * classes + c]));
      loss += std::log(normaliser) - logits[n * classes + labels[n]];
      for (std::size_t c = 0; c < classes; ++c) {
        const double expected = (std::exp(static_cast<double>(logits[n * classes + c])) / normaliser - (c == labels[n] ? 1 : 0)) / 3;
        ASSERT_NEAR(gradient[n * classes + c], expected, 1e-6) << classes << " classes, image " << n << ", class " << c;
      }
    }
    EXPECT_NEAR(result.loss_sum, loss, 1e-5) << classes;
  }
}

TEST(SoftmaxCrossEntropy, CountsCorrectImagesAndSurvivesExtremeLogits) {
  std::vector<float> logits(20, -1e30f);
  logits[4] = 1e30f;
  logits[10 + 7] = 1e30f;
  const BatchResult result = softmax_cross_entropy(logits.data(), 10, std::vector<Label>{4, 7}, Storage::kFp32, nullptr);
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(result.loss_sum, 0);
}

TEST(Parameters, DescendWithMomentumAndDecayOnWeightsButNeverOnBeta) {
  Parameters parameters;
  const std::size_t weight = parameters.add(ParameterKind::kWeight, 1, 2.0f), bias = parameters.add(ParameterKind::kBias, 1, 2.0f),
                    beta = parameters.add(ParameterKind::kBeta, 1, 2.0f);
  for (const std::size_t at : {weight, bias, beta}) *parameters.gradient(at) = 1.0f;
  descend(parameters, 0.1, 0.9, 0.5, false, 1);
  EXPECT_FLOAT_EQ(*parameters.value(weight), 2.0f - 0.1f * (1 + 0.5f * 2));
  EXPECT_FLOAT_EQ(*parameters.value(bias), 1.9f);
  EXPECT_FLOAT_EQ(*parameters.value(beta), 1.9f);
  descend(parameters, 0.1, 0.9, 0.5, true, 1);
  EXPECT_FLOAT_EQ(*parameters.value(bias), 1.9f - 0.1f * (0.9f * 1 + 1 + 0.5f * 1.9f));
  EXPECT_FLOAT_EQ(*parameters.value(beta), 1.9f - 0.1f * (0.9f * 1 + 1));
}

}  // namespace
}  // namespace actsearch
