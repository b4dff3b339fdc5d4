/// A network made ready for an image shape: checked, cut into steps of one kernel each, with places for parameters and tensors.
/// The executors of both devices walk the steps, forwards and backwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "evaluator/network/network.h"
#include "evaluator/network/parameters.h"

namespace actsearch {

/// Of one image: side × side pixels of so many channels, channels innermost. A row of numbers has side 1.
struct TensorShape {
  int channels = 0, side = 1;
  std::size_t pixels() const { return static_cast<std::size_t>(side) * static_cast<std::size_t>(side); }
  std::size_t elements() const { return static_cast<std::size_t>(channels) * pixels(); }
  bool operator==(const TensorShape&) const = default;
};

enum class StepKind : std::uint8_t {
  kConvolution,  ///< x to y, without its bias
  kDense,        ///< x to y, without its bias. The plan's last step: y are the logits, fp32
  kElementwise,  ///< y = f(scale·x + shift): batch norm or a bias, then the candidate or nothing
  kAdd,          ///< y = x + other
  kMaxPool,
  kAveragePool,
  kFlatten,  ///< the same numbers; where a device keeps images otherwise, put in order
  kDropout   ///< y is x, in place
};

/// Numbers named "of" a kind of step are 0 in others.
struct Step {
  StepKind kind = StepKind::kElementwise;
  int x = 0, other = -1, y = 0;                         ///< tensors of the plan
  int kernel = 0, stride = 1, padding = 0, groups = 1;  ///< of convolutions and pools
  double probability = 0;                               ///< of dropout
  int dropout = 0;                                      ///< which of the network's dropouts this is, from 0
  std::size_t weights = 0;  ///< offset: channels × kernel × kernel × (x's channels / groups); of dense, units × inputs
  // Of an elementwise step.
  bool normalised = false, biased = false, activated = false;
  int norm = -1;                     ///< which of the network's batch norms, from 0
  std::size_t gamma = 0, delta = 0;  ///< offsets of batch norm's scale and shift: channels each
  std::size_t bias = 0;              ///< offset, also of the last step: channels
  std::size_t beta = 0;              ///< offset: activation parameters × channels
};

/// One step backwards, and where gradients lie. A buffer holds one tensor's gradient: from the first step that adds to it until the step
/// that made the tensor.
struct BackwardStep {
  std::size_t step = 0;  ///< of the plan
  int incoming = -1;     ///< buffer of dL_dy; -1: the last step's, which is not in a buffer
  int outgoing = -1;     ///< buffer of dL_dx; that of dL_dy where the step works in place; -1: nobody wants the image's
  int sum = -1;          ///< where x has a gradient already: the buffer that `outgoing` is added to afterwards
  // Of an add: the gradient of `other`, before anything else.
  int other = -1;           ///< buffer
  bool other_adds = false;  ///< dL_dy is added to it; else it begins as a copy
};

struct Plan {
  std::vector<TensorShape> tensors;  ///< 0 is the image
  std::vector<Step> steps;           ///< in the order of computing
  /// Tensors that are never wanted at the same time share a slot. A tensor is wanted from the step that makes it to the last that reads it,
  /// forwards or backwards. -1: the image, the logits, and what is another tensor in place (flatten, dropout).
  std::vector<int> slots;                      ///< of each tensor
  std::vector<std::size_t> slot_elements;      ///< per image, of each slot
  std::vector<BackwardStep> backward;          ///< in the order of computing: the last step first
  std::vector<std::size_t> gradient_elements;  ///< per image, of each gradient buffer
  int classes = 0, norms = 0;

  const TensorShape& shape(int tensor) const { return tensors[static_cast<std::size_t>(tensor)]; }
  int slot(int tensor) const { return slots[static_cast<std::size_t>(tensor)]; }
};

/// Checks the network for its images and adds its parameters to `parameters`: gamma and beta at their starts, the rest 0.
/// `activation_parameters` are those of the candidate.
///
/// std::invalid_argument names the layer and says what does not fit:
/// - sizes that differ, a side that a pool does not divide, or groups that do not divide the channels;
/// - an output that no layer reads, or a name that is unknown, comes later or is there twice;
/// - no activation, or an end that is not a dense layer to the classes.
Plan plan(const Network& network, int activation_parameters, Parameters& parameters);

/// The same network for images of another shape, averaged by the same factor. std::invalid_argument where it does not fit them; if it fits
/// other sides, the message names the nearest.
Network for_images(Network network, const ImageShape& images);

/// Normal weights as the network's initialisation says, from one stream per layer, so that a layer's start does not depend on the others.
void initialise(const Network& network, const Plan& plan, std::uint64_t seed, Parameters& parameters);

/// The activation's parameter k in every channel of every activation, in order; `values` are those of Parameters.
std::vector<float> beta_of(const Plan& plan, int k, const float* values);

/// Trainable parameters, without the activation's betas.
std::int64_t parameter_count(const Network& network);
/// Floating-point operations (2 per multiply-add) of one image's forward pass through convolutions and dense layers.
std::int64_t forward_flop(const Network& network);
/// How many channels (units) all activations have together: one beta each per parameter of the candidate.
std::int64_t activation_channels(const Network& network);

}  // namespace actsearch
