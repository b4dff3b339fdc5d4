// Holds the rounding of our own arithmetic fast, bit by bit, for the numerics version of evaluator/network/recipe.h. What libraries compute
// (convolutions, products, the loss's exponential) follows their versions and the processor.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "evaluator/cpu/descend.h"
#include "evaluator/cpu/layers.h"
#include "evaluator/network/recipe.h"
#include "grammar/hash.h"
#include "grammar/program.h"
#include "grammar/space.h"
#include "tests/kernels/cpu/tensor.h"

namespace actsearch {
namespace {

using testing::random_floats;
using testing::Tensor;

constexpr std::size_t kRows = 24, kChannels = 48;

/// A hash of bits in their order. All NaNs are one, and so are both zeros.
class Bits {
 public:
  void add(float value) {
    const auto bits = std::isnan(value) ? 0x7FC00000u : std::bit_cast<std::uint32_t>(value + 0.0F);
    hash_ = mixed(hash_ * kGoldenGamma + bits);
  }
  void add(const std::vector<float>& values) {
    for (const float value : values) add(value);
  }
  void add(const Tensor& tensor, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) add(tensor[i]);
  }
  std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0;
};

/// Batch norm and activation, forward and backward, of 250 functions of core1 in which every operator occurs.
std::uint64_t activations(Storage storage) {
  Bits bits;
  const Space space("core1");
  for (std::uint64_t i = 0; i < 250; ++i) {
    const Program program = lower(space.at(i * 25 + i % 25));
    const EigenKernel kernel(program);
    NormalisedActivation layer(kernel, storage, kChannels, 0.9, 1e-5, 1);
    const std::size_t parameters = static_cast<std::size_t>(program.parameter_count()) * kChannels;
    const auto gamma = random_floats(kChannels, 3, 0.5, 1.5), delta = random_floats(kChannels, 4),
               beta = random_floats(parameters, 5, 0.5, 1.5);
    const Tensor z(storage, random_floats(kRows * kChannels, 1, -3, 3));
    Tensor y = z, gradient(storage, random_floats(kRows * kChannels, 2));
    std::vector<float> dgamma(kChannels), ddelta(kChannels), dbeta(parameters);
    const NormalisedActivation::Values values{.gamma = gamma.data(), .delta = delta.data(), .beta = beta.data()};
    layer.forward_training(values, z.data(), kRows, y.data());
    bits.add(y, kRows * kChannels);
    layer.backward(values, z.data(), kRows, gradient.data(), {.gamma = dgamma.data(), .delta = ddelta.data(), .beta = dbeta.data()});
    bits.add(gradient, kRows * kChannels);
    bits.add(dgamma);
    bits.add(ddelta);
    bits.add(dbeta);
    bits.add(layer.running_mean());
    bits.add(layer.running_variance());
  }
  return bits.hash();
}

std::uint64_t optimiser() {
  Parameters parameters;
  const std::size_t n = 1003;
  parameters.add(ParameterKind::kWeight, n, 0);
  const auto start = random_floats(n, 7);
  std::copy(start.begin(), start.end(), parameters.value(0));
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto gradient = random_floats(n, 8 + step);
    std::copy(gradient.begin(), gradient.end(), parameters.gradient(0));
    descend(parameters, 0.1, 0.9, 5e-4, false, 1);
  }
  Bits bits;
  bits.add(parameters.values());
  bits.add(parameters.momenta());
  return bits.hash();
}

TEST(Numerics, RoundAsTheirVersionSays) {
#if !defined(ACTSEARCH_FIXED_ARCH) || __GNUC__ != 12
  GTEST_SKIP()
      << "compilers contract products and sums as suits the processor: the values hold for x86-64-v3 and GCC 12, as in the preset avx2";
#endif
  const char* const advice =
      "rounding has changed: new trials do not compare with stored ones. Raise kNumerics (evaluator/network/recipe.h), and put this value "
      "here";
  ASSERT_EQ(kNumerics, 1) << "the values below are of version 1";
  EXPECT_EQ(activations(Storage::kFp32), 15928326979970690568u) << advice;
  EXPECT_EQ(activations(Storage::kBf16), 18098156779922254309u) << advice;
  EXPECT_EQ(optimiser(), 10925643906129292720u) << advice;
}

}  // namespace
}  // namespace actsearch
