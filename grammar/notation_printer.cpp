#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>

#include "grammar/notation.h"

namespace actsearch {
namespace {

/// How tightly a piece of text holds together; parentheses go around it where its surroundings hold tighter.
enum Precedence { kSum = 1, kProduct = 2, kUnary = 3, kAtom = 4 };

Precedence precedence_of(const Expression& e) {
  if (e.kind() == Expression::Kind::kNumber) return std::signbit(e.number()) ? kUnary : kAtom;
  if (e.kind() != Expression::Kind::kCall) return kAtom;
  const FunctionId function = e.function();
  if (function == function_id<Add> || function == function_id<Subtract>) return kSum;
  if (function == function_id<Multiply> || function == function_id<Divide>) return kProduct;
  return function == function_id<Negate> ? kUnary : kAtom;
}

class Printer {
 public:
  explicit Printer(const std::vector<std::string>* parameter_names) : names_(parameter_names) {}

  std::string print(const Expression& y) {
    require_printable(y);
    plain_ = names_ == nullptr && parameters_once_and_in_order(y);
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
    const bool parentheses = precedence_of(e) < needed;
    if (parentheses) out_ += '(';
    switch (e.kind()) {
      case Expression::Kind::kInput:
        out_ += 'x';
        break;
      case Expression::Kind::kParameter:
        write_parameter(e.parameter_index());
        break;
      case Expression::Kind::kNumber:
        out_ += to_text(e.number());
        break;
      case Expression::Kind::kCall:
        write_call(e);
        break;
    }
    if (parentheses) out_ += ')';
  }

  void write_parameter(int index) {
    if (names_ != nullptr) {
      out_ += names_->at(static_cast<std::size_t>(index));
    } else {
      out_ += plain_ ? "beta" : "beta" + std::to_string(index);
    }
  }

  void write_call(const Expression& e) {
    const std::vector<Expression>& arguments = e.arguments();
    const Precedence own = precedence_of(e);
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

  const std::vector<std::string>* names_;
  bool plain_ = false;  // parameters need no numbers in the text
  std::string out_;
};

}  // namespace

std::string to_text(double number) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return std::string(buffer.data(), error == std::errc() ? end : buffer.data());
}

void require_printable(const Expression& y) {
  constexpr std::size_t kMaxPrintedNodes = 100'000, kMaxPrintedDepth = 2'000;
  if (y.size() > kMaxPrintedNodes || y.depth() > kMaxPrintedDepth) throw std::invalid_argument("the formula is too large to print");
}

std::string to_text(const Expression& y) { return Printer(nullptr).print(y); }
std::string to_text(const Expression& y, const std::vector<std::string>& parameter_names) { return Printer(&parameter_names).print(y); }

}  // namespace actsearch
