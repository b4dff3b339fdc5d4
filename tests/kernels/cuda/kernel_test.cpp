// A candidate's kernels on a CUDA device beside the double reference. Run twice: on the simulated device of tests/cuda_simulator, and,
// under the label gpu, on a real one; skipped where there is none.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "grammar/notation.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/nvrtc.h"
#include "tests/kernels/cpu/tensor.h"

namespace actsearch {
namespace {

bool simulated() { return std::getenv("ACTSEARCH_SIMULATOR_DEVICES") != nullptr; }

class CudaKernels : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      CudaDevice::count();
      Nvrtc();
    } catch (const CudaMissing& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
};

CudaMemory uploaded(CudaStream& stream, const void* from, std::size_t bytes) {
  CudaMemory memory(bytes);
  stream.copy_to_device(memory.address(), from, bytes);
  stream.synchronise();
  return memory;
}
CudaMemory uploaded(CudaStream& stream, const std::vector<float>& values) {
  return uploaded(stream, values.data(), values.size() * sizeof(float));
}

/// One formula over rows × 8 channels, all three kernels.
void compare(const CudaDevice& device, const char* formula, Storage storage, std::size_t rows) {
  constexpr std::size_t kChannels = 8;
  const Program program = lower(parse(formula));
  const auto parameters = static_cast<std::size_t>(program.parameter_count());
  const std::size_t n = rows * kChannels, bytes = n * storage_bytes(storage);
  const testing::Tensor z(storage, testing::random_floats(n, 1, -3, 3)), dy(storage, testing::random_floats(n, 2));
  const auto scale = testing::random_floats(kChannels, 3, 0.5f, 1.5f), shift = testing::random_floats(kChannels, 4);
  const auto beta = testing::random_floats(parameters * kChannels, 5, 0.4f, 1.6f);
  const auto a = testing::random_floats(kChannels, 6), b = testing::random_floats(kChannels, 7), d = testing::random_floats(kChannels, 8);

  device.make_current();
  CudaStream stream;
  const Nvrtc nvrtc;
  const CudaActivation kernels(device, nvrtc.compile(CudaActivation::source(program, storage), device.architecture()).cubin, storage,
                               program.parameter_count());
  const CudaMemory on_z = uploaded(stream, z.data(), bytes), on_dy = uploaded(stream, dy.data(), bytes), on_scale = uploaded(stream, scale),
                   on_shift = uploaded(stream, shift), on_beta = uploaded(stream, beta), on_a = uploaded(stream, a),
                   on_b = uploaded(stream, b), on_d = uploaded(stream, d), on_y(bytes), on_dz(bytes),
                   on_sums(kernels.sum_count(rows, kChannels) * sizeof(float));
  kernels.forward(stream, on_z.address(), on_scale.address(), on_shift.address(), on_beta.address(), on_y.address(), rows, kChannels);
  const unsigned blocks = kernels.sums(stream, on_z.address(), on_dy.address(), on_scale.address(), on_shift.address(), on_beta.address(),
                                       on_sums.address(), rows, kChannels);
  kernels.apply(stream, on_z.address(), on_dy.address(), on_scale.address(), on_shift.address(), on_beta.address(),
                {on_a.address(), on_b.address(), on_d.address()}, on_dz.address(), rows, kChannels);
  testing::Tensor y = z, dz = z;
  std::vector<float> sums(kernels.sum_count(rows, kChannels));
  stream.copy_to_host(y.data(), on_y.address(), bytes);
  stream.copy_to_host(dz.data(), on_dz.address(), bytes);
  stream.copy_to_host(sums.data(), on_sums.address(), sums.size() * sizeof(float));
  stream.synchronise();

  const double rounding = storage == Storage::kBf16 ? 0x1p-8 : 0x1p-20;
  const std::size_t kinds = 2 + parameters;
  std::vector<double> expected_sums(kinds * kChannels, 0.0), magnitudes(kinds * kChannels, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t c = i % kChannels;
    std::vector<double> betas(parameters);
    for (std::size_t k = 0; k < parameters; ++k) betas[k] = beta[k * kChannels + c];
    const Evaluation at = evaluate(program, static_cast<double>(std::fma(scale[c], z[i], shift[c])), betas);
    const double g = dy[i] * at.dydx;
    ASSERT_NEAR(y[i], at.y, rounding * std::abs(at.y) + 2e-6) << formula << ", element " << i << " of " << n;
    const double dz_expected = a[c] * g + b[c] * z[i] + d[c];
    ASSERT_NEAR(dz[i], dz_expected, rounding * std::abs(dz_expected) + 5e-6) << formula << ", element " << i << " of " << n;
    const auto add = [&](std::size_t kind, double term) {
      expected_sums[kind * kChannels + c] += term;
      magnitudes[kind * kChannels + c] += std::abs(term);
    };
    add(0, g);
    add(1, g * z[i]);
    for (std::size_t k = 0; k < parameters; ++k) add(2 + k, dy[i] * at.dydbeta[k]);
  }
  for (std::size_t place = 0; place < expected_sums.size(); ++place) {
    double sum = 0;
    for (std::size_t block = 0; block < blocks; ++block) sum += sums[block * expected_sums.size() + place];
    // A thread adds up to rows / blocks / lines terms one after the other, each rounded.
    ASSERT_NEAR(sum, expected_sums[place], 2e-5 * magnitudes[place] + 1e-5) << formula << ", sum " << place << ", rows " << rows;
  }
}

TEST_F(CudaKernels, AgreeWithTheReferenceAtAllSizes) {
  const CudaDevice device(0);
  const std::vector<std::size_t> sizes =
      simulated() ? std::vector<std::size_t>{1, 255, 256, 257, 3'001} : std::vector<std::size_t>{1, 255, 256, 257, 1'000'003};
  for (const char* const formula : {"relu", "swish", "gelu", "x * sigmoid(beta0 * x) + beta1 * tanh(x)"}) {
    for (const Storage storage : {Storage::kBf16, Storage::kFp32}) {
      for (const std::size_t rows : sizes) {
        compare(device, formula, storage, rows);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(CudaKernels, AMissingKernelIsNamed) {
  const CudaDevice device(0);
  device.make_current();
  const CudaModule module(Nvrtc().compile("extern \"C\" __global__ void present() {}", device.architecture()).cubin);
  EXPECT_NO_THROW(module.function("present"));
  EXPECT_THROW(module.function("absent"), CudaError);
}

TEST_F(CudaKernels, ARecordingThatThrowsLeavesTheStreamAsItWas) {
  const CudaDevice device(0);
  device.make_current();
  CudaStream stream;
  const CudaMemory memory(sizeof(float));
  const auto fails = [&] {
    stream.set_zero(memory.address(), memory.size());
    throw std::runtime_error("in between");
  };
  EXPECT_THROW(stream.record(fails), std::runtime_error);
  float value = 1;
  stream.copy_to_device(memory.address(), &value, sizeof value);
  stream.launch(stream.record([&] { stream.set_zero(memory.address(), memory.size()); }));
  stream.copy_to_host(&value, memory.address(), sizeof value);
  stream.synchronise();
  EXPECT_EQ(value, 0.0f);
}

TEST_F(CudaKernels, ALackOfMemoryIsItsOwnError) {
  const CudaDevice device(0);
  device.make_current();
  EXPECT_THROW(CudaMemory(device.total_memory() + 1), CudaOutOfMemory);
  EXPECT_NO_THROW(CudaMemory(1 << 20)) << "and what follows works";
}

TEST_F(CudaKernels, ADeviceThatIsNotThereIsRefused) {
  EXPECT_THROW(CudaDevice(CudaDevice::count()), std::out_of_range);
  EXPECT_THROW(CudaDevice(-1), std::out_of_range);
}

}  // namespace
}  // namespace actsearch
