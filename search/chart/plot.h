/// Curves drawn with characters, for the terminal.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace actsearch {

struct Curve {
  char mark = '*';
  std::function<double(double)> f;
};

struct PlotArea {
  double x_min = -5, x_max = 5;
  int width = 71, height = 21;  ///< characters; at least 2 each
};

/// The curves over the area, later ones on top, with axes where 0 is in view and the range at the left. The vertical range holds all
/// finite values, but at most [-10, 10] around 0; NaN and what lies outside is not drawn. With `colours`, curve k is in the k-th of
/// the terminal's colours. Ends with a line end.
std::string plot(const std::vector<Curve>& curves, const PlotArea& area = {}, bool colours = false);

}  // namespace actsearch
