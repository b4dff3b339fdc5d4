// Convolutions forward and backward for the shapes of the recipes: oneDNN's on whole images, and in the way that training takes.
//
// One thread, bf16 where the processor has it, batch 128. Arguments: input channels, output channels, side.

#include <benchmark/benchmark.h>

#include <set>
#include <tuple>
#include <type_traits>
#include <vector>

#include "evaluator/cpu/convolution.h"
#include "evaluator/cpu/dnn.h"
#include "evaluator/data/dataset.h"
#include "evaluator/network/plan.h"
#include "evaluator/network/recipe.h"
#include "evaluator/train/trainer.h"
#include "kernels/cpu/eigen_kernel.h"

namespace {

using namespace actsearch;

constexpr int kBatch = 128;

/// Kind: DirectConvolution on whole images, or Convolution on images as training lays them out.
template <class Kind>
void convolution(benchmark::State& state) {
  const auto in = static_cast<int>(state.range(0)), out = static_cast<int>(state.range(1)), side = static_cast<int>(state.range(2));
  const Precision precision = native_precision();
  const int interleave = std::is_same_v<Kind, Convolution> ? interleaved_images(kBatch, precision) : 1;
  const std::size_t element = storage_bytes(precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32);
  const std::size_t pixels = static_cast<std::size_t>(kBatch) * static_cast<std::size_t>(side * side);
  DnnContext context(1);
  Kind layer(context, {kBatch, in, out, side, interleave}, precision, true);
  // 0x3c3c is a small positive number in bf16 and, twice, in fp32.
  std::vector<unsigned char> x(pixels * static_cast<std::size_t>(in) * element, 0x3c), dx(x.size());
  std::vector<unsigned char> y(pixels * static_cast<std::size_t>(out) * element), dy(y.size(), 0x3c);
  std::vector<float> weights(static_cast<std::size_t>(9 * in * out), 0.01f), gradient(weights.size());
  layer.set_weights(weights.data());
  for (auto _ : state) {
    layer.forward(x.data(), y.data());
    layer.backward(x.data(), dy.data(), dx.data(), gradient.data());
  }
  const double flop = 3 * 2.0 * 9 * static_cast<double>(pixels) * in * out;
  state.counters["GFLOP/s"] = benchmark::Counter(flop * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// Each shape of the recipes' convolutions with at least 16 input channels, once.
void shapes(benchmark::internal::Benchmark* benchmark) {
  std::set<std::tuple<int, int, int>> unique;
  for (const char* const name : {"vgg-s", "vgg16-slim", "vgg16-bn"}) {
    Parameters parameters(Parameters::Kept::kSizes);
    const Plan steps = plan(find_recipe(name).network, 0, parameters);
    for (const Step& step : steps.steps) {
      const int in = steps.shape(step.x).channels;
      if (step.kind == StepKind::kConvolution && in >= 16) unique.insert({-steps.shape(step.x).side, in, steps.shape(step.y).channels});
    }
  }
  for (const auto& [side, in, out] : unique) benchmark->Args({in, out, -side});
}

BENCHMARK(convolution<DirectConvolution>)->Apply(shapes)->Unit(benchmark::kMillisecond)->ArgNames({"in", "out", "side"});
BENCHMARK(convolution<Convolution>)->Apply(shapes)->Unit(benchmark::kMillisecond)->ArgNames({"in", "out", "side"});

}  // namespace

BENCHMARK_MAIN();
