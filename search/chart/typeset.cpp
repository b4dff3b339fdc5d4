#include "search/chart/typeset.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include "grammar/display.h"

namespace actsearch {
namespace {

constexpr std::string_view kEllipsis = "…", kThinSpace = "\u2009";

/// Bytes of the UTF-8 sequence that begins with `lead`; 1 for what begins none.
std::size_t sequence_length(unsigned char lead) { return lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1; }

void append(RichText& text, const Run& run) {
  if (run.text.empty()) return;
  if (!text.empty() && text.back().italic == run.italic && text.back().shift == run.shift) {
    text.back().text += run.text;
  } else {
    text.push_back(run);
  }
}

/// Whether the line needs parentheses as one side of a quotient: it has a sign, a product or a quotient outside of all brackets.
bool composite(const RichText& text) {
  std::string flat;
  for (const Run& run : text) flat += run.shift == 0 ? run.text : "";
  int depth = 0;
  for (std::string_view rest = flat; !rest.empty(); rest.remove_prefix(1)) {
    depth += rest.front() == '(' ? 1 : rest.front() == ')' ? -1 : 0;
    const bool joins = rest.starts_with('+') || rest.starts_with('/') || rest.starts_with("−") || rest.starts_with(kThinSpace);
    if (joins && depth == 0) return true;
  }
  return false;
}

/// The digits that are shown of a number: of more than six, the first five and an ellipsis.
std::string shown_number(std::string_view digits) {
  constexpr std::size_t kMost = 6, kKept = 5;
  const std::size_t first = std::min(digits.find_first_not_of("0."), digits.size());
  const auto significant = [](std::string_view part) { return part.size() - (part.find('.') != std::string_view::npos ? 1 : 0); };
  const std::size_t point = digits.find('.');
  if (point == std::string_view::npos || significant(digits.substr(first)) <= kMost) return std::string(digits);
  std::size_t end = first + kKept + (point > first && point < first + kKept ? 1 : 0);
  end = std::max(end, point + 2);
  std::string kept(digits.substr(0, end));
  kept.erase(kept.find_last_not_of('0') + 1);
  return kept + std::string(kEllipsis);
}

RichText line_of(const Boxes& row);

RichText shifted(const Boxes& row, int shift) {
  RichText line;
  for (const Run& run : line_of(row)) append(line, {run.text, run.italic, shift});
  return line;
}

RichText in_parentheses(const RichText& inside, bool needed) { return needed ? plain("(") + inside + plain(")") : inside; }

RichText fraction(const Box& box, bool factor) {
  const auto side = [](const Boxes& row) {
    const RichText inside = line_of(row);
    return in_parentheses(inside, composite(inside));
  };
  return in_parentheses(side(box.parts[0]) + plain(" / ") + side(box.parts[1]), factor);
}

RichText root(const Box& box) {
  const RichText inside = line_of(box.parts[0]);
  return plain("√") + in_parentheses(inside, unadorned(inside).size() != 1);
}

/// `factor`: whether an invisible multiplication sign stands beside the box.
RichText line_of(const Box& box, bool factor) {
  using Kind = Box::Kind;
  switch (box.kind) {
    case Kind::kNumber:
      return {{shown_number(box.text)}};
    case Kind::kVariable:
      return {{box.text, true}};
    case Kind::kName:
      return {{box.text}};
    case Kind::kSign:
      return {{"−"}};
    case Kind::kOperator:
      return {{" " + box.text + " "}};
    case Kind::kComma:
      return {{", "}};
    case Kind::kProduct:
      return {{std::string(kThinSpace)}};
    case Kind::kDot:
      return {{" · "}};
    case Kind::kFraction:
      return fraction(box, factor);
    case Kind::kRoot:
      return root(box);
    case Kind::kFence:
      return plain(box.text) + line_of(box.parts[0]) + plain(box.text == "(" ? ")" : box.text == "[" ? "]" : "|");
    case Kind::kSuperscript:
      return line_of(box.parts[0]) + shifted(box.parts[1], 1);
    case Kind::kSubscript:
      return line_of(box.parts[0]) + shifted(box.parts[1], -1);
    case Kind::kPrime:
      return line_of(box.parts[0]) + plain("′");
    case Kind::kArgument:
      return plain("#" + box.text);
  }
  throw std::logic_error("a box without a kind");
}

RichText line_of(const Boxes& row) {
  RichText line;
  const auto is_product = [&](std::size_t i) { return i < row.size() && row[i].kind == Box::Kind::kProduct; };
  for (std::size_t i = 0; i < row.size(); ++i) {
    for (const Run& run : line_of(row[i], is_product(i + 1) || (i > 0 && is_product(i - 1)))) append(line, run);
  }
  return line;
}

/// Advance widths of DejaVu Sans 2.37 for the characters from U+0020 to U+007E, in hundredths of the size.
constexpr std::array<std::uint8_t, 95> kWidths{
    32,  40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53,
    100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50,
    50,  61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84};

/// Of other characters: the few that formulas have, and for the rest what the widest of them take.
double width_of(std::string_view character) {
  const auto c = static_cast<unsigned char>(character.front());
  if (character.size() == 1 && c >= 0x20 && c < 0x7F) return kWidths[c - 0x20u] / 100.0;
  if (character == kThinSpace) return 0.20;
  if (character == "β" || character == "σ" || character == "√") return 0.64;
  if (character == "′" || character == "·") return 0.32;
  return character == "−" || character == "±" ? 0.84 : 1.0;
}

template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t length = std::min(sequence_length(static_cast<unsigned char>(text.front())), text.size());
    visit(text.substr(0, length));
    text.remove_prefix(length);
  }
}

double scale_of(const Run& run, double size) { return run.shift == 0 ? size : size * kShiftedSize; }

}  // namespace

std::string drawable(std::string_view text) {
  constexpr std::string_view kReplacement = "\uFFFD";
  std::string result;
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = sequence_length(lead);
    const std::string_view sequence = text.substr(0, length);
    bool good = sequence.size() == length && (length > 1 || (lead >= 0x20 && lead < 0x7F));
    for (const char c : sequence.substr(1)) good = good && (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
    if (good && length > 1) {  // overlong forms, surrogates, C1 controls, non-characters
      const auto second = static_cast<unsigned char>(sequence[1]);
      const auto last = static_cast<unsigned char>(sequence.back());
      if ((lead == 0xC2 && second < 0xA0) || (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
          (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90) || (lead == 0xEF && second == 0xBF && last >= 0xBE)) {
        good = false;
      }
    }
    result += good ? sequence : kReplacement;
    text.remove_prefix(good ? length : 1);
  }
  return result;
}

RichText typeset(const Expression& y) { return line_of(displayed(y)); }
RichText plain(std::string_view text) {
  RichText line;
  append(line, {drawable(text)});
  return line;
}

RichText operator+(RichText a, const RichText& b) {
  for (const Run& run : b) append(a, run);
  return a;
}

std::string unadorned(const RichText& text) {
  std::string result;
  for (const Run& run : text) result += (run.shift > 0 ? "^" : "") + run.text;
  return result;
}

double text_width(const RichText& text, double size) {
  double width = 0;
  for (const Run& run : text) {
    for_each_character(run.text, [&](std::string_view character) { width += width_of(character) * scale_of(run, size); });
  }
  return width;
}

RichText elided(const RichText& text, double size, double width) {
  if (text_width(text, size) <= width) return text;
  double left = width - width_of(kEllipsis) * size;
  RichText result;
  for (const Run& run : text) {
    for_each_character(run.text, [&](std::string_view character) {
      left -= width_of(character) * scale_of(run, size);
      if (left >= 0) append(result, {std::string(character), run.italic, run.shift});
    });
  }
  return result + plain(kEllipsis);
}

}  // namespace actsearch
