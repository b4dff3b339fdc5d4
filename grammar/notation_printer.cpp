#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>

#include "grammar/notation.h"

namespace actsearch {
namespace {

enum class Style { kText, kLatex };

/// How tightly a piece of text holds together; parentheses go around it where its surroundings hold tighter.
enum Precedence { kSum = 1, kProduct = 2, kUnary = 3, kAtom = 4 };

Precedence precedence_of(const Expression& e, Style style) {
  if (e.kind() == Expression::Kind::kNumber) return std::signbit(e.number()) ? kUnary : kAtom;
  if (e.kind() != Expression::Kind::kCall) return kAtom;
  const FunctionId function = e.function();
  if (function == function_id<Add> || function == function_id<Subtract>) return kSum;
  if (function == function_id<Multiply>) return kProduct;
  if (function == function_id<Divide>) return style == Style::kText ? kProduct : kAtom;
  return function == function_id<Negate> ? kUnary : kAtom;
}

std::string_view latex_of(FunctionId function) {
  std::string_view latex;
  visit_function(function, [&]<class F>() { latex = F::latex; });
  return latex;
}

class Printer {
 public:
  Printer(Style style, const std::vector<std::string>* parameter_names) : style_(style), names_(parameter_names) {}

  std::string print(const Expression& y) {
    constexpr std::size_t kMaxPrintedNodes = 100'000, kMaxPrintedDepth = 2'000;
    if (y.size() > kMaxPrintedNodes || y.depth() > kMaxPrintedDepth) throw std::invalid_argument("the formula is too large to print");
    plain_ = names_ == nullptr && parameters_once_and_in_order(y);
    single_ = y.parameter_count() == 1;
    write(y, kSum);
    return std::move(out_);
  }

 private:
  bool parameters_once_and_in_order(const Expression& y) {
    int next = 0;
    bool in_order = true;
    const auto visit = [&](const auto& self, const Expression& e) -> void {
      if (e.kind() == Expression::Kind::kParameter) in_order = in_order && e.parameter_index() == next++;
      for (const Expression& argument : e.arguments()) self(self, argument);
    };
    visit(visit, y);
    return in_order;
  }

  void write(const Expression& e, Precedence needed) {
    const bool parentheses = precedence_of(e, style_) < needed;
    if (parentheses) out_ += '(';
    switch (e.kind()) {
      case Expression::Kind::kInput:
        out_ += 'x';
        break;
      case Expression::Kind::kParameter:
        write_parameter(e.parameter_index());
        break;
      case Expression::Kind::kNumber:
        write_number(e.number());
        break;
      case Expression::Kind::kCall:
        style_ == Style::kText ? write_call(e) : write_latex_call(e);
        break;
    }
    if (parentheses) out_ += ')';
  }

  void write_parameter(int index) {
    if (names_ != nullptr) {
      out_ += names_->at(static_cast<std::size_t>(index));
    } else if (style_ == Style::kLatex) {
      out_ += single_ ? "\\beta" : "\\beta_{" + std::to_string(index) + "}";
    } else {
      out_ += plain_ ? "beta" : "beta" + std::to_string(index);
    }
  }

  void write_number(double number) {
    const std::string text = to_text(number);
    const std::size_t e = text.find('e');
    if (style_ == Style::kText || e == std::string::npos) {
      out_ += text;
      return;
    }
    const std::string mantissa = text.substr(0, e);
    const std::string exponent = std::to_string(std::stoi(text.substr(e + 1)));
    out_ += (mantissa == "1" ? "" : mantissa + " \\cdot ") + "10^{" + exponent + "}";
  }

  void write_call(const Expression& e) {
    const std::vector<Expression>& arguments = e.arguments();
    const Precedence own = precedence_of(e, style_);
    if (e.function() == function_id<Negate>) {
      out_ += '-';
      write(arguments[0], kUnary);
    } else if (own != kAtom) {
      write(arguments[0], own);
      out_.append(" ").append(function_name(e.function())).append(" ");
      write(arguments[1], static_cast<Precedence>(own + 1));
    } else {
      out_.append(function_name(e.function())).append("(");
      write(arguments[0], kSum);
      for (std::size_t i = 1; i < arguments.size(); ++i) {
        out_ += ", ";
        write(arguments[i], kSum);
      }
      out_ += ')';
    }
  }

  /// Fills the function's pattern. Arguments inside its brackets need no parentheses of their own.
  void write_latex_call(const Expression& e) {
    const std::vector<Expression>& arguments = e.arguments();
    const Precedence own = precedence_of(e, style_);
    const bool bare_base = arguments[0].kind() == Expression::Kind::kInput || arguments[0].kind() == Expression::Kind::kParameter;
    const std::string_view pattern = latex_of(e.function());
    constexpr std::string_view kPower = "(#1)^";
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (bare_base && pattern.substr(i).starts_with(kPower)) {  // x^2 rather than (x)^2
        write(arguments[0], kSum);
        out_ += '^';
        i += kPower.size() - 1;
        continue;
      }
      if (pattern[i] != '#') {
        out_ += pattern[i];
        continue;
      }
      const bool second = pattern[++i] == '2';
      Precedence inside = own == kAtom ? kSum : own;
      // A product's sign is invisible, so that a minus after it would be read as a difference.
      if (second && own != kAtom) inside = own == kProduct ? kAtom : static_cast<Precedence>(own + 1);
      const std::size_t begin = out_.size();
      write(arguments[second ? 1 : 0], inside);
      if (own == kProduct && second) {
        set_dot_before(begin);
      } else if (own != kAtom && begin > 0) {
        bracket_second_sign(begin);
      }
    }
  }

  /// A thin space before a number would make one of two, and before a fraction a mixed number: there a dot is set.
  void set_dot_before(std::size_t factor) {
    constexpr std::string_view kSpace = "\\, ", kFraction = "\\frac";
    if (factor < kSpace.size() + 2 || out_.compare(factor - kSpace.size(), kSpace.size(), kSpace) != 0) return;
    const char before = out_[factor - kSpace.size() - 2];  // the last of the first factor, after which there is a space
    const bool follows_number = is_digit(before) || before == '}';
    if (is_digit(out_[factor]) || (follows_number && out_.compare(factor, kFraction.size(), kFraction) == 0)) {
      out_.replace(factor - kSpace.size(), kSpace.size(), "\\cdot ");
    }
  }

  /// A sign after a sign, as in x - -3 and --x, stands in parentheses.
  void bracket_second_sign(std::size_t operand) {
    if (out_[operand] != '-') return;
    const std::size_t last = out_.find_last_not_of(' ', operand - 1);
    if (last == std::string::npos || (out_[last] != '-' && out_[last] != '+')) return;
    out_.insert(operand, "(");
    out_ += ')';
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  Style style_;
  const std::vector<std::string>* names_;
  bool plain_ = false;   // parameters need no numbers in the text
  bool single_ = false;  // there is only one parameter
  std::string out_;
};

}  // namespace

std::string to_text(double number) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return std::string(buffer.data(), error == std::errc() ? end : buffer.data());
}

std::string to_text(const Expression& y) { return Printer(Style::kText, nullptr).print(y); }
std::string to_text(const Expression& y, const std::vector<std::string>& parameter_names) {
  return Printer(Style::kText, &parameter_names).print(y);
}
std::string to_latex(const Expression& y) { return Printer(Style::kLatex, nullptr).print(y); }
std::string to_latex(const Expression& y, const std::vector<std::string>& parameter_names) {
  return Printer(Style::kLatex, &parameter_names).print(y);
}

}  // namespace actsearch
