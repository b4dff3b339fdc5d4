#include <stdexcept>
#include <string>
#include <string_view>

#include "grammar/display.h"

namespace actsearch {
namespace {

using Kind = Box::Kind;

std::string element(std::string_view tag, std::string_view content) {
  return std::string("<").append(tag).append(">").append(content).append("</").append(tag).append(">");
}

/// A text as XML has it.
std::string escaped(std::string_view text) { return text == "<" ? "&lt;" : text == ">" ? "&gt;" : std::string(text); }

/// Whether the box is a function's name, which is applied to what follows.
bool is_name(const Box& box) { return box.kind == Kind::kName || (box.kind == Kind::kPrime && is_name(box.parts[0][0])); }

std::string written(const Box& box);

std::string written(const Boxes& row) {
  std::string content;
  for (const Box& box : row) {
    content += written(box);
    if (is_name(box)) content += element("mo", "\u2061");
  }
  return row.size() == 1 ? content : element("mrow", content);
}

std::string fenced(const Box& box) {
  const std::string_view close = box.text == "(" ? ")" : box.text == "[" ? "]" : "|";
  return element("mrow", element("mo", box.text) + written(box.parts[0]) + element("mo", close));
}

std::string written(const Box& box) {
  switch (box.kind) {
    case Kind::kNumber:
      return element("mn", box.text);
    case Kind::kVariable:
    case Kind::kName:
      return element("mi", box.text);
    case Kind::kSign:
      return element("mo", "−");
    case Kind::kOperator:
      return element("mo", escaped(box.text));
    case Kind::kComma:
      return element("mo", ",");
    case Kind::kProduct:
      return "<mo rspace=\"0.1667em\">\u2062</mo>";
    case Kind::kDot:
      return element("mo", "⋅");
    case Kind::kFraction:
      return element("mfrac", written(box.parts[0]) + written(box.parts[1]));
    case Kind::kRoot:
      return element("msqrt", written(box.parts[0]));
    case Kind::kFence:
      return fenced(box);
    case Kind::kSuperscript:
      return element("msup", written(box.parts[0][0]) + written(box.parts[1]));
    case Kind::kSubscript:
      return element("msub", written(box.parts[0][0]) + written(box.parts[1]));
    case Kind::kPrime:
      return element("msup", written(box.parts[0][0]) + element("mo", "′"));
    case Kind::kArgument:
      return element("mi", "#" + box.text);
  }
  throw std::logic_error("a box without a kind");
}

void require_shallow(const Expression& y) {
  constexpr std::size_t kMaxShownDepth = 500;
  if (y.depth() > kMaxShownDepth) throw std::invalid_argument("the formula is nested too deep to show");
}

}  // namespace

std::string to_mathml(const Expression& y) {
  require_shallow(y);
  return element("math", written(displayed(y)));
}
std::string to_mathml(const Expression& y, const std::vector<std::string>& parameter_names) {
  require_shallow(y);
  return element("math", written(displayed(y, parameter_names)));
}

}  // namespace actsearch
