#include "evaluator/data/augmentation.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "evaluator/data/random.h"

namespace actsearch {
namespace {

constexpr int kRowValues = kImageSide * kImageChannels;
constexpr int kPlane = kImageSide * kImageSide;

/// value = scale · byte + shift, for the values of one output row: the three channels' constants over and over.
struct RowConstants {
  alignas(64) float scale[kRowValues];
  alignas(64) float shift[kRowValues];
};

RowConstants row_constants(bool normalise) {
  RowConstants row;
  for (int i = 0; i < kRowValues; ++i) {
    const std::size_t channel = static_cast<std::size_t>(i % kImageChannels);
    row.scale[i] = normalise ? 1.0f / kChannelDeviation[channel] : 1.0f;
    row.shift[i] = normalise ? -kChannelMean[channel] / kChannelDeviation[channel] : 0.0f;
  }
  return row;
}

inline void store(float value, float* out) { *out = value; }
/// bf16, rounded to nearest, ties to even. Pixels are finite, so NaN needs no care.
inline void store(float value, std::uint16_t* out) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  *out = static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// The image row mirrored or not, with room on both sides to read it shifted; what lies outside is overwritten with padding later.
struct Line {
  std::uint8_t bytes[3 * kImageSide] = {};
  void load(const std::uint8_t* row, bool flip) {
    std::uint8_t* middle = bytes + kImageSide;
    if (flip) {
      for (int c = 0; c < kImageSide; ++c) middle[c] = row[kImageSide - 1 - c];
    } else {
      std::memcpy(middle, row, kImageSide);
    }
  }
  const std::uint8_t* shifted(int by) const { return bytes + kImageSide + by; }
};

/// Three runs of 32 bytes to one row of pixels. Interleaving bytes first leaves plain contiguous loops for the arithmetic.
template <class Value>
void write_row(const std::uint8_t* red, const std::uint8_t* green, const std::uint8_t* blue, const RowConstants& constants, Value* out) {
  alignas(64) std::uint8_t pixels[kRowValues];
  for (int c = 0; c < kImageSide; ++c) {
    pixels[3 * c] = red[c];
    pixels[3 * c + 1] = green[c];
    pixels[3 * c + 2] = blue[c];
  }
  for (int i = 0; i < kRowValues; ++i) store(static_cast<float>(pixels[i]) * constants.scale[i] + constants.shift[i], out + i);
}

template <class Value>
void write(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image, Value* out) {
  static const RowConstants kNormalised = row_constants(true), kRaw = row_constants(false);
  const RowConstants& constants = augmentation.normalise ? kNormalised : kRaw;
  const int shift = transform.flip ? -transform.dx : transform.dx;  // a mirrored line is shifted the other way
  const int first = std::clamp(-shift, 0, kImageSide), last = std::clamp(kImageSide - shift, 0, kImageSide);
  if (image.size() != kImageBytes || std::abs(transform.dx) > kImageSide) {
    throw std::invalid_argument("write_image: not an image of 3,072 bytes, or shifted by more than its width");
  }

  Line red, green, blue;
  for (int r = 0; r < kImageSide; ++r, out += kRowValues) {
    const int source = r + transform.dy;
    if (source < 0 || source >= kImageSide) {
      std::fill_n(out, kRowValues, Value{0});
      continue;
    }
    const std::uint8_t* row = image.data() + source * kImageSide;
    red.load(row, transform.flip);
    green.load(row + kPlane, transform.flip);
    blue.load(row + 2 * kPlane, transform.flip);
    write_row(red.shifted(shift), green.shifted(shift), blue.shifted(shift), constants, out);
    std::fill(out, out + kImageChannels * first, Value{0});
    std::fill(out + kImageChannels * last, out + kRowValues, Value{0});
  }
}

/// At a side of `side`: the whole image, or the means of its squares of pixels, summed row by row.
template <class Value>
void write_at(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image, Value* out,
              int side) {
  if (side == kImageSide) return write(augmentation, transform, image, out);
  if (side < 1 || kImageSide % side != 0) throw std::invalid_argument("write_image: the side does not divide 32");
  float whole[kImageBytes];
  write(augmentation, transform, image, whole);
  const int square = kImageSide / side;
  const float share = 1.0f / static_cast<float>(square * square);
  for (int r = 0; r < side; ++r) {
    for (int c = 0; c < side; ++c) {
      for (int channel = 0; channel < kImageChannels; ++channel, ++out) {
        float sum = 0;
        for (int dr = 0; dr < square; ++dr) {
          for (int dc = 0; dc < square; ++dc) sum += whole[(r * square + dr) * kRowValues + (c * square + dc) * kImageChannels + channel];
        }
        store(sum * share, out);
      }
    }
  }
}

}  // namespace

ImageTransform draw_transform(const Augmentation& augmentation, std::uint64_t seed, std::uint32_t epoch, std::uint32_t index) {
  RandomStream random(Draw::kTransform, seed, epoch, index);
  // All three are drawn whatever the augmentation, so that one recipe's flips are another's.
  const bool flip = random.below(2) == 1;
  const int dx = random.between(-augmentation.pad, augmentation.pad);
  const int dy = random.between(-augmentation.pad, augmentation.pad);
  return {augmentation.flip && flip, dx, dy};
}

void write_image(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image, float* out,
                 int side) {
  write_at(augmentation, transform, image, out, side);
}

void write_image_bf16(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image,
                      std::uint16_t* out, int side) {
  write_at(augmentation, transform, image, out, side);
}

std::vector<std::uint32_t> epoch_order(const Augmentation& augmentation, std::span<const std::uint32_t> indices, std::uint64_t seed,
                                       std::uint32_t epoch) {
  std::vector<std::uint32_t> order(indices.begin(), indices.end());
  if (augmentation.shuffle) shuffle(std::span(order), RandomStream(Draw::kOrder, seed, epoch));
  return order;
}

}  // namespace actsearch
