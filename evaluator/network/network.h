/// A network as a list of layers, each naming what it reads, and the builders of the built-in ones.
///
/// A list says what is computed and nothing of how. evaluator/network/plan.h checks it for an image shape, and places parameters and
/// tensors. It also finds the layers that one kernel computes together. docs/networks.md has the words of a network file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/data/image_shape.h"

namespace actsearch {

/// What a layer computes. `image` is the network's input, side × side × channels.
enum class LayerKind : std::uint8_t {
  kConvolution,  ///< kernel × kernel, with stride, zero padding and groups; its side is ⌊(side + 2·padding − kernel) / stride⌋ + 1
  kBatchNorm,    ///< over batch and pixels, with a scale and a shift a channel
  kActivation,   ///< the candidate, with its own parameters a channel
  kAdd,          ///< the sum of two tensors of one shape
  kMaxPool,      ///< the largest of kernel × kernel pixels; padding counts as −∞
  kAveragePool,  ///< the mean of kernel × kernel pixels; padding counts as no pixel
  kGlobalAveragePool,  ///< the mean of all pixels of a channel
  kFlatten,            ///< an image as one row of numbers, its channels innermost
  kDense,              ///< a weighted sum of all inputs for each unit, with a bias
  kDropout             ///< in training, sets each number to 0 with a probability, and scales the others by 1 / (1 − probability)
};

struct Layer {
  LayerKind kind = LayerKind::kActivation;
  std::string name;                 ///< by which others refer to its output; "" where none does
  std::vector<std::string> inputs;  ///< names of earlier layers, or "image"; empty: the layer before it (of the first: the image)
  int channels = 0;                 ///< of a convolution's output; a dense layer's units, where 0 stands for the classes
  int kernel = 0, stride = 1, padding = 0, groups = 1;  ///< of convolutions and pools; pools have no groups
  bool bias = false;                                    ///< of a convolution; dense layers always have one
  double probability = 0;                               ///< of dropping
  bool operator==(const Layer&) const = default;
};

/// For example "convolution": the word in a network file. layer_kind throws std::invalid_argument that lists all.
std::string_view to_text(LayerKind kind);
LayerKind layer_kind(std::string_view word);

struct Network {
  /// What its trials are stored under: the builder's own words, or "layers=…" with all layers. One line without line breaks.
  std::string text;
  std::string summary;  ///< a few words for people
  std::vector<Layer> layers;
  ImageShape images = kCifar10Shape;  ///< of the data; for_images fits a network to others
  int image_side =
      kCifar10Shape.side;  ///< height and width that it sees: the data's, or a divisor, to which squares of pixels are averaged
  enum class Initialisation : std::uint8_t {
    kHe,    ///< N(0, √(2 / fan_in)) for convolutions and hidden dense layers, N(0, √(1 / fan_in)) for the last
    kMxnet  ///< convolutions N(0, √(2 / (kernel² · out_channels))), dense N(0, 0.01)
  } initialisation = Initialisation::kHe;
  double batch_norm_momentum = 0.9;  ///< running = momentum · running + (1 - momentum) · batch
  double batch_norm_epsilon = 1e-5;
};

/// "layers=…": every field of every layer that is not at its default, in one line without spaces.
std::string layers_text(const std::vector<Layer>& layers);

/// A network of such layers: with a built-in network's text and summary where it has the same layers, else with layers_text.
Network network_of(std::vector<Layer> layers);

/// VGG (Simonyan and Zisserman, 2015) with batch norm. A positive entry of `features` is convolution 3×3 → batch norm → activation, and
/// kPool is a 2×2 pool. An entry of `dense` is dense → activation → dropout. A dense layer to the classes comes last.
struct Vgg {
  static constexpr int kPool = -1;
  std::vector<int> features;  ///< output channels, or kPool
  std::vector<int> dense;     ///< widths of the hidden dense layers
  double dropout = 0;         ///< probability of dropping, after each hidden dense layer
  bool convolution_bias = false;
  bool average_pool = false;  ///< pools average in place of taking the largest
};
Network vgg(const Vgg& options);

/// The residual network for small images (He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2). It is a 3×3
/// convolution of 16 channels, three stages of `blocks` blocks with 16, 32 and 64 channels, global average pool, dense. A block is two 3×3
/// convolutions with batch norm; the activation follows the sum. The first block of the later stages halves the side; its shortcut is a 1×1
/// convolution of stride 2 with batch norm. ResNet-20 has 3 blocks a stage, ResNet-56 has 9.
Network resnet(int blocks);

/// The wide residual network (Zagoruyko and Komodakis, 2016). A block is batch norm → activation → 3×3 convolution, twice, with `width`
/// times the channels 16, 32 and 64. A block that changes the channels has a 1×1 convolution as its shortcut, which reads what the block's
/// first activation gives. depth = 6·blocks + 4: WRN-10-2 has 1 block a stage and width 2.
Network wide_resnet(int blocks, int width);

}  // namespace actsearch
