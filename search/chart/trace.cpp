#include "search/chart/trace.h"

#include <algorithm>
#include <cmath>

namespace actsearch {
namespace {

constexpr double kTolerance = 0.05;  // pixels between a curve and what is drawn of it
constexpr double kStep = 0.5;        // pixels between the first points
constexpr int kDeepest = 20;         // halvings of a step; a jump has then been cornered in 5e-7 pixels
constexpr int kMostCalls = 150;      // of f within a step
constexpr double kJump = 2;          // pixels that a curve rises at once
constexpr double kFarthest = 1e15;   // values beyond are of no picture, and their differences stay finite

bool finite(const Point& p) { return std::isfinite(p.y); }

/// Follows the graph from left to right. A break in the line is a point whose y is NaN.
class Pen {
 public:
  Pen(const RealFunction& f, const View& view) : f_(f), view_(view) {}

  Line follow() {
    const int steps = std::max(1, static_cast<int>(std::ceil(view_.width / kStep)));
    Point last = at(0);
    points_.push_back(last);
    for (int i = 1; i <= steps; ++i) {
      const Point next = at(static_cast<double>(i) / steps);
      calls_left_ = kMostCalls;
      refine(last, next, 0);
      last = next;
    }
    return std::move(points_);
  }

 private:
  /// The point over this part of the width.
  Point at(double part) const {
    const double x = part == 1 ? view_.x.high : view_.x.low + part * view_.x.length();
    const double y = f_(x);
    const double shown = std::clamp(y, -kFarthest, kFarthest);  // NaN stays
    return {view_.across(x), std::isfinite(y) ? view_.down(shown) : std::nan("")};
  }
  double part_of(const Point& p) const { return (p.x - view_.corner.x) / view_.width; }
  /// Far outside of the view all heights are alike.
  double nearby(double y) const { return std::clamp(y, view_.corner.y - view_.height, view_.corner.y + 2 * view_.height); }
  bool outside_together(const Point& a, const Point& m, const Point& b) const {
    const double top = view_.corner.y, bottom = top + view_.height;
    return std::max({a.y, m.y, b.y}) < top || std::min({a.y, m.y, b.y}) > bottom;
  }

  /// Adds the points between a and b, and b.
  void refine(const Point& a, const Point& b, int depth) {
    if (!finite(a) && !finite(b)) return points_.push_back(b);
    if (depth == kDeepest) {
      if (finite(a) && finite(b) && std::abs(a.y - b.y) > kJump) points_.push_back({b.x, std::nan("")});
      return points_.push_back(b);
    }
    if (calls_left_-- <= 0) return points_.push_back(b);
    const Point m = at((part_of(a) + part_of(b)) / 2);
    const bool edge = !finite(a) || !finite(b) || !finite(m);
    const bool straight = !edge && std::abs(nearby(m.y) - (nearby(a.y) + nearby(b.y)) / 2) < kTolerance;
    const bool steep = !edge && std::abs(nearby(a.y) - nearby(b.y)) > kJump;
    if (!edge && (outside_together(a, m, b) || (straight && !steep))) {
      points_.push_back(m);
      return points_.push_back(b);
    }
    refine(a, m, depth + 1);
    refine(m, b, depth + 1);
  }

  const RealFunction& f_;
  const View& view_;
  Line points_;
  int calls_left_ = 0;
};

/// The part of a segment between two heights, or nothing.
std::optional<std::pair<Point, Point>> clipped(Point a, Point b, double top, double bottom) {
  if (std::max(a.y, b.y) < top || std::min(a.y, b.y) > bottom) return std::nullopt;
  const auto at_height = [&](double y) { return Point{a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x), y}; };
  const auto inside = [&](const Point& p) { return p.y < top ? at_height(top) : p.y > bottom ? at_height(bottom) : p; };
  return std::pair{inside(a), inside(b)};
}

/// Cut where the points break off and where they leave the view.
std::vector<Line> pieces_within(const Line& points, const View& view) {
  const double top = view.corner.y, bottom = top + view.height;
  std::vector<Line> pieces;
  bool down = false;  // whether the pen is, at points[i - 1]
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Point &a = points[i - 1], &b = points[i];
    const auto segment = finite(a) && finite(b) ? clipped(a, b, top, bottom) : std::nullopt;
    if (!segment) {
      down = false;
      continue;
    }
    if (!down) pieces.push_back({segment->first});
    pieces.back().push_back(segment->second);
    down = b.y >= top && b.y <= bottom;
  }
  return pieces;
}

/// From the nearest point between a and b.
double distance_from(const Point& p, const Point& a, const Point& b) {
  const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
  const double part = square == 0 ? 0 : std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / square, 0.0, 1.0);
  return std::hypot(p.x - a.x - part * dx, p.y - a.y - part * dy);
}

/// The values of f at evenly spaced x, in ascending order, without those that are not finite.
std::vector<double> sorted_values(const RealFunction& f, const Interval& x) {
  constexpr int kPoints = 1000;
  std::vector<double> values;
  for (int i = 0; i <= kPoints; ++i) {
    const double y = f(x.low + x.length() * i / kPoints);
    if (std::isfinite(y)) values.push_back(std::clamp(y, -kFarthest, kFarthest));
  }
  std::sort(values.begin(), values.end());
  return values;
}

/// What is worth seeing of these values over an interval of the given length.
Interval readable(const std::vector<double>& values, double length) {
  const auto quantile = [&](double part) { return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))]; };
  const Interval all{values.front(), values.back()}, most{quantile(0.05), quantile(0.95)};
  const bool runs_away = all.length() > 10 * length && all.length() > 4 * most.length();
  return runs_away ? most : all;
}

}  // namespace

Line simplified(const Line& line, double tolerance) {
  if (line.size() < 3) return line;
  Line result{line.front()};
  // As far ahead as the straight line allows. No choice between equals: rounding cannot change the outcome as a whole.
  for (std::size_t from = 0, to = 2; to <= line.size(); ++to) {
    const bool fits = to < line.size() &&
                      std::all_of(line.begin() + static_cast<std::ptrdiff_t>(from) + 1, line.begin() + static_cast<std::ptrdiff_t>(to),
                                  [&](const Point& p) { return distance_from(p, line[from], line[to]) <= tolerance; });
    if (fits) continue;
    from = to - 1;
    result.push_back(line[from]);
  }
  return result;
}

std::vector<Line> trace(const RealFunction& f, const View& view) {
  std::vector<Line> lines;
  for (const Line& piece : pieces_within(Pen(f, view).follow(), view)) lines.push_back(simplified(piece, kTolerance));
  return lines;
}

VerticalRange vertical_range(const std::vector<RealFunction>& functions, const Interval& x) {
  std::optional<Interval> range;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const std::vector<double> values = sorted_values(functions[i], x);
    if (values.empty()) return {{}, i};
    const Interval shown = readable(values, x.length());
    range = range ? Interval{std::min(range->low, shown.low), std::max(range->high, shown.high)} : shown;
  }
  Interval y = range.value_or(Interval{0, 0});
  const double reach = std::max(std::abs(y.low), std::abs(y.high));
  if (y.length() <= 1e-9 * reach || reach == 0) {  // a constant
    const double around = reach == 0 ? 1 : reach / 2;
    return {{y.low - around, y.high + around}, std::nullopt};
  }
  constexpr double kCheap = 0.25, kMargin = 0.05;
  if (y.low > 0 && y.low < kCheap * y.high) y.low = 0;
  if (y.high < 0 && y.high > kCheap * y.low) y.high = 0;
  const double margin = kMargin * y.length();
  return {{y.low - margin, y.high + margin}, std::nullopt};
}

}  // namespace actsearch
