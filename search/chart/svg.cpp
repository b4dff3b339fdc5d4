#include "search/chart/svg.h"

#include <cmath>
#include <cstdio>

namespace actsearch {
namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : drawable(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// To a hundredth, without zeros at the end. A millionth is added first: it keeps what lies exactly between two hundredths from being
/// rounded by the last bit, in which machines differ.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", std::round(value * 100 + 1e-6) / 100);
  std::string result = text;
  result.erase(result.find_last_not_of('0') + 1);
  if (result.back() == '.') result.pop_back();
  return result == "-0" ? "0" : result;
}
std::string pair(const Point& p) { return number(p.x) + " " + number(p.y); }

std::string name_of(const Colour& colour) {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", colour.red, colour.green, colour.blue);
  return text;
}

std::string attribute(const std::string& name, const std::string& value) { return " " + name + "=\"" + value + "\""; }

std::string attributes(const Paint& paint) {
  std::string text = attribute("fill", paint.fill ? name_of(*paint.fill) : "none");
  if (!paint.stroke) return text;
  text += attribute("stroke", name_of(*paint.stroke)) + attribute("stroke-width", number(paint.width));
  std::string dash;
  for (const double length : paint.dash) dash += (dash.empty() ? "" : " ") + number(length);
  if (!dash.empty()) text += attribute("stroke-dasharray", dash);
  return text;
}

class Writer {
 public:
  std::string write(const Drawing& drawing) {
    const std::string width = number(drawing.width), height = number(drawing.height);
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\"" + attribute("width", width) + attribute("height", height) +
           attribute("viewBox", "0 0 " + width + " " + height) + attribute("role", "img") +
           attribute("font-family", "Helvetica,Arial,'DejaVu Sans',sans-serif") + attribute("stroke-linejoin", "round") + ">\n";
    out_ += "<title>" + escaped(drawing.title) + "</title>\n<desc>" + escaped(drawing.description) + "</desc>\n";
    for (const Item& item : drawing.items) {
      std::visit([this](const auto& shape) { add(shape); }, item);
    }
    return out_ + "</svg>\n";
  }

 private:
  void add(const Lines& lines) {
    std::string path;
    for (const Line& line : lines.lines) {
      for (std::size_t i = 0; i < line.size(); ++i) path += (i == 0 ? "M" : i == 1 ? "L" : " ") + pair(line[i]);
      if (lines.closed) path += "Z";
    }
    if (!path.empty()) out_ += "<path" + attribute("d", path) + attributes(lines.paint) + "/>\n";
  }

  void add(const Discs& discs) {
    const std::string r = number(discs.radius), d = number(2 * discs.radius), arc = "a" + r + " " + r + " 0 1 0 ";
    std::string path;
    for (const Point& centre : discs.centres) {
      path += "M" + pair({centre.x - discs.radius, centre.y}) + arc + d + " 0" + arc + "-" + d + " 0Z";
    }
    if (!path.empty()) out_ += "<path" + attribute("d", path) + attributes(discs.paint) + "/>\n";
  }

  void add(const TextLine& line) {
    static constexpr const char* kAnchors[] = {"start", "middle", "end"};
    out_ += "<text" + attribute("x", number(line.at.x)) + attribute("y", number(line.at.y)) + attribute("font-size", number(line.size)) +
            attribute("fill", name_of(line.colour));
    if (line.anchor != Anchor::kStart) out_ += attribute("text-anchor", kAnchors[static_cast<std::size_t>(line.anchor)]);
    out_ += attribute("xml:space", "preserve") + ">";
    double shifted = 0;  // how far above the line the pen is: dy counts from where it stands
    for (const Run& run : line.text) {
      const double rise = run.shift > 0 ? kSuperscriptRise * line.size : run.shift < 0 ? -kSubscriptFall * line.size : 0;
      std::string style;
      if (run.italic) style += attribute("font-style", "italic");
      if (run.shift != 0) style += attribute("font-size", number(kShiftedSize * line.size));
      if (rise != shifted) style += attribute("dy", number(shifted - rise));
      shifted = rise;
      out_ += style.empty() ? escaped(run.text) : "<tspan" + style + ">" + escaped(run.text) + "</tspan>";
    }
    out_ += "</text>\n";
  }

  std::string out_;
};

}  // namespace

std::string to_svg(const Drawing& drawing) { return Writer().write(drawing); }

}  // namespace actsearch
