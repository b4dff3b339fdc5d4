#include "evaluator/network/plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

class Planner {
 public:
  Planner(const Network& network, int activation_parameters, Parameters& parameters)
      : network_(network), betas_(static_cast<std::size_t>(activation_parameters)), parameters_(parameters) {
    plan_.classes = network.images.classes;
    plan_.tensors.push_back({network.images.channels, network.image_side});
  }

  Plan operator()() {
    resolve_names();
    check_readers();
    for (at_ = 0; at_ < layers().size(); ++at_) {
      if (output_[at_] < 0) add_layer();  // else a step before has computed it too
    }
    check_end();
    place_tensors();
    place_gradients();
    return std::move(plan_);
  }

 private:
  const std::vector<Layer>& layers() const { return network_.layers; }
  const Layer& layer() const { return layers()[at_]; }

  [[noreturn]] void refuse(std::size_t place, const std::string& why) const {
    const Layer& layer = layers()[place];
    std::string text = "network: layer " + std::to_string(place + 1) + " (" + std::string(to_text(layer.kind));
    if (!layer.name.empty()) text += " \"" + layer.name + "\"";
    throw std::invalid_argument(text + ") " + why);
  }
  [[noreturn]] void refuse(const std::string& why) const { refuse(at_, why); }

  // The list. -----------------------------------------------------------------------------------------------------------------------

  static constexpr int kImage = -1;

  /// sources_: of each layer the layers that it reads, or kImage.
  void resolve_names() {
    if (layers().empty()) throw std::invalid_argument("network: it has no layers");
    std::map<std::string, int> places;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const std::string& name = layers()[i].name;
      if (name.empty()) continue;
      if (name == "image") refuse(i, "takes the name \"image\", which is the network's input");
      if (!places.emplace(name, static_cast<int>(i)).second) refuse(i, "has the name of an earlier layer");
    }
    for (std::size_t i = 0; i < layers().size(); ++i) {
      std::vector<int>& sources = sources_.emplace_back();
      for (const std::string& input : layers()[i].inputs) {
        const auto found = places.find(input);
        if (input != "image" && found == places.end()) refuse(i, "reads \"" + input + "\", and no layer has that name");
        const int source = input == "image" ? kImage : found->second;
        if (source >= static_cast<int>(i)) refuse(i, "reads \"" + input + "\", which does not come before it: a network has no cycles");
        sources.push_back(source);
      }
      if (sources.empty()) sources.push_back(static_cast<int>(i) - 1);
      const std::size_t wanted = layers()[i].kind == LayerKind::kAdd ? 2 : 1;
      if (sources.size() != wanted) {
        refuse(i, "reads " + std::to_string(sources.size()) + " tensor" + (sources.size() == 1 ? "" : "s") + ", where it takes " +
                      std::to_string(wanted));
      }
    }
  }

  /// reading_: of each layer the layers that read it.
  void check_readers() {
    reading_.resize(layers().size());
    std::size_t of_image = 0;
    bool activated = false;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      activated = activated || layers()[i].kind == LayerKind::kActivation;
      for (const int source : sources_[i]) {
        if (source != kImage) {
          reading_[static_cast<std::size_t>(source)].push_back(i);
          continue;
        }
        if (layers()[i].kind != LayerKind::kConvolution) refuse(i, "reads the image, which only a convolution may");
        if (++of_image > 1) refuse(i, "reads the image, which another layer reads already");
      }
    }
    for (std::size_t i = 0; i + 1 < layers().size(); ++i) {
      if (reading_[i].empty()) refuse(i, "makes a tensor that no layer reads");
    }
    if (!activated) throw std::invalid_argument("network: it has no activation, so there is nothing to search");
    output_.assign(layers().size(), -1);
  }

  void check_end() const {
    const std::size_t last = layers().size() - 1;
    if (layers()[last].kind != LayerKind::kDense) refuse(last, "is the last, which has to be a dense layer to the classes");
  }

  // Steps. --------------------------------------------------------------------------------------------------------------------------

  int source_tensor(std::size_t place, std::size_t which = 0) const {
    const int source = sources_[place][which];
    return source == kImage ? 0 : output_[static_cast<std::size_t>(source)];
  }

  int add_tensor(const TensorShape& shape) {
    plan_.tensors.push_back(shape);
    return static_cast<int>(plan_.tensors.size()) - 1;
  }

  /// The next layer of that kind, where it alone reads the layer at `place`; else layers().size().
  std::size_t fused(std::size_t place, LayerKind kind) const {
    const std::vector<std::size_t>& readers = reading_[place];
    return readers.size() == 1 && layers()[readers[0]].kind == kind ? readers[0] : layers().size();
  }
  bool is_layer(std::size_t place) const { return place < layers().size(); }

  void add_layer() {
    switch (layer().kind) {
      case LayerKind::kConvolution:
        return add_convolution();
      case LayerKind::kDense:
        return add_dense();
      case LayerKind::kBatchNorm:
      case LayerKind::kActivation:
        return add_elementwise(at_, source_tensor(at_), std::nullopt);
      case LayerKind::kAdd:
        return add_sum();
      case LayerKind::kMaxPool:
        return add_pool(StepKind::kMaxPool, layer().kernel);
      case LayerKind::kAveragePool:
        return add_pool(StepKind::kAveragePool, layer().kernel);
      case LayerKind::kGlobalAveragePool:
        return add_pool(StepKind::kAveragePool, plan_.shape(source_tensor(at_)).side);
      case LayerKind::kFlatten:
        return add_flatten();
      case LayerKind::kDropout:
        return add_dropout();
    }
  }

  void check_window(int kernel, const TensorShape& in) const {
    const Layer& at = layer();
    if (kernel < 1 || at.stride < 1 || at.padding < 0) refuse("needs kernel and stride of 1 or more, and a padding of 0 or more");
    if (at.padding >= kernel)
      refuse("has a padding of " + std::to_string(at.padding) + ", which its kernel of " + std::to_string(kernel) + " does not reach");
    if (in.side + 2 * at.padding < kernel) {
      refuse("has a kernel of " + std::to_string(kernel) + ", larger than its input of " + std::to_string(in.side) + "×" +
             std::to_string(in.side) + " with its padding");
    }
  }

  void add_convolution() {
    const std::size_t place = at_;
    const Layer& at = layer();
    Step step;
    step.kind = StepKind::kConvolution;
    step.x = source_tensor(at_);
    const TensorShape in = plan_.shape(step.x);
    check_window(at.kernel, in);
    if (at.channels < 1) refuse("needs channels of 1 or more");
    if (at.groups < 1 || in.channels % at.groups != 0 || at.channels % at.groups != 0) {
      refuse("has " + std::to_string(at.groups) + " groups, which do not divide its channels, " + std::to_string(in.channels) + " and " +
             std::to_string(at.channels));
    }
    step.kernel = at.kernel;
    step.stride = at.stride;
    step.padding = at.padding;
    step.groups = at.groups;
    step.y = add_tensor({at.channels, (in.side + 2 * at.padding - at.kernel) / at.stride + 1});
    const auto channels = static_cast<std::size_t>(at.channels);
    step.weights = parameters_.add(
        ParameterKind::kWeight,
        channels * static_cast<std::size_t>(at.kernel * at.kernel) * static_cast<std::size_t>(in.channels / at.groups), 0.0f);
    plan_.steps.push_back(step);
    if (!at.bias) {
      output_[place] = step.y;
      return;
    }
    if (is_layer(fused(place, LayerKind::kBatchNorm))) {
      parameters_.add(ParameterKind::kConvolutionBias, channels, 0.0f);
      output_[place] = step.y;
      return;
    }
    add_elementwise(place, step.y, parameters_.add(ParameterKind::kBias, channels, 0.0f));
  }

  void add_dense() {
    const std::size_t place = at_;
    Step step;
    step.kind = StepKind::kDense;
    step.x = source_tensor(at_);
    const TensorShape in = plan_.shape(step.x);
    if (in.side != 1) {
      refuse("reads an image of " + std::to_string(in.side) + "×" + std::to_string(in.side) +
             "; put flatten or global_average_pool before it");
    }
    const bool last = place + 1 == layers().size();
    if (last && layer().channels != 0 && layer().channels != plan_.classes) {
      refuse("is the last and has " + std::to_string(layer().channels) + " units for " + std::to_string(plan_.classes) + " classes");
    }
    const int units = last ? plan_.classes : layer().channels;
    if (units < 1) refuse("needs units of 1 or more");
    step.y = add_tensor({units, 1});
    step.weights = parameters_.add(ParameterKind::kWeight, static_cast<std::size_t>(units) * static_cast<std::size_t>(in.channels), 0.0f);
    const std::size_t bias = parameters_.add(ParameterKind::kBias, static_cast<std::size_t>(units), 0.0f);
    if (last) step.bias = bias;
    plan_.steps.push_back(step);
    if (last)
      output_[place] = step.y;
    else
      add_elementwise(place, step.y, bias);
  }

  /// Batch norm, activation, or both; or the bias of the layer at `place`, with the activation after it where that alone reads it.
  void add_elementwise(std::size_t place, int x, std::optional<std::size_t> bias) {
    const TensorShape shape = plan_.shape(x);
    const auto channels = static_cast<std::size_t>(shape.channels);
    Step step;
    step.x = x;
    std::size_t end = place;
    if (bias) {
      step.biased = true;
      step.bias = *bias;
    } else if (layers()[place].kind == LayerKind::kBatchNorm) {
      step.normalised = true;
      step.norm = plan_.norms++;
      step.gamma = parameters_.add(ParameterKind::kNormScale, channels, 1.0f);
      step.delta = parameters_.add(ParameterKind::kNormShift, channels, 0.0f);
    }
    const bool alone = !step.biased && !step.normalised;
    const std::size_t activation = alone ? place : fused(place, LayerKind::kActivation);
    if (is_layer(activation)) {
      step.activated = true;
      step.beta = parameters_.add(ParameterKind::kBeta, channels * betas_, static_cast<float>(kBetaStart));
      end = activation;
    }
    step.y = add_tensor(shape);
    plan_.steps.push_back(step);
    output_[place] = output_[end] = step.y;
  }

  void add_sum() {
    Step step;
    step.kind = StepKind::kAdd;
    step.x = source_tensor(at_, 0);
    step.other = source_tensor(at_, 1);
    const TensorShape a = plan_.shape(step.x), b = plan_.shape(step.other);
    if (a != b) {
      const auto text = [](const TensorShape& s) {
        return std::to_string(s.side) + "×" + std::to_string(s.side) + "×" + std::to_string(s.channels);
      };
      refuse("adds tensors of different shapes, " + text(a) + " and " + text(b));
    }
    if (step.x == step.other) refuse("adds a tensor to itself");
    step.y = add_tensor(a);
    plan_.steps.push_back(step);
    output_[at_] = step.y;
  }

  void add_pool(StepKind kind, int kernel) {
    const Layer& at = layer();
    const bool global = at.kind == LayerKind::kGlobalAveragePool;
    Step step;
    step.kind = kind;
    step.x = source_tensor(at_);
    const TensorShape in = plan_.shape(step.x);
    check_window(kernel, in);
    step.kernel = kernel;
    step.stride = global ? kernel : at.stride;
    step.padding = global ? 0 : at.padding;
    const int room = in.side + 2 * step.padding - kernel;
    if (room % step.stride != 0) {
      refuse("does not divide its input: windows of " + std::to_string(kernel) + " with stride " + std::to_string(step.stride) +
             " leave pixels over of " + std::to_string(in.side) + "×" + std::to_string(in.side));
    }
    step.y = add_tensor({in.channels, room / step.stride + 1});
    plan_.steps.push_back(step);
    output_[at_] = step.y;
  }

  void add_flatten() {
    Step step;
    step.kind = StepKind::kFlatten;
    step.x = source_tensor(at_);
    step.y = add_tensor({static_cast<int>(plan_.shape(step.x).elements()), 1});
    plan_.steps.push_back(step);
    output_[at_] = step.y;
  }

  void add_dropout() {
    const double probability = layer().probability;
    if (!(probability >= 0 && probability < 1)) refuse("needs a probability from 0 up to 1");
    const int source = sources_[at_][0];
    if (source == kImage || reading_[static_cast<std::size_t>(source)].size() != 1) refuse("reads a tensor that another layer reads too");
    const LayerKind before = layers()[static_cast<std::size_t>(source)].kind;
    if (before != LayerKind::kActivation) refuse("has to follow an activation");
    Step step;
    step.kind = StepKind::kDropout;
    step.x = source_tensor(at_);
    step.y = add_tensor(plan_.shape(step.x));
    step.probability = probability;
    step.dropout = dropouts_++;
    plan_.steps.push_back(step);
    output_[at_] = step.y;
  }

  // Places. -------------------------------------------------------------------------------------------------------------------------

  void place_tensors() {
    const std::size_t tensors = plan_.tensors.size();
    const int steps = static_cast<int>(plan_.steps.size());
    std::vector<int> first(tensors, 0), last(tensors, 0), same(tensors);
    for (std::size_t t = 0; t < tensors; ++t) same[t] = static_cast<int>(t);
    for (int at = 0; at < steps; ++at) {
      const Step& step = plan_.steps[static_cast<std::size_t>(at)];
      const int backwards = 2 * steps - 1 - at;
      const auto use = [&](int tensor, int when) {
        int& until = last[static_cast<std::size_t>(same[static_cast<std::size_t>(tensor)])];
        until = std::max(until, when);
      };
      first[static_cast<std::size_t>(step.y)] = at;
      if (step.kind == StepKind::kFlatten || step.kind == StepKind::kDropout) {
        same[static_cast<std::size_t>(step.y)] = same[static_cast<std::size_t>(step.x)];
      }
      for (const int read : {step.x, step.other}) {
        if (read >= 0) use(read, at);
      }
      if (step.kind == StepKind::kConvolution || step.kind == StepKind::kDense || step.kind == StepKind::kElementwise)
        use(step.x, backwards);
      if (step.kind == StepKind::kMaxPool) {
        use(step.x, backwards);
        use(step.y, backwards);
      }
      use(step.y, at);
    }
    const auto logits = static_cast<std::size_t>(plan_.steps.back().y);
    plan_.slots.assign(tensors, -1);
    std::vector<int> free_from;                  // of each slot: the time at which no tensor of it is wanted any more
    for (std::size_t t = 1; t < tensors; ++t) {  // tensors stand in the order of the steps that make them
      if (t == logits || same[t] != static_cast<int>(t)) continue;
      const std::size_t size = plan_.tensors[t].elements();
      int chosen = -1;
      for (std::size_t s = 0; s < free_from.size(); ++s) {
        if (free_from[s] >= first[t]) continue;
        const auto waste = [&](int slot) {
          const std::size_t has = plan_.slot_elements[static_cast<std::size_t>(slot)];
          return has > size ? has - size : size - has;
        };
        if (chosen < 0 || waste(static_cast<int>(s)) < waste(chosen)) chosen = static_cast<int>(s);
      }
      if (chosen < 0) {
        chosen = static_cast<int>(free_from.size());
        free_from.push_back(0);
        plan_.slot_elements.push_back(0);
      }
      free_from[static_cast<std::size_t>(chosen)] = last[t];
      std::size_t& has = plan_.slot_elements[static_cast<std::size_t>(chosen)];
      has = std::max(has, size);
      plan_.slots[t] = chosen;
    }
  }

  static bool works_in_place(const Step& step) {
    return step.kind == StepKind::kElementwise || step.kind == StepKind::kAdd || step.kind == StepKind::kFlatten ||
           step.kind == StepKind::kDropout;
  }

  void place_gradients() {
    std::vector<int> buffers(plan_.tensors.size(), -1), free;
    const auto take = [&](int tensor) {
      const std::size_t size = plan_.shape(tensor).elements();
      if (free.empty()) {
        free.push_back(static_cast<int>(plan_.gradient_elements.size()));
        plan_.gradient_elements.push_back(0);
      }
      const int buffer = free.back();
      free.pop_back();
      std::size_t& has = plan_.gradient_elements[static_cast<std::size_t>(buffer)];
      has = std::max(has, size);
      return buffer;
    };
    for (std::size_t i = plan_.steps.size(); i-- > 0;) {
      const Step& step = plan_.steps[i];
      BackwardStep back{
          .step = i, .incoming = buffers[static_cast<std::size_t>(step.y)], .outgoing = -1, .sum = -1, .other = -1, .other_adds = false};
      if (step.other >= 0) {
        int& other = buffers[static_cast<std::size_t>(step.other)];
        back.other_adds = other >= 0;
        if (other < 0) other = take(step.other);
        back.other = other;
      }
      if (step.x != 0) {
        back.outgoing = works_in_place(step) ? back.incoming : take(step.x);
        int& x = buffers[static_cast<std::size_t>(step.x)];
        if (x < 0)
          x = back.outgoing;
        else
          back.sum = x;
        if (back.sum >= 0) free.push_back(back.outgoing);
      }
      if (back.incoming >= 0 && back.outgoing != back.incoming) free.push_back(back.incoming);
      plan_.backward.push_back(back);
    }
  }

  const Network& network_;
  const std::size_t betas_;
  Parameters& parameters_;
  Plan plan_;
  std::size_t at_ = 0;
  int dropouts_ = 0;
  std::vector<std::vector<int>> sources_;
  std::vector<std::vector<std::size_t>> reading_;
  std::vector<int> output_;  ///< of each layer its tensor, once a step makes it
};

/// The plan of a candidate without parameters, for counting.
Plan counted(const Network& network) {
  Parameters sizes(Parameters::Kept::kSizes);
  return plan(network, 0, sizes);
}

}  // namespace

Plan plan(const Network& network, int activation_parameters, Parameters& parameters) {
  return Planner(network, activation_parameters, parameters)();
}

Network for_images(Network network, const ImageShape& images) {
  const int reduction = network.images.side / network.image_side;
  network.images = images;
  const auto fits = [&](int side) {
    if (side % reduction != 0) return false;
    network.image_side = side / reduction;
    try {
      counted(network);
      return true;
    } catch (const std::invalid_argument&) {
      return false;
    }
  };
  if (fits(images.side)) return network;
  int below = images.side - 1, above = images.side + 1;
  while (below >= ImageShape::kLeastSide && !fits(below)) --below;
  while (above <= ImageShape::kMostSide && !fits(above)) ++above;
  std::string sides;
  if (above <= ImageShape::kMostSide) sides += std::to_string(above);
  if (below >= ImageShape::kLeastSide) sides += (sides.empty() ? "" : " or ") + std::to_string(below);
  network.image_side = std::max(images.side / reduction, 1);
  if (sides.empty()) counted(network);  // says what is wrong with it for any side
  throw std::invalid_argument("its network does not fit images with a side of " + std::to_string(images.side) +
                              (sides.empty() ? "" : ": resize them with --image-side " + sides) + ", or choose another --recipe");
}

void initialise(const Network& network, const Plan& plan, std::uint64_t seed, Parameters& parameters) {
  std::uint64_t layer = 0;
  const auto fill = [&](std::size_t offset, std::size_t size, double deviation) {
    RandomStream random(Draw::kWeights, seed, layer++);
    float* const weights = parameters.value(offset);
    for (std::size_t i = 0; i < size; ++i) weights[i] = static_cast<float>(deviation * random.normal());
  };
  const bool mxnet = network.initialisation == Network::Initialisation::kMxnet;
  for (const Step& step : plan.steps) {
    const auto in = static_cast<std::size_t>(plan.shape(step.x).channels), out = static_cast<std::size_t>(plan.shape(step.y).channels);
    if (step.kind == StepKind::kConvolution) {
      const auto kernel = static_cast<std::size_t>(step.kernel), pixels = kernel * kernel;
      const std::size_t group_inputs = in / static_cast<std::size_t>(step.groups);
      fill(step.weights, out * pixels * group_inputs,
           std::sqrt(2.0 / (static_cast<double>(pixels) * static_cast<double>(mxnet ? out : group_inputs))));
    } else if (step.kind == StepKind::kDense) {
      const double gain = &step == &plan.steps.back() ? 1.0 : 2.0;
      fill(step.weights, out * in, mxnet ? 0.01 : std::sqrt(gain / static_cast<double>(in)));
    }
  }
}

std::vector<float> beta_of(const Plan& plan, int k, const float* values) {
  std::vector<float> all;
  for (const Step& step : plan.steps) {
    if (!step.activated) continue;
    const auto channels = static_cast<std::size_t>(plan.shape(step.y).channels);
    const float* const first = values + step.beta + static_cast<std::size_t>(k) * channels;
    all.insert(all.end(), first, first + channels);
  }
  return all;
}

std::int64_t parameter_count(const Network& network) {
  Parameters sizes(Parameters::Kept::kSizes);
  plan(network, 0, sizes);
  return static_cast<std::int64_t>(sizes.size());
}

std::int64_t forward_flop(const Network& network) {
  const Plan steps = counted(network);
  std::int64_t flop = 0;
  for (const Step& step : steps.steps) {
    const TensorShape &in = steps.shape(step.x), &out = steps.shape(step.y);
    const auto outputs = static_cast<std::int64_t>(out.elements());
    if (step.kind == StepKind::kConvolution) flop += 2 * outputs * step.kernel * step.kernel * in.channels / step.groups;
    if (step.kind == StepKind::kDense) flop += 2 * outputs * in.channels;
  }
  return flop;
}

std::int64_t activation_channels(const Network& network) {
  const Plan steps = counted(network);
  std::int64_t channels = 0;
  for (const Step& step : steps.steps) channels += step.activated ? steps.shape(step.y).channels : 0;
  return channels;
}

}  // namespace actsearch
