#include "search/chart/png.h"

#include <cairo/cairo.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "search/chart/chart.h"
#include "search/chart/typeset.h"

namespace actsearch {
namespace {

/// A PNG read back: brightness of each pixel, 0 black to 255 white.
struct Picture {
  int width = 0, height = 0;
  std::vector<int> brightness;
  int at(int x, int y) const { return brightness[static_cast<std::size_t>(y * width + x)]; }
  /// Pixels darker than half within a rectangle.
  int ink(int left, int top, int right, int bottom) const {
    int count = 0;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) count += at(x, y) < 128 ? 1 : 0;
    }
    return count;
  }
};

cairo_status_t read(void* from, unsigned char* to, unsigned length) {
  auto* bytes = static_cast<std::string_view*>(from);
  if (bytes->size() < length) return CAIRO_STATUS_READ_ERROR;
  std::memcpy(to, bytes->data(), length);
  bytes->remove_prefix(length);
  return CAIRO_STATUS_SUCCESS;
}

Picture decoded(std::string_view bytes) {
  const std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)> surface(cairo_image_surface_create_from_png_stream(read, &bytes),
                                                                                   cairo_surface_destroy);
  EXPECT_EQ(cairo_surface_status(surface.get()), CAIRO_STATUS_SUCCESS);
  Picture picture{cairo_image_surface_get_width(surface.get()), cairo_image_surface_get_height(surface.get()), {}};
  const unsigned char* data = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const unsigned char* pixel = data + y * stride + 4 * x;
      picture.brightness.push_back((pixel[0] + pixel[1] + pixel[2]) / 3);
    }
  }
  return picture;
}

Drawing with(std::vector<Item> items) {
  Drawing drawing{100, 50, "", "", {Lines{{{{0, 0}, {100, 0}, {100, 50}, {0, 50}}}, true, {.fill = Colour{255, 255, 255}}}}};
  drawing.items.insert(drawing.items.end(), items.begin(), items.end());
  return drawing;
}

TEST(Png, HasItsSignatureAndTwiceTheSize) {
  const std::string bytes = to_png(with({}));
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(bytes.substr(12, 4), "IHDR");
  const Picture picture = decoded(bytes);
  EXPECT_EQ(picture.width, 200);
  EXPECT_EQ(picture.height, 100);
  EXPECT_EQ(picture.ink(0, 0, 200, 100), 0);
}

TEST(Png, DrawsLinesDiscsAndTextWhereTheyBelong) {
  const Colour black{};
  const Picture picture =
      decoded(to_png(with({Lines{{{{10, 10}, {90, 10}}}, false, {.stroke = black, .width = 2}}, Discs{{{20, 35}}, 5, {.fill = black}},
                           TextLine{{90, 40}, Anchor::kEnd, 12, {{"β", true, 0}, {"2", false, 1}}, black}})));
  EXPECT_EQ(picture.at(100, 20), 0) << "on the line";
  EXPECT_EQ(picture.at(100, 28), 255) << "below it";
  EXPECT_NEAR(picture.ink(0, 40, 80, 100), 3.14 * 100, 15) << "the disc's area";
  EXPECT_GT(picture.ink(140, 50, 182, 90), 40) << "the text, which ends at 90";
  EXPECT_EQ(picture.ink(186, 50, 200, 100), 0) << "nothing after its end";
}

TEST(Png, OfAChartIsNotBlankAndTheSameEachTime) {
  const Interval x{-5, 5};
  Chart chart{plain("f"), "", x, {{{}, {{plain("a"), [](double v) { return std::tanh(v); }}}, {}, {-1.1, 1.1}}}};
  const std::string bytes = to_png(draw(chart));
  EXPECT_EQ(bytes, to_png(draw(chart)));
  const Picture picture = decoded(bytes);
  EXPECT_GT(picture.ink(0, 0, picture.width, picture.height), 3'000);
}

TEST(Png, HostileTextIsDrawnAndNoError) {
  const Picture picture = decoded(to_png(with({TextLine{{5, 30}, Anchor::kStart, 12, {{"a\xff\x01\n<b>", false, 0}}, {}}})));
  EXPECT_GT(picture.ink(0, 0, 200, 100), 40);
}

}  // namespace
}  // namespace actsearch
