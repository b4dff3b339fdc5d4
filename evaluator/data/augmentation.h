/// From uint8 images to a training batch: crop, flip and normalisation, a pure function of (seed, epoch, index).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluator/data/dataset.h"

namespace actsearch {

struct Augmentation {
  bool flip = true;       ///< mirror left-right with probability 1/2
  int pad = 0;            ///< zero-pad by this many pixels on each side, then crop 32×32 at random (0: no crop)
  bool normalise = true;  ///< subtract kChannelMean and divide by kChannelDeviation; otherwise raw 0..255
  bool shuffle = true;    ///< a new order each epoch
};

/// Mean and standard deviation of CIFAR-10's training pixels per channel (red, green, blue), on the 0..255 scale.
inline constexpr std::array<float, 3> kChannelMean{125.307f, 122.950f, 113.865f};
inline constexpr std::array<float, 3> kChannelDeviation{62.993f, 62.089f, 66.705f};

/// What happens to one image in one epoch.
struct ImageTransform {
  bool flip = false;
  int dx = 0, dy = 0;  ///< shift of the crop window, each in [-pad, pad]
};
/// Pure function of its arguments; `index` is the image's place in the data set, not in the batch.
ImageTransform draw_transform(const Augmentation& augmentation, std::uint64_t seed, std::uint32_t epoch, std::uint32_t index);

/// Writes one image as 32×32×3 (NHWC: pixel by pixel, red, green, blue) fp32. Padding is the value of zero after
/// normalisation (0), as is usual. `out` has 3,072 floats.
/// Pixel (row, column) comes from (row + dy, column + dx) of the image, or from (row + dy, 31 - column + dx) where flipped.
/// With a `side` below 32 each side × side × 3 value is the mean of a square of those; `out` has as many floats.
/// std::invalid_argument if the image has another size or is shifted by more than its width, or if `side` does not divide 32.
void write_image(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image, float* out,
                 int side = kImageSide);
/// The same in bf16, each value rounded to nearest, ties to even.
void write_image_bf16(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image,
                      std::uint16_t* out, int side = kImageSide);

/// The order in which an epoch visits `indices`: a permutation drawn from (seed, epoch), or `indices` unchanged without shuffle.
std::vector<std::uint32_t> epoch_order(const Augmentation& augmentation, std::span<const std::uint32_t> indices, std::uint64_t seed,
                                       std::uint32_t epoch);

}  // namespace actsearch
