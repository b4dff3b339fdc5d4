/// A picture as a list of things to draw, in the order they are drawn: what a chart becomes, and what SVG and PNG are written from. Lengths
/// are in pixels, x to the right and y down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace actsearch {

struct Point {
  double x = 0, y = 0;
};
using Line = std::vector<Point>;

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};

struct Paint {
  std::optional<Colour> stroke = std::nullopt;
  double width = 1;
  std::vector<double> dash = {};  ///< lengths drawn and left out, in turn; empty: a whole line
  std::optional<Colour> fill = std::nullopt;
};

/// Lines that share a paint; `closed` ones end where they begin.
struct Lines {
  std::vector<Line> lines;
  bool closed = false;
  Paint paint;
};

/// Circles that share a radius and a paint.
struct Discs {
  std::vector<Point> centres;
  double radius = 1;
  Paint paint;
};

/// A piece of a text line. `shift` 1 is a superscript, -1 a subscript.
struct Run {
  std::string text;
  bool italic = false;
  int shift = 0;
  bool operator==(const Run&) const = default;
};
using RichText = std::vector<Run>;

enum class Anchor : std::uint8_t { kStart, kMiddle, kEnd };

/// One line of text; `at` is on its baseline.
struct TextLine {
  Point at;
  Anchor anchor = Anchor::kStart;
  double size = 12;
  RichText text;
  Colour colour = {};
};

using Item = std::variant<Lines, Discs, TextLine>;

struct Drawing {
  double width = 0, height = 0;
  std::string title, description;  ///< for people who cannot see it
  std::vector<Item> items;
};

/// How superscripts and subscripts are set: their size, and how far their baseline is from the line's, both in parts of the line's size.
inline constexpr double kShiftedSize = 0.72, kSuperscriptRise = 0.36, kSubscriptFall = 0.16;

/// The text as valid UTF-8 without control characters, which neither backend could draw: each such byte becomes U+FFFD.
std::string drawable(std::string_view text);

}  // namespace actsearch
