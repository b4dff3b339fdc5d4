#include "evaluator/model.h"

#include <cmath>
#include <optional>

#include "evaluator/buffer.h"
#include "evaluator/dataset.h"
#include "evaluator/dnn.h"
#include "evaluator/interleave.h"
#include "evaluator/random.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

/// Where a layer's trainable values lie in Parameters.
struct NormOffsets {
  std::size_t gamma, delta, beta;
};

struct FeatureBlock {
  std::size_t channels = 0;
  int side = 0;
  std::size_t weights = 0;
  NormOffsets norm{};
  Convolution convolution;
  NormalisedActivation activation;
  bool pool = false;
  Buffer z, y, pooled;
  std::size_t rows(int batch) const { return static_cast<std::size_t>(batch) * static_cast<std::size_t>(side * side); }
  const void* output() const { return pool ? pooled.data() : y.data(); }
  int output_side() const { return pool ? side / 2 : side; }
};

struct HiddenBlock {
  std::size_t units = 0;
  std::size_t weights = 0, bias = 0, beta = 0;
  MatrixProduct product;
  BiasedActivation activation;
  Buffer z, y;
};

}  // namespace

struct Model::Impl {
  Impl(const Network& network_, const EigenKernel& activation_, int batch_, Precision precision_, int threads_, std::uint64_t seed)
      : network(network_), activation(activation_), batch(batch_), precision(precision_), threads(threads_), context(threads_) {
    storage = precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32;
    images = Buffer(bytes(kImageBytes));
    interleaved_input = Buffer(bytes(kImageBytes));
    add_features();
    if (feature_pixels() > 1) flat = Buffer(bytes(inputs));
    add_hidden();
    head_weights = parameters.add(ParameterKind::kWeight, inputs * kClasses, 0.0f);
    head_bias = parameters.add(ParameterKind::kBias, kClasses, 0.0f);
    head.emplace(context, batch, static_cast<int>(inputs), kClasses, precision, true);
    logits.resize(static_cast<std::size_t>(batch) * kClasses);
    dL_dlogits = Buffer(bytes(kClasses));
    for (auto& buffer : gradient) buffer = Buffer(bytes(largest));
    initialise(seed);
  }

  /// Bytes of a tensor with so many elements per image.
  std::size_t bytes(std::size_t elements) const { return static_cast<std::size_t>(batch) * elements * storage_bytes(storage); }

  std::size_t images_in_batch() const { return static_cast<std::size_t>(batch); }
  std::size_t group() const { return static_cast<std::size_t>(interleaved_images(batch)); }

  /// Pixels of an image that leaves the features.
  std::size_t feature_pixels() const {
    const auto side = static_cast<std::size_t>(features.back().output_side());
    return side * side;
  }

  std::size_t add_beta(std::size_t channels) {
    return parameters.add(ParameterKind::kBeta, channels * static_cast<std::size_t>(activation.parameter_count()),
                          static_cast<float>(kBetaStart));
  }

  void add_features() {
    int side = kImageSide, in = kImageChannels;
    for (const int entry : network.features) {
      if (entry == Network::kPool) {
        FeatureBlock& last = features.back();
        last.pool = true;
        side /= 2;
        last.pooled = Buffer(bytes(static_cast<std::size_t>(side * side * in)));
        continue;
      }
      const auto channels = static_cast<std::size_t>(entry);
      const std::size_t weights = parameters.add(ParameterKind::kWeight, channels * 9 * static_cast<std::size_t>(in), 0.0f);
      if (network.convolution_bias) parameters.add(ParameterKind::kConvolutionBias, channels, 0.0f);
      const NormOffsets norm{parameters.add(ParameterKind::kNormScale, channels, 1.0f),
                             parameters.add(ParameterKind::kNormShift, channels, 0.0f), add_beta(channels)};
      const std::size_t elements = channels * static_cast<std::size_t>(side * side);
      features.push_back(
          {channels, side, weights, norm,
           Convolution(context, {batch, in, entry, side, interleaved_images(batch)}, precision, !features.empty()),
           NormalisedActivation(activation, storage, channels, network.batch_norm_momentum, network.batch_norm_epsilon, threads), false,
           Buffer(bytes(elements)), Buffer(bytes(elements)), Buffer()});
      largest = std::max(largest, elements);
      in = entry;
    }
    inputs = static_cast<std::size_t>(side * side * in);
  }

  void add_hidden() {
    for (const int width : network.dense) {
      const auto units = static_cast<std::size_t>(width);
      const std::size_t weights = parameters.add(ParameterKind::kWeight, units * inputs, 0.0f);
      const std::size_t bias = parameters.add(ParameterKind::kBias, units, 0.0f);
      hidden.push_back({units, weights, bias, add_beta(units),
                        MatrixProduct(context, batch, static_cast<int>(inputs), width, precision, false),
                        BiasedActivation(activation, storage, units, threads), Buffer(bytes(units)), Buffer(bytes(units))});
      largest = std::max(largest, units);
      inputs = units;
    }
  }

  /// Normal weights from one stream per layer, so that a layer's start does not depend on the others.
  void initialise(std::uint64_t seed) {
    std::uint64_t layer = 0;
    const auto fill = [&](std::size_t offset, std::size_t size, double deviation) {
      RandomStream random(Draw::kWeights, seed, layer++);
      float* const weights = parameters.value(offset);
      for (std::size_t i = 0; i < size; ++i) weights[i] = static_cast<float>(deviation * random.normal());
    };
    const bool mxnet = network.initialisation == Network::Initialisation::kMxnet;
    std::size_t in = kImageChannels;
    for (const FeatureBlock& block : features) {
      fill(block.weights, block.channels * 9 * in, std::sqrt(2.0 / (9.0 * static_cast<double>(mxnet ? block.channels : in))));
      in = block.channels;
    }
    std::size_t dense_in = features.back().channels * feature_pixels();
    for (const HiddenBlock& block : hidden) {
      fill(block.weights, block.units * dense_in, mxnet ? 0.01 : std::sqrt(2.0 / static_cast<double>(dense_in)));
      dense_in = block.units;
    }
    fill(head_weights, dense_in * kClasses, mxnet ? 0.01 : std::sqrt(1.0 / static_cast<double>(dense_in)));
  }

  NormalisedActivation::Values norm_values(const NormOffsets& at) const {
    return {parameters.value(at.gamma), parameters.value(at.delta), parameters.value(at.beta)};
  }
  NormalisedActivation::Gradients norm_gradients(const NormOffsets& at) {
    return {parameters.gradient(at.gamma), parameters.gradient(at.delta), parameters.gradient(at.beta)};
  }

  std::size_t pixel_bytes(std::size_t channels) const { return channels * storage_bytes(storage); }
  /// What the layers after the features read: whole images again. Those of one pixel are whole as they are.
  const void* feature_output() const { return flat.empty() ? features.back().output() : flat.data(); }

  void set_weights() {
    for (FeatureBlock& block : features) block.convolution.set_weights(parameters.value(block.weights));
    for (HiddenBlock& block : hidden) block.product.set_weights(parameters.value(block.weights));
    head->set_weights(parameters.value(head_weights));
    stale = false;
  }

  void forward(bool training, std::uint64_t dropout_key) {
    if (stale) set_weights();
    interleave(images.data(), images_in_batch(), kImageSide * kImageSide, pixel_bytes(kImageChannels), group(), interleaved_input.data());
    const void* x = interleaved_input.data();
    for (FeatureBlock& block : features) {
      block.convolution.forward(x, block.z.data());
      if (training) {
        block.activation.forward_training(norm_values(block.norm), block.z.data(), block.rows(batch), block.y.data());
      } else {
        block.activation.forward_inference(norm_values(block.norm), block.z.data(), block.rows(batch), block.y.data());
      }
      if (block.pool) {
        max_pool(storage, block.y.data(), images_in_batch() / group(), static_cast<std::size_t>(block.side), group() * block.channels,
                 block.pooled.data(), threads);
      }
      x = block.output();
    }
    if (!flat.empty()) {
      deinterleave(x, images_in_batch(), feature_pixels(), pixel_bytes(features.back().channels), group(), flat.data());
    }
    x = feature_output();
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      HiddenBlock& block = hidden[i];
      block.product.forward(x, block.z.data());
      block.activation.forward(parameters.value(block.bias), parameters.value(block.beta), block.z.data(), static_cast<std::size_t>(batch),
                               block.y.data());
      if (training) drop(block.y.data(), block.units, dropout_key, i);
      x = block.y.data();
    }
    head->forward(x, logits.data());
    const float* const bias = parameters.value(head_bias);
    for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += bias[i % kClasses];
  }

  void drop(void* x, std::size_t units, std::uint64_t dropout_key, std::size_t layer) const {
    if (network.dropout > 0)
      dropout(storage, x, static_cast<std::size_t>(batch) * units, network.dropout, hash(dropout_key, layer), threads);
  }

  void head_bias_gradient(std::span<const std::uint8_t> labels) {
    // The mean over the batch of (probability - one-hot), recomputed in fp32: the stored gradient may be bf16.
    std::vector<float> exact(logits.size());
    softmax_cross_entropy(logits.data(), labels, Storage::kFp32, exact.data());
    float* const sum = parameters.gradient(head_bias);
    std::fill_n(sum, kClasses, 0.0f);
    for (std::size_t i = 0; i < exact.size(); ++i) sum[i % kClasses] += exact[i];
  }

  void backward(std::span<const std::uint8_t> labels, std::uint64_t dropout_key) {
    head_bias_gradient(labels);
    unsigned char* incoming = gradient[0].data();  // dL/d(output of the layer at hand)
    unsigned char* other = gradient[1].data();
    head->backward(hidden.empty() ? feature_output() : hidden.back().y.data(), dL_dlogits.data(), incoming,
                   parameters.gradient(head_weights));
    for (std::size_t i = hidden.size(); i-- > 0;) {
      HiddenBlock& block = hidden[i];
      drop(incoming, block.units, dropout_key, i);
      block.activation.backward(parameters.value(block.bias), parameters.value(block.beta), block.z.data(), static_cast<std::size_t>(batch),
                                incoming, parameters.gradient(block.bias), parameters.gradient(block.beta));
      block.product.backward(i == 0 ? feature_output() : hidden[i - 1].y.data(), incoming, other, parameters.gradient(block.weights));
      std::swap(incoming, other);
    }
    if (!flat.empty()) {
      interleave(incoming, images_in_batch(), feature_pixels(), pixel_bytes(features.back().channels), group(), other);
      std::swap(incoming, other);
    }
    for (std::size_t i = features.size(); i-- > 0;) {
      FeatureBlock& block = features[i];
      if (block.pool) {
        max_pool_backward(storage, block.y.data(), block.pooled.data(), incoming, images_in_batch() / group(),
                          static_cast<std::size_t>(block.side), group() * block.channels, other, threads);
        std::swap(incoming, other);
      }
      block.activation.backward(norm_values(block.norm), block.z.data(), block.rows(batch), incoming, norm_gradients(block.norm));
      block.convolution.backward(i == 0 ? interleaved_input.data() : features[i - 1].output(), incoming, i == 0 ? nullptr : other,
                                 parameters.gradient(block.weights));
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
  std::vector<FeatureBlock> features;
  std::vector<HiddenBlock> hidden;
  std::optional<MatrixProduct> head;
  std::size_t head_weights = 0, head_bias = 0;
  std::size_t inputs = 0;   ///< of the layer to be added next
  std::size_t largest = 0;  ///< elements per image of the largest tensor that needs a gradient
  bool stale = true;        ///< the layers' converted weights are older than the parameters
  Buffer images, interleaved_input, dL_dlogits;
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

BatchResult Model::train(std::span<const std::uint8_t> labels, std::uint64_t dropout_key) {
  impl_->forward(true, dropout_key);
  const BatchResult result = softmax_cross_entropy(impl_->logits.data(), labels, impl_->storage, impl_->dL_dlogits.data());
  impl_->backward(labels, dropout_key);
  return result;
}

BatchResult Model::evaluate(std::span<const std::uint8_t> labels) {
  impl_->forward(false, 0);
  return softmax_cross_entropy(impl_->logits.data(), labels, impl_->storage, nullptr);
}

std::vector<std::vector<float>*> Model::running_statistics() {
  std::vector<std::vector<float>*> all;
  for (FeatureBlock& block : impl_->features) {
    all.push_back(&block.activation.running_mean());
    all.push_back(&block.activation.running_variance());
  }
  return all;
}

std::vector<float> Model::beta(int k) const {
  std::vector<float> all;
  const auto append = [&](std::size_t offset, std::size_t channels) {
    const float* const first = impl_->parameters.value(offset + static_cast<std::size_t>(k) * channels);
    all.insert(all.end(), first, first + channels);
  };
  for (const FeatureBlock& block : impl_->features) append(block.norm.beta, block.channels);
  for (const HiddenBlock& block : impl_->hidden) append(block.beta, block.units);
  return all;
}

}  // namespace actsearch
