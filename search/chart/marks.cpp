#include "search/chart/marks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace actsearch {
namespace {

/// Okabe and Ito's colours, which the colour-blind tell apart, without the yellow that paper swallows.
constexpr std::array<Colour, 7> kColours{
    {{0, 0, 0}, {0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {86, 180, 233}, {230, 159, 0}}};

const std::array<std::vector<double>, 4>& dashes() {
  static const std::array<std::vector<double>, 4> table{{{}, {7, 3}, {2, 2.5}, {9, 3, 2, 3}}};
  return table;
}

enum class Shape : std::uint8_t { kDisc, kSquare, kTriangle, kDiamond, kNabla, kCross };
constexpr std::array<Shape, 6> kShapes{Shape::kDisc, Shape::kSquare, Shape::kTriangle, Shape::kDiamond, Shape::kNabla, Shape::kCross};

/// Around the origin, of about the same area.
Line outline_of(Shape shape) {
  switch (shape) {
    case Shape::kDisc:
      return {};
    case Shape::kSquare:
      return {{-3, -3}, {3, -3}, {3, 3}, {-3, 3}};
    case Shape::kTriangle:
      return {{0, -4.2}, {3.8, 2.8}, {-3.8, 2.8}};
    case Shape::kDiamond:
      return {{0, -4.4}, {4, 0}, {0, 4.4}, {-4, 0}};
    case Shape::kNabla:
      return {{0, 4.2}, {3.8, -2.8}, {-3.8, -2.8}};
    case Shape::kCross:
      return {{-1.2, -4}, {1.2, -4}, {1.2, -1.2}, {4, -1.2}, {4, 1.2},   {1.2, 1.2},
              {1.2, 4},   {-1.2, 4}, {-1.2, 1.2}, {-4, 1.2}, {-4, -1.2}, {-1.2, -1.2}};
  }
  return {};
}

}  // namespace

Paint line_paint(std::size_t k) { return {.stroke = kColours[k % kColours.size()], .width = 1.6, .dash = dashes()[k % dashes().size()]}; }

std::vector<std::size_t> from_whole_to_dotted(std::size_t count) {
  const auto drawn_part = [](std::size_t k) {
    const auto& dash = dashes()[k % dashes().size()];
    double drawn = 0, all = 0;
    for (std::size_t i = 0; i < dash.size(); ++i) all += dash[i], drawn += i % 2 == 0 ? dash[i] : 0;
    return dash.empty() ? 1 : drawn / all;
  };
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return drawn_part(a) > drawn_part(b); });
  return order;
}

std::vector<Item> markers(std::size_t k, const std::vector<Point>& places) {
  if (places.empty()) return {};
  const Colour colour = kColours[k % kColours.size()];
  const bool hollow = (k / kShapes.size()) % 2 == 1;  // each shape filled first
  const Paint paint{.stroke = colour, .width = 1.2, .fill = hollow ? Colour{255, 255, 255} : colour};
  const Shape shape = kShapes[k % kShapes.size()];
  if (shape == Shape::kDisc) return {Discs{places, 3.2, paint}};
  std::vector<Line> lines;
  for (const Point& place : places) {
    Line& line = lines.emplace_back(outline_of(shape));
    for (Point& p : line) p = {p.x + place.x, p.y + place.y};
  }
  return {Lines{std::move(lines), true, paint}};
}

std::vector<Point> marker_places(const RealFunction& f, const View& view, std::size_t k, std::size_t count) {
  constexpr int kEach = 6;
  std::vector<Point> places;
  for (int i = 0; i < kEach; ++i) {
    const double part = (i + (static_cast<double>(k) + 0.5) / static_cast<double>(count)) / kEach;
    const double x = view.x.low + part * view.x.length(), y = f(x);
    if (y >= view.y.low && y <= view.y.high) places.push_back({view.across(x), view.down(y)});  // false for NaN
  }
  return places;
}

Colour grey(double darkness) {
  const auto level = static_cast<std::uint8_t>(std::lround(255 * (1 - std::clamp(darkness, 0.0, 1.0))));
  return {level, level, level};
}

std::vector<Line> outline(const ChartBand& band, const View& view) {
  constexpr double kTolerance = 0.05;
  const int steps = static_cast<int>(std::ceil(view.width));
  std::vector<Line> result;
  Line upper, lower;
  const auto end_stretch = [&] {
    if (upper.size() > 1) {
      Line line = simplified(upper, kTolerance), back = simplified(lower, kTolerance);
      line.insert(line.end(), back.rbegin(), back.rend());
      result.push_back(std::move(line));
    }
    upper.clear(), lower.clear();
  };
  for (int i = 0; i <= steps; ++i) {
    const double x = view.x.low + view.x.length() * i / steps;
    const Interval bounds = band.bounds(x);
    if (!std::isfinite(bounds.low) || !std::isfinite(bounds.high)) {
      end_stretch();
      continue;
    }
    const auto height = [&](double y) { return view.down(std::clamp(y, view.y.low, view.y.high)); };
    upper.push_back({view.across(x), height(bounds.high)});
    lower.push_back({view.across(x), height(bounds.low)});
  }
  end_stretch();
  return result;
}

}  // namespace actsearch
