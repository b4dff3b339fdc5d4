#include "evaluator/cuda/network.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "evaluator/cuda/blocks.h"
#include "evaluator/cuda/layers.h"
#include "evaluator/network/network_layout.h"
#include "kernels/cuda/activation.h"

namespace actsearch {

using namespace cuda_network;

namespace {

CudaDataset::Images upload(const ImageSet& set) {
  CudaDataset::Images images{set.size(), CudaMemory(set.pixels.size()), CudaMemory(set.labels.size() * sizeof(Label))};
  CudaStream stream;
  stream.copy_to_device(images.pixels.address(), set.pixels.data(), set.pixels.size());
  stream.copy_to_device(images.labels.address(), set.labels.data(), set.labels.size() * sizeof(Label));
  stream.synchronise();
  return images;
}

}  // namespace

CudaDataset::CudaDataset(const Dataset& dataset) : shape(dataset.shape), train(upload(dataset.train)), test(upload(dataset.test)) {}

std::string cuda_layers_source(Storage storage, const ImageShape& images) {
  const auto constant = [](const char* name, int value) { return std::string("#define ") + name + " " + std::to_string(value) + "\n"; };
  return cuda_tensor_words(storage, cuda_width(storage)) + constant("IMAGE_CHANNELS", images.channels) +
         constant("IMAGE_SIDE", images.side) + constant("CLASSES", images.classes) + kCudaLayersText;
}

struct CudaNetwork::Impl {
  Impl(const CudaDevice& device_, const CudaDataset& dataset_, const Recipe& recipe_, Precision precision, EngineChoices& choices,
       const std::string& layers_cubin)
      : device(device_),
        dataset(dataset_),
        recipe(recipe_),
        storage(precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32),
        batch(static_cast<std::size_t>(recipe_.batch)),
        cudnn(stream),
        layers(layers_cubin) {
    Parameters parameters;
    layout = lay_out(recipe.network, kUsualBetas, parameters);
    for (const FeatureLayout& feature : layout.features) require_multiple(feature.channels);
    for (const DenseLayout& dense : layout.hidden) require_multiple(dense.units);
    add_features(choices);
    for (const DenseLayout& dense : layout.hidden) hidden.push_back(dense_block(dense, false));
    head.emplace(dense_block(layout.head, true));
    for (CudaMemory& gradient : gradients_by_layer) gradient = memory(tensor_bytes(largest));
    images = memory(tensor_bytes(image_pixels() * kStoredImageChannels));
    labels = memory(batch * sizeof(Label));
    dL_dlogits = memory(tensor_bytes(layout.head.units));
    workspace = memory(std::max(workspace_bytes, CudaProduct::kWorkspaceBytes));
    prepare_plan_memory();
    prepare_constants();
    reserve(parameters, kUsualBetas);
    library_calls();  // libraries load code at their first call, which a recording does not allow
    stream.synchronise();
  }

  std::size_t image_channels() const { return static_cast<std::size_t>(dataset.shape.channels); }
  std::size_t image_pixels() const {
    const auto side = static_cast<std::size_t>(recipe.network.image_side);
    return side * side;
  }

  static void require_multiple(std::size_t channels) {
    if (channels % kCudaChannelMultiple != 0) {
      throw std::invalid_argument("on a CUDA device every layer has a multiple of " + std::to_string(kCudaChannelMultiple) +
                                  " channels, not " + std::to_string(channels));
    }
  }

  std::size_t tensor_bytes(std::size_t elements_per_image) const { return batch * elements_per_image * storage_bytes(storage); }

  void add_features(EngineChoices& choices) {
    for (const FeatureLayout& feature : layout.features) {
      const std::size_t in_channels = features.empty() ? kStoredImageChannels : feature.in_channels;
      const CudaConvolutionShape shape{recipe.batch, static_cast<int>(in_channels), static_cast<int>(feature.channels), feature.side,
                                       storage};
      const auto convolution = [&](ConvolutionPass pass) {
        CudnnConvolution made(cudnn, pass, shape, choices);
        workspace_bytes = std::max(workspace_bytes, made.workspace_bytes());
        return made;
      };
      std::optional<CudnnConvolution> input_gradient;
      if (!features.empty()) input_gradient.emplace(convolution(ConvolutionPass::kInputGradient));
      features.push_back({feature, convolution(ConvolutionPass::kForward), convolution(ConvolutionPass::kWeightGradient),
                          std::move(input_gradient), memory(tensor_bytes(feature.elements())), memory(tensor_bytes(feature.elements())),
                          memory(feature.pool ? tensor_bytes(feature.output_elements()) : 0), ChannelArrays(memory, feature.channels)});
      largest = std::max(largest, feature.elements());
    }
  }

  DenseBlock dense_block(const DenseLayout& dense, bool last) {
    const auto product = [&](ProductPass pass) {
      return CudaProduct(cublas, pass, recipe.batch, static_cast<int>(dense.inputs), static_cast<int>(dense.units), storage,
                         last && pass == ProductPass::kForward);
    };
    largest = std::max(largest, dense.inputs);
    return {dense,
            product(ProductPass::kForward),
            product(ProductPass::kWeightGradient),
            product(ProductPass::kInputGradient),
            last ? memory.floats(batch * dense.units) : memory(tensor_bytes(dense.units)),
            memory(last ? 0 : tensor_bytes(dense.units))};
  }

  void prepare_plan_memory() {
    const std::size_t most_images = std::max(dataset.train.count, dataset.test.count) + batch;
    most_steps = most_images / batch + 1;
    plan = memory(most_images * sizeof(PlannedImage));
    rates = memory.floats(most_steps);
    dropout_keys = memory(most_steps * sizeof(std::uint64_t));
    valid = memory(most_steps * sizeof(std::uint32_t));
    results = memory(most_steps * sizeof(StepResult));
    progress = memory(sizeof(Progress));
    stream.set_zero(rates.address(), rates.size());
    stream.set_zero(dropout_keys.address(), dropout_keys.size());
  }

  /// Pixel scales, and ones and zeros for the dense layers' activations.
  void prepare_constants() {
    std::vector<float> affine(2 * image_channels());
    for (std::size_t c = 0; c < image_channels(); ++c) {
      const PixelAffine of_channel = actsearch::pixel_affine(recipe.augmentation, dataset.shape, c);
      affine[c] = of_channel.scale;
      affine[image_channels() + c] = of_channel.shift;
    }
    pixel_affine = memory.floats(affine.size());
    stream.copy_to_device(pixel_affine.address(), affine.data(), affine.size() * sizeof(float));
    std::size_t widest = 0;
    for (const DenseLayout& dense : layout.hidden) widest = std::max(widest, dense.units);
    std::vector<float> numbers(2 * widest, 0.0f);
    std::fill_n(numbers.begin(), widest, 1.0f);
    ones_and_zeros = memory.floats(numbers.size());
    stream.copy_to_device(ones_and_zeros.address(), numbers.data(), numbers.size() * sizeof(float));
    zeros = ones_and_zeros.address() + widest * sizeof(float);
    stream.synchronise();
  }

  // Launches. --------------------------------------------------------------------------------------------------------------------

  /// For the kernels that add up blocks' sums, as layers.cu's kSumChannels and kSumLines say.
  static constexpr CudaExtent kSumBlock{8, 128};
  static CudaExtent sum_grid(std::size_t channels) { return {static_cast<unsigned>((channels + kSumBlock.x - 1) / kSumBlock.x), 1}; }

  CudaAddress value(std::size_t offset) const { return values.address() + offset * sizeof(float); }
  CudaAddress gradient(std::size_t offset) const { return gradients.address() + offset * sizeof(float); }
  CudaAddress weight(std::size_t offset) const { return weights.address() + stored(offset) * storage_bytes(storage); }
  CudaAddress weight_gradient(std::size_t offset) const { return weight_gradients.address() + stored(offset) * storage_bytes(storage); }
  /// Where weights that begin at `offset` lie among the stored ones: the first layer's, with more input channels, behind all others.
  std::size_t stored(std::size_t offset) const { return offset == first_layer().values ? first_layer().stored : offset; }
  FirstLayer first_layer() const { return {features.front().layout.weights, most_parameters}; }
  std::size_t first_layer_size() const { return 9 * image_channels() * features.front().layout.channels; }
  std::size_t rows(const FeatureBlock& block) const { return batch * static_cast<std::size_t>(block.layout.side * block.layout.side); }

  void begin_step_and_fill(const CudaDataset::Images& set) {
    stream.launch(layers.begin_step, {}, {}, 0, progress.address(), rates.address(), dropout_keys.address());
    stream.launch(layers.fill_batch, {blocks_for(batch * image_pixels())}, {kThreads}, 0, set.pixels.address(), set.labels.address(),
                  plan.address(), progress.address(), pixel_affine.address(), pixel_affine.address() + image_channels() * sizeof(float),
                  images.address(), labels.address(), static_cast<std::uint32_t>(batch),
                  static_cast<std::uint32_t>(recipe.network.image_side));
  }

  void batch_statistics(FeatureBlock& block) {
    using A = ChannelArrays;
    const FeatureLayout& at = block.layout;
    const CudaRowLaunch shape = row_launch(device, layers.channel_sums, storage, rows(block), at.channels, 2);
    stream.launch(layers.channel_sums, shape.grid, shape.block, shape.shared_bytes, block.z.address(), sums.address(),
                  static_cast<std::uint64_t>(rows(block)), static_cast<std::uint32_t>(at.channels));
    stream.launch(layers.finish_statistics, sum_grid(at.channels), kSumBlock, 0, block.z.address(), sums.address(), shape.grid.x,
                  static_cast<std::uint64_t>(rows(block)), static_cast<std::uint32_t>(at.channels), value(at.gamma), value(at.delta),
                  static_cast<float>(recipe.network.batch_norm_momentum), static_cast<float>(recipe.network.batch_norm_epsilon),
                  block.arrays[A::kMean], block.arrays[A::kInverseDeviation], block.arrays[A::kRunningMean],
                  block.arrays[A::kRunningVariance], block.arrays[A::kScale], block.arrays[A::kShift]);
  }

  void drop(CudaAddress x, std::size_t units, std::size_t layer) {
    if (recipe.network.dropout <= 0) return;
    const std::size_t n = batch * units;
    stream.launch(layers.dropout, {blocks_for(n)}, {kThreads}, 0, x, static_cast<std::uint64_t>(n),
                  static_cast<std::uint32_t>(recipe.network.dropout * 65536.0), static_cast<float>(1.0 / (1.0 - recipe.network.dropout)),
                  progress.address(), static_cast<std::uint32_t>(layer));
  }

  /// From the batch's images to the logits without their bias.
  void forward(bool training) {
    using A = ChannelArrays;
    CudaAddress x = images.address();
    for (FeatureBlock& block : features) {
      const FeatureLayout& at = block.layout;
      block.forward.run(x, weight(at.weights), block.z.address(), workspace.address());
      if (training) batch_statistics(block);
      activation->forward(stream, block.z.address(), block.arrays[A::kScale], block.arrays[A::kShift], value(at.beta), block.y.address(),
                          rows(block), at.channels);
      if (at.pool) {
        stream.launch(layers.max_pool, {pool_blocks(at)}, {kThreads}, 0, block.y.address(), block.pooled.address(),
                      static_cast<std::uint32_t>(batch), static_cast<std::uint32_t>(at.side), static_cast<std::uint32_t>(at.channels));
      }
      x = block.output();
    }
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      DenseBlock& block = hidden[i];
      block.forward.run(stream, x, weight(block.layout.weights), block.z.address(), workspace.address());
      activation->forward(stream, block.z.address(), ones_and_zeros.address(), value(block.layout.bias), value(block.layout.beta),
                          block.y.address(), batch, block.layout.units);
      if (training) drop(block.y.address(), block.layout.units, i);
      x = block.y.address();
    }
    head->forward.run(stream, x, weight(head->layout.weights), head->z.address(), workspace.address());
  }

  unsigned pool_blocks(const FeatureLayout& at) const {
    return blocks_for(batch * at.output_elements() / static_cast<std::size_t>(cuda_width(storage)));
  }

  void score(bool training) {
    stream.launch(layers.cross_entropy, {}, {kThreads}, 0, head->z.address(), value(head->layout.bias), labels.address(),
                  training ? CudaAddress{0} : valid.address(), progress.address(), training ? dL_dlogits.address() : CudaAddress{0},
                  gradient(head->layout.bias), results.address(), static_cast<std::uint32_t>(batch));
  }

  CudaAddress feature_output() const { return features.back().output(); }

  void backward() {
    CudaAddress incoming = gradients_by_layer[0].address(), other = gradients_by_layer[1].address();
    const auto dense_backward = [&](DenseBlock& block, CudaAddress x, CudaAddress dL_dy, CudaAddress dL_dx) {
      block.weight_gradient.run(stream, dL_dy, x, weight_gradient(block.layout.weights), workspace.address());
      block.input_gradient.run(stream, dL_dy, weight(block.layout.weights), dL_dx, workspace.address());
    };
    dense_backward(*head, hidden.empty() ? feature_output() : hidden.back().y.address(), dL_dlogits.address(), incoming);
    for (std::size_t i = hidden.size(); i-- > 0;) {
      DenseBlock& block = hidden[i];
      drop(incoming, block.layout.units, i);
      hidden_activation_backward(block, incoming);
      dense_backward(block, i == 0 ? feature_output() : hidden[i - 1].y.address(), incoming, other);
      std::swap(incoming, other);
    }
    for (std::size_t i = features.size(); i-- > 0;) {
      FeatureBlock& block = features[i];
      const FeatureLayout& at = block.layout;
      if (at.pool) {
        stream.launch(layers.max_pool_backward, {pool_blocks(at)}, {kThreads}, 0, block.y.address(), block.pooled.address(), incoming,
                      other, static_cast<std::uint32_t>(batch), static_cast<std::uint32_t>(at.side),
                      static_cast<std::uint32_t>(at.channels));
        std::swap(incoming, other);
      }
      feature_activation_backward(block, incoming);
      block.weight_gradient.run(i == 0 ? images.address() : features[i - 1].output(), weight_gradient(at.weights), incoming,
                                workspace.address());
      if (block.input_gradient) block.input_gradient->run(other, weight(at.weights), incoming, workspace.address());
      std::swap(incoming, other);
    }
  }

  /// The activation's two backward passes, in place.
  void feature_activation_backward(FeatureBlock& block, CudaAddress dL_dy) {
    using A = ChannelArrays;
    const FeatureLayout& at = block.layout;
    const CudaAddress z = block.z.address(), scale = block.arrays[A::kScale], shift = block.arrays[A::kShift];
    const unsigned blocks = activation->sums(stream, z, dL_dy, scale, shift, value(at.beta), sums.address(), rows(block), at.channels);
    stream.launch(layers.finish_backward, sum_grid(at.channels), kSumBlock, 0, sums.address(), blocks,
                  static_cast<std::uint64_t>(rows(block)), static_cast<std::uint32_t>(at.channels),
                  static_cast<std::uint32_t>(activation->parameters()), value(at.gamma), block.arrays[A::kMean],
                  block.arrays[A::kInverseDeviation], gradient(at.gamma), gradient(at.delta), gradient(at.beta), block.arrays[A::kA],
                  block.arrays[A::kB], block.arrays[A::kD]);
    activation->apply(stream, z, dL_dy, scale, shift, value(at.beta), {block.arrays[A::kA], block.arrays[A::kB], block.arrays[A::kD]},
                      dL_dy, rows(block), at.channels);
  }

  void hidden_activation_backward(DenseBlock& block, CudaAddress dL_dy) {
    const DenseLayout& at = block.layout;
    const CudaAddress z = block.z.address(), ones = ones_and_zeros.address(), shift = value(at.bias);
    const unsigned blocks = activation->sums(stream, z, dL_dy, ones, shift, value(at.beta), sums.address(), batch, at.units);
    stream.launch(layers.finish_bias, sum_grid(at.units), kSumBlock, 0, sums.address(), blocks, static_cast<std::uint32_t>(at.units),
                  static_cast<std::uint32_t>(activation->parameters()), gradient(at.bias), gradient(at.beta));
    activation->apply(stream, z, dL_dy, ones, shift, value(at.beta), {ones, zeros, zeros}, dL_dy, batch, at.units);
  }

  void descend() {
    stream.launch(layers.descend, {chunk_count}, {kThreads}, 0, chunks.address(), values.address(), momenta.address(), gradients.address(),
                  weight_gradients.address(), weights.address(), progress.address(), first_layer(), static_cast<float>(recipe.momentum),
                  static_cast<float>(recipe.weight_decay));
  }

  void store_weights() {
    stream.launch(layers.store_weights, {blocks_for(parameter_count)}, {kThreads}, 0, values.address(), weights.address(),
                  static_cast<std::uint64_t>(parameter_count), first_layer(), static_cast<std::uint32_t>(first_layer_size()));
  }

  // A trial. ---------------------------------------------------------------------------------------------------------------------

  /// Memory for the parameters of every candidate with up to `betas` of its own; `parameters` are those of one with so many. Freeing waits
  /// for the whole device, so this is done once, unless a candidate has more.
  void reserve(const Parameters& parameters, int betas) {
    for (CudaMemory* old : {&values, &momenta, &gradients, &weights, &weight_gradients, &chunks, &sums}) {
      memory.give_back(*old);
      *old = CudaMemory();
    }
    most_betas = betas;
    constexpr std::size_t kAligned = 8;
    most_parameters = (count_of(parameters) + kAligned - 1) / kAligned * kAligned;
    const std::size_t most_stored = most_parameters + 9 * kStoredImageChannels * features.front().layout.channels;
    values = memory.floats(most_parameters);
    momenta = memory.floats(most_parameters);
    gradients = memory.floats(most_parameters);
    weights = memory(most_stored * storage_bytes(storage));
    weight_gradients = memory(most_stored * storage_bytes(storage));
    chunks = memory(chunks_of(parameters).size() * sizeof(Chunk));
    sums = memory.floats(most_sums());
  }

  static std::size_t count_of(const Parameters& parameters) {
    const ParameterSegment& last = parameters.segments().back();
    return last.offset + last.size;
  }

  /// Where the parameters of another candidate lie.
  void lay_out_parameters(const Parameters& parameters, int betas) {
    for (std::size_t i = 0; i < features.size(); ++i) features[i].layout = layout.features[i];
    for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i].layout = layout.hidden[i];
    head->layout = layout.head;
    if (betas > most_betas) {
      const std::unique_lock alone(device.recording());
      reserve(parameters, betas);
    }
    parameter_count = count_of(parameters);
    const std::vector<Chunk> table = chunks_of(parameters);
    chunk_count = static_cast<unsigned>(table.size());
    stream.copy_to_device(chunks.address(), table.data(), table.size() * sizeof(Chunk));
    stream.synchronise();
  }

  std::vector<Chunk> chunks_of(const Parameters& parameters) const {
    constexpr std::size_t kMost = 4096;
    std::vector<Chunk> table;
    for (const ParameterSegment& segment : parameters.segments()) {
      const std::uint32_t kind = (decays(segment.kind, recipe.decay_all) ? kDecays : 0) |
                                 (segment.kind == ParameterKind::kWeight ? kIsWeight : 0) |
                                 (segment.offset == features.front().layout.weights ? kIsPadded : 0);
      for (std::size_t done = 0; done < segment.size; done += kMost) {
        table.push_back({segment.offset + done, static_cast<std::uint32_t>(std::min(kMost, segment.size - done)), kind});
      }
    }
    return table;
  }

  /// Of any block's sums, with up to most_betas.
  std::size_t most_sums() const {
    const std::size_t kinds = 2 + static_cast<std::size_t>(most_betas);
    std::size_t most = 0;
    for (const FeatureBlock& block : features) most = std::max(most, most_row_sums(device, rows(block), block.layout.channels, kinds));
    for (const DenseBlock& block : hidden) most = std::max(most, most_row_sums(device, batch, block.layout.units, kinds));
    return most;
  }

  void start_values(const Parameters& parameters) {
    stream.copy_to_device(values.address(), parameters.value(0), parameter_count * sizeof(float));
    stream.set_zero(momenta.address(), momenta.size());
    stream.set_zero(gradients.address(), gradients.size());
    stream.set_zero(weights.address(), weights.size());
    stream.set_zero(weight_gradients.address(), weight_gradients.size());
    std::size_t most = 0;
    for (const FeatureBlock& block : features) most = std::max(most, block.layout.channels);
    const std::vector<float> ones(most, 1.0f);
    for (const FeatureBlock& block : features) {
      const std::size_t bytes = block.layout.channels * sizeof(float);
      stream.set_zero(block.arrays[ChannelArrays::kRunningMean], bytes);
      stream.copy_to_device(block.arrays[ChannelArrays::kRunningVariance], ones.data(), bytes);
    }
    store_weights();
    stream.synchronise();
  }

  void record() {
    const std::shared_lock others_record_too(device.recording());
    training_step = stream.record([&] {
      begin_step_and_fill(dataset.train);
      forward(true);
      score(true);
      backward();
      descend();
    });
    for (const ImageRole role : {ImageRole::kTraining, ImageRole::kTest}) {
      evaluation_step[static_cast<std::size_t>(role)] = stream.record([&] {
        begin_step_and_fill(images_of(role));
        forward(false);
        score(false);
      });
    }
  }

  /// Graphs name the kernels of the candidate that they were recorded for, so they go before it does.
  void forget_graphs() {
    training_step = CudaGraph();
    for (CudaGraph& graph : evaluation_step) graph = CudaGraph();
  }

  /// The step's library calls without what is between them, over whatever the tensors hold.
  void library_calls() {
    const CudaAddress from = gradients_by_layer[0].address(), to = gradients_by_layer[1].address(), room = workspace.address();
    const auto dense = [&](DenseBlock& block, CudaAddress x, CudaAddress dL_dy) {
      block.forward.run(stream, x, weight(block.layout.weights), block.z.address(), room);
      block.weight_gradient.run(stream, dL_dy, x, weight_gradient(block.layout.weights), room);
      block.input_gradient.run(stream, dL_dy, weight(block.layout.weights), to, room);
    };
    CudaAddress x = images.address();
    for (FeatureBlock& block : features) {
      block.forward.run(x, weight(block.layout.weights), block.z.address(), room);
      block.weight_gradient.run(x, weight_gradient(block.layout.weights), from, room);
      if (block.input_gradient) block.input_gradient->run(to, weight(block.layout.weights), from, room);
      x = block.output();
    }
    for (DenseBlock& block : hidden) {
      dense(block, x, from);
      x = block.y.address();
    }
    dense(*head, x, dL_dlogits.address());
  }

  const CudaDataset::Images& images_of(ImageRole role) const { return role == ImageRole::kTraining ? dataset.train : dataset.test; }

  /// The next step of whatever plan lies there. Waits, so that `at` may go.
  void set_step(std::int64_t step) {
    const Progress at{.step = static_cast<std::uint32_t>(step)};
    stream.copy_to_device(progress.address(), &at, sizeof at);
    stream.synchronise();
    next_step = step;
  }

  std::span<const StepResult> read_results(std::size_t first, std::size_t count) {
    host_results.resize(count);
    stream.copy_to_host(host_results.data(), results.address() + first * sizeof(StepResult), count * sizeof(StepResult));
    stream.synchronise();
    return host_results;
  }

  const CudaDevice& device;
  const CudaDataset& dataset;
  const Recipe recipe;
  const Storage storage;
  const std::size_t batch;
  NetworkLayout layout;

  CudaStream stream;
  Cudnn cudnn;
  CublasLt cublas;
  LayerKernels layers;
  std::unique_ptr<CudaActivation> activation;

  Memory memory;
  std::vector<FeatureBlock> features;
  std::vector<DenseBlock> hidden;
  std::optional<DenseBlock> head;
  std::size_t largest = 0;  ///< elements per image of the largest gradient
  std::array<CudaMemory, 2> gradients_by_layer;
  CudaMemory images, labels, dL_dlogits, workspace;
  std::size_t workspace_bytes = 0;
  CudaMemory pixel_affine, ones_and_zeros;
  CudaAddress zeros = 0;

  static constexpr int kUsualBetas = 4;
  int most_betas = 0;
  std::size_t most_parameters = 0;  ///< that there is memory for
  std::size_t parameter_count = 0;  ///< of the candidate
  CudaMemory values, momenta, gradients, weights, weight_gradients, chunks;
  unsigned chunk_count = 0;
  CudaMemory sums;  ///< of blocks of rows, before they are added up

  std::size_t most_steps = 0;
  CudaMemory plan, rates, dropout_keys, valid, results, progress;
  std::int64_t next_step = -1;  ///< that the device is at; -1: of no training plan
  CudaGraph training_step;
  std::array<CudaGraph, 2> evaluation_step;  ///< by ImageRole

  std::vector<StepResult> host_results;
  std::vector<BatchResult> batch_results;
  std::vector<float> host_values, host_momenta;
  std::vector<std::vector<float>> host_statistics;  ///< mean and variance of each feature block
};

CudaNetwork::CudaNetwork(const CudaDevice& device, const CudaDataset& dataset, const Recipe& recipe, Precision precision,
                         EngineChoices& choices, const std::string& layers) {
  device.make_current();
  const std::unique_lock alone(device.recording());
  impl_ = std::make_unique<Impl>(device, dataset, recipe, precision, choices, layers);
}

CudaNetwork::~CudaNetwork() {
  const CudaDevice& device = impl_->device;
  try {
    device.make_current();
  } catch (const CudaError&) {  // the device is lost, and its memory with it
  }
  const std::unique_lock alone(device.recording());
  impl_.reset();
}

void CudaNetwork::begin_trial(const Program& program, std::unique_ptr<CudaActivation> kernels, std::uint64_t seed) {
  Impl& network = *impl_;
  network.device.make_current();
  network.forget_graphs();
  network.activation = std::move(kernels);
  Parameters parameters;
  network.layout = lay_out(network.recipe.network, program.parameter_count(), parameters);
  initialise(network.recipe.network, network.layout, seed, parameters);
  network.lay_out_parameters(parameters, program.parameter_count());
  network.start_values(parameters);
  network.record();
  network.next_step = -1;
}

void CudaNetwork::begin_epoch(const EpochPlan& epoch) {
  Impl& network = *impl_;
  if (static_cast<std::size_t>(epoch.steps()) > network.most_steps)
    throw std::logic_error("CudaNetwork: an epoch longer than the data set");
  std::vector<PlannedImage> images;
  images.reserve(epoch.images.size());
  for (const EpochPlan::Image& image : epoch.images) {
    images.push_back({image.index, static_cast<std::int8_t>(image.transform.dx), static_cast<std::int8_t>(image.transform.dy),
                      static_cast<std::uint8_t>(image.transform.flip), 0});
  }
  const std::vector<float> rates(epoch.rates.begin(), epoch.rates.end());
  network.stream.copy_to_device(network.plan.address(), images.data(), images.size() * sizeof(PlannedImage));
  network.stream.copy_to_device(network.rates.address(), rates.data(), rates.size() * sizeof(float));
  network.stream.copy_to_device(network.dropout_keys.address(), epoch.dropout_keys.data(),
                                epoch.dropout_keys.size() * sizeof(std::uint64_t));
  network.set_step(0);
}

std::span<const BatchResult> CudaNetwork::train(std::int64_t first, std::int64_t count) {
  Impl& network = *impl_;
  if (network.next_step < 0) throw std::logic_error("CudaNetwork: train before begin_epoch");
  if (network.next_step != first) network.set_step(first);
  for (std::int64_t i = 0; i < count; ++i) network.stream.launch(network.training_step);
  network.next_step = first + count;
  network.batch_results.clear();
  for (const StepResult& result : network.read_results(static_cast<std::size_t>(first), static_cast<std::size_t>(count))) {
    network.batch_results.push_back({result.loss_sum, result.correct});
  }
  return network.batch_results;
}

BatchResult CudaNetwork::evaluate(ImageRole role, std::span<const std::uint32_t> indices) {
  Impl& network = *impl_;
  const std::size_t steps = (indices.size() + network.batch - 1) / network.batch;
  std::vector<PlannedImage> images(steps * network.batch);  // what is left of the last batch shows image 0 and does not count
  std::vector<std::uint32_t> valid(steps, static_cast<std::uint32_t>(network.batch));
  for (std::size_t i = 0; i < indices.size(); ++i) images[i].index = indices[i];
  if (indices.size() % network.batch != 0) valid.back() = static_cast<std::uint32_t>(indices.size() % network.batch);
  network.stream.copy_to_device(network.plan.address(), images.data(), images.size() * sizeof(PlannedImage));
  network.stream.copy_to_device(network.valid.address(), valid.data(), valid.size() * sizeof(std::uint32_t));
  network.set_step(0);
  network.next_step = -1;  // the plan of training is gone
  using A = ChannelArrays;
  for (const FeatureBlock& block : network.features) {
    network.stream.launch(network.layers.running_affine, {blocks_for(block.layout.channels)}, {kThreads}, 0,
                          network.value(block.layout.gamma), network.value(block.layout.delta), block.arrays[A::kRunningMean],
                          block.arrays[A::kRunningVariance], static_cast<float>(network.recipe.network.batch_norm_epsilon),
                          block.arrays[A::kScale], block.arrays[A::kShift], static_cast<std::uint32_t>(block.layout.channels));
  }
  for (std::size_t i = 0; i < steps; ++i) network.stream.launch(network.evaluation_step[static_cast<std::size_t>(role)]);
  BatchResult total;
  for (const StepResult& result : network.read_results(0, steps)) {
    total.loss_sum += result.loss_sum;
    total.correct += result.correct;
  }
  return total;
}

std::vector<std::span<float>> CudaNetwork::state() {
  Impl& network = *impl_;
  network.host_values.resize(network.parameter_count);
  network.host_momenta.resize(network.parameter_count);
  const std::size_t bytes = network.parameter_count * sizeof(float);
  network.stream.copy_to_host(network.host_values.data(), network.values.address(), bytes);
  network.stream.copy_to_host(network.host_momenta.data(), network.momenta.address(), bytes);
  network.host_statistics.clear();
  for (const FeatureBlock& block : network.features) {
    for (const auto array : {ChannelArrays::kRunningMean, ChannelArrays::kRunningVariance}) {
      auto& values = network.host_statistics.emplace_back(block.layout.channels);
      network.stream.copy_to_host(values.data(), block.arrays[array], values.size() * sizeof(float));
    }
  }
  network.stream.synchronise();
  std::vector<std::span<float>> state{network.host_values, network.host_momenta};
  for (auto& values : network.host_statistics) state.emplace_back(values);
  return state;
}

void CudaNetwork::restore() {
  Impl& network = *impl_;
  const std::size_t bytes = network.parameter_count * sizeof(float);
  network.stream.copy_to_device(network.values.address(), network.host_values.data(), bytes);
  network.stream.copy_to_device(network.momenta.address(), network.host_momenta.data(), bytes);
  std::size_t next = 0;
  for (const FeatureBlock& block : network.features) {
    for (const auto array : {ChannelArrays::kRunningMean, ChannelArrays::kRunningVariance}) {
      const auto& values = network.host_statistics.at(next++);
      network.stream.copy_to_device(block.arrays[array], values.data(), values.size() * sizeof(float));
    }
  }
  network.store_weights();
  network.stream.synchronise();
}

std::vector<float> CudaNetwork::beta(int k) {
  Impl& network = *impl_;
  network.host_values.resize(network.parameter_count);
  network.stream.copy_to_host(network.host_values.data(), network.values.address(), network.parameter_count * sizeof(float));
  network.stream.synchronise();
  return beta_of(network.layout, k, network.host_values.data());
}

std::size_t CudaNetwork::nodes_per_step() const { return impl_->training_step.nodes(); }
std::size_t CudaNetwork::memory_bytes() const { return impl_->memory.total(); }

double CudaNetwork::library_seconds() {
  Impl& network = *impl_;
  const CudaGraph calls = [&] {
    const std::shared_lock others_record_too(network.device.recording());
    return network.stream.record([&] { network.library_calls(); });
  }();
  constexpr int kWarmUp = 3, kRepetitions = 20;
  for (int i = 0; i < kWarmUp; ++i) network.stream.launch(calls);
  CudaTimer timer;
  timer.start(network.stream);
  for (int i = 0; i < kRepetitions; ++i) network.stream.launch(calls);
  return timer.stop_seconds(network.stream) / kRepetitions;
}

std::size_t CudaNetwork::elementwise_bytes() const {
  const Impl& network = *impl_;
  double elements = static_cast<double>(network.batch * network.image_pixels() * kStoredImageChannels);
  for (const FeatureBlock& block : network.features) {
    // Statistics read z; forward reads z and writes y; the two backward passes read z and dL_dy, the second writes dL_dz. A pool reads
    // y and writes a quarter; backward it reads y and two quarters and writes dL_dy.
    const double size = static_cast<double>(network.batch * block.layout.elements());
    elements += 8 * size + (block.layout.pool ? 3.75 * size : 0);
  }
  for (const DenseBlock& block : network.hidden) elements += 7 * static_cast<double>(network.batch * block.layout.units);
  const auto stored = static_cast<double>(storage_bytes(network.storage));
  const double parameter_bytes = 4 * sizeof(float) + 2 * stored;  // values and momenta read and written, a gradient, a stored weight
  return static_cast<std::size_t>(elements * stored + static_cast<double>(network.parameter_count) * parameter_bytes);
}

}  // namespace actsearch
