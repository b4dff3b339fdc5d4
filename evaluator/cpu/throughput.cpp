#include "evaluator/cpu/throughput.h"

#include <chrono>
#include <optional>
#include <vector>

#include "evaluator/cpu/buffer.h"
#include "evaluator/cpu/convolution.h"
#include "evaluator/cpu/descend.h"
#include "evaluator/cpu/dnn.h"
#include "evaluator/cpu/model.h"
#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"
#include "kernels/cpu/eigen_kernel.h"
#include "kernels/storage.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;

void fill_normal(Storage storage, void* tensor, std::size_t n, std::uint64_t key) {
  RandomStream random(key);
  for (std::size_t i = 0; i < n; ++i) {
    const auto value = static_cast<float>(random.normal());
    switch (storage) {
      case Storage::kFp32:
        static_cast<float*>(tensor)[i] = value;
        break;
      case Storage::kBf16:
        static_cast<Bf16*>(tensor)[i] = Bf16(value);
        break;
    }
  }
}

/// Repeats the step after one untimed call, at least three times and for at least `seconds`.
template <class Step>
double steps_per_second(Step&& step, double seconds) {
  step();
  const auto start = Clock::now();
  double elapsed = 0;
  int done = 0;
  do {
    step();
    ++done;
    elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  } while (elapsed < seconds || done < 3);
  return done / elapsed;
}

/// Every convolution of the network, forward and backward, on its own buffers. Layers are Convolution or DirectConvolution.
template <class Kind>
struct ConvolutionsAlone {
  struct Layer {
    Kind convolution;
    Buffer x, y, dx, dy;
    std::vector<float> weights, gradient;
  };
  ConvolutionsAlone(DnnContext& context, const Recipe& recipe, const Plan& plan, Precision precision, int interleave) {
    const Storage storage = precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32;
    for (const Step& at : plan.steps) {
      if (at.kind != StepKind::kConvolution) continue;
      const TensorShape &in = plan.shape(at.x), &out = plan.shape(at.y);
      const auto batch = static_cast<std::size_t>(recipe.batch);
      const std::size_t x = batch * in.elements(), y = batch * out.elements();
      const auto kernel = static_cast<std::size_t>(at.kernel);
      const std::size_t weights =
          kernel * kernel * static_cast<std::size_t>(in.channels / at.groups) * static_cast<std::size_t>(out.channels);
      Layer layer{Kind(context, {recipe.batch, in.channels, out.channels, in.side, interleave, at.kernel, at.stride, at.padding, at.groups},
                       precision, at.x != 0),
                  Buffer(x * storage_bytes(storage)),
                  Buffer(y * storage_bytes(storage)),
                  Buffer(at.x == 0 ? 0 : x * storage_bytes(storage)),
                  Buffer(y * storage_bytes(storage)),
                  std::vector<float>(weights, 0.01f),
                  std::vector<float>(weights)};
      fill_normal(storage, layer.x.data(), x, 1);
      fill_normal(storage, layer.dy.data(), y, 2);
      layer.convolution.set_weights(layer.weights.data());
      layers.push_back(std::move(layer));
    }
  }
  void step() {
    for (Layer& layer : layers) {
      layer.convolution.forward(layer.x.data(), layer.y.data());
      layer.convolution.backward(layer.x.data(), layer.dy.data(), layer.dx.empty() ? nullptr : layer.dx.data(), layer.gradient.data());
    }
  }
  std::vector<Layer> layers;
};

}  // namespace

double training_throughput(const Recipe& recipe, const Program& activation, Precision precision, int threads, double seconds) {
  const EigenKernel kernel(activation);
  Model model(recipe.network, kernel, recipe.batch, precision, threads, 1);
  const int side = recipe.network.image_side;
  fill_normal(model.storage(), model.images(),
              static_cast<std::size_t>(recipe.batch) * static_cast<std::size_t>(side * side * recipe.network.images.channels), 3);
  std::vector<Label> labels(static_cast<std::size_t>(recipe.batch));
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<Label>(i % static_cast<std::size_t>(recipe.network.images.classes));
  // A rate of 0 keeps the values where they are: the time of a step does not depend on them.
  const auto step = [&] {
    model.train(labels, 4);
    descend(model.parameters(), 0.0, recipe.momentum, recipe.weight_decay, recipe.decay_all, threads);
  };
  return recipe.batch * steps_per_second(step, seconds);
}

ConvolutionThroughput convolution_throughput(const Recipe& recipe, Precision precision, int threads, double seconds) {
  DnnContext context(threads);
  Parameters parameters(Parameters::Kept::kSizes);
  const Plan steps = plan(recipe.network, 0, parameters);
  const auto images_per_second = [&](auto&& convolutions) {
    return recipe.batch * steps_per_second([&] { convolutions.step(); }, seconds);
  };
  return {.library = images_per_second(ConvolutionsAlone<DirectConvolution>(context, recipe, steps, precision, 1)),
          .training = images_per_second(
              ConvolutionsAlone<Convolution>(context, recipe, steps, precision, interleaved_images(steps, recipe.batch, precision)))};
}

}  // namespace actsearch
