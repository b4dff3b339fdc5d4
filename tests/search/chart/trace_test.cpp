#include "search/chart/trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/chart/ticks.h"
#include "search/chart/typeset.h"

namespace actsearch {
namespace {

/// 400 pixels for x from -5 to 5 (40 a unit), and 200 for y from -5 to 5 (20 a unit).
const View kView{{-5, 5}, {-5, 5}, {100, 50}, 400, 200};

double x_of(const Point& p) { return (p.x - 300) / 40; }
double y_of(const Point& p) { return (150 - p.y) / 20; }

/// Every point within the view and to the right of the one before it; no piece of a single point.
void expect_drawable(const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    EXPECT_GE(line.size(), 2u);
    for (std::size_t i = 0; i < line.size(); ++i) {
      EXPECT_TRUE(line[i].x >= 100 && line[i].x <= 500 && line[i].y >= 50 && line[i].y <= 250) << line[i].x << " " << line[i].y;
      EXPECT_GE(line[i].x, line[i > 0 ? i - 1 : 0].x);
    }
  }
}

TEST(Trace, AStraightLineIsTwoPoints) {
  const auto lines = trace([](double x) { return x / 2; }, kView);
  ASSERT_EQ(lines.size(), 1u);
  ASSERT_EQ(lines[0].size(), 2u);
  EXPECT_NEAR(x_of(lines[0][0]), -5, 1e-12);
  EXPECT_NEAR(y_of(lines[0][1]), 2.5, 1e-12);
}

TEST(Trace, AKinkIsWhereItBelongs) {
  const auto lines = trace([](double x) { return std::max(x - 0.123, 0.0); }, kView);
  ASSERT_EQ(lines.size(), 1u);
  const bool found = std::any_of(lines[0].begin(), lines[0].end(), [](const Point& p) { return std::abs(x_of(p) - 0.123) < 0.1 / 40; });
  EXPECT_TRUE(found);
  EXPECT_LE(lines[0].size(), 5u) << "two straight lines need no more";
}

TEST(Trace, CurvesAreDrawnToATwentiethOfAPixel) {
  const auto f = [](double x) { return 3 * std::sin(2 * x); };
  const auto lines = trace(f, kView);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LT(lines[0].size(), 300u);
  for (std::size_t i = 1; i < lines[0].size(); ++i) {
    const Point &a = lines[0][i - 1], &b = lines[0][i];
    for (const double part : {0.25, 0.5, 0.75}) {
      const Point on{a.x + part * (b.x - a.x), a.y + part * (b.y - a.y)};
      // The distance from the graph is at most the vertical one times the cosine of the slope there.
      const double slope = 6 * std::cos(2 * x_of(on)) * 20 / 40;
      EXPECT_LT(std::abs(on.y - (150 - 20 * f(x_of(on)))) / std::hypot(1, slope), 0.11) << x_of(on);
    }
  }
}

TEST(Trace, NoLineIsDrawnUpAPole) {
  for (const double epsilon : {0.0, 1e-7, 0.0123}) {
    const auto lines = trace([=](double x) { return 1 / (x + epsilon); }, kView);
    ASSERT_EQ(lines.size(), 2u) << epsilon;
    expect_drawable(lines);
    EXPECT_NEAR(y_of(lines[0].back()), -5, 1e-9) << "down to the edge";
    EXPECT_NEAR(y_of(lines[1].front()), 5, 1e-9) << "from the other edge";
    EXPECT_NEAR(x_of(lines[0].back()) + epsilon, -0.2, 0.01);
    EXPECT_NEAR(x_of(lines[1].front()) + epsilon, 0.2, 0.01);
  }
}

TEST(Trace, NoLineIsDrawnAcrossAJump) {
  for (const double at : {0.0, 0.1234, -1.0 / 3}) {
    const auto lines = trace([=](double x) { return x > at ? 1.0 : 0.0; }, kView);
    ASSERT_EQ(lines.size(), 2u) << at;
    EXPECT_EQ(lines[0].size(), 2u);
    EXPECT_EQ(lines[1].size(), 2u);
    EXPECT_NEAR(x_of(lines[0].back()), at, 1e-4);
    EXPECT_NEAR(x_of(lines[1].front()), at, 1e-4);
  }
}

TEST(Trace, AJumpThroughAPointHalfWayIsOneToo) {
  const auto lines = trace([](double x) { return x > 0 ? 2.0 : x < 0 ? -2.0 : 0.0; }, kView);
  for (const Line& line : lines) EXPECT_LT(std::abs(line.front().y - line.back().y), 1e-9);
}

TEST(Trace, SteepIsNotAJump) {
  const auto lines = trace([](double x) { return 4 * std::tanh(1000 * x); }, kView);
  EXPECT_EQ(lines.size(), 1u);
}

TEST(Trace, ANarrowSpikeKeepsItsTip) {
  const auto lines = trace([](double x) { return std::log(std::abs(x) + 0.01); }, kView);
  ASSERT_EQ(lines.size(), 1u);
  double lowest = 0;
  for (const Point& p : lines[0]) lowest = std::min(lowest, y_of(p));
  EXPECT_NEAR(lowest, std::log(0.01), 1e-9);
}

TEST(Trace, EndsWhereTheDomainEnds) {
  const auto lines = trace([](double x) { return std::sqrt(x - 0.777); }, kView);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NEAR(x_of(lines[0].front()), 0.777, 1e-4);
  EXPECT_NEAR(y_of(lines[0].front()), 0, 0.02);
}

TEST(Trace, LeavesAndEntersTheViewAtItsEdge) {
  const auto lines = trace([](double x) { return x * x - 6; }, kView);
  ASSERT_EQ(lines.size(), 2u) << "out at the top twice, and below at the bottom";
  expect_drawable(lines);
  EXPECT_NEAR(x_of(lines[0].front()), -std::sqrt(11.0), 0.01);
  EXPECT_NEAR(x_of(lines[0].back()), -1, 0.01);
}

TEST(Trace, OfWhatIsOutsideOrNotANumberThereIsNothing) {
  EXPECT_TRUE(trace([](double) { return 7.0; }, kView).empty());
  EXPECT_TRUE(trace([](double) { return std::nan(""); }, kView).empty());
  EXPECT_TRUE(trace([](double) { return std::numeric_limits<double>::infinity(); }, kView).empty());
}

TEST(Trace, WildFunctionsCostABoundedNumberOfCalls) {
  int calls = 0;
  const auto lines = trace(
      [&](double x) {
        ++calls;
        return 1e300 * std::sin(1e7 * x);
      },
      kView);
  EXPECT_LE(calls, 300 * 400 + 1);
  expect_drawable(lines);
}

TEST(VerticalRange, HoldsAllValuesOfTameFunctions) {
  const VerticalRange range = vertical_range({[](double x) { return x; }, [](double x) { return std::exp(x); }}, {-5, 5});
  EXPECT_FALSE(range.nowhere_finite);
  EXPECT_LT(range.y.low, -5);
  EXPECT_GT(range.y.high, std::exp(5.0));
}

TEST(VerticalRange, CutsOffPoles) {
  const VerticalRange range = vertical_range({[](double x) { return 1 / x; }}, {-5, 5});
  EXPECT_GT(range.y.high, 1);
  EXPECT_LT(range.y.high, 10);
  EXPECT_LT(vertical_range({[](double x) { return 1 / (x * x + 1e-7); }}, {-5, 5}).y.high, 100);
}

TEST(VerticalRange, ShowsASpike) {
  EXPECT_GT(vertical_range({[](double x) { return std::exp(-1000 * x * x); }}, {-5, 5}).y.high, 1);
}

TEST(VerticalRange, OfConstantsIsNotEmpty) {
  for (const double c : {0.0, 3.0, -1e-12, 1e300}) {
    const Interval y = vertical_range({[=](double) { return c; }}, {-5, 5}).y;
    EXPECT_LT(y.low, std::min(c, 1e15)) << c;
    EXPECT_GT(y.high, std::min(c, 1e15)) << c;
  }
}

TEST(VerticalRange, SaysWhichFunctionIsNowhereFinite) {
  const auto nan = [](double) { return std::nan(""); };
  EXPECT_EQ(vertical_range({[](double x) { return x; }, nan}, {-5, 5}).nowhere_finite, 1u);
}

TEST(Simplified, KeepsEndsAndStaysNear) {
  Line line;
  for (int i = 0; i <= 100; ++i) line.push_back({static_cast<double>(i), 20 * std::sin(i / 10.0)});
  const Line result = simplified(line, 0.5);
  EXPECT_LT(result.size(), 40u);
  EXPECT_EQ(result.front().x, 0);
  EXPECT_EQ(result.back().x, 100);
}

std::string labels(const std::vector<Tick>& list) {
  std::string text;
  for (const Tick& tick : list) {
    if (!text.empty()) text += ' ';
    text += unadorned(tick.label);
  }
  return text;
}

TEST(Ticks, AreRoundNumbersWithEquallyManyDigits) {
  EXPECT_EQ(labels(ticks({-5, 5}, 11)), "−5 −4 −3 −2 −1 0 1 2 3 4 5");
  EXPECT_EQ(labels(ticks({-5, 5}, 10)), "−4 −2 0 2 4");
  EXPECT_EQ(labels(ticks({0, 1}, 6)), "0.0 0.2 0.4 0.6 0.8 1.0");
  EXPECT_EQ(labels(ticks({-0.12, 0.31}, 6)), "−0.1 0.0 0.1 0.2 0.3");
  EXPECT_EQ(labels(ticks({17, 1234}, 5)), "500 1000");
  EXPECT_EQ(labels(ticks({99.99, 100.01}, 4)), "99.99 100.00 100.01");
}

TEST(Ticks, OfVeryLargeAndSmallNumbersHaveAPowerOfTen) {
  EXPECT_EQ(labels(ticks({0, 3e8}, 4)), "0 1·10^8 2·10^8 3·10^8");
  EXPECT_EQ(labels(ticks({-2e-5, 2e-5}, 3)), "−2·10^−5 0 2·10^−5");
  EXPECT_EQ(labels(ticks({9.9e6, 1.01e7}, 3)), "9.9·10^6 1.00·10^7 1.01·10^7");
}

TEST(Ticks, AreWithinTheIntervalAndNoMoreThanAskedFor) {
  for (const double low : {-1e9, -123.4, -5.0, 0.0, 1e-9, 0.3, 1e5}) {
    for (const double length : {1e-3, 0.7, 10.0, 999.0, 1e7}) {
      for (const int most : {2, 3, 5, 9}) {
        const Interval interval{low, low + length};
        const auto list = ticks(interval, most);
        EXPECT_LE(list.size(), static_cast<std::size_t>(most));
        for (std::size_t i = 0; i < list.size(); ++i) {
          EXPECT_GE(list[i].value, interval.low - 1e-6 * length);
          EXPECT_LE(list[i].value, interval.high + 1e-6 * length);
          EXPECT_TRUE(i == 0 || list[i].label != list[i - 1].label) << low << " " << length;
        }
      }
    }
  }
}

}  // namespace
}  // namespace actsearch
