#include "kernels/cuda/source.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "grammar/notation.h"
#include "tests/kernels/cpu/error_bound.h"
#include "tests/kernels/cpu/tensor.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/shim.h"

/// Compiled from the emitted text (tests/kernels/cuda/write_texts.cpp).
extern const cuda_shim::Kernels kCudaKernels[];

namespace actsearch {
namespace {

std::string cuda_source_of(const char* formula) { return cuda_source(lower(parse(formula)), Storage::kBf16, 8); }

/// The text of one device function.
std::string function_in(const std::string& source, const std::string& name) {
  const std::size_t start = source.find("__device__ __forceinline__ float " + name + "(");
  return source.substr(start, source.find("\n}\n", start) + 3 - start);
}

TEST(CudaSource, OfReluIsAComparisonAndAStep) {
  const std::string source = cuda_source_of("relu");
  EXPECT_EQ(function_in(source, "activation"),
            "__device__ __forceinline__ float activation(float x) {\n"
            "  const float t0 = maximum(x, 0.0f);\n"
            "  return t0;\n"
            "}\n");
  EXPECT_EQ(function_in(source, "derivative"),
            "__device__ __forceinline__ float derivative(float x) {\n"
            "  const float t0 = x > 0.0f ? 1.0f : 0.0f;\n"
            "  return t0;\n"
            "}\n");
  EXPECT_EQ(source.substr(0, source.find("typedef")), "// straight-line\n#define WIDTH 8\n#define PARAMETERS 0\n\n");
  EXPECT_NE(source.find("#define PARAMETERS 0\n"), std::string::npos);
}

TEST(CudaSource, OfSwishComputesTheSigmoidOnceAndHasOneParameter) {
  const std::string source = cuda_source_of("swish");
  EXPECT_NE(source.find("#define PARAMETERS 1\n"), std::string::npos);
  EXPECT_EQ(function_in(source, "activation"),
            "__device__ __forceinline__ float activation(float x, float beta0) {\n"
            "  const float t0 = beta0 * x;\n"
            "  const float t1 = logistic(t0);\n"
            "  const float t2 = x * t1;\n"
            "  return t2;\n"
            "}\n");
  const std::string derivative = function_in(source, "derivative");
  EXPECT_EQ(derivative.find("logistic("), derivative.rfind("logistic("));
  EXPECT_NE(derivative.find("slope0 = "), std::string::npos);
}

TEST(CudaSource, WritesEveryLaneOutWithoutArraysAndLoopsOverLanes) {
  for (const char* const formula : {"relu", "swish", "beta0 * sin(beta1 * x)"}) {
    const std::string source = cuda_source_of(formula);
    EXPECT_EQ(source.find("#pragma unroll\n"), std::string::npos) << formula;
    EXPECT_EQ(source.find("[WIDTH]"), std::string::npos) << formula;
    for (const char* const mark : {"$", "#_", "\n@", "\n%"}) EXPECT_EQ(source.find(mark), std::string::npos) << formula << ": " << mark;
    EXPECT_NE(source.find("activation(scales.c7 * lane7(v) + shifts.c7"), std::string::npos) << formula;
  }
  EXPECT_NE(cuda_source_of("beta0 * sin(beta1 * x)").find("shifts.c7, beta0_7, beta1_7, slope0_7, slope1_7)"), std::string::npos);
}

TEST(CudaSource, WritesNumbersExactlyAndAsFloats) {
  const std::string body = function_in(cuda_source_of("0.1 * x + 3 + 1e-20 * abs(x)"), "activation");
  EXPECT_NE(body.find("0.1f"), std::string::npos) << body;
  EXPECT_NE(body.find("3.0f"), std::string::npos) << body;
  EXPECT_NE(body.find("1e-20f"), std::string::npos) << body;
}

TEST(CudaSource, TheVectorWidthIsSixteenBytesWhereThatDividesTheChannels) {
  EXPECT_EQ(cuda_vector_width(Storage::kBf16, 64), 8);
  EXPECT_EQ(cuda_vector_width(Storage::kFp32, 64), 4);
  EXPECT_EQ(cuda_vector_width(Storage::kBf16, 12), 1);
  EXPECT_THROW(cuda_source(lower(parse("relu")), Storage::kBf16, 3), std::invalid_argument);
}

/// A formula's kernels over a small tensor, beside the double reference.
class Execution {
 public:
  Execution(const testing::CudaCase& c, const cuda_shim::Kernels& kernels)
      : formula_(c.formula),
        program_(lower(c.formula)),
        storage_(c.storage),
        kernels_(kernels),
        channels_(c.width == 1 ? 5 : 16),
        block_{2, 4},
        grid_{3, (channels_ + 2u * static_cast<unsigned>(c.width) - 1) / (2u * static_cast<unsigned>(c.width))},
        z_(storage_, testing::random_floats(kRows * channels_, 1, -3, 3)),
        dy_(storage_, testing::random_floats(kRows * channels_, 2)),
        scale_(channels_, 0.5f),  // powers of two: u is the same with and without a fused multiplication
        shift_(channels_, 0.25f),
        beta_(testing::random_floats(static_cast<std::size_t>(program_.parameter_count()) * channels_, 3, 0.4f, 1.6f)),
        a_(testing::random_floats(channels_, 4)),
        b_(testing::random_floats(channels_, 5)),
        d_(testing::random_floats(channels_, 6)) {
    for (std::size_t i = 0; i < kRows * channels_; ++i) evaluate(i);
  }

  void run() {
    const std::string where = to_text(formula_);
    testing::Tensor y = z_, dz = z_;
    std::vector<float> sums(grid_.x * outputs() * channels_, -1.0f);
    cuda_shim::launch(grid_, block_,
                      [&] { kernels_.forward(z_.data(), scale_.data(), shift_.data(), beta_.data(), y.data(), kRows, channels_); });
    cuda_shim::launch(grid_, block_, [&] {
      kernels_.sums(z_.data(), dy_.data(), scale_.data(), shift_.data(), beta_.data(), sums.data(), kRows, channels_);
    });
    cuda_shim::launch(grid_, block_, [&] {
      kernels_.apply(z_.data(), dy_.data(), scale_.data(), shift_.data(), beta_.data(), a_.data(), b_.data(), d_.data(), dz.data(), kRows,
                     channels_);
    });
    const double rounding = storage_ == Storage::kBf16 ? 0x1p-8 : 0x1p-22;
    for (std::size_t i = 0; i < kRows * channels_; ++i) {
      if (!usable_[i]) continue;
      const std::size_t c = i % channels_;
      const auto& point = points_[i];
      const auto [y_expected, y_error] = point[program_.y];
      ASSERT_NEAR(y[i], y_expected, rounding * std::abs(y_expected) + 4 * y_error + 1e-30) << where;
      const auto [slope, slope_error] = point[program_.dydx];
      const double terms[] = {a_[c] * slope * dy_[i], static_cast<double>(b_[c]) * z_[i], d_[c]};
      const double expected = terms[0] + terms[1] + terms[2];
      const double magnitude = std::abs(terms[0]) + std::abs(terms[1]) + std::abs(terms[2]);
      ASSERT_NEAR(dz[i], expected,
                  rounding * std::abs(expected) + 4 * (0x1p-24 * magnitude + std::abs(a_[c] * dy_[i]) * slope_error) + 1e-30)
          << where;
      ++compared;
    }
    for (std::size_t c = 0; c < channels_; ++c) compare_sums(c, sums, where);
  }

  static inline int compared = 0;  ///< elements and sums, over all formulas

 private:
  static constexpr std::size_t kRows = 37;

  std::size_t outputs() const { return 2 + static_cast<std::size_t>(program_.parameter_count()); }

  void evaluate(std::size_t i) {
    std::vector<double> beta;
    for (std::size_t k = 0; k + 2 < outputs(); ++k) beta.push_back(beta_[k * channels_ + i % channels_]);
    const float u = scale_[i % channels_] * z_[i] + shift_[i % channels_];
    bool ambiguous = false;
    points_.push_back(testing::bounded_run(program_, u, beta, &ambiguous));
    bool usable = !ambiguous;
    for (const auto& bounded : points_.back()) {
      usable = usable && std::isfinite(bounded.value) && std::abs(bounded.value) < 1e15 && std::isfinite(bounded.error);
    }
    usable_.push_back(usable);
  }

  void compare_sums(std::size_t c, const std::vector<float>& sums, const std::string& where) {
    for (std::size_t row = 0; row < kRows; ++row) {
      if (!usable_[row * channels_ + c]) return;
    }
    for (std::size_t k = 0; k < outputs(); ++k) {
      double expected = 0, allowed = 0, got = 0;
      for (std::size_t row = 0; row < kRows; ++row) {
        const std::size_t i = row * channels_ + c;
        const auto [slope, error] = points_[i][k < 2 ? program_.dydx : program_.dydbeta[k - 2]];
        const double factor = dy_[i] * (k == 1 ? static_cast<double>(z_[i]) : 1.0);
        expected += factor * slope;
        allowed += std::abs(factor) * (4 * error + 64 * 0x1p-24 * std::abs(slope));
      }
      for (std::size_t block = 0; block < grid_.x; ++block) got += sums[(block * outputs() + k) * channels_ + c];
      ASSERT_NEAR(got, expected, allowed + 1e-30) << where << ", sum " << k;
      ++compared;
    }
  }

  Expression formula_;
  Program program_;
  Storage storage_;
  const cuda_shim::Kernels& kernels_;
  unsigned int channels_;
  cuda_shim::Index block_, grid_;
  testing::Tensor z_, dy_;
  std::vector<float> scale_, shift_, beta_, a_, b_, d_;
  std::vector<std::vector<testing::Bounded>> points_;
  std::vector<bool> usable_;
};

TEST(CudaSource, TheEmittedTextAgreesWithTheReferenceWhenItIsExecutedOnTheCpu) {
  const auto cases = testing::cuda_cases();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Execution(cases[i], kCudaKernels[i]).run();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(Execution::compared, 15'000);
}

}  // namespace
}  // namespace actsearch
