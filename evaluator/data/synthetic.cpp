/// The built-in images. A class is a shape with a texture; colour is a hint that misleads half of the time. Place, size, turn, light,
/// background, a second object and noise vary freely. Everything is drawn in integers, so the bytes are the same on every machine.
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"

namespace actsearch {
namespace {

constexpr int kSide = kCifar10Shape.side, kImageChannels = kCifar10Shape.channels, kClasses = kCifar10Shape.classes;
constexpr std::size_t kImageBytes = kCifar10Shape.bytes();
constexpr int kPixels = kSide * kSide;
using Plane = std::array<std::int32_t, kPixels>;
using Colour = std::array<std::int32_t, kImageChannels>;  ///< 0..255 each, differences beyond

enum class Shape : std::uint8_t { kDisc, kSquare, kTriangle, kRing, kCross };
constexpr int kShapes = 5;
enum class Texture : std::uint8_t { kStripes, kChecks };

/// The colour that hints at each class.
constexpr std::array<Colour, kClasses> kHints{{{{200, 70, 60}},
                                               {{70, 170, 80}},
                                               {{70, 90, 200}},
                                               {{200, 180, 60}},
                                               {{170, 70, 180}},
                                               {{70, 180, 190}},
                                               {{220, 130, 60}},
                                               {{130, 90, 60}},
                                               {{150, 200, 110}},
                                               {{110, 120, 150}}}};

/// A turned and scaled frame: pixels to units in which an object reaches to kUnit.
constexpr std::int32_t kUnit = 1024;
struct Frame {
  std::int32_t centre_x, centre_y;  ///< 1/256 pixel
  std::int32_t cosine, sine;        ///< 1/1024
  std::int32_t radius;              ///< 1/256 pixel

  /// Calls visit(pixel, u, v) for every pixel, u and v being its place in the frame.
  template <class Visit>
  void for_each_pixel(Visit visit) const {
    const std::int32_t inverse = (kUnit << 12) / radius;
    for (std::int32_t r = 0; r < kSide; ++r) {
      const std::int32_t dy = r * 256 + 128 - centre_y;
      for (std::int32_t c = 0; c < kSide; ++c) {
        const std::int32_t dx = c * 256 + 128 - centre_x;
        visit(r * kSide + c, (((dx * cosine + dy * sine) >> 10) * inverse) >> 12, (((dy * cosine - dx * sine) >> 10) * inverse) >> 12);
      }
    }
  }
};

/// A random turn: t in (-1, 1) gives the point ((1 - t²) / (1 + t²), 2t / (1 + t²)) of half the circle, a sign the other half.
void turn(RandomStream& random, Frame& frame) {
  const std::int64_t t = random.between(-1023, 1023), sign = random.below(2) == 0 ? 1 : -1;
  const std::int64_t one = std::int64_t{1} << 20, square = t * t;
  frame.cosine = static_cast<std::int32_t>(sign * (one - square) * 1024 / (one + square));
  frame.sine = static_cast<std::int32_t>(sign * 2 * t * 1024 * 1024 / (one + square));
}

Frame draw_frame(RandomStream& random, int smallest, int largest) {
  Frame frame{};
  frame.radius = random.between(smallest * 256, largest * 256);
  frame.centre_x = random.between(frame.radius * 3 / 4, kSide * 256 - frame.radius * 3 / 4);
  frame.centre_y = random.between(frame.radius * 3 / 4, kSide * 256 - frame.radius * 3 / 4);
  turn(random, frame);
  return frame;
}

/// How much of each pixel the shape covers, 0..256. `inside(u, v)` is the distance to the edge, positive inside.
template <class Inside>
void cover(const Frame& frame, Inside inside, Plane& coverage) {
  frame.for_each_pixel([&](std::int32_t pixel, std::int32_t u, std::int32_t v) {
    const std::int32_t distance = std::clamp(inside(u, v), -2 * kUnit, 2 * kUnit);
    coverage[static_cast<std::size_t>(pixel)] = std::clamp(128 + ((distance * frame.radius) >> 10), 0, 256);
  });
}

void cover(Shape shape, const Frame& frame, Plane& coverage) {
  using Value = std::int32_t;
  switch (shape) {
    case Shape::kDisc:
      return cover(
          frame, [](Value u, Value v) { return (900 * 900 - (u * u + v * v)) >> 11; }, coverage);
    case Shape::kSquare:
      return cover(
          frame, [](Value u, Value v) { return 800 - std::max(std::abs(u), std::abs(v)); }, coverage);
    case Shape::kTriangle:
      return cover(
          frame, [](Value u, Value v) { return 560 - std::max(v, ((887 * std::abs(u)) >> 10) - (v >> 1)); }, coverage);
    case Shape::kRing:
      return cover(
          frame,
          [](Value u, Value v) {
            const Value square = u * u + v * v;
            return std::min((1000 * 1000 - square) >> 11, (square - 520 * 520) >> 10);
          },
          coverage);
    case Shape::kCross:
      return cover(
          frame,
          [](Value u, Value v) {
            const Value a = std::abs(u), b = std::abs(v);
            return std::max(std::min(1000 - a, 340 - b), std::min(340 - a, 1000 - b));
          },
          coverage);
  }
}

/// A triangle wave of period kUnit, -256..256.
std::int32_t wave(std::int32_t phase) { return std::abs((phase & (kUnit - 1)) - kUnit / 2) - kUnit / 4; }

/// The texture's brightness, -256..256, with a random turn and a period of 4 to 7 pixels.
void paint(Texture texture, RandomStream& random, Plane& brightness) {
  Frame frame{};
  turn(random, frame);
  frame.centre_x = random.between(0, 8 * 256);
  frame.centre_y = random.between(0, 8 * 256);
  frame.radius = random.between(4 * 256, 7 * 256);
  switch (texture) {
    case Texture::kStripes:
      return frame.for_each_pixel(
          [&](std::int32_t pixel, std::int32_t u, std::int32_t) { brightness[static_cast<std::size_t>(pixel)] = wave(u); });
    case Texture::kChecks:
      return frame.for_each_pixel([&](std::int32_t pixel, std::int32_t u, std::int32_t v) {
        brightness[static_cast<std::size_t>(pixel)] = std::clamp((wave(u) * wave(v)) >> 7, -256, 256);
      });
  }
}

Colour draw_colour(RandomStream& random) { return {random.between(30, 225), random.between(30, 225), random.between(30, 225)}; }

/// Random values on a 5 × 5 lattice, blended between.
void paint_clouds(RandomStream& random, std::int32_t mean, std::int32_t spread, Plane& plane) {
  constexpr int kCell = 8, kNodes = kSide / kCell + 1;
  std::int32_t node[kNodes][kNodes];
  for (auto& row : node) {
    for (std::int32_t& value : row) value = mean + random.between(-spread, spread);
  }
  for (int r = 0; r < kSide; ++r) {
    const int top = r / kCell, down = r % kCell;
    for (int left = 0; left + 1 < kNodes; ++left) {
      const std::int32_t a = node[top][left] * (kCell - down) + node[top + 1][left] * down;
      const std::int32_t b = node[top][left + 1] * (kCell - down) + node[top + 1][left + 1] * down;
      std::int32_t* out = plane.data() + r * kSide + left * kCell;
      for (int k = 0; k < kCell; ++k) out[k] = (a * (kCell - k) + b * k) / (kCell * kCell);
    }
  }
}

/// Something drawn over what is there: its colour plus its texture where it covers.
struct Layer {
  Plane coverage, brightness;
  Colour colour, contrast;  ///< contrast: what brightness 256 adds
};

Layer draw_object(Shape shape, Texture texture, const Colour& colour, int smallest, int largest, RandomStream& random) {
  Layer layer;
  cover(shape, draw_frame(random, smallest, largest), layer.coverage);
  paint(texture, random, layer.brightness);
  layer.colour = colour;
  const std::int32_t strength = random.between(25, 70);
  for (std::int32_t& channel : layer.contrast) channel = strength + random.between(-20, 20);
  return layer;
}

Colour draw_object_colour(int label, RandomStream& random) {
  if (random.below(2) == 0) return draw_colour(random);
  Colour colour = kHints[static_cast<std::size_t>(label)];
  for (std::int32_t& channel : colour) channel += random.between(-45, 45);
  return colour;
}

/// Four uniform bytes summed: roughly normal noise with deviation `strength`.
std::int32_t noise(std::uint32_t key, std::uint32_t counter, std::int32_t strength) {
  std::uint32_t bits = (counter ^ key) * 0x9e3779b1u;
  bits = (bits ^ (bits >> 15)) * 0x85ebca6bu;
  bits = (bits ^ (bits >> 13)) * 0xc2b2ae35u;
  bits ^= bits >> 16;
  const std::uint32_t sum = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24);
  return ((static_cast<std::int32_t>(sum) - 510) * strength) / 148;
}

void draw_image(int label, RandomStream random, std::uint8_t* out) {
  const auto shape = static_cast<Shape>(label % kShapes);
  const auto texture = static_cast<Texture>(label / kShapes);
  const Colour sky = draw_colour(random);
  const Colour colour = draw_object_colour(label, random);
  // One after the other: arguments of a call are drawn in an order that each compiler chooses.
  const Colour other_colour = draw_colour(random);
  const auto other_texture = static_cast<Texture>(random.below(2));
  const auto other_shape = static_cast<Shape>(random.below(kShapes));
  const Layer other = draw_object(other_shape, other_texture, other_colour, 3, 6, random);
  const Layer object = draw_object(shape, texture, colour, 7, 14, random);
  const std::int32_t gain = random.between(140, 256), level = random.between(-30, 30), grain = random.between(4, 16);
  const auto key = static_cast<std::uint32_t>(random.next());

  for (std::size_t channel = 0; channel < kImageChannels; ++channel) {
    Plane plane;
    paint_clouds(random, sky[channel], 60, plane);
    for (std::size_t i = 0; i < kPixels; ++i) {
      std::int32_t value = plane[i];
      for (const Layer* layer : {&other, &object}) {
        const std::int32_t drawn = layer->colour[channel] + ((layer->brightness[i] * layer->contrast[channel]) >> 8);
        value += ((drawn - value) * layer->coverage[i]) >> 8;
      }
      value = 128 + level + (((value - 128) * gain) >> 8) + noise(key, static_cast<std::uint32_t>(channel * kPixels + i), grain);
      out[channel * kPixels + i] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
    }
  }
}

/// `which`: 0 the training set, 1 the test set. As many images of every class as the size allows, in random order.
ImageSet draw_set(std::uint64_t seed, std::uint64_t which, std::size_t size) {
  ImageSet set{std::vector<std::uint8_t>(size * kImageBytes), std::vector<Label>(size)};
  for (std::size_t i = 0; i < size; ++i) set.labels[i] = static_cast<Label>(i % kClasses);
  shuffle(std::span(set.labels), RandomStream(Draw::kSyntheticLabels, seed, which));
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, size, 64), [&](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) {
      draw_image(set.labels[i], RandomStream(Draw::kSyntheticImage, seed, which, i), set.pixels.data() + i * kImageBytes);
    }
  });
  return set;
}

}  // namespace

Dataset make_synthetic(std::uint64_t seed, std::size_t train_size, std::size_t test_size) {
  return {.name = "synthetic",
          .source = "synthetic shapes, seed " + std::to_string(seed) + ", " + std::to_string(train_size) + " training and " +
                    std::to_string(test_size) + " test images",
          .shape = kCifar10Shape,
          .train = draw_set(seed, 0, train_size),
          .test = draw_set(seed, 1, test_size)};
}

}  // namespace actsearch
