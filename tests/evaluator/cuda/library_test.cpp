// The libraries' part of a network on a CUDA device, beside sums in double: every convolution and product of the recipes, forward and both
// gradients, at elements drawn at random. On the simulator the shapes are small ones.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <set>

#include "evaluator/cuda/cublas_lt.h"
#include "evaluator/cuda/cudnn.h"
#include "evaluator/network/plan.h"
#include "tests/evaluator/cuda/fixture.h"
#include "tests/kernels/cpu/tensor.h"

namespace actsearch {
namespace {

using testing::Tensor;

using testing::simulated;
using CudaLibraries = testing::OnCuda;

/// A random tensor, here and on the device.
struct Both {
  Both(CudaStream& stream, Storage storage_, std::size_t count, std::uint64_t seed)
      : storage(storage_), size(count), host(storage_, testing::random_floats(count, seed)), device(count * storage_bytes(storage_)) {
    stream.copy_to_device(device.address(), host.data(), device.size());
    stream.synchronise();
  }
  /// What the device holds now.
  Tensor read(CudaStream& stream) const {
    Tensor result = host;
    stream.copy_to_host(result.data(), device.address(), device.size());
    stream.synchronise();
    return result;
  }
  Storage storage;
  std::size_t size;
  Tensor host;
  CudaMemory device;
};

/// A sum in double, with the sum of its terms' magnitudes.
struct Sum {
  double value = 0, magnitude = 0;
  int terms = 0;
  void add(double term) {
    value += term;
    magnitude += std::abs(term);
    ++terms;
  }
  /// By how much a sum of bf16 terms in fp32 may be off: twice √n roundings of the magnitude (Higham and Mary, 2019, say why √n). Libraries
  /// add longer sums in parts of some hundred terms, so more of them allow no more.
  double rounding() const {
    constexpr int kPart = 512;
    return 2 * std::sqrt(static_cast<double>(std::min(terms, kPart))) * 0x1p-24 * magnitude;
  }
};

/// Compares the result at some random places. In bf16 each is compared alone. In fp32 the norm of the difference is: an engine whose
/// transforms mix pixels (Winograd's) rounds relative to all that it mixes, also where few terms make an element. An element of an H200's
/// was off by 8e-6 of its value. Products rounded to tf32 are off by 3e-4 of the norm, and one wrong element by more than 0.05.
void compare(const Tensor& result, Storage storage, std::size_t size, const std::function<Sum(std::size_t)>& expected,
             const std::string& what) {
  std::mt19937_64 random(7);
  constexpr int kSamples = 200;
  constexpr double kMost = 3e-5;
  double difference = 0, norm = 0;
  for (int i = 0; i < kSamples; ++i) {
    const std::size_t place = random() % size;
    const Sum sum = expected(place);
    difference += std::pow(result[place] - sum.value, 2);
    norm += std::pow(sum.value, 2);
    if (storage == Storage::kBf16) {
      ASSERT_NEAR(result[place], sum.value, 0x1p-8 * std::abs(sum.value) + sum.rounding() + 1e-30) << what << ", element " << place;
    }
  }
  if (storage == Storage::kFp32) {
    ASSERT_LE(std::sqrt(difference), kMost * std::sqrt(norm)) << what;
  }
}

void compare_convolution(const CudaConvolutionShape& shape) {
  const auto batch = static_cast<std::size_t>(shape.batch), in = static_cast<std::size_t>(shape.in_channels),
             out = static_cast<std::size_t>(shape.out_channels);
  const int side = shape.side, result_side = shape.output_side(), kernel = shape.kernel;
  const auto pixels = static_cast<std::size_t>(side * side), result_pixels = static_cast<std::size_t>(result_side * result_side),
             taps = static_cast<std::size_t>(kernel * kernel);
  const std::string what = std::to_string(shape.batch) + " × " + std::to_string(in) + " to " + std::to_string(out) + ", side " +
                           std::to_string(side) + ", kernel " + std::to_string(kernel) + ", stride " + std::to_string(shape.stride) +
                           (shape.storage == Storage::kBf16 ? ", bf16" : ", fp32");
  CudaStream stream;
  Cudnn cudnn(stream);
  EngineChoices choices(true);
  const Both x(stream, shape.storage, batch * pixels * in, 1), w(stream, shape.storage, out * taps * in, 2),
      y(stream, shape.storage, batch * result_pixels * out, 3);
  const auto x_at = [&](std::size_t n, int r, int c, std::size_t k) {
    return x.host[((n * pixels + static_cast<std::size_t>(r * side + c)) * in) + k];
  };
  const auto y_at = [&](std::size_t n, int r, int c, std::size_t k) {
    return y.host[((n * result_pixels + static_cast<std::size_t>(r * result_side + c)) * out) + k];
  };
  const auto w_at = [&](std::size_t o, int a, int b, std::size_t i) {
    return w.host[(o * taps + static_cast<std::size_t>(kernel * a + b)) * in + i];
  };
  const auto inside = [&](int r, int c) { return r >= 0 && r < side && c >= 0 && c < side; };
  /// Where the tap `a` of the window of a result lies, along one axis.
  const auto input_at = [&](int result, int a) { return result * shape.stride + a - shape.padding; };
  struct Place {
    std::size_t image, channel;
    int row, column;
  };
  const auto place_of = [&](std::size_t at, std::size_t channels, int of_side) {
    const auto all = static_cast<std::size_t>(of_side * of_side);
    const std::size_t pixel = at / channels % all;
    return Place{at / channels / all, at % channels, static_cast<int>(pixel) / of_side, static_cast<int>(pixel) % of_side};
  };
  const auto run = [&](ConvolutionPass pass, const Both& result) {
    CudnnConvolution convolution(cudnn, pass, shape, choices);
    const CudaMemory workspace(convolution.workspace_bytes());
    convolution.run(x.device.address(), w.device.address(), y.device.address(), workspace.address());
    return result.read(stream);
  };
  // Each pass overwrites one of the three on the device, so the next finds it changed: it is put back.
  const auto put_back = [&](const Both& tensor) {
    stream.copy_to_device(tensor.device.address(), tensor.host.data(), tensor.device.size());
    stream.synchronise();
  };

  const Tensor forward = run(ConvolutionPass::kForward, y);
  put_back(y);
  compare(
      forward, shape.storage, y.size,
      [&](std::size_t at) {
        const Place p = place_of(at, out, result_side);
        Sum sum;
        for (int a = 0; a < kernel; ++a) {
          for (int b = 0; b < kernel; ++b) {
            const int r = input_at(p.row, a), c = input_at(p.column, b);
            if (!inside(r, c)) continue;
            for (std::size_t i = 0; i < in; ++i) sum.add(static_cast<double>(x_at(p.image, r, c, i)) * w_at(p.channel, a, b, i));
          }
        }
        return sum;
      },
      "forward " + what);
  const Tensor dx = run(ConvolutionPass::kInputGradient, x);
  put_back(x);
  compare(
      dx, shape.storage, x.size,
      [&](std::size_t at) {
        const Place p = place_of(at, in, side);
        Sum sum;
        for (int r = 0; r < result_side; ++r) {
          for (int c = 0; c < result_side; ++c) {
            const int a = p.row - input_at(r, 0), b = p.column - input_at(c, 0);
            if (a < 0 || a >= kernel || b < 0 || b >= kernel) continue;
            for (std::size_t o = 0; o < out; ++o) sum.add(static_cast<double>(y_at(p.image, r, c, o)) * w_at(o, a, b, p.channel));
          }
        }
        return sum;
      },
      "input gradient " + what);
  const Tensor dw = run(ConvolutionPass::kWeightGradient, w);
  compare(
      dw, shape.storage, w.size,
      [&](std::size_t at) {
        const std::size_t i = at % in, o = at / in / taps;
        const int a = static_cast<int>(at / in % taps) / kernel, b = static_cast<int>(at / in % taps) % kernel;
        Sum sum;
        for (std::size_t n = 0; n < batch; ++n) {
          for (int r = 0; r < result_side; ++r) {
            for (int c = 0; c < result_side; ++c) {
              const int row = input_at(r, a), column = input_at(c, b);
              if (inside(row, column)) sum.add(static_cast<double>(x_at(n, row, column, i)) * y_at(n, r, c, o));
            }
          }
        }
        return sum;
      },
      "weight gradient " + what);
}

void compare_product(int rows, int inputs, int outputs, Storage storage, bool fp32_output) {
  const auto r = static_cast<std::size_t>(rows), n = static_cast<std::size_t>(inputs), m = static_cast<std::size_t>(outputs);
  const std::string what = std::to_string(rows) + " × " + std::to_string(inputs) + " to " + std::to_string(outputs);
  CudaStream stream;
  CublasLt library;
  const CudaMemory workspace(CudaProduct::kWorkspaceBytes);
  const Both x(stream, storage, r * n, 1), w(stream, storage, m * n, 2), dy(stream, storage, r * m, 3);
  const Both y(stream, fp32_output ? Storage::kFp32 : storage, r * m, 4), dx(stream, storage, r * n, 5), dw(stream, storage, m * n, 6);
  const auto run = [&](ProductPass pass, const Both& left, const Both& right, const Both& result) {
    CudaProduct product(library, pass, rows, inputs, outputs, storage, fp32_output && pass == ProductPass::kForward);
    product.run(stream, left.device.address(), right.device.address(), result.device.address(), workspace.address());
    return result.read(stream);
  };
  compare(
      run(ProductPass::kForward, x, w, y), y.storage, y.size,
      [&](std::size_t at) {
        Sum sum;
        for (std::size_t k = 0; k < n; ++k) sum.add(static_cast<double>(x.host[at / m * n + k]) * w.host[at % m * n + k]);
        return sum;
      },
      "product " + what);
  compare(
      run(ProductPass::kInputGradient, dy, w, dx), storage, dx.size,
      [&](std::size_t at) {
        Sum sum;
        for (std::size_t k = 0; k < m; ++k) sum.add(static_cast<double>(dy.host[at / n * m + k]) * w.host[k * n + at % n]);
        return sum;
      },
      "product's input gradient " + what);
  compare(
      run(ProductPass::kWeightGradient, dy, x, dw), storage, dw.size,
      [&](std::size_t at) {
        Sum sum;
        for (std::size_t k = 0; k < r; ++k) sum.add(static_cast<double>(dy.host[k * m + at / n]) * x.host[k * n + at % n]);
        return sum;
      },
      "product's weight gradient " + what);
}

TEST_F(CudaLibraries, ConvolutionsAreSumsInDouble) {
  const CudaDevice device(0);
  device.make_current();
  std::set<std::array<int, 7>> shapes;  // batch, in, out, side, kernel, stride, padding
  if (simulated()) {
    shapes = {{2, 3, 8, 8, 3, 1, 1}, {3, 8, 16, 5, 3, 1, 1}, {2, 16, 8, 2, 3, 1, 1}, {2, 8, 16, 6, 3, 2, 1}, {2, 8, 16, 6, 1, 2, 0}};
  } else {
    for (const Recipe& recipe : recipes()) {
      Parameters parameters(Parameters::Kept::kSizes);
      const Plan steps = plan(recipe.network, 0, parameters);
      for (const Step& step : steps.steps) {
        if (step.kind != StepKind::kConvolution) continue;
        shapes.insert({recipe.batch, steps.shape(step.x).channels, steps.shape(step.y).channels, steps.shape(step.x).side, step.kernel,
                       step.stride, step.padding});
      }
    }
  }
  for (const auto& [batch, in, out, side, kernel, stride, padding] : shapes) {
    for (const Storage storage : {Storage::kFp32, Storage::kBf16}) {
      compare_convolution({batch, in, out, side, storage, kernel, stride, padding, 1});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(CudaLibraries, ProductsAreSumsInDouble) {
  const CudaDevice device(0);
  device.make_current();
  for (const Storage storage : {Storage::kFp32, Storage::kBf16}) {
    compare_product(8, 24, 16, storage, false);
    compare_product(5, 40, 10, storage, true);
    if (simulated()) continue;
    compare_product(128, 512, 4096, storage, false);
    compare_product(128, 4096, 4096, storage, false);
    compare_product(128, 4096, 10, storage, true);
  }
}

}  // namespace
}  // namespace actsearch
