/// From uint8 images to a training batch: crop, flip and normalisation, a pure function of (seed, epoch, index).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluator/data/image_shape.h"

namespace actsearch {

struct Augmentation {
  bool flip = true;       ///< mirror left-right with probability 1/2
  int pad = 0;            ///< zero-pad by this many pixels on each side, then crop the image's size at random (0: no crop)
  bool normalise = true;  ///< subtract the data's mean and divide by its deviation, per channel; otherwise raw 0..255
  bool shuffle = true;    ///< a new order each epoch
};

/// What happens to one image in one epoch.
struct ImageTransform {
  bool flip = false;
  int dx = 0, dy = 0;  ///< shift of the crop window, each in [-pad, pad]
};
/// Pure function of its arguments; `index` is the image's place in the data set, not in the batch.
ImageTransform draw_transform(const Augmentation& augmentation, std::uint64_t seed, std::uint32_t epoch, std::uint32_t index);

/// Writes images as a network reads them: side × side × channels (NHWC: pixel by pixel, its channels one after the other). Padding is the
/// value of zero after normalisation (0), as is usual. Pixel (row, column) comes from (row + dy, column + dx) of the image, or from
/// (row + dy, last - column + dx) where flipped. With a `side` below the image's, each value is the mean of a square of those.
class ImageWriter {
 public:
  /// std::invalid_argument if `side` does not divide the image's.
  ImageWriter(const Augmentation& augmentation, const ImageShape& shape, int side);

  /// `out` has as many values as the network reads. std::invalid_argument if the image has another size or is shifted by more than its
  /// width.
  void operator()(const ImageTransform& transform, std::span<const std::uint8_t> image, float* out) const;
  /// The same in bf16, each value rounded to nearest, ties to even.
  void operator()(const ImageTransform& transform, std::span<const std::uint8_t> image, std::uint16_t* out) const;

 private:
  template <class Value>
  void write_whole(const ImageTransform& transform, std::span<const std::uint8_t> image, Value* out) const;
  template <class Value>
  void write(const ImageTransform& transform, std::span<const std::uint8_t> image, Value* out) const;

  ImageShape shape_;
  int side_;
  std::vector<float> scale_, shift_;  ///< of the values of one row of the whole image: the channels' constants over and over
};

/// What a pixel byte of the channel becomes: scale · byte + shift.
struct PixelAffine {
  float scale = 1, shift = 0;
};
PixelAffine pixel_affine(const Augmentation& augmentation, const ImageShape& shape, std::size_t channel);

/// The order in which an epoch visits `indices`: a permutation drawn from (seed, epoch), or `indices` unchanged without shuffle.
std::vector<std::uint32_t> epoch_order(const Augmentation& augmentation, std::span<const std::uint32_t> indices, std::uint64_t seed,
                                       std::uint32_t epoch);

}  // namespace actsearch
