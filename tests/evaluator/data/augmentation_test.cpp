#include "evaluator/data/augmentation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace actsearch {
namespace {

constexpr int kImageSide = kCifar10Shape.side, kValues = kCifar10Shape.bytes();
constexpr std::size_t kImageBytes = kCifar10Shape.bytes();

void write_image(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image, float* out,
                 int side = kImageSide) {
  ImageWriter(augmentation, kCifar10Shape, side)(transform, image, out);
}
void write_image_bf16(const Augmentation& augmentation, const ImageTransform& transform, std::span<const std::uint8_t> image,
                      std::uint16_t* out, int side = kImageSide) {
  ImageWriter(augmentation, kCifar10Shape, side)(transform, image, out);
}

std::vector<std::uint8_t> some_image() {
  std::vector<std::uint8_t> image(kImageBytes);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(i * i * 13 + i * 5 + 1);
  return image;
}

/// The definition, pixel by pixel, in double.
double reference(const Augmentation& augmentation, const ImageTransform& transform, const std::vector<std::uint8_t>& image, int row,
                 int column, int channel) {
  const int source_row = row + transform.dy;
  const int source_column = (transform.flip ? kImageSide - 1 - column : column) + transform.dx;
  if (std::min(source_row, source_column) < 0 || std::max(source_row, source_column) >= kImageSide) return 0;
  const double pixel = image[static_cast<std::size_t>((channel * kImageSide + source_row) * kImageSide + source_column)];
  const std::size_t c = static_cast<std::size_t>(channel);
  return augmentation.normalise ? (pixel - double{kCifar10Shape.mean[c]}) / double{kCifar10Shape.deviation[c]} : pixel;
}

/// Every combination of flip and shift, among them shifts that leave nothing of the image.
std::vector<ImageTransform> transforms() {
  std::vector<ImageTransform> all;
  for (const bool flip : {false, true}) {
    for (const int dx : {-32, -4, -1, 0, 3, 31}) {
      for (const int dy : {-40, -3, 0, 4, 31}) all.push_back({flip, dx, dy});
    }
  }
  return all;
}

TEST(WriteImage, AgreesWithItsDefinitionForEveryTransform) {
  const std::vector<std::uint8_t> image = some_image();
  for (const bool normalise : {false, true}) {
    const Augmentation augmentation{.flip = true, .pad = 4, .normalise = normalise, .shuffle = true};
    for (const ImageTransform& transform : transforms()) {
      std::vector<float> out(kValues + 1, -99.0f);
      write_image(augmentation, transform, image, out.data());
      EXPECT_EQ(out[kValues], -99.0f) << "written past the end";
      for (int i = 0; i < kValues; ++i) {
        const double expected = reference(augmentation, transform, image, i / (3 * kImageSide), i / 3 % kImageSide, i % 3);
        // scale · byte + shift in fp32: three roundings of numbers of at most 4.
        ASSERT_NEAR(out[static_cast<std::size_t>(i)], expected, normalise ? 1e-6 : 0.0)
            << i << " dx " << transform.dx << " dy " << transform.dy;
      }
    }
  }
}

TEST(WriteImage, OfASmallerSideHoldsTheMeansOfSquaresOfTheWholeImage) {
  const std::vector<std::uint8_t> image = some_image();
  const Augmentation augmentation{.pad = 4};
  for (const int side : {1, 8, 16}) {
    const int square = kImageSide / side, values = 3 * side * side;
    for (const ImageTransform& transform : transforms()) {
      std::vector<float> whole(kValues), small(static_cast<std::size_t>(values) + 1, 7.0f);
      std::vector<std::uint16_t> bf16(static_cast<std::size_t>(values));
      write_image(augmentation, transform, image, whole.data());
      write_image(augmentation, transform, image, small.data(), side);
      write_image_bf16(augmentation, transform, image, bf16.data(), side);
      EXPECT_EQ(small.back(), 7.0f) << "written past the end";
      for (int i = 0; i < values; ++i) {
        const int row = i / (3 * side), column = i / 3 % side, channel = i % 3;
        double mean = 0;
        for (int r = row * square; r < (row + 1) * square; ++r) {
          for (int c = column * square; c < (column + 1) * square; ++c)
            mean += static_cast<double>(whole[static_cast<std::size_t>((r * kImageSide + c) * 3 + channel)]) / (square * square);
        }
        const auto place = static_cast<std::size_t>(i);
        ASSERT_NEAR(small[place], mean, 1e-5) << side << ' ' << i;
        const float half = std::bit_cast<float>(static_cast<std::uint32_t>(bf16[place]) << 16);
        ASSERT_NEAR(half, small[place], 0x1p-8 * std::abs(small[place]) + 1e-30) << side << ' ' << i;
      }
    }
  }
  std::vector<float> out(kValues);
  for (const int side : {0, 5, 64}) EXPECT_THROW(write_image(augmentation, {}, image, out.data(), side), std::invalid_argument) << side;
}

TEST(WriteImage, OfOtherShapesAgreesWithItsDefinition) {
  for (const auto& [channels, side, small] : {std::array{1, 28, 28}, {1, 12, 4}, {3, 96, 96}, {3, 20, 10}}) {
    const ImageShape shape{
        .channels = channels, .side = side, .classes = 2, .mean = {100.0f, 90.0f, 80.0f}, .deviation = {50.0f, 40.0f, 30.0f}};
    std::vector<std::uint8_t> image(shape.bytes());
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(i * i * 13 + i * 5 + 1);
    const int square = side / small, values = channels * small * small;
    const ImageWriter writer({.pad = 4}, shape, small);
    for (const ImageTransform& transform : {ImageTransform{false, 0, 0}, {true, -3, 2}, {true, side, 0}, {false, 2, -side}}) {
      std::vector<float> out(static_cast<std::size_t>(values) + 1, 7.0f);
      writer(transform, image, out.data());
      EXPECT_EQ(out.back(), 7.0f) << "written past the end";
      for (int i = 0; i < values; ++i) {
        const int row = i / (channels * small), column = i / channels % small, channel = i % channels;
        double mean = 0;
        for (int k = 0; k < square * square; ++k) {
          const int r = row * square + k / square + transform.dy, c = column * square + k % square;
          const int from = (transform.flip ? side - 1 - c : c) + transform.dx;
          if (std::min(r, from) < 0 || std::max(r, from) >= side) continue;
          const double pixel = image[static_cast<std::size_t>((channel * side + r) * side + from)];
          const auto at = static_cast<std::size_t>(channel);
          mean += (pixel - double{shape.mean[at]}) / double{shape.deviation[at]} / (square * square);
        }
        ASSERT_NEAR(out[static_cast<std::size_t>(i)], mean, 1e-5) << channels << "x" << side << " to " << small << " at " << i;
      }
    }
  }
}

TEST(WriteImage, InBf16IsTheFp32ImageRoundedToNearestEven) {
  const std::vector<std::uint8_t> image = some_image();
  const Augmentation augmentation{.pad = 4};
  for (const ImageTransform& transform : transforms()) {
    std::vector<float> fp32(kValues);
    std::vector<std::uint16_t> bf16(kValues + 1, 0xbeef);
    write_image(augmentation, transform, image, fp32.data());
    write_image_bf16(augmentation, transform, image, bf16.data());
    EXPECT_EQ(bf16[kValues], 0xbeef) << "written past the end";
    for (std::size_t i = 0; i < kValues; ++i) {
      const std::uint32_t below = std::bit_cast<std::uint32_t>(fp32[i]) & 0xffff0000u;
      const double down = std::bit_cast<float>(below), up = std::bit_cast<float>(below + 0x10000u), value = fp32[i];
      const bool tie = value - down == up - value;
      const bool takes_up = tie ? (below >> 16 & 1) == 1 : std::abs(up - value) < std::abs(value - down);
      ASSERT_EQ(bf16[i], (takes_up ? below + 0x10000u : below) >> 16) << i;
    }
  }
}

TEST(WriteImage, KeepsRawPixelsExactInBf16) {
  const std::vector<std::uint8_t> image = some_image();
  std::vector<std::uint16_t> out(kValues);
  write_image_bf16({.normalise = false}, {}, image, out.data());
  for (std::size_t i = 0; i < kValues; ++i) {
    EXPECT_EQ(std::bit_cast<float>(std::uint32_t{out[i]} << 16), static_cast<float>(image[i % 3 * 1024 + i / 3]));
  }
}

TEST(WriteImage, RefusesAnotherSizeAndShiftsBeyondTheImage) {
  const std::vector<std::uint8_t> image(kImageBytes - 1), whole(kImageBytes);
  std::vector<float> out(kValues);
  EXPECT_THROW(write_image({}, {}, image, out.data()), std::invalid_argument);
  EXPECT_THROW(write_image({}, {.dx = 33}, whole, out.data()), std::invalid_argument);
}

TEST(DrawTransform, IsAPureFunctionOfSeedEpochAndIndex) {
  const Augmentation augmentation{.pad = 4};
  const auto draw = [&](std::uint64_t seed, std::uint32_t epoch, std::uint32_t index) {
    const ImageTransform t = draw_transform(augmentation, seed, epoch, index);
    return std::array<int, 3>{t.flip, t.dx, t.dy};
  };
  EXPECT_EQ(draw(1, 2, 3), draw(1, 2, 3));
  int differ_by_seed = 0, differ_by_epoch = 0, differ_by_index = 0;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    differ_by_seed += draw(1, 2, i) != draw(2, 2, i);
    differ_by_epoch += draw(1, 2, i) != draw(1, 3, i);
    differ_by_index += draw(1, 2, i) != draw(1, 2, i + 1'000);
  }
  // Two draws agree with probability 1/162: about 6 of 1,000.
  EXPECT_GT(differ_by_seed, 970);
  EXPECT_GT(differ_by_epoch, 970);
  EXPECT_GT(differ_by_index, 970);
}

TEST(DrawTransform, FlipsHalfAndShiftsUniformlyWithinThePadding) {
  int flips = 0;
  std::array<int, 9> across{}, down{};
  for (std::uint32_t i = 0; i < 90'000; ++i) {
    const ImageTransform t = draw_transform({.pad = 4}, 7, 0, i);
    flips += t.flip;
    ++across.at(static_cast<std::size_t>(t.dx + 4));
    ++down.at(static_cast<std::size_t>(t.dy + 4));
  }
  EXPECT_NEAR(flips, 45'000, 750);  // 5 standard deviations, here and below
  for (const int count : across) EXPECT_NEAR(count, 10'000, 480);
  for (const int count : down) EXPECT_NEAR(count, 10'000, 480);
}

TEST(DrawTransform, DoesOnlyWhatTheAugmentationAllows) {
  for (std::uint32_t i = 0; i < 200; ++i) {
    const ImageTransform none = draw_transform({.flip = false, .pad = 0}, 1, 0, i);
    EXPECT_TRUE(!none.flip && none.dx == 0 && none.dy == 0);
    EXPECT_EQ(draw_transform({.pad = 0}, 1, 0, i).flip, draw_transform({.pad = 4}, 1, 0, i).flip) << "crops change the flips";
  }
}

TEST(EpochOrder, IsANewPermutationEachEpochAndSeed) {
  std::vector<std::uint32_t> indices(1'000);
  std::iota(indices.begin(), indices.end(), 500u);
  const std::vector<std::uint32_t> order = epoch_order({}, indices, 1, 0);
  EXPECT_EQ(order, epoch_order({}, indices, 1, 0));
  EXPECT_NE(order, epoch_order({}, indices, 1, 1));
  EXPECT_NE(order, epoch_order({}, indices, 2, 0));
  EXPECT_NE(order, indices);
  EXPECT_TRUE(std::is_permutation(order.begin(), order.end(), indices.begin()));
}

TEST(EpochOrder, IsTheFilesOrderWithoutShuffle) {
  const std::vector<std::uint32_t> indices{5, 3, 9};
  EXPECT_EQ(epoch_order({.shuffle = false}, indices, 1, 7), indices);
}

}  // namespace
}  // namespace actsearch
