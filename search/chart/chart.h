/// Charts of functions: axes, curves, legend and title, laid out as a drawing. (search/chart/plot.h draws with characters.)
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "search/chart/drawing.h"
#include "search/chart/trace.h"

namespace actsearch {

/// Curves are told apart by dashes and markers as well as by colour; there are so many different ones.
inline constexpr std::size_t kMostCurves = 12;
/// Labels in the legend: the size of their text, and where they are cut.
inline constexpr double kLabelSize = 12, kWidestLabel = 240;

struct ChartCurve {
  RichText label;
  RealFunction f;
};

/// A shaded region between two heights over each x, behind the curves.
struct ChartBand {
  RichText label;
  std::function<Interval(double)> bounds;
  double darkness = 0.2;  ///< 0 white to 1 black
};

struct Panel {
  RichText heading;
  std::vector<ChartCurve> curves;
  std::vector<ChartBand> bands = {};
  Interval y;
};

/// Panels side by side over the same x. The first one's curves and bands are what the legend lists, where there is more than one: curve k
/// looks the same in each.
struct Chart {
  RichText title;
  std::string description;
  Interval x;
  std::vector<Panel> panels;
  RichText x_name = {{"x", true}};  ///< stands under each x axis; "x" in italics
};

/// The same chart gives the same drawing, to the last bit. A title that is too long is set smaller, then cut; labels are cut. The legend
/// goes into a corner that no curve visits, or beside the last panel. std::invalid_argument without panels, or with more than kMostCurves
/// curves.
Drawing draw(const Chart& chart);

}  // namespace actsearch
