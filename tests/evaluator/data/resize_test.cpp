#include "evaluator/data/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace actsearch {
namespace {

Picture some_picture(int width, int height, int channels) {
  Picture picture{width, height, channels, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * channels))};
  for (std::size_t i = 0; i < picture.planes.size(); ++i) picture.planes[i] = static_cast<std::uint8_t>(i * i * 13 + i * 5 + 1);
  return picture;
}

/// The definition in double: the integral of the piecewise constant picture over each output pixel's area.
double area_mean(const Picture& picture, int channel, int side, int row, int column) {
  const int from = std::min(picture.width, picture.height), left = (picture.width - from) / 2, top = (picture.height - from) / 2;
  const double scale = static_cast<double>(from) / side;
  double sum = 0;
  for (int r = 0; r < from; ++r) {
    const double down = std::min<double>(r + 1, (row + 1) * scale) - std::max<double>(r, row * scale);
    if (down <= 0) continue;
    for (int c = 0; c < from; ++c) {
      const double across = std::min<double>(c + 1, (column + 1) * scale) - std::max<double>(c, column * scale);
      if (across > 0)
        sum += down * across * picture.planes[static_cast<std::size_t>((channel * picture.height + top + r) * picture.width + left + c)];
    }
  }
  return sum / (scale * scale);
}

TEST(Squared, ShrinksToTheMeansOverThePixelsAreasOfTheMiddleSquare) {
  for (const auto& [width, height, channels, side] :
       {std::array{32, 32, 3, 16}, {37, 50, 3, 12}, {101, 64, 1, 28}, {9, 20, 1, 8}, {8, 8, 3, 8}}) {
    const Picture picture = some_picture(width, height, channels);
    const std::vector<std::uint8_t> small = squared(picture, side);
    ASSERT_EQ(small.size(), static_cast<std::size_t>(channels * side * side));
    for (int i = 0; i < channels * side * side; ++i) {
      const double expected = area_mean(picture, i / (side * side), side, i / side % side, i % side);
      ASSERT_NEAR(small[static_cast<std::size_t>(i)], expected, 0.5 + 1e-9) << width << "x" << height << " to " << side << " at " << i;
    }
  }
}

TEST(Squared, EnlargesLinearlyBetweenPixelCentres) {
  // Two columns of 0 and 200: centres of four lie at -1/4, 1/4, 3/4 and 5/4 of the way.
  const std::vector<std::uint8_t> wide = squared({2, 2, 1, {0, 200, 0, 200}}, 4);
  for (std::size_t row = 0; row < 4; ++row) {
    EXPECT_EQ(std::vector(wide.begin() + static_cast<std::ptrdiff_t>(4 * row), wide.begin() + static_cast<std::ptrdiff_t>(4 * row + 4)),
              (std::vector<std::uint8_t>{0, 50, 150, 200}));
  }
  const std::vector<std::uint8_t> tall = squared({2, 2, 1, {0, 0, 200, 200}}, 4);
  EXPECT_EQ(tall[0], 0);
  EXPECT_EQ(tall[4], 50);
  EXPECT_EQ(tall[8], 150);
  EXPECT_EQ(tall[12], 200);
}

TEST(Resized, SaysSoAndMeasuresThePixelsAnew) {
  const Dataset before = make_synthetic(1, 20, 10);
  EXPECT_EQ(resized(before, 32).source, before.source);
  const Dataset after = resized(before, 16);
  EXPECT_EQ(after.source, before.source + ", resized to 16x16");
  EXPECT_EQ(after.shape.side, 16);
  EXPECT_EQ(after.train.pixels.size(), 20u * 3 * 16 * 16);
  EXPECT_EQ(after.test.image(9).size(), 3u * 16 * 16);
  const auto image = after.train.image(0);
  double sum = 0;
  for (std::size_t i = 0; i < after.train.size(); ++i) {
    const auto red = after.train.image(i).first(16 * 16);
    sum = std::accumulate(red.begin(), red.end(), sum);
  }
  EXPECT_NEAR(after.shape.mean[0], sum / (20 * 16 * 16), 1e-3);
  EXPECT_EQ(image.size(), after.shape.bytes());
}

TEST(MeasuredPixels, AreThoseOfEachChannelAndAConstantOneGetsDeviationOne) {
  ImageSet set{{0, 10, 20, 30, 7, 7, 7, 7}, {0}};
  const ImageShape shape = with_measured_pixels({.channels = 2, .side = 2, .classes = 2, .mean = {}, .deviation = {}}, set);
  EXPECT_FLOAT_EQ(shape.mean[0], 15.0f);
  EXPECT_FLOAT_EQ(shape.deviation[0], std::sqrt(125.0f));
  EXPECT_FLOAT_EQ(shape.mean[1], 7.0f);
  EXPECT_FLOAT_EQ(shape.deviation[1], 1.0f);
}

}  // namespace
}  // namespace actsearch
