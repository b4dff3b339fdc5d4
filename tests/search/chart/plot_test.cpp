#include "search/chart/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace actsearch {
namespace {

constexpr std::size_t kLabel = 9;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}
char mark_at(const std::vector<std::string>& lines, std::size_t row, std::size_t column) {
  return lines[row].size() > kLabel + column ? lines[row][kLabel + column] : ' ';
}

TEST(Plot, DrawsTheIdentityFromCornerToCorner) {
  const auto lines = lines_of(plot({{'*', [](double x) { return x; }}}, {-5, 5, 21, 21}));
  ASSERT_EQ(lines.size(), 21u);
  for (std::size_t i = 0; i < 21; ++i) EXPECT_EQ(mark_at(lines, 20 - i, i), '*') << i;
}

TEST(Plot, LaterCurvesAreOnTop) {
  const auto f = [](double) { return 1.0; };
  const std::string text = plot({{'o', f}, {'*', f}}, {-1, 1, 11, 5});
  EXPECT_EQ(text.find('o'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '*'), 11);
}

TEST(Plot, LeavesOutWhatIsNotFiniteOrTooFarAway) {
  const auto f = [](double x) { return x < 0 ? std::numeric_limits<double>::quiet_NaN() : x == 0 ? 1e30 : 1.0; };
  const std::string text = plot({{'*', f}}, {-5, 5, 11, 5});
  EXPECT_EQ(std::count(text.begin(), text.end(), '*'), 5);
  EXPECT_EQ(lines_of(text)[0].substr(0, kLabel), "   10.00 ");
}

TEST(Plot, OfNothingButZeroHasARange) {
  const std::string text = plot({{'*', [](double) { return 0.0; }}}, {-5, 5, 11, 5});
  EXPECT_EQ(std::count(text.begin(), text.end(), '*'), 11);
}

TEST(Plot, ColoursOnlyWhenAsked) {
  const std::vector<Curve> curves{{'*', [](double x) { return x; }}};
  EXPECT_EQ(plot(curves, {}, false).find('\x1b'), std::string::npos);
  EXPECT_NE(plot(curves, {}, true).find("\x1b[31m*\x1b[0m"), std::string::npos);
}

}  // namespace
}  // namespace actsearch
