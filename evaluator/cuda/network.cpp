#include "evaluator/cuda/network.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "evaluator/cuda/blocks.h"
#include "evaluator/cuda/layers.h"
#include "evaluator/network/plan.h"
#include "grammar/notation.h"
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
std::string cuda_identity_source(Storage storage) { return CudaActivation::source(lower(parse("x")), storage); }

struct CudaNetwork::Impl {
  Impl(const CudaDevice& device_, const CudaDataset& dataset_, const Recipe& recipe_, Precision precision, EngineChoices& choices,
       const CudaNetworkCubins& cubins)
      : device(device_),
        dataset(dataset_),
        recipe(recipe_),
        storage(precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32),
        batch(static_cast<std::size_t>(recipe_.batch)),
        cudnn(stream),
        layers(cubins.layers),
        identity(device_, cubins.identity, storage, 0) {
    Parameters parameters;
    plan = actsearch::plan(recipe.network, kUsualBetas, parameters);
    for (const Step& step : plan.steps) require_fit(step);
    for (const Step& step : plan.steps) add_work(step, choices);
    place_tensors();
    images = memory(tensor_bytes(image_pixels() * kStoredImageChannels));
    tensors[0] = images.address();
    labels = memory(batch * sizeof(Label));
    dL_dlogits = memory(tensor_bytes(static_cast<std::size_t>(plan.classes)));
    workspace = memory(std::max(workspace_bytes, CudaProduct::kWorkspaceBytes));
    prepare_plan_memory();
    prepare_constants();
    reserve(parameters, kUsualBetas);
    library_calls();  // libraries load code at their first call, which a recording does not allow
    stream.synchronise();
  }

  std::size_t image_channels() const { return static_cast<std::size_t>(dataset.shape.channels); }
  std::size_t image_pixels() const { return plan.shape(0).pixels(); }
  const Step& head() const { return plan.steps.back(); }
  const Step& first_convolution() const { return plan.steps.front(); }
  bool is_head(const Step& step) const { return &step == &head(); }
  std::size_t channels(int tensor) const { return static_cast<std::size_t>(plan.shape(tensor).channels); }
  std::size_t rows(int tensor) const { return batch * plan.shape(tensor).pixels(); }

  void require_fit(const Step& step) const {
    if (step.x == 0 && step.groups > 1) throw std::invalid_argument("on a CUDA device the convolution that reads the image has no groups");
    if (!is_head(step) && channels(step.y) % kCudaChannelMultiple != 0) {
      throw std::invalid_argument("on a CUDA device every layer has a multiple of " + std::to_string(kCudaChannelMultiple) +
                                  " channels, not " + std::to_string(channels(step.y)));
    }
  }

  std::size_t tensor_bytes(std::size_t elements_per_image) const { return batch * elements_per_image * storage_bytes(storage); }

  void add_work(const Step& step, EngineChoices& choices) {
    Work& one = work.emplace_back();
    const TensorShape &in = plan.shape(step.x), &out = plan.shape(step.y);
    if (step.kind == StepKind::kConvolution) {
      const CudaConvolutionShape shape{recipe.batch, step.x == 0 ? static_cast<int>(kStoredImageChannels) : in.channels,
                                       out.channels, in.side,
                                       storage,      step.kernel,
                                       step.stride,  step.padding,
                                       step.groups};
      const auto convolution = [&](ConvolutionPass pass) {
        CudnnConvolution made(cudnn, pass, shape, choices);
        workspace_bytes = std::max(workspace_bytes, made.workspace_bytes());
        return made;
      };
      std::optional<CudnnConvolution> input_gradient;
      if (step.x != 0) input_gradient.emplace(convolution(ConvolutionPass::kInputGradient));
      one.convolution.emplace(convolution(ConvolutionPass::kForward), convolution(ConvolutionPass::kWeightGradient),
                              std::move(input_gradient));
    } else if (step.kind == StepKind::kDense) {
      const auto product = [&](ProductPass pass) {
        return CudaProduct(cublas, pass, recipe.batch, in.channels, out.channels, storage, is_head(step) && pass == ProductPass::kForward);
      };
      one.product.emplace(product(ProductPass::kForward), product(ProductPass::kWeightGradient), product(ProductPass::kInputGradient));
    } else if (step.normalised) {
      one.arrays.emplace(memory, channels(step.x));
    }
  }

  void place_tensors() {
    for (const std::size_t elements : plan.slot_elements) slots.push_back(memory(tensor_bytes(elements)));
    for (const std::size_t elements : plan.gradient_elements) gradient_buffers.push_back(memory(tensor_bytes(elements)));
    logits = memory.floats(batch * static_cast<std::size_t>(plan.classes));
    tensors.resize(plan.tensors.size());
    for (const Step& step : plan.steps) {
      CudaAddress& y = tensors[static_cast<std::size_t>(step.y)];
      if (is_head(step))
        y = logits.address();
      else if (plan.slot(step.y) < 0)
        y = tensor(step.x);  // flatten and dropout
      else
        y = slots[static_cast<std::size_t>(plan.slot(step.y))].address();
    }
  }
  CudaAddress tensor(int number) const { return tensors[static_cast<std::size_t>(number)]; }
  CudaAddress gradient_buffer(int number) const {
    return number < 0 ? dL_dlogits.address() : gradient_buffers[static_cast<std::size_t>(number)].address();
  }

  void prepare_plan_memory() {
    const std::size_t most_images = std::max(dataset.train.count, dataset.test.count) + batch;
    most_steps = most_images / batch + 1;
    planned = memory(most_images * sizeof(PlannedImage));
    rates = memory.floats(most_steps);
    dropout_keys = memory(most_steps * sizeof(std::uint64_t));
    valid = memory(most_steps * sizeof(std::uint32_t));
    results = memory(most_steps * sizeof(StepResult));
    progress = memory(sizeof(Progress));
    stream.set_zero(rates.address(), rates.size());
    stream.set_zero(dropout_keys.address(), dropout_keys.size());
  }

  /// Pixel scales, and ones and zeros for activations without batch norm.
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
    for (const Step& step : plan.steps) {
      if (step.kind == StepKind::kElementwise && !step.normalised) widest = std::max(widest, channels(step.x));
    }
    std::vector<float> numbers(2 * widest, 0.0f);
    std::fill_n(numbers.begin(), widest, 1.0f);
    ones_and_zeros = memory.floats(numbers.size());
    stream.copy_to_device(ones_and_zeros.address(), numbers.data(), numbers.size() * sizeof(float));
    zeros = ones_and_zeros.address() + widest * sizeof(float);
    unused = memory.floats(widest);
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
  FirstLayer first_layer() const { return {first_convolution().weights, most_parameters}; }
  /// Weights of the first layer, for so many input channels.
  std::size_t first_layer_size(std::size_t input_channels) const {
    const Step& first = first_convolution();
    return static_cast<std::size_t>(first.kernel * first.kernel) * input_channels * channels(first.y);
  }

  void begin_step_and_fill(const CudaDataset::Images& set) {
    stream.launch(layers.begin_step, {}, {}, 0, progress.address(), rates.address(), dropout_keys.address());
    stream.launch(layers.fill_batch, {blocks_for(batch * image_pixels())}, {kThreads}, 0, set.pixels.address(), set.labels.address(),
                  planned.address(), progress.address(), pixel_affine.address(), pixel_affine.address() + image_channels() * sizeof(float),
                  images.address(), labels.address(), static_cast<std::uint32_t>(batch),
                  static_cast<std::uint32_t>(recipe.network.image_side));
  }

  /// The kernels of an elementwise step.
  const CudaActivation& kernels(const Step& step) const { return step.activated ? *activation : identity; }

  void batch_statistics(const Step& step, const Work& one) {
    using A = ChannelArrays;
    const CudaRowLaunch shape = row_launch(device, layers.channel_sums, storage, rows(step.x), channels(step.x), 2);
    stream.launch(layers.channel_sums, shape.grid, shape.block, shape.shared_bytes, tensor(step.x), sums.address(),
                  static_cast<std::uint64_t>(rows(step.x)), static_cast<std::uint32_t>(channels(step.x)));
    const ChannelArrays& arrays = *one.arrays;
    stream.launch(layers.finish_statistics, sum_grid(channels(step.x)), kSumBlock, 0, tensor(step.x), sums.address(), shape.grid.x,
                  static_cast<std::uint64_t>(rows(step.x)), static_cast<std::uint32_t>(channels(step.x)), value(step.gamma),
                  value(step.delta), static_cast<float>(recipe.network.batch_norm_momentum),
                  static_cast<float>(recipe.network.batch_norm_epsilon), arrays[A::kMean], arrays[A::kInverseDeviation],
                  arrays[A::kRunningMean], arrays[A::kRunningVariance], arrays[A::kScale], arrays[A::kShift]);
  }

  CudaAddress scale(const Step& step, const Work& one) const {
    return step.normalised ? (*one.arrays)[ChannelArrays::kScale] : ones_and_zeros.address();
  }
  CudaAddress shift(const Step& step, const Work& one) const {
    if (step.normalised) return (*one.arrays)[ChannelArrays::kShift];
    return step.biased ? value(step.bias) : zeros;
  }

  void drop(const Step& step, CudaAddress x) {
    if (step.probability <= 0) return;
    const std::size_t n = batch * plan.shape(step.x).elements();
    stream.launch(layers.dropout, {blocks_for(n)}, {kThreads}, 0, x, static_cast<std::uint64_t>(n),
                  static_cast<std::uint32_t>(step.probability * 65536.0), static_cast<float>(1.0 / (1.0 - step.probability)),
                  progress.address(), static_cast<std::uint32_t>(step.dropout));
  }

  /// Threads for a tensor's elements, each with one vector of them.
  std::size_t vectors(int tensor) const { return batch * plan.shape(tensor).elements() / static_cast<std::size_t>(cuda_width(storage)); }
  void add(CudaAddress a, CudaAddress b, CudaAddress sum, int shape_of) {
    const std::size_t n = vectors(shape_of);
    stream.launch(layers.add_tensors, {blocks_for(n)}, {kThreads}, 0, a, b, sum, static_cast<std::uint64_t>(n));
  }
  void copy(CudaAddress from, CudaAddress to, int shape_of) {
    const std::size_t n = vectors(shape_of);
    stream.launch(layers.copy_tensor, {blocks_for(n)}, {kThreads}, 0, from, to, static_cast<std::uint64_t>(n));
  }

  static bool is_usual_pool(const Step& step) {
    return step.kind == StepKind::kMaxPool && step.kernel == 2 && step.stride == 2 && step.padding == 0;
  }
  PoolWindow window(const Step& step) const {
    return {plan.shape(step.x).side, plan.shape(step.y).side, step.kernel, step.stride, step.padding};
  }
  void pool(const Step& step) {
    const auto side = static_cast<std::uint32_t>(plan.shape(step.x).side), wide = static_cast<std::uint32_t>(channels(step.x));
    const CudaExtent grid{blocks_for(vectors(step.y))};
    if (is_usual_pool(step)) {
      stream.launch(layers.max_pool, grid, {kThreads}, 0, tensor(step.x), tensor(step.y), static_cast<std::uint32_t>(batch), side, wide);
    } else {
      stream.launch(layers.window_pool, grid, {kThreads}, 0, tensor(step.x), tensor(step.y), static_cast<std::uint32_t>(batch), wide,
                    window(step), static_cast<std::uint32_t>(step.kind == StepKind::kAveragePool));
    }
  }
  void pool_backward(const Step& step, CudaAddress dL_dy, CudaAddress dL_dx) {
    const auto side = static_cast<std::uint32_t>(plan.shape(step.x).side), wide = static_cast<std::uint32_t>(channels(step.x));
    if (is_usual_pool(step)) {
      stream.launch(layers.max_pool_backward, {blocks_for(vectors(step.y))}, {kThreads}, 0, tensor(step.x), tensor(step.y), dL_dy, dL_dx,
                    static_cast<std::uint32_t>(batch), side, wide);
    } else {
      stream.launch(layers.window_pool_backward, {blocks_for(vectors(step.x))}, {kThreads}, 0, tensor(step.x), tensor(step.y), dL_dy, dL_dx,
                    static_cast<std::uint32_t>(batch), wide, window(step), static_cast<std::uint32_t>(step.kind == StepKind::kAveragePool));
    }
  }

  /// From the batch's images to the logits without their bias.
  void forward(bool training) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) forward(plan.steps[i], work[i], training);
  }
  void forward(const Step& step, Work& one, bool training) {
    switch (step.kind) {
      case StepKind::kConvolution:
        one.convolution->forward.run(tensor(step.x), weight(step.weights), tensor(step.y), workspace.address());
        return;
      case StepKind::kDense:
        one.product->forward.run(stream, tensor(step.x), weight(step.weights), tensor(step.y), workspace.address());
        return;
      case StepKind::kElementwise:
        if (step.normalised && training) batch_statistics(step, one);
        kernels(step).forward(stream, tensor(step.x), scale(step, one), shift(step, one), value(step.beta), tensor(step.y), rows(step.x),
                              channels(step.x));
        return;
      case StepKind::kAdd:
        add(tensor(step.x), tensor(step.other), tensor(step.y), step.y);
        return;
      case StepKind::kMaxPool:
      case StepKind::kAveragePool:
        pool(step);
        return;
      case StepKind::kDropout:
        if (training) drop(step, tensor(step.y));
        return;
      case StepKind::kFlatten:
        return;
    }
  }

  void score(bool training) {
    stream.launch(layers.cross_entropy, {}, {kThreads}, 0, logits.address(), value(head().bias), labels.address(),
                  training ? CudaAddress{0} : valid.address(), progress.address(), training ? dL_dlogits.address() : CudaAddress{0},
                  gradient(head().bias), results.address(), static_cast<std::uint32_t>(batch));
  }

  void backward() {
    for (const BackwardStep& back : plan.backward) {
      const Step& step = plan.steps[back.step];
      const CudaAddress dL_dy = gradient_buffer(back.incoming);
      if (back.other_adds)
        add(gradient_buffer(back.other), dL_dy, gradient_buffer(back.other), step.other);
      else if (back.other >= 0)
        copy(dL_dy, gradient_buffer(back.other), step.other);
      backward(step, work[back.step], dL_dy, back.outgoing < 0 ? CudaAddress{0} : gradient_buffer(back.outgoing));
      if (back.sum >= 0) add(gradient_buffer(back.sum), gradient_buffer(back.outgoing), gradient_buffer(back.sum), step.x);
    }
  }

  /// dL_dx is dL_dy where the step works in place.
  void backward(const Step& step, Work& one, CudaAddress dL_dy, CudaAddress dL_dx) {
    switch (step.kind) {
      case StepKind::kConvolution:
      case StepKind::kDense:
        library_backward(step, one, dL_dy, dL_dx);
        return;
      case StepKind::kElementwise:
        elementwise_backward(step, one, dL_dy);
        return;
      case StepKind::kMaxPool:
      case StepKind::kAveragePool:
        pool_backward(step, dL_dy, dL_dx);
        return;
      case StepKind::kDropout:
        drop(step, dL_dy);
        return;
      case StepKind::kAdd:
      case StepKind::kFlatten:
        return;
    }
  }

  void library_backward(const Step& step, Work& one, CudaAddress dL_dy, CudaAddress dL_dx) {
    const CudaAddress x = tensor(step.x), room = workspace.address();
    if (one.convolution) {
      one.convolution->weight_gradient.run(x, weight_gradient(step.weights), dL_dy, room);
      if (one.convolution->input_gradient) one.convolution->input_gradient->run(dL_dx, weight(step.weights), dL_dy, room);
    } else {
      one.product->weight_gradient.run(stream, dL_dy, x, weight_gradient(step.weights), room);
      one.product->input_gradient.run(stream, dL_dy, weight(step.weights), dL_dx, room);
    }
  }

  /// The two backward passes, in place.
  void elementwise_backward(const Step& step, const Work& one, CudaAddress dL_dy) {
    using A = ChannelArrays;
    const CudaActivation& kernel = kernels(step);
    const CudaAddress z = tensor(step.x), by = scale(step, one), to = shift(step, one);
    const std::size_t wide = channels(step.x);
    const unsigned blocks = kernel.sums(stream, z, dL_dy, by, to, value(step.beta), sums.address(), rows(step.x), wide);
    const auto betas = static_cast<std::uint32_t>(kernel.parameters());
    if (step.normalised) {
      const ChannelArrays& arrays = *one.arrays;
      stream.launch(layers.finish_backward, sum_grid(wide), kSumBlock, 0, sums.address(), blocks, static_cast<std::uint64_t>(rows(step.x)),
                    static_cast<std::uint32_t>(wide), betas, value(step.gamma), arrays[A::kMean], arrays[A::kInverseDeviation],
                    gradient(step.gamma), gradient(step.delta), gradient(step.beta), arrays[A::kA], arrays[A::kB], arrays[A::kD]);
      kernel.apply(stream, z, dL_dy, by, to, value(step.beta), {arrays[A::kA], arrays[A::kB], arrays[A::kD]}, dL_dy, rows(step.x), wide);
    } else {
      stream.launch(layers.finish_bias, sum_grid(wide), kSumBlock, 0, sums.address(), blocks, static_cast<std::uint32_t>(wide), betas,
                    step.biased ? gradient(step.bias) : unused.address(), gradient(step.beta));
      kernel.apply(stream, z, dL_dy, by, to, value(step.beta), {ones_and_zeros.address(), zeros, zeros}, dL_dy, rows(step.x), wide);
    }
  }

  void descend() {
    stream.launch(layers.descend, {chunk_count}, {kThreads}, 0, chunks.address(), values.address(), momenta.address(), gradients.address(),
                  weight_gradients.address(), weights.address(), progress.address(), first_layer(), static_cast<float>(recipe.momentum),
                  static_cast<float>(recipe.weight_decay));
  }

  void store_weights() {
    stream.launch(layers.store_weights, {blocks_for(parameter_count)}, {kThreads}, 0, values.address(), weights.address(),
                  static_cast<std::uint64_t>(parameter_count), first_layer(),
                  static_cast<std::uint32_t>(first_layer_size(image_channels())));
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
    const std::size_t most_stored = most_parameters + first_layer_size(kStoredImageChannels);
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
                                 (segment.offset == first_convolution().weights ? kIsPadded : 0);
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
    for (const Step& step : plan.steps) {
      if (step.kind == StepKind::kElementwise) most = std::max(most, most_row_sums(device, rows(step.x), channels(step.x), kinds));
    }
    return most;
  }

  /// Calls body(step, arrays) for each batch norm, in order.
  template <class Body>
  void for_each_norm(Body&& body) const {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      if (plan.steps[i].normalised) body(plan.steps[i], *work[i].arrays);
    }
  }

  void start_values(const Parameters& parameters) {
    stream.copy_to_device(values.address(), parameters.value(0), parameter_count * sizeof(float));
    stream.set_zero(momenta.address(), momenta.size());
    stream.set_zero(gradients.address(), gradients.size());
    stream.set_zero(weights.address(), weights.size());
    stream.set_zero(weight_gradients.address(), weight_gradients.size());
    std::size_t most = 0;
    for_each_norm([&](const Step& step, const ChannelArrays&) { most = std::max(most, channels(step.x)); });
    const std::vector<float> ones(most, 1.0f);
    for_each_norm([&](const Step& step, const ChannelArrays& arrays) {
      const std::size_t bytes = channels(step.x) * sizeof(float);
      stream.set_zero(arrays[ChannelArrays::kRunningMean], bytes);
      stream.copy_to_device(arrays[ChannelArrays::kRunningVariance], ones.data(), bytes);
    });
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
    for (const BackwardStep& back : plan.backward) {
      const Step& step = plan.steps[back.step];
      if (step.kind != StepKind::kConvolution && step.kind != StepKind::kDense) continue;
      Work& one = work[back.step];
      forward(step, one, true);
      library_backward(step, one, gradient_buffer(back.incoming), back.outgoing < 0 ? CudaAddress{0} : gradient_buffer(back.outgoing));
    }
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
  Plan plan;  ///< with the parameters of the candidate at hand

  CudaStream stream;
  Cudnn cudnn;
  CublasLt cublas;
  LayerKernels layers;
  const CudaActivation identity;  ///< of batch norms without an activation
  std::unique_ptr<CudaActivation> activation;

  Memory memory;
  std::vector<Work> work;  ///< one a step
  std::vector<CudaMemory> slots, gradient_buffers;
  std::vector<CudaAddress> tensors;  ///< of the plan: where each lies
  CudaMemory images, labels, logits, dL_dlogits, workspace;
  std::size_t workspace_bytes = 0;
  CudaMemory pixel_affine, ones_and_zeros, unused;
  CudaAddress zeros = 0;

  static constexpr int kUsualBetas = 4;
  int most_betas = 0;
  std::size_t most_parameters = 0;  ///< that there is memory for
  std::size_t parameter_count = 0;  ///< of the candidate
  CudaMemory values, momenta, gradients, weights, weight_gradients, chunks;
  unsigned chunk_count = 0;
  CudaMemory sums;  ///< of blocks of rows, before they are added up

  std::size_t most_steps = 0;
  CudaMemory planned, rates, dropout_keys, valid, results, progress;
  std::int64_t next_step = -1;  ///< that the device is at; -1: of no training plan
  CudaGraph training_step;
  std::array<CudaGraph, 2> evaluation_step;  ///< by ImageRole

  std::vector<StepResult> host_results;
  std::vector<BatchResult> batch_results;
  std::vector<float> host_values, host_momenta;
  std::vector<std::vector<float>> host_statistics;  ///< mean and variance of each batch norm
};

CudaNetwork::CudaNetwork(const CudaDevice& device, const CudaDataset& dataset, const Recipe& recipe, Precision precision,
                         EngineChoices& choices, const CudaNetworkCubins& cubins) {
  device.make_current();
  const std::unique_lock alone(device.recording());
  impl_ = std::make_unique<Impl>(device, dataset, recipe, precision, choices, cubins);
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
  network.plan = plan(network.recipe.network, program.parameter_count(), parameters);
  initialise(network.recipe.network, network.plan, seed, parameters);
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
  network.stream.copy_to_device(network.planned.address(), images.data(), images.size() * sizeof(PlannedImage));
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
  network.stream.copy_to_device(network.planned.address(), images.data(), images.size() * sizeof(PlannedImage));
  network.stream.copy_to_device(network.valid.address(), valid.data(), valid.size() * sizeof(std::uint32_t));
  network.set_step(0);
  network.next_step = -1;  // the plan of training is gone
  using A = ChannelArrays;
  network.for_each_norm([&](const Step& step, const ChannelArrays& arrays) {
    const std::size_t channels = network.channels(step.x);
    network.stream.launch(network.layers.running_affine, {blocks_for(channels)}, {kThreads}, 0, network.value(step.gamma),
                          network.value(step.delta), arrays[A::kRunningMean], arrays[A::kRunningVariance],
                          static_cast<float>(network.recipe.network.batch_norm_epsilon), arrays[A::kScale], arrays[A::kShift],
                          static_cast<std::uint32_t>(channels));
  });
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
  network.for_each_norm([&](const Step& step, const ChannelArrays& arrays) {
    for (const auto array : {ChannelArrays::kRunningMean, ChannelArrays::kRunningVariance}) {
      auto& values = network.host_statistics.emplace_back(network.channels(step.x));
      network.stream.copy_to_host(values.data(), arrays[array], values.size() * sizeof(float));
    }
  });
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
  network.for_each_norm([&](const Step&, const ChannelArrays& arrays) {
    for (const auto array : {ChannelArrays::kRunningMean, ChannelArrays::kRunningVariance}) {
      const auto& values = network.host_statistics.at(next++);
      network.stream.copy_to_device(arrays[array], values.data(), values.size() * sizeof(float));
    }
  });
  network.store_weights();
  network.stream.synchronise();
}

std::vector<float> CudaNetwork::beta(int k) {
  Impl& network = *impl_;
  network.host_values.resize(network.parameter_count);
  network.stream.copy_to_host(network.host_values.data(), network.values.address(), network.parameter_count * sizeof(float));
  network.stream.synchronise();
  return beta_of(network.plan, k, network.host_values.data());
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
  for (const Step& step : network.plan.steps) {
    const auto in = static_cast<double>(network.batch * network.plan.shape(step.x).elements()),
               out = static_cast<double>(network.batch * network.plan.shape(step.y).elements());
    switch (step.kind) {
      case StepKind::kElementwise:  // statistics read z; forward reads z and writes y; the two backward passes read z and dL_dy, and write
                                    // dL_dz
        elements += (step.normalised ? 8 : 7) * in;
        break;
      case StepKind::kMaxPool:
        elements += 3 * in + 3 * out;  // x and y forwards; x, y, dL_dy and dL_dx backwards
        break;
      case StepKind::kAveragePool:
        elements += 2 * in + 2 * out;
        break;
      case StepKind::kAdd:
        elements += 5 * in;  // three forwards, a copy of dL_dy backwards
        break;
      default:
        break;
    }
  }
  const auto stored = static_cast<double>(storage_bytes(network.storage));
  const double parameter_bytes = 4 * sizeof(float) + 2 * stored;  // values and momenta read and written, a gradient, a stored weight
  return static_cast<std::size_t>(elements * stored + static_cast<double>(network.parameter_count) * parameter_bytes);
}

}  // namespace actsearch
