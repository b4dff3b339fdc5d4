#include "search/chart/typeset.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "grammar/notation.h"

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

/// Recursive descent over the LaTeX that to_latex writes.
class Typesetter {
 public:
  explicit Typesetter(std::string_view latex) : rest_(latex) {}

  RichText until_end() {
    RichText line;
    while (!rest_.empty() && rest_.front() != '}') piece(line);
    return line;
  }

 private:
  void piece(RichText& line) {
    const char c = rest_.front();
    if (c == '\\') return command(line);
    if (c == '^' || c == '_') {
      rest_.remove_prefix(1);
      for (const Run& run : group()) append(line, {run.text, run.italic, c == '^' ? 1 : -1});
    } else if (c == '{') {
      line = line + group();
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      append(line, {shown_number(take_while([](char d) { return std::isdigit(static_cast<unsigned char>(d)) != 0 || d == '.'; }))});
    } else {
      rest_.remove_prefix(1);
      append(line, {c == '-' ? "−" : c == '\'' ? "′" : std::string(1, c), std::isalpha(static_cast<unsigned char>(c)) != 0});
    }
  }

  void command(RichText& line) {
    rest_.remove_prefix(1);
    if (rest_.empty()) return;
    if (std::isalpha(static_cast<unsigned char>(rest_.front())) == 0) {  // \, is the product's space
      rest_.remove_prefix(1);
      skip_space();
      trim(line);
      return append(line, {std::string(kThinSpace)});
    }
    const std::string_view word = take_while([](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; });
    if (word == "frac") return fraction(line);
    if (word == "sqrt") return root(line);
    if (word == "operatorname") {
      for (const Run& run : group()) append(line, {run.text});
    } else if (word == "lvert" || word == "rvert") {
      if (word == "lvert") skip_space();
      if (word == "rvert") trim(line);
      append(line, {"|"});
    } else if (word == "beta") {
      append(line, {"β", true});
    } else if (word == "sigma") {
      append(line, {"σ"});
    } else if (word == "cdot") {
      append(line, {"·"});
    } else {  // \max, \sin, …: the word itself
      append(line, {std::string(word)});
    }
  }

  void fraction(RichText& line) {
    const auto side = [&] {
      const RichText inside = group();
      return composite(inside) ? plain("(") + inside + plain(")") : inside;
    };
    const RichText above = side();
    const RichText below = side();
    const bool factor = (!line.empty() && line.back().text.ends_with(kThinSpace)) || rest_.starts_with(" \\,");
    const RichText quotient = above + plain(" / ") + below;
    line = line + (factor ? plain("(") + quotient + plain(")") : quotient);
  }

  void root(RichText& line) {
    const RichText inside = group();
    const bool bare = unadorned(inside).size() == 1;
    line = line + plain("√") + (bare ? inside : plain("(") + inside + plain(")"));
  }

  /// The group in braces, or the one character, that comes next.
  RichText group() {
    if (rest_.empty()) return {};
    if (rest_.front() != '{') {
      RichText one;
      piece(one);
      return one;
    }
    rest_.remove_prefix(1);
    RichText inside = until_end();
    if (!rest_.empty()) rest_.remove_prefix(1);
    return inside;
  }

  template <class Condition>
  std::string_view take_while(Condition holds) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), holds);
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  void skip_space() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  static void trim(RichText& line) {
    while (!line.empty() && line.back().text.ends_with(' ')) line.back().text.pop_back();
    if (!line.empty() && line.back().text.empty()) line.pop_back();
  }

  std::string_view rest_;
};

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

RichText typeset_latex(std::string_view latex) { return Typesetter(latex).until_end(); }
RichText typeset(const Expression& y) { return typeset_latex(to_latex(y)); }
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
