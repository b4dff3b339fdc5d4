#include "grammar/display.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "grammar/notation.h"

namespace actsearch {
namespace {

using Kind = Box::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class... Rows>
Box composed(Kind kind, const std::string& text, Rows... rows) {
  Box box{kind, text};
  (box.parts.push_back(std::move(rows)), ...);
  return box;
}

/// Recursive descent over a pattern.
class PatternReader {
 public:
  explicit PatternReader(std::string_view text) : text_(text), rest_(text) {}

  Boxes read() { return row(""); }

 private:
  [[noreturn]] void broken() const {
    throw std::logic_error("the pattern '" + std::string(text_) + "' cannot be read from '" + std::string(rest_) + "' on");
  }

  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  /// Everything up to `end`, which is taken too; up to the end of the text where it is empty.
  Boxes row(std::string_view end) {
    Boxes boxes;
    for (;;) {
      while (take(" ")) {
      }
      if (end.empty() ? rest_.empty() : take(end)) return boxes;
      boxes.push_back(scripted(boxes));
    }
  }

  Box scripted(const Boxes& before) {
    Box base = box(before);
    if (take("'")) base = composed(Kind::kPrime, "", Boxes{base});
    if (take("^")) base = composed(Kind::kSuperscript, "", Boxes{base}, Boxes{box({})});
    return base;
  }

  Box box(const Boxes& before) {
    if (take("#")) {
      if (!rest_.starts_with('1') && !rest_.starts_with('2')) broken();
      return {Kind::kArgument, taken(1)};
    }
    if (take("√")) return composed(Kind::kRoot, "", group());
    if (take("(")) return composed(Kind::kFence, "(", row(")"));
    if (take("[")) return composed(Kind::kFence, "[", row("]"));
    if (take("|")) return composed(Kind::kFence, "|", row("|"));
    if (rest_.starts_with('{')) {
      Boxes above = group();
      if (!take("/")) broken();
      return composed(Kind::kFraction, "", std::move(above), group());
    }
    if (take(",")) return {Kind::kComma};
    if (take("*")) return {Kind::kProduct};
    if (take("-")) return begins_term(before) ? Box{Kind::kSign} : Box{Kind::kOperator, "−"};
    for (const std::string_view sign : {"+", "<", ">"}) {
      if (take(sign)) return {Kind::kOperator, std::string(sign)};
    }
    if (const std::size_t digits = length_of(is_digit); digits > 0) return {Kind::kNumber, taken(digits)};
    if (const std::size_t letters = length_of(is_letter); letters > 0) return {Kind::kName, taken(letters)};
    broken();
  }

  Boxes group() {
    if (!take("{")) broken();
    return row("}");
  }

  static bool begins_term(const Boxes& before) {
    if (before.empty()) return true;
    const Kind last = before.back().kind;
    return last == Kind::kOperator || last == Kind::kComma || last == Kind::kProduct || last == Kind::kSign;
  }
  /// A letter of ASCII, or a byte of one beyond it: σ.
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80; }

  std::size_t length_of(bool (*belongs)(char)) const {
    return static_cast<std::size_t>(std::find_if_not(rest_.begin(), rest_.end(), belongs) - rest_.begin());
  }
  std::string taken(std::size_t length) {
    std::string result(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return result;
  }

  std::string_view text_, rest_;
};

const Boxes& pattern_of(FunctionId function) {
  static const std::vector<Boxes> patterns = [] {
    std::vector<Boxes> all;
    const auto read = [&]<class F>() { all.push_back(read_pattern(F::display)); };
    for_each_function(read);
    for_each_program_function(read);
    return all;
  }();
  return patterns.at(function);
}

/// How tightly a row holds together; brackets go around it where its surroundings hold tighter.
enum Tightness { kSum = 1, kProduct = 2, kUnary = 3, kAtom = 4 };

bool is_plus_or_minus(const Box& box) { return box.kind == Kind::kOperator && (box.text == "+" || box.text == "−"); }

/// Of a pattern's row. What has brackets of its own, or a comma or a comparison, is an atom.
Tightness tightness_of(const Boxes& row) {
  Tightness loosest = kAtom;
  for (const Box& box : row) {
    if (is_plus_or_minus(box)) loosest = std::min(loosest, kSum);
    if (box.kind == Kind::kProduct) loosest = std::min(loosest, kProduct);
    if (box.kind == Kind::kSign) loosest = std::min(loosest, kUnary);
  }
  return loosest;
}

Tightness tightness_of(const Expression& e) {
  if (e.kind() == Expression::Kind::kCall) return tightness_of(pattern_of(e.function()));
  return e.kind() == Expression::Kind::kNumber && std::signbit(e.number()) ? kUnary : kAtom;
}

/// β, β with an index, or a letter.
Box variable(std::string_view name) {
  constexpr std::string_view kBeta = "beta";
  if (!name.starts_with(kBeta)) return {Kind::kVariable, std::string(name)};
  Box beta{Kind::kVariable, "β"};
  if (name == kBeta) return beta;
  const Box index{Kind::kNumber, std::string(name.substr(kBeta.size()))};
  return composed(Kind::kSubscript, "", Boxes{beta}, Boxes{index});
}

/// Fills the patterns of a formula's functions.
class Displayer {
 public:
  explicit Displayer(const std::vector<std::string>* parameter_names) : names_(parameter_names) {}

  Boxes display(const Expression& y) {
    require_printable(y);
    single_ = y.parameter_count() == 1;
    Boxes row;
    write(y, kSum, row);
    return row;
  }

 private:
  void write(const Expression& e, Tightness needed, Boxes& row) {
    if (tightness_of(e) >= needed) return write_bare(e, row);
    Boxes inside;
    write_bare(e, inside);
    row.push_back(composed(Kind::kFence, "(", std::move(inside)));
  }

  void write_bare(const Expression& e, Boxes& row) {
    switch (e.kind()) {
      case Expression::Kind::kInput:
        row.push_back(variable("x"));
        break;
      case Expression::Kind::kParameter:
        row.push_back(parameter(e.parameter_index()));
        break;
      case Expression::Kind::kNumber:
        write_number(e.number(), row);
        break;
      case Expression::Kind::kCall:
        fill(pattern_of(e.function()), e.arguments(), row);
        break;
    }
  }

  Box parameter(int index) const {
    if (names_ != nullptr) return variable(names_->at(static_cast<std::size_t>(index)));
    return variable(single_ ? "beta" : "beta" + std::to_string(index));
  }

  /// 0.5, −2, 10^−7, 1.5 · 10^−7.
  static void write_number(double number, Boxes& row) {
    const bool negative = std::signbit(number);
    const std::string text = to_text(std::abs(number));
    const std::size_t e = text.find('e');
    const std::string mantissa = text.substr(0, e);
    const bool bare_power = e != std::string::npos && mantissa == "1" && !negative;
    if (negative) row.push_back({Kind::kSign});
    if (!bare_power) row.push_back({Kind::kNumber, mantissa});
    if (e == std::string::npos) return;
    if (!bare_power) row.push_back({Kind::kDot});
    const int exponent = std::stoi(text.substr(e + 1));
    Boxes above;
    if (exponent < 0) above.push_back({Kind::kSign});
    above.push_back({Kind::kNumber, std::to_string(std::abs(exponent))});
    row.push_back(composed(Kind::kSuperscript, "", Boxes{{Kind::kNumber, "10"}}, std::move(above)));
  }

  void fill(const Boxes& pattern, const std::vector<Expression>& arguments, Boxes& row) {
    const Tightness own = tightness_of(pattern);
    for (const Box& box : pattern) {
      if (box.kind == Kind::kArgument) {
        write_argument(arguments, box.text == "2", own, row);
        continue;
      }
      Box filled{box.kind, box.text};
      filled.parts.reserve(box.parts.size());
      for (const Boxes& part : box.parts) {
        const bool base = box.kind == Kind::kSuperscript && filled.parts.empty();
        fill(base && is_bare_base(part, arguments) ? part[0].parts[0] : part, arguments, filled.parts.emplace_back());
      }
      row.push_back(std::move(filled));
    }
  }

  /// Whether the base is (#1) and the argument a letter, which needs no brackets.
  static bool is_bare_base(const Boxes& base, const std::vector<Expression>& arguments) {
    const bool letter = arguments[0].kind() == Expression::Kind::kInput || arguments[0].kind() == Expression::Kind::kParameter;
    return letter && base[0] == composed(Kind::kFence, "(", Boxes{{Kind::kArgument, "1"}});
  }

  void write_argument(const std::vector<Expression>& arguments, bool second, Tightness own, Boxes& row) {
    Tightness needed = own == kAtom ? kSum : own;
    // A product's sign is invisible, so that a minus after it would be read as a difference.
    if (second && own != kAtom) needed = own == kProduct ? kAtom : static_cast<Tightness>(own + 1);
    const std::size_t begin = row.size();
    write(arguments.at(second ? 1 : 0), needed, row);
    if (own == kProduct && second) {
      set_dot_before(begin, row);
    } else if (own != kAtom && begin > 0) {
      bracket_second_sign(begin, row);
    }
  }

  /// Without a dot, two numbers would look like one, and a number before a fraction like a mixed number.
  static void set_dot_before(std::size_t factor, Boxes& row) {
    if (factor < 2 || row[factor - 1].kind != Kind::kProduct) return;
    const bool mixed = ends_like_number(row[factor - 2]) && row[factor].kind == Kind::kFraction;
    if (begins_with_digit(row[factor]) || mixed) row[factor - 1].kind = Kind::kDot;
  }
  static bool begins_with_digit(const Box& box) {
    return box.kind == Kind::kNumber || (box.kind == Kind::kSuperscript && begins_with_digit(box.parts[0][0]));
  }
  static bool ends_like_number(const Box& box) {
    constexpr Kind kEnds[] = {Kind::kNumber, Kind::kSuperscript, Kind::kSubscript, Kind::kFraction, Kind::kRoot};
    return std::find(std::begin(kEnds), std::end(kEnds), box.kind) != std::end(kEnds);
  }

  /// A sign after a sign, as in x - -3 and --x, stands in brackets.
  static void bracket_second_sign(std::size_t operand, Boxes& row) {
    if (row[operand].kind != Kind::kSign) return;
    if (row[operand - 1].kind != Kind::kSign && !is_plus_or_minus(row[operand - 1])) return;
    const auto first = row.begin() + static_cast<std::ptrdiff_t>(operand);
    Boxes inside(std::make_move_iterator(first), std::make_move_iterator(row.end()));
    row.erase(first, row.end());
    row.push_back(composed(Kind::kFence, "(", std::move(inside)));
  }

  const std::vector<std::string>* names_;
  bool single_ = false;  // there is only one parameter
};

}  // namespace

Boxes read_pattern(std::string_view text) { return PatternReader(text).read(); }

Boxes displayed(const Expression& y) { return Displayer(nullptr).display(y); }
Boxes displayed(const Expression& y, const std::vector<std::string>& parameter_names) { return Displayer(&parameter_names).display(y); }

}  // namespace actsearch
