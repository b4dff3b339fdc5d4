/// Where an axis has its numbers.
#pragma once

#include <vector>

#include "search/chart/drawing.h"
#include "search/chart/trace.h"

namespace actsearch {

struct Tick {
  double value = 0;
  RichText label;
};

/// The multiples of 1, 2 or 5 times a power of ten within the interval, of the finest such step that leaves at most `most` of them (at
/// least 2). Labels all have as many digits after the point; those of very large and very small numbers are written with a power of ten.
std::vector<Tick> ticks(const Interval& interval, int most);

}  // namespace actsearch
