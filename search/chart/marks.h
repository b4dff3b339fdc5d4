/// What the curves of a chart look like: colours, dashes and markers, so that each is known in black and white too.
#pragma once

#include <cstddef>
#include <vector>

#include "search/chart/chart.h"

namespace actsearch {

/// How the line of curve k (below kMostCurves) is drawn.
Paint line_paint(std::size_t k);
/// The curves 0 to count - 1 in the order to draw them: what is drawn later has more gaps, through which the earlier ones are seen.
std::vector<std::size_t> from_whole_to_dotted(std::size_t count);
/// The markers of curve k at these places.
std::vector<Item> markers(std::size_t k, const std::vector<Point>& places);
/// Where curve k of `count` has its markers: on the curve, within the view, and apart from those of all others.
std::vector<Point> marker_places(const RealFunction& f, const View& view, std::size_t k, std::size_t count);

/// White for 0 to black for 1.
Colour grey(double darkness);
/// A band's outline within the view: one closed line for each stretch of x where its bounds are finite.
std::vector<Line> outline(const ChartBand& band, const View& view);

}  // namespace actsearch
