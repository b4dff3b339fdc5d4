#include "search/chart/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "search/chart/marks.h"
#include "search/chart/ticks.h"
#include "search/chart/typeset.h"

namespace actsearch {
namespace {

constexpr double kTitleSize = 15, kSmallestTitle = 11, kTickSize = 11;
constexpr double kEdge = 14;  // white around everything
constexpr double kTitleHeight = 30, kHeadingHeight = 22;
constexpr double kTickLength = 4, kTickGap = 4;
constexpr double kBelow = 42;  // tick labels and the name of the axis
constexpr double kBetweenPanels = 26;
constexpr double kRowHeight = 19, kSampleLength = 36, kSampleGap = 8, kLegendPadding = 8;
constexpr Colour kInk{34, 34, 34}, kAxis{90, 90, 90}, kZero{185, 185, 185}, kWhite{255, 255, 255};

struct Box {
  double left = 0, top = 0, width = 0, height = 0;
  bool holds(const Point& p, double margin) const {
    return p.x > left - margin && p.x < left + width + margin && p.y > top - margin && p.y < top + height + margin;
  }
};

/// A panel with everything that has been computed of it.
struct Placed {
  const Panel* panel = nullptr;
  View view;
  std::vector<Tick> x_ticks, y_ticks;
  std::vector<std::vector<Line>> curves;  // of each curve
};

double widest(const std::vector<Tick>& ticks) {
  double width = 0;
  for (const Tick& tick : ticks) width = std::max(width, text_width(tick.label, kTickSize));
  return width;
}

/// As many numbers below as have room beside each other.
std::vector<Tick> horizontal_ticks(const Interval& x, double width) {
  int most = static_cast<int>(width / 36);
  std::vector<Tick> result = ticks(x, most);
  while (most > 2 && widest(result) + 14 > width / std::max<double>(1, static_cast<double>(result.size()) - 1)) result = ticks(x, --most);
  return result;
}

class Layout {
 public:
  explicit Layout(const Chart& chart) : chart_(chart) {
    if (chart.panels.empty()) throw std::invalid_argument("draw: a chart without panels");
    for (const Panel& panel : chart.panels) {
      if (panel.curves.size() > kMostCurves) throw std::invalid_argument("draw: more curves than there are looks");
    }
  }

  Drawing draw() {
    place_panels();
    const std::optional<Box> inside = corner_for_legend();
    const Panel& first = chart_.panels.front();
    drawing_.title = unadorned(chart_.title);
    drawing_.description = drawable(chart_.description);
    const Placed& last = panels_.back();
    drawing_.width = std::ceil(last.view.corner.x + last.view.width + std::max(kEdge, side_ + 4));
    drawing_.height = std::ceil(last.view.corner.y + last.view.height + kBelow);
    Box legend = inside.value_or(Box{drawing_.width, last.view.corner.y, legend_width(), legend_height()});
    if (!inside && has_legend()) {
      drawing_.width = std::ceil(drawing_.width + legend.width + kEdge);
      drawing_.height = std::max(drawing_.height, std::ceil(legend.top + legend.height + kEdge));
    }
    add_lines({{{0, 0}, {drawing_.width, 0}, {drawing_.width, drawing_.height}, {0, drawing_.height}}}, true, {.fill = kWhite});
    add_title();
    for (const Placed& placed : panels_) add_panel(placed);
    if (has_legend()) add_legend(legend, first, inside.has_value());
    return std::move(drawing_);
  }

 private:
  bool has_legend() const { return chart_.panels.front().curves.size() + chart_.panels.front().bands.size() > 1; }
  double legend_height() const {
    const Panel& first = chart_.panels.front();
    return kRowHeight * static_cast<double>(first.curves.size() + first.bands.size()) + kLegendPadding;
  }
  double legend_width() const {
    double label = 0;
    for (const ChartCurve& curve : chart_.panels.front().curves) label = std::max(label, text_width(curve.label, kLabelSize));
    for (const ChartBand& band : chart_.panels.front().bands) label = std::max(label, text_width(band.label, kLabelSize));
    return kSampleLength + kSampleGap + std::min(label, kWidestLabel) + 2 * kLegendPadding;
  }

  void place_panels() {
    const bool single = chart_.panels.size() == 1;
    const double width = single ? 480 : 340, height = single ? 320 : 270;
    const bool headings = std::any_of(chart_.panels.begin(), chart_.panels.end(), [](const Panel& p) { return !p.heading.empty(); });
    const double top = kEdge + (chart_.title.empty() ? 0 : kTitleHeight) + (headings ? kHeadingHeight : 0);
    double left = kEdge;
    for (const Panel& panel : chart_.panels) {
      Placed placed{&panel, {chart_.x, panel.y, {0, top}, width, height}, {}, {}, {}};
      placed.x_ticks = horizontal_ticks(chart_.x, width);
      placed.y_ticks = ticks(panel.y, static_cast<int>(height / 36));
      side_ = std::ceil(widest(placed.x_ticks) / 2);  // the number at an end of the axis is in the middle of that end
      left += std::max(std::ceil(widest(placed.y_ticks)) + kTickGap + kTickLength, side_ - kEdge);
      placed.view.corner.x = left;
      for (const ChartCurve& curve : panel.curves) placed.curves.push_back(trace(curve.f, placed.view));
      left += width + kBetweenPanels;
      panels_.push_back(std::move(placed));
    }
  }

  /// A place for the legend within a panel that nothing is drawn in.
  std::optional<Box> corner_for_legend() const {
    if (!has_legend()) return std::nullopt;
    constexpr double kInset = 10, kClear = 6;
    const double width = legend_width(), height = legend_height();
    for (const Placed& placed : panels_) {
      const View& view = placed.view;
      const double left = view.corner.x + kInset, right = view.corner.x + view.width - kInset - width;
      const double top = view.corner.y, bottom = view.corner.y + view.height - kInset - height;
      if (right < left || bottom < top) continue;
      for (const Point& corner : {Point{left, top}, Point{right, bottom}, Point{right, top}, Point{left, bottom}}) {
        const Box box{corner.x, corner.y, width, height};
        if (!visited(placed, box, kClear)) return box;
      }
    }
    return std::nullopt;
  }

  bool visited(const Placed& placed, const Box& box, double margin) const {
    for (const auto& lines : placed.curves) {
      for (const Line& line : lines) {
        for (std::size_t i = 1; i < line.size(); ++i) {
          const Point &a = line[i - 1], &b = line[i];
          const int steps = 1 + static_cast<int>(std::hypot(b.x - a.x, b.y - a.y) / 2);
          for (int k = 0; k <= steps; ++k) {
            const double part = static_cast<double>(k) / steps;
            if (box.holds({a.x + part * (b.x - a.x), a.y + part * (b.y - a.y)}, margin)) return true;
          }
        }
      }
    }
    for (const ChartBand& band : placed.panel->bands) {
      for (const Line& edge : outline(band, placed.view)) {
        if (std::any_of(edge.begin(), edge.end(), [&](const Point& p) { return box.holds(p, margin); })) return true;
      }
    }
    return false;
  }

  void add_lines(std::vector<Line> lines, bool closed, Paint paint) {
    drawing_.items.emplace_back(Lines{std::move(lines), closed, std::move(paint)});
  }
  void add_text(Point at, Anchor anchor, double size, RichText text) {
    drawing_.items.emplace_back(TextLine{at, anchor, size, std::move(text), kInk});
  }

  void add_title() {
    if (chart_.title.empty()) return;
    const double left = panels_.front().view.corner.x, room = drawing_.width - left - kEdge;
    double size = kTitleSize;
    while (size > kSmallestTitle && text_width(chart_.title, size) > room) size -= 0.5;
    add_text({left, kEdge + kTitleSize}, Anchor::kStart, size, elided(chart_.title, size, room));
  }

  void add_panel(const Placed& placed) {
    const View& view = placed.view;
    const double left = view.corner.x, top = view.corner.y, right = left + view.width, bottom = top + view.height;
    for (const ChartBand& band : placed.panel->bands) add_lines(outline(band, view), true, {.fill = grey(band.darkness)});
    std::vector<Line> zero;
    if (view.x.low < 0 && view.x.high > 0) zero.push_back({{view.across(0), top}, {view.across(0), bottom}});
    if (view.y.low < 0 && view.y.high > 0) zero.push_back({{left, view.down(0)}, {right, view.down(0)}});
    if (!zero.empty()) add_lines(std::move(zero), false, {.stroke = kZero, .width = 0.8});

    std::vector<Line> axes{{{left, top}, {left, bottom}, {right, bottom}}};
    for (const Tick& tick : placed.x_ticks) {
      const double x = view.across(tick.value);
      axes.push_back({{x, bottom}, {x, bottom + kTickLength}});
      add_text({x, bottom + kTickLength + kTickGap + 9}, Anchor::kMiddle, kTickSize, tick.label);
    }
    for (const Tick& tick : placed.y_ticks) {
      const double y = view.down(tick.value);
      axes.push_back({{left - kTickLength, y}, {left, y}});
      add_text({left - kTickLength - kTickGap, y + 4}, Anchor::kEnd, kTickSize, tick.label);
    }
    add_lines(std::move(axes), false, {.stroke = kAxis, .width = 0.8});
    add_text({(left + right) / 2, bottom + kTickLength + kTickGap + 25}, Anchor::kMiddle, kLabelSize, chart_.x_name);
    if (!placed.panel->heading.empty()) add_text({left, top - 10}, Anchor::kStart, kLabelSize, placed.panel->heading);

    const std::size_t count = placed.curves.size();
    for (const std::size_t k : from_whole_to_dotted(count)) add_lines(placed.curves[k], false, line_paint(k));
    if (count < 2) return;
    for (std::size_t k = 0; k < count; ++k) {
      for (Item& item : markers(k, marker_places(placed.panel->curves[k].f, view, k, count))) drawing_.items.push_back(std::move(item));
    }
  }

  void add_legend(const Box& box, const Panel& panel, bool inside) {
    if (inside) {  // nothing but the lines through 0 can be there
      add_lines({{{box.left, box.top},
                  {box.left + box.width, box.top},
                  {box.left + box.width, box.top + box.height},
                  {box.left, box.top + box.height}}},
                true, {.fill = kWhite});
    }
    const double from = box.left + kLegendPadding, to = from + kSampleLength;
    double y = box.top + kLegendPadding / 2 + kRowHeight / 2;
    const auto label = [&](const RichText& text) {
      add_text({to + kSampleGap, y + 4}, Anchor::kStart, kLabelSize, elided(text, kLabelSize, kWidestLabel));
      y += kRowHeight;
    };
    for (std::size_t k = 0; k < panel.curves.size(); ++k) {
      add_lines({{{from, y}, {to, y}}}, false, line_paint(k));
      if (panel.curves.size() > 1) {
        for (Item& item : markers(k, {{(from + to) / 2, y}})) drawing_.items.push_back(std::move(item));
      }
      label(panel.curves[k].label);
    }
    for (const ChartBand& band : panel.bands) {
      add_lines({{{from, y - 5}, {to, y - 5}, {to, y + 5}, {from, y + 5}}}, true, {.fill = grey(band.darkness)});
      label(band.label);
    }
  }

  const Chart& chart_;
  std::vector<Placed> panels_;
  double side_ = 0;  ///< half the widest number below
  Drawing drawing_;
};

}  // namespace

Drawing draw(const Chart& chart) { return Layout(chart).draw(); }

}  // namespace actsearch
