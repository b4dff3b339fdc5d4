/// A function as the lines that a pen draws: how a curve gets from numbers to a picture.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "search/chart/drawing.h"

namespace actsearch {

using RealFunction = std::function<double(double)>;

struct Interval {
  double low = 0, high = 1;
  double length() const { return high - low; }
  bool operator==(const Interval&) const = default;
};

/// The part of the plane that a picture shows, and the rectangle of the drawing it is shown in.
struct View {
  Interval x, y;
  Point corner;  ///< the rectangle's upper left
  double width = 1, height = 1;

  double across(double x_value) const { return corner.x + (x_value - x.low) / x.length() * width; }
  double down(double y_value) const { return corner.y + (y.high - y_value) / y.length() * height; }
};

/// The graph of f within the view, to a twentieth of a pixel and in the drawing's coordinates. The pen is lifted where f is not finite,
/// leaves the view, or jumps (so no line goes up a pole); kinks and the edges of f's domain are where they belong. f is called at most 300
/// times a pixel of width; faster oscillations are drawn from those values alone.
std::vector<Line> trace(const RealFunction& f, const View& view);

/// A vertical range in which the functions can be read, each over x. It holds all values; of a function that runs away (a pole, a fast
/// power) it holds those of 90 % of x. 0 is in it where that costs little. Never empty. Absent where a function is nowhere finite; its
/// place is given then.
struct VerticalRange {
  Interval y;
  std::optional<std::size_t> nowhere_finite;
};
VerticalRange vertical_range(const std::vector<RealFunction>& functions, const Interval& x);

/// Fewer points of the same line, none of them further than `tolerance` from it.
Line simplified(const Line& line, double tolerance);

}  // namespace actsearch
