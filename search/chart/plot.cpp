#include "search/chart/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace actsearch {
namespace {

constexpr double kFurthest = 10;

struct Range {
  double low = 0, high = 0;  // 0 is always in view
};

Range vertical_range(const std::vector<std::vector<double>>& values) {
  Range range;
  for (const auto& curve : values) {
    for (const double y : curve) {
      if (!std::isfinite(y)) continue;
      range.low = std::max(std::min(range.low, y), -kFurthest);
      range.high = std::min(std::max(range.high, y), kFurthest);
    }
  }
  if (range.high - range.low < 1e-9) range.low -= 1, range.high += 1;  // all zero
  return range;
}

std::string coloured(char mark, const std::vector<Curve>& curves) {
  const auto curve = std::find_if(curves.begin(), curves.end(), [&](const Curve& c) { return c.mark == mark; });
  if (curve == curves.end()) return {mark};
  return "\x1b[" + std::to_string(31 + (curve - curves.begin()) % 6) + "m" + mark + "\x1b[0m";
}

}  // namespace

std::string plot(const std::vector<Curve>& curves, const PlotArea& area, bool colours) {
  const auto x_at = [&](int column) { return area.x_min + (area.x_max - area.x_min) * column / (area.width - 1); };
  std::vector<std::vector<double>> values;
  for (const Curve& curve : curves) {
    auto& row = values.emplace_back();
    for (int column = 0; column < area.width; ++column) row.push_back(curve.f(x_at(column)));
  }
  const Range range = vertical_range(values);
  const auto row_of = [&](double y) {
    return static_cast<int>(std::lround((range.high - y) / (range.high - range.low) * (area.height - 1)));
  };

  std::vector<std::string> canvas(static_cast<std::size_t>(area.height), std::string(static_cast<std::size_t>(area.width), ' '));
  const auto at = [&](int row, int column) -> char& { return canvas[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)]; };
  const int zero_row = row_of(0);
  for (int column = 0; column < area.width; ++column) at(zero_row, column) = '-';
  if (area.x_min <= 0 && area.x_max >= 0) {
    const int zero_column = static_cast<int>(std::lround(-area.x_min / (area.x_max - area.x_min) * (area.width - 1)));
    for (int row = 0; row < area.height; ++row) at(row, zero_column) = row == zero_row ? '+' : '|';
  }
  for (std::size_t k = 0; k < curves.size(); ++k) {
    for (int column = 0; column < area.width; ++column) {
      const double y = values[k][static_cast<std::size_t>(column)];
      if (y >= range.low && y <= range.high) at(row_of(y), column) = curves[k].mark;  // false for NaN
    }
  }

  std::string text;
  for (int row = 0; row < area.height; ++row) {
    const double y = range.high - (range.high - range.low) * row / (area.height - 1);
    char label[32];
    std::snprintf(label, sizeof label, "%8.2f ", row == zero_row ? 0.0 : y);
    const bool labelled = row == 0 || row == area.height - 1 || row == zero_row;
    text += labelled ? label : std::string(9, ' ');
    std::string line = canvas[static_cast<std::size_t>(row)];
    line.erase(line.find_last_not_of(' ') + 1);
    for (const char mark : line) text += colours ? coloured(mark, curves) : std::string(1, mark);
    text += '\n';
  }
  return text;
}

}  // namespace actsearch
