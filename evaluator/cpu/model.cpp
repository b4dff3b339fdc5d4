#include "evaluator/cpu/model.h"

#include <optional>

#include "evaluator/cpu/buffer.h"
#include "evaluator/cpu/convolution.h"
#include "evaluator/cpu/dnn.h"
#include "evaluator/cpu/interleave.h"
#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"
#include "evaluator/network/network_layout.h"

namespace actsearch {
namespace {

struct FeatureBlock {
  FeatureLayout layout;
  Convolution convolution;
  NormalisedActivation activation;
  Buffer z, y, pooled;
  std::size_t rows(int batch) const { return static_cast<std::size_t>(batch) * static_cast<std::size_t>(layout.side * layout.side); }
  const void* output() const { return layout.pool ? pooled.data() : y.data(); }
};

struct HiddenBlock {
  DenseLayout layout;
  MatrixProduct product;
  BiasedActivation activation;
  Buffer z, y;
};

}  // namespace

struct Model::Impl {
  Impl(const Network& network_, const EigenKernel& activation_, int batch_, Precision precision_, int threads_, std::uint64_t seed)
      : network(network_), activation(activation_), batch(batch_), precision(precision_), threads(threads_), context(threads_) {
    storage = precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32;
    images = Buffer(bytes(image_pixels() * image_channels()));
    if (group() > 1) interleaved_input = Buffer(images.size());
    layout = lay_out(network, activation.parameter_count(), parameters);
    add_features();
    if (group() > 1 && feature_pixels() > 1) flat = Buffer(bytes(layout.features.back().output_elements()));
    add_hidden();
    head.emplace(context, batch, static_cast<int>(layout.head.inputs), network.images.classes, precision, true);
    logits.resize(static_cast<std::size_t>(batch) * classes());
    dL_dlogits = Buffer(bytes(classes()));
    for (auto& buffer : gradient) buffer = Buffer(bytes(largest));
    initialise(network, layout, seed, parameters);
  }

  /// Bytes of a tensor with so many elements per image.
  std::size_t bytes(std::size_t elements) const { return static_cast<std::size_t>(batch) * elements * storage_bytes(storage); }

  std::size_t images_in_batch() const { return static_cast<std::size_t>(batch); }
  std::size_t group() const { return static_cast<std::size_t>(interleaved_images(batch, precision)); }

  std::size_t image_channels() const { return static_cast<std::size_t>(network.images.channels); }
  std::size_t classes() const { return layout.head.units; }
  /// Pixels of an image that comes in.
  std::size_t image_pixels() const {
    const auto side = static_cast<std::size_t>(network.image_side);
    return side * side;
  }
  /// Pixels of an image that leaves the features.
  std::size_t feature_pixels() const {
    const auto side = static_cast<std::size_t>(layout.features.back().output_side());
    return side * side;
  }

  void add_features() {
    for (const FeatureLayout& feature : layout.features) {
      const int in = static_cast<int>(feature.in_channels), out = static_cast<int>(feature.channels);
      features.push_back(
          {feature, Convolution(context, {batch, in, out, feature.side, static_cast<int>(group())}, precision, !features.empty()),
           NormalisedActivation(activation, storage, feature.channels, network.batch_norm_momentum, network.batch_norm_epsilon, threads),
           Buffer(bytes(feature.elements())), Buffer(bytes(feature.elements())),
           feature.pool ? Buffer(bytes(feature.output_elements())) : Buffer()});
      largest = std::max(largest, feature.elements());
    }
  }

  void add_hidden() {
    for (const DenseLayout& dense : layout.hidden) {
      hidden.push_back(
          {dense, MatrixProduct(context, batch, static_cast<int>(dense.inputs), static_cast<int>(dense.units), precision, false),
           BiasedActivation(activation, storage, dense.units, threads), Buffer(bytes(dense.units)), Buffer(bytes(dense.units))});
      largest = std::max(largest, dense.units);
    }
  }

  NormalisedActivation::Values norm_values(const FeatureLayout& at) const {
    return {parameters.value(at.gamma), parameters.value(at.delta), parameters.value(at.beta)};
  }
  NormalisedActivation::Gradients norm_gradients(const FeatureLayout& at) {
    return {parameters.gradient(at.gamma), parameters.gradient(at.delta), parameters.gradient(at.beta)};
  }

  std::size_t pixel_bytes(std::size_t channels) const { return channels * storage_bytes(storage); }
  /// What the first convolution reads.
  const void* feature_input() const { return interleaved_input.empty() ? images.data() : interleaved_input.data(); }
  /// What the layers after the features read: whole images again. Those of one pixel are whole as they are.
  const void* feature_output() const { return flat.empty() ? features.back().output() : flat.data(); }

  void set_weights() {
    for (FeatureBlock& block : features) block.convolution.set_weights(parameters.value(block.layout.weights));
    for (HiddenBlock& block : hidden) block.product.set_weights(parameters.value(block.layout.weights));
    head->set_weights(parameters.value(layout.head.weights));
    stale = false;
  }

  void forward(bool training, std::uint64_t dropout_key) {
    if (stale) set_weights();
    if (!interleaved_input.empty())
      interleave(images.data(), images_in_batch(), image_pixels(), pixel_bytes(image_channels()), group(), interleaved_input.data());
    const void* x = feature_input();
    for (FeatureBlock& block : features) {
      block.convolution.forward(x, block.z.data());
      if (training) {
        block.activation.forward_training(norm_values(block.layout), block.z.data(), block.rows(batch), block.y.data());
      } else {
        block.activation.forward_inference(norm_values(block.layout), block.z.data(), block.rows(batch), block.y.data());
      }
      if (block.layout.pool) {
        max_pool(storage, block.y.data(), images_in_batch() / group(), static_cast<std::size_t>(block.layout.side),
                 group() * block.layout.channels, block.pooled.data(), threads);
      }
      x = block.output();
    }
    if (!flat.empty()) {
      deinterleave(x, images_in_batch(), feature_pixels(), pixel_bytes(layout.features.back().channels), group(), flat.data());
    }
    x = feature_output();
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      HiddenBlock& block = hidden[i];
      block.product.forward(x, block.z.data());
      block.activation.forward(parameters.value(block.layout.bias), parameters.value(block.layout.beta), block.z.data(),
                               static_cast<std::size_t>(batch), block.y.data());
      if (training) drop(block.y.data(), block.layout.units, dropout_key, i);
      x = block.y.data();
    }
    head->forward(x, logits.data());
    const float* const bias = parameters.value(layout.head.bias);
    for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += bias[i % classes()];
  }

  void drop(void* x, std::size_t units, std::uint64_t dropout_key, std::size_t layer) const {
    if (network.dropout > 0)
      dropout(storage, x, static_cast<std::size_t>(batch) * units, network.dropout, hash(dropout_key, layer), threads);
  }

  void head_bias_gradient(std::span<const Label> labels) {
    // The mean over the batch of (probability - one-hot), recomputed in fp32: the stored gradient may be bf16.
    std::vector<float> exact(logits.size());
    softmax_cross_entropy(logits.data(), classes(), labels, Storage::kFp32, exact.data());
    float* const sum = parameters.gradient(layout.head.bias);
    std::fill_n(sum, classes(), 0.0f);
    for (std::size_t i = 0; i < exact.size(); ++i) sum[i % classes()] += exact[i];
  }

  void backward(std::span<const Label> labels, std::uint64_t dropout_key) {
    head_bias_gradient(labels);
    unsigned char* incoming = gradient[0].data();  // dL/d(output of the layer at hand)
    unsigned char* other = gradient[1].data();
    head->backward(hidden.empty() ? feature_output() : hidden.back().y.data(), dL_dlogits.data(), incoming,
                   parameters.gradient(layout.head.weights));
    for (std::size_t i = hidden.size(); i-- > 0;) {
      HiddenBlock& block = hidden[i];
      drop(incoming, block.layout.units, dropout_key, i);
      block.activation.backward(parameters.value(block.layout.bias), parameters.value(block.layout.beta), block.z.data(),
                                static_cast<std::size_t>(batch), incoming, parameters.gradient(block.layout.bias),
                                parameters.gradient(block.layout.beta));
      block.product.backward(i == 0 ? feature_output() : hidden[i - 1].y.data(), incoming, other,
                             parameters.gradient(block.layout.weights));
      std::swap(incoming, other);
    }
    if (!flat.empty()) {
      interleave(incoming, images_in_batch(), feature_pixels(), pixel_bytes(layout.features.back().channels), group(), other);
      std::swap(incoming, other);
    }
    for (std::size_t i = features.size(); i-- > 0;) {
      FeatureBlock& block = features[i];
      if (block.layout.pool) {
        max_pool_backward(storage, block.y.data(), block.pooled.data(), incoming, images_in_batch() / group(),
                          static_cast<std::size_t>(block.layout.side), group() * block.layout.channels, other, threads);
        std::swap(incoming, other);
      }
      block.activation.backward(norm_values(block.layout), block.z.data(), block.rows(batch), incoming, norm_gradients(block.layout));
      block.convolution.backward(i == 0 ? feature_input() : features[i - 1].output(), incoming, i == 0 ? nullptr : other,
                                 parameters.gradient(block.layout.weights));
      std::swap(incoming, other);
    }
  }

  Network network;
  const EigenKernel& activation;
  int batch;
  Precision precision;
  int threads;
  Storage storage = Storage::kFp32;
  DnnContext context;
  Parameters parameters;
  NetworkLayout layout;
  std::vector<FeatureBlock> features;
  std::vector<HiddenBlock> hidden;
  std::optional<MatrixProduct> head;
  std::size_t largest = 0;  ///< elements per image of the largest tensor that needs a gradient
  bool stale = true;        ///< the layers' converted weights are older than the parameters
  Buffer images, dL_dlogits;
  // Where images are interleaved:
  Buffer interleaved_input;
  Buffer flat;  ///< the features' output as whole images, where an image has more than one pixel
  Buffer gradient[2];
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
  const BatchResult result =
      softmax_cross_entropy(impl_->logits.data(), impl_->classes(), labels, impl_->storage, impl_->dL_dlogits.data());
  impl_->backward(labels, dropout_key);
  return result;
}

BatchResult Model::evaluate(std::span<const Label> labels) {
  impl_->forward(false, 0);
  return softmax_cross_entropy(impl_->logits.data(), impl_->classes(), labels, impl_->storage, nullptr);
}

std::vector<std::vector<float>*> Model::running_statistics() {
  std::vector<std::vector<float>*> all;
  for (FeatureBlock& block : impl_->features) {
    all.push_back(&block.activation.running_mean());
    all.push_back(&block.activation.running_variance());
  }
  return all;
}

std::vector<float> Model::beta(int k) const { return beta_of(impl_->layout, k, impl_->parameters.value(0)); }

}  // namespace actsearch
