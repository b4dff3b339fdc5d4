#include "evaluator/cpu/model.h"

#include <algorithm>
#include <optional>

#include "evaluator/cpu/buffer.h"
#include "evaluator/cpu/convolution.h"
#include "evaluator/cpu/dnn.h"
#include "evaluator/cpu/interleave.h"
#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"
#include "evaluator/network/plan.h"
#include "grammar/notation.h"

namespace actsearch {
namespace {

/// What a step needs beside the plan. Of the kinds one is there.
struct Work {
  std::optional<Convolution> convolution;
  std::optional<MatrixProduct> product;
  std::optional<NormalisedActivation> normalised;
  std::optional<BiasedActivation> biased;
  std::optional<Pool> pool;  ///< none: a max-pool of 2×2
};

bool is_usual_pool(const Step& step) {
  return step.kind == StepKind::kMaxPool && step.kernel == 2 && step.stride == 2 && step.padding == 0;
}

}  // namespace

struct Model::Impl {
  Impl(const Network& network_, const EigenKernel& activation_, int batch_, Precision precision_, int threads_, std::uint64_t seed)
      : network(network_), activation(activation_), batch(batch_), precision(precision_), threads(threads_), context(threads_) {
    storage = precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32;
    plan = actsearch::plan(network, activation.parameter_count(), parameters);
    group = static_cast<std::size_t>(interleaved_images(plan, batch, precision));
    images = Buffer(bytes(plan.shape(0).elements()));
    if (group > 1) interleaved_input = Buffer(images.size());
    place_tensors();
    for (const Step& step : plan.steps) add_work(step);
    logits.resize(images_in_batch() * static_cast<std::size_t>(plan.classes));
    dL_dlogits = Buffer(bytes(static_cast<std::size_t>(plan.classes)));
    initialise(network, plan, seed, parameters);
  }

  /// Bytes of a tensor with so many elements per image.
  std::size_t bytes(std::size_t elements) const { return images_in_batch() * elements * storage_bytes(storage); }
  std::size_t images_in_batch() const { return static_cast<std::size_t>(batch); }
  std::size_t rows(int tensor) const { return images_in_batch() * plan.shape(tensor).pixels(); }
  std::size_t pixel_bytes(int tensor) const { return static_cast<std::size_t>(plan.shape(tensor).channels) * storage_bytes(storage); }
  const Step& head() const { return plan.steps.back(); }

  /// Whether the flatten copies: interleaved images of one pixel are in order as they are.
  bool reorders(const Step& step) const { return step.kind == StepKind::kFlatten && group > 1 && plan.shape(step.x).side > 1; }

  void place_tensors() {
    for (const std::size_t elements : plan.slot_elements) slots.emplace_back(bytes(elements));
    for (const std::size_t elements : plan.gradient_elements) gradients.emplace_back(bytes(elements));
    tensors.resize(plan.tensors.size());
    tensors[0] = group > 1 ? interleaved_input.data() : images.data();
    for (const Step& step : plan.steps) {
      unsigned char*& y = tensors[static_cast<std::size_t>(step.y)];
      if (reorders(step)) {
        y = slots.emplace_back(bytes(plan.shape(step.y).elements())).data();
      } else if (step.kind == StepKind::kFlatten || step.kind == StepKind::kDropout) {
        y = tensor(step.x);
      } else if (&step != &head()) {
        y = slots[static_cast<std::size_t>(plan.slot(step.y))].data();
      }
    }
  }
  unsigned char* tensor(int number) { return tensors[static_cast<std::size_t>(number)]; }

  void add_work(const Step& step) {
    Work& one = work.emplace_back();
    const TensorShape &in = plan.shape(step.x), &out = plan.shape(step.y);
    const auto channels = static_cast<std::size_t>(in.channels);
    switch (step.kind) {
      case StepKind::kConvolution:
        one.convolution.emplace(context,
                                ConvolutionShape{batch, in.channels, out.channels, in.side, static_cast<int>(group), step.kernel,
                                                 step.stride, step.padding, step.groups},
                                precision, step.x != 0);
        return;
      case StepKind::kDense:
        one.product.emplace(context, batch, in.channels, out.channels, precision, &step == &head());
        return;
      case StepKind::kElementwise: {
        const EigenKernel& kernel = step.activated ? activation : identity;
        if (step.normalised)
          one.normalised.emplace(kernel, storage, channels, network.batch_norm_momentum, network.batch_norm_epsilon, threads);
        else
          one.biased.emplace(kernel, storage, channels, threads);
        if (!step.normalised && !step.biased) {
          zeros.resize(std::max(zeros.size(), channels), 0.0f);
          unused_gradient.resize(zeros.size());
        }
        return;
      }
      case StepKind::kMaxPool:
      case StepKind::kAveragePool:
        if (is_usual_pool(step)) return;
        one.pool.emplace(context,
                         PoolShape{static_cast<int>(images_in_batch() / group), static_cast<int>(group) * in.channels, in.side, step.kernel,
                                   step.stride, step.padding, step.kind == StepKind::kAveragePool},
                         precision);
        return;
      case StepKind::kAdd:
      case StepKind::kFlatten:
      case StepKind::kDropout:
        return;
    }
  }

  NormalisedActivation::Values norm_values(const Step& at) const {
    return {parameters.value(at.gamma), parameters.value(at.delta), parameters.value(at.beta)};
  }
  NormalisedActivation::Gradients norm_gradients(const Step& at) {
    return {parameters.gradient(at.gamma), parameters.gradient(at.delta), parameters.gradient(at.beta)};
  }
  const float* bias_values(const Step& at) const { return at.biased ? parameters.value(at.bias) : zeros.data(); }

  void set_weights() {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i];
      if (work[i].convolution) work[i].convolution->set_weights(parameters.value(step.weights));
      if (work[i].product) work[i].product->set_weights(parameters.value(step.weights));
    }
    stale = false;
  }

  void drop(const Step& step, void* x, std::uint64_t dropout_key) const {
    dropout(storage, x, images_in_batch() * plan.shape(step.x).elements(), step.probability,
            hash(dropout_key, static_cast<std::uint64_t>(step.dropout)), threads);
  }

  void forward(bool training, std::uint64_t dropout_key) {
    if (stale) set_weights();
    if (group > 1) interleave(images.data(), images_in_batch(), plan.shape(0).pixels(), pixel_bytes(0), group, interleaved_input.data());
    for (std::size_t i = 0; i < plan.steps.size(); ++i) forward(plan.steps[i], work[i], training, dropout_key);
    const float* const bias = parameters.value(head().bias);
    const auto classes = static_cast<std::size_t>(plan.classes);
    for (std::size_t n = 0; n < logits.size(); ++n) logits[n] += bias[n % classes];
  }

  void forward(const Step& step, Work& one, bool training, std::uint64_t dropout_key) {
    const void* const x = tensor(step.x);
    void* const y = &step == &head() ? static_cast<void*>(logits.data()) : tensor(step.y);
    const TensorShape& in = plan.shape(step.x);
    switch (step.kind) {
      case StepKind::kConvolution:
        one.convolution->forward(x, y);
        return;
      case StepKind::kDense:
        one.product->forward(x, y);
        return;
      case StepKind::kElementwise:
        if (!step.normalised)
          one.biased->forward(bias_values(step), parameters.value(step.beta), x, rows(step.x), y);
        else if (training)
          one.normalised->forward_training(norm_values(step), x, rows(step.x), y);
        else
          one.normalised->forward_inference(norm_values(step), x, rows(step.x), y);
        return;
      case StepKind::kAdd:
        add(storage, x, tensor(step.other), images_in_batch() * in.elements(), y, threads);
        return;
      case StepKind::kMaxPool:
      case StepKind::kAveragePool:
        if (one.pool) {
          one.pool->forward(x, y);
        } else {
          max_pool(storage, x, images_in_batch() / group, static_cast<std::size_t>(in.side), group * static_cast<std::size_t>(in.channels),
                   y, threads);
        }
        return;
      case StepKind::kFlatten:
        if (reorders(step)) deinterleave(x, images_in_batch(), in.pixels(), pixel_bytes(step.x), group, y);
        return;
      case StepKind::kDropout:
        if (training) drop(step, y, dropout_key);
        return;
    }
  }

  void head_bias_gradient(std::span<const Label> labels) {
    // The mean over the batch of (probability - one-hot), recomputed in fp32: the stored gradient may be bf16.
    std::vector<float> exact(logits.size());
    softmax_cross_entropy(logits.data(), static_cast<std::size_t>(plan.classes), labels, Storage::kFp32, exact.data());
    const auto classes = static_cast<std::size_t>(plan.classes);
    float* const sum = parameters.gradient(head().bias);
    std::fill_n(sum, classes, 0.0f);
    for (std::size_t i = 0; i < exact.size(); ++i) sum[i % classes] += exact[i];
  }

  unsigned char* gradient(int buffer) { return buffer < 0 ? dL_dlogits.data() : gradients[static_cast<std::size_t>(buffer)].data(); }

  void backward(std::span<const Label> labels, std::uint64_t dropout_key) {
    head_bias_gradient(labels);
    for (const BackwardStep& back : plan.backward) {
      const Step& step = plan.steps[back.step];
      const auto size = [&](int tensor) { return images_in_batch() * plan.shape(tensor).elements(); };
      unsigned char* const dL_dy = gradient(back.incoming);
      if (back.other_adds)
        add(storage, gradient(back.other), dL_dy, size(step.other), gradient(back.other), threads);
      else if (back.other >= 0)
        std::copy_n(dL_dy, size(step.other) * storage_bytes(storage), gradient(back.other));
      backward(step, work[back.step], dL_dy, back.outgoing < 0 ? nullptr : gradient(back.outgoing), dropout_key);
      if (back.sum >= 0) add(storage, gradient(back.sum), gradient(back.outgoing), size(step.x), gradient(back.sum), threads);
    }
  }

  /// dL_dx is dL_dy where the step works in place.
  void backward(const Step& step, Work& one, unsigned char* dL_dy, unsigned char* dL_dx, std::uint64_t dropout_key) {
    const TensorShape& in = plan.shape(step.x);
    switch (step.kind) {
      case StepKind::kConvolution:
        one.convolution->backward(tensor(step.x), dL_dy, dL_dx, parameters.gradient(step.weights));
        return;
      case StepKind::kDense:
        one.product->backward(tensor(step.x), dL_dy, dL_dx, parameters.gradient(step.weights));
        return;
      case StepKind::kElementwise:
        if (step.normalised) {
          one.normalised->backward(norm_values(step), tensor(step.x), rows(step.x), dL_dy, norm_gradients(step));
        } else {
          one.biased->backward(bias_values(step), parameters.value(step.beta), tensor(step.x), rows(step.x), dL_dy,
                               step.biased ? parameters.gradient(step.bias) : unused_gradient.data(), parameters.gradient(step.beta));
        }
        return;
      case StepKind::kMaxPool:
      case StepKind::kAveragePool:
        if (one.pool) {
          one.pool->backward(dL_dy, dL_dx);
        } else {
          max_pool_backward(storage, tensor(step.x), tensor(step.y), dL_dy, images_in_batch() / group, static_cast<std::size_t>(in.side),
                            group * static_cast<std::size_t>(in.channels), dL_dx, threads);
        }
        return;
      case StepKind::kFlatten:
        if (reorders(step)) {
          unsigned char* const turns = context.scratch(bytes(in.elements()));
          interleave(dL_dy, images_in_batch(), in.pixels(), pixel_bytes(step.x), group, turns);
          std::copy_n(turns, bytes(in.elements()), dL_dx);
        }
        return;
      case StepKind::kDropout:
        drop(step, dL_dy, dropout_key);
        return;
      case StepKind::kAdd:
        return;
    }
  }

  Network network;
  const EigenKernel& activation;
  const EigenKernel identity{lower(parse("x"))};  ///< of elementwise steps without the activation
  int batch;
  Precision precision;
  int threads;
  Storage storage = Storage::kFp32;
  DnnContext context;
  Parameters parameters;
  Plan plan;
  std::size_t group = 1;   ///< images that are interleaved
  std::vector<Work> work;  ///< one a step
  bool stale = true;       ///< the layers' converted weights are older than the parameters
  Buffer images, interleaved_input, dL_dlogits;
  std::vector<Buffer> slots;
  std::vector<unsigned char*> tensors;        ///< of the plan: where each lies
  std::vector<float> zeros, unused_gradient;  ///< the bias of elementwise steps that have none, and its gradient
  std::vector<Buffer> gradients;              ///< the plan's buffers
  std::vector<float> logits;
};

Model::Model(const Network& network, const EigenKernel& activation, int batch, Precision precision, int threads, std::uint64_t seed)
    : impl_(std::make_unique<Impl>(network, activation, batch, precision, threads, seed)) {}
Model::~Model() = default;

int Model::batch() const { return impl_->batch; }
Storage Model::storage() const { return impl_->storage; }
void* Model::images() { return impl_->images.data(); }
const std::vector<float>& Model::logits() const { return impl_->logits; }
Parameters& Model::parameters() {
  impl_->stale = true;
  return impl_->parameters;
}

BatchResult Model::train(std::span<const Label> labels, std::uint64_t dropout_key) {
  impl_->forward(true, dropout_key);
  const BatchResult result = softmax_cross_entropy(impl_->logits.data(), static_cast<std::size_t>(impl_->plan.classes), labels,
                                                   impl_->storage, impl_->dL_dlogits.data());
  impl_->backward(labels, dropout_key);
  return result;
}

BatchResult Model::evaluate(std::span<const Label> labels) {
  impl_->forward(false, 0);
  return softmax_cross_entropy(impl_->logits.data(), static_cast<std::size_t>(impl_->plan.classes), labels, impl_->storage, nullptr);
}

std::vector<std::vector<float>*> Model::running_statistics() {
  std::vector<std::vector<float>*> all;
  for (Work& one : impl_->work) {
    if (!one.normalised) continue;
    all.push_back(&one.normalised->running_mean());
    all.push_back(&one.normalised->running_variance());
  }
  return all;
}

std::vector<float> Model::beta(int k) const { return beta_of(impl_->plan, k, impl_->parameters.value(0)); }

}  // namespace actsearch
