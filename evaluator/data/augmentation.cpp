#include "evaluator/data/augmentation.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "evaluator/data/random.h"

namespace actsearch {
namespace {

inline void store(float value, float* out) { *out = value; }
/// bf16, rounded to nearest, ties to even. Pixels are finite, so NaN needs no care.
inline void store(float value, std::uint16_t* out) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  *out = static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// The image row mirrored or not, with room on both sides to read it shifted; what lies outside is overwritten with padding later.
struct Line {
  std::uint8_t bytes[3 * ImageShape::kMostSide] = {};
  int side = 0;
  void load(const std::uint8_t* row, bool flip) {
    std::uint8_t* middle = bytes + side;
    if (flip) {
      for (int c = 0; c < side; ++c) middle[c] = row[side - 1 - c];
    } else {
      std::memcpy(middle, row, static_cast<std::size_t>(side));
    }
  }
  const std::uint8_t* shifted(int by) const { return bytes + side + by; }
};

}  // namespace

PixelAffine pixel_affine(const Augmentation& augmentation, const ImageShape& shape, std::size_t channel) {
  if (!augmentation.normalise) return {};
  return {1.0f / shape.deviation[channel], -shape.mean[channel] / shape.deviation[channel]};
}

ImageWriter::ImageWriter(const Augmentation& augmentation, const ImageShape& shape, int side) : shape_(shape), side_(side) {
  if (side < 1 || shape.side % side != 0) {
    throw std::invalid_argument("ImageWriter: the side " + std::to_string(side) + " does not divide " + std::to_string(shape.side));
  }
  const auto channels = static_cast<std::size_t>(shape.channels), row_values = channels * static_cast<std::size_t>(shape.side);
  for (std::size_t i = 0; i < row_values; ++i) {
    const PixelAffine affine = pixel_affine(augmentation, shape, i % channels);
    scale_.push_back(affine.scale);
    shift_.push_back(affine.shift);
  }
}

template <class Value>
void ImageWriter::write_whole(const ImageTransform& transform, std::span<const std::uint8_t> image, Value* out) const {
  const int side = shape_.side, channels = shape_.channels, row_values = side * channels;
  const int shift = transform.flip ? -transform.dx : transform.dx;  // a mirrored line is shifted the other way
  const int first = std::clamp(-shift, 0, side), last = std::clamp(side - shift, 0, side);
  if (image.size() != shape_.bytes() || std::abs(transform.dx) > side) {
    throw std::invalid_argument("ImageWriter: not an image of " + std::to_string(shape_.bytes()) +
                                " bytes, or shifted by more than its width");
  }
  const float* const scale = scale_.data();
  const float* const shifts = shift_.data();
  Line lines[3];
  for (Line& line : lines) line.side = side;
  alignas(64) std::uint8_t pixels[3 * ImageShape::kMostSide];  // interleaved first, which leaves a plain contiguous loop for the arithmetic
  for (int r = 0; r < side; ++r, out += row_values) {
    const int source = r + transform.dy;
    if (source < 0 || source >= side) {
      std::fill_n(out, row_values, Value{0});
      continue;
    }
    for (int k = 0; k < channels; ++k) {
      lines[k].load(image.data() + static_cast<std::size_t>(k) * shape_.pixels() + source * side, transform.flip);
      const std::uint8_t* const line = lines[k].shifted(shift);
      for (int c = 0; c < side; ++c) pixels[channels * c + k] = line[c];
    }
    for (int i = 0; i < row_values; ++i) store(static_cast<float>(pixels[i]) * scale[i] + shifts[i], out + i);
    std::fill(out, out + channels * first, Value{0});
    std::fill(out + channels * last, out + row_values, Value{0});
  }
}

/// The whole image, or the means of its squares of pixels, summed row by row.
template <class Value>
void ImageWriter::write(const ImageTransform& transform, std::span<const std::uint8_t> image, Value* out) const {
  if (side_ == shape_.side) return write_whole(transform, image, out);
  float whole[3 * ImageShape::kMostSide * ImageShape::kMostSide];
  write_whole(transform, image, whole);
  const int square = shape_.side / side_, channels = shape_.channels, row_values = shape_.side * channels;
  const float share = 1.0f / static_cast<float>(square * square);
  for (int r = 0; r < side_; ++r) {
    for (int c = 0; c < side_; ++c) {
      for (int channel = 0; channel < channels; ++channel, ++out) {
        float sum = 0;
        for (int dr = 0; dr < square; ++dr) {
          for (int dc = 0; dc < square; ++dc) sum += whole[(r * square + dr) * row_values + (c * square + dc) * channels + channel];
        }
        store(sum * share, out);
      }
    }
  }
}

void ImageWriter::operator()(const ImageTransform& transform, std::span<const std::uint8_t> image, float* out) const {
  write(transform, image, out);
}

void ImageWriter::operator()(const ImageTransform& transform, std::span<const std::uint8_t> image, std::uint16_t* out) const {
  write(transform, image, out);
}

ImageTransform draw_transform(const Augmentation& augmentation, std::uint64_t seed, std::uint32_t epoch, std::uint32_t index) {
  RandomStream random(Draw::kTransform, seed, epoch, index);
  // All three are drawn whatever the augmentation, so that one recipe's flips are another's.
  const bool flip = random.below(2) == 1;
  const int dx = random.between(-augmentation.pad, augmentation.pad);
  const int dy = random.between(-augmentation.pad, augmentation.pad);
  return {augmentation.flip && flip, dx, dy};
}

std::vector<std::uint32_t> epoch_order(const Augmentation& augmentation, std::span<const std::uint32_t> indices, std::uint64_t seed,
                                       std::uint32_t epoch) {
  std::vector<std::uint32_t> order(indices.begin(), indices.end());
  if (augmentation.shuffle) shuffle(std::span(order), RandomStream(Draw::kOrder, seed, epoch));
  return order;
}

}  // namespace actsearch
