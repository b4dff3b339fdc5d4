#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "grammar/display.h"

namespace actsearch {
namespace {

using Kind = Box::Kind;

/// A letter or a function's name: a command where LaTeX has one.
std::string spelled(const Box& box) {
  if (box.text == "β") return "\\beta";
  if (box.text == "σ") return "\\sigma";
  if (box.kind == Kind::kVariable) return box.text;
  constexpr std::string_view kCommands[] = {"arccos", "arcsin", "arctan", "cos", "cosh", "cot", "coth", "csc", "exp", "lg",
                                            "ln",     "log",    "max",    "min", "sec",  "sin", "sinh", "tan", "tanh"};
  const bool command = std::find(std::begin(kCommands), std::end(kCommands), box.text) != std::end(kCommands);
  return command ? "\\" + box.text : "\\operatorname{" + box.text + "}";
}

class Latex {
 public:
  std::string printed(const Boxes& row) {
    write(row);
    return std::move(out_);
  }

 private:
  void write(const Boxes& row) {
    for (const Box& box : row) write(box);
  }

  void write(const Box& box) {
    switch (box.kind) {
      case Kind::kNumber:
        out_ += box.text;
        break;
      case Kind::kVariable:
      case Kind::kName:
        out_ += spelled(box);
        break;
      case Kind::kSign:
        out_ += '-';
        break;
      case Kind::kOperator:
        out_ += " " + (box.text == "−" ? "-" : box.text) + " ";
        break;
      case Kind::kComma:
        out_ += ", ";
        break;
      case Kind::kProduct:
        out_ += " \\, ";
        break;
      case Kind::kDot:
        out_ += " \\cdot ";
        break;
      case Kind::kFraction:
        out_ += "\\frac";
        write_group(box.parts[0]);
        write_group(box.parts[1]);
        break;
      case Kind::kRoot:
        out_ += "\\sqrt";
        write_group(box.parts[0]);
        break;
      case Kind::kFence:
        write_fence(box);
        break;
      case Kind::kSuperscript:
        write(box.parts[0]);
        out_ += '^';
        is_small_power(box) ? write(box.parts[1]) : write_group(box.parts[1]);
        break;
      case Kind::kSubscript:
        write(box.parts[0]);
        out_ += '_';
        write_group(box.parts[1]);
        break;
      case Kind::kPrime:
        write(box.parts[0]);
        out_ += '\'';
        break;
      case Kind::kArgument:
        out_ += "#" + box.text;
        break;
    }
  }

  void write_group(const Boxes& row) {
    out_ += '{';
    write(row);
    out_ += '}';
  }

  void write_fence(const Box& box) {
    const bool bars = box.text == "|";
    out_ += bars ? "\\lvert " : box.text;
    write(box.parts[0]);
    out_ += bars ? " \\rvert" : box.text == "[" ? "]" : ")";
  }

  /// x^2, but 10^{5} as any other power of ten.
  static bool is_small_power(const Box& power) {
    const Boxes& exponent = power.parts[1];
    return exponent.size() == 1 && exponent[0].text.size() == 1 && power.parts[0][0].kind != Kind::kNumber;
  }

  std::string out_;
};

}  // namespace

std::string to_latex(const Expression& y) { return Latex().printed(displayed(y)); }
std::string to_latex(const Expression& y, const std::vector<std::string>& parameter_names) {
  return Latex().printed(displayed(y, parameter_names));
}

}  // namespace actsearch
