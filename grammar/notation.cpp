#include "grammar/notation.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "grammar/nearest.h"
#include "grammar/operators.h"
#include "grammar/spellings.h"

namespace actsearch {
namespace {

/// What a word followed by parentheses can mean.
using Callable = std::variant<FunctionId, const OperatorInfo*>;

bool is_word(std::string_view name) { return std::isalpha(static_cast<unsigned char>(name[0])) != 0; }

/// Every word of the notation that takes arguments. An operator or activation that is an elementary function is that function.
const std::map<std::string_view, Callable>& callables() {
  static const auto table = [] {
    std::map<std::string_view, Callable> result;
    for_each_function([&]<class F>() {
      if (is_word(F::name)) result.emplace(F::name, function_id<F>);
    });
    for (const auto* operators : {&unary_operators(), &binary_operators(), &activations()}) {
      for (const OperatorInfo& info : *operators) result.emplace(info.name, &info);
    }
    result.erase("beta");  // the operator is the parameter itself: a word without arguments
    return result;
  }();
  return table;
}

const OperatorInfo* find_activation(std::string_view name) {
  for (const OperatorInfo& info : activations()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

std::vector<std::string_view> known_words() {
  std::vector<std::string_view> words{"x", "beta"};
  for (const auto& [name, meaning] : callables()) words.push_back(name);
  for (const Spelling& spelling : spellings()) words.push_back(spelling.name);
  return words;
}

/// A text in ASCII, with the column in the original, from 1 and in characters, of every byte and of the end.
struct Plain {
  std::string text;
  std::vector<std::size_t> columns;
};

/// Mathematical signs and Greek letters become what the notation calls them. What is none of them stays as it is.
Plain plain(std::string_view given) {
  struct Sign {
    std::string_view sign, text;
    bool word = false;
  };
  static constexpr Sign kSigns[] = {
      {"β", "beta", true}, {"σ", "sigmoid", true}, {"−", "-"}, {"–", "-"}, {"·", "*"}, {"⋅", "*"}, {"×", "*"}, {"÷", "/"}, {"²", "^2"},
      {"³", "^3"}};
  Plain result;
  std::size_t column = 0;
  const auto add = [&](std::string_view text) {
    result.text += text;
    result.columns.resize(result.text.size(), column);
  };
  for (std::size_t at = 0; at < given.size();) {
    if ((static_cast<unsigned char>(given[at]) & 0xC0u) != 0x80u) ++column;  // the later bytes of a character do not count
    const auto* const sign =
        std::find_if(std::begin(kSigns), std::end(kSigns), [&](const Sign& one) { return given.substr(at).starts_with(one.sign); });
    if (sign == std::end(kSigns)) {
      add(given.substr(at, 1));
      ++at;
      continue;
    }
    at += sign->sign.size();
    // A Greek letter is a word whatever stands beside it: βx and xσ(x) are products.
    const char before = result.text.empty() ? ' ' : result.text.back();
    if (sign->word && (std::isalpha(static_cast<unsigned char>(before)) != 0 || before == ')')) add("*");
    add(sign->text);
    if (sign->text == "beta" && at < given.size() && (std::isalpha(static_cast<unsigned char>(given[at])) != 0 || given[at] == '('))
      add("*");
  }
  ++column;
  result.columns.push_back(column);
  return result;
}

/// Recursive descent over
///   sum     = product {("+" | "-") product}          product = unary {("*" | "/") unary}
///   unary   = ("-" | "+") unary | power               power   = primary [("^" | "**") exponent] | number power
///   primary = number | "x" | beta | activation | word "(" sum {"," sum} ")" | "(" sum ")" | "|" sum "|"
class Parser {
 public:
  explicit Parser(std::string_view text) : plain_(plain(text)), text_(plain_.text) {}

  Expression parse() {
    if (text_.size() > kMaxTextLength) {
      fail(0, "the text is " + std::to_string(text_.size()) + " characters long; the limit is " + std::to_string(kMaxTextLength));
    }
    const Expression read = sum();
    if (!at_end()) fail(place_, "expected an operator or the end, found " + found());
    Expression result = numbering_ == Numbering::kIndexed ? read : read.with_parameters_in_order();
    if (const std::size_t length = to_text(result).size(); length > kMaxTextLength) {
      fail(0, "the formula written out is " + std::to_string(length) + " characters long; the limit is " + std::to_string(kMaxTextLength));
    }
    return result;
  }

 private:
  enum class Numbering { kUndecided, kPlain, kIndexed };

  /// One level of nesting, for as long as it lives.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxDepth) parser_.fail(parser_.place_, "nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    ~Level() { --parser_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
  };

  [[noreturn]] void fail(std::size_t place, const std::string& message) const {
    throw NotationError(plain_.columns.at(std::min(place, text_.size())), message);
  }

  std::string found() const {
    if (place_ >= text_.size()) return "the end";
    const auto c = static_cast<unsigned char>(text_[place_]);
    if (std::isalnum(c) != 0 || c == '_') return "'" + shortened(text_.substr(place_, word_length(place_))) + "'";
    if (std::isprint(c) != 0) return std::string("'") + static_cast<char>(c) + "'";
    constexpr std::string_view kHex = "0123456789abcdef";
    return std::string("byte 0x") + kHex[c >> 4u] + kHex[c & 15u];
  }

  std::size_t word_length(std::size_t start) const {
    std::size_t end = start;
    while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_')) ++end;
    return end - start;
  }

  void skip_spaces() {
    while (place_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[place_])) != 0) ++place_;
  }
  bool at_end() {
    skip_spaces();
    return place_ == text_.size();
  }
  char peek() {
    skip_spaces();
    return place_ < text_.size() ? text_[place_] : '\0';
  }
  bool take(char c) {
    if (at_end() || text_[place_] != c) return false;
    ++place_;
    return true;
  }

  /// The expression, if it is within the limits.
  Expression checked(Expression e, std::size_t place) const {
    if (e.depth() > kMaxDepth) fail(place, "the formula is more than " + std::to_string(kMaxDepth) + " calls deep");
    if (e.size() > kMaxNodes) fail(place, "the formula written out has more than " + std::to_string(kMaxNodes) + " parts");
    return e;
  }

  Expression sum() {
    Expression result = product();
    for (char c = peek(); c == '+' || c == '-'; c = peek()) {
      const std::size_t place = place_++;
      const Expression right = product();
      result = checked(c == '+' ? result + right : result - right, place);
    }
    return result;
  }

  Expression product() {
    Expression result = unary();
    for (char c = peek(); c == '*' || c == '/'; c = peek()) {
      const std::size_t place = place_++;
      implied_product_ = false;
      const Expression right = unary();
      if (c == '/' && implied_product_) fail(place, "a product such as 2x after '/' can be read in two ways: put it in parentheses");
      result = checked(c == '*' ? result * right : result / right, place);
    }
    return result;
  }

  Expression unary() {
    const char sign = peek();
    if (sign != '-' && sign != '+') return power();
    const std::size_t place = place_++;
    const Level level(*this);
    if (sign == '+') return unary();
    const Expression operand = unary();
    const bool literal = operand.kind() == Expression::Kind::kNumber && !std::signbit(operand.number());
    return literal ? Expression(-operand.number()) : checked(-operand, place);
  }

  /// A number before a word or a parenthesis multiplies it: 2x, 0.5(1 + x).
  Expression power() {
    const bool number_first = std::isdigit(static_cast<unsigned char>(peek())) != 0 || peek() == '.';
    const std::size_t start = place_;
    Expression base = primary();
    if (number_first && place_ < text_.size() && (std::isalpha(static_cast<unsigned char>(text_[place_])) != 0 || text_[place_] == '(')) {
      const Level level(*this);
      const Expression factor = power();
      implied_product_ = true;
      return checked(base * factor, start);
    }
    if (!take_power_sign()) return base;
    Expression result = checked(to_the_power(base), start);
    if (const std::size_t place = place_; take_power_sign()) fail(place, "two powers in a row can be read in two ways: use parentheses");
    return result;
  }

  bool take_power_sign() {
    if (take('^')) return true;
    if (at_end() || !text_.substr(place_).starts_with("**")) return false;
    place_ += 2;
    return true;
  }

  Expression to_the_power(const Expression& base) {
    constexpr int kMost = 16;
    const bool inside = take('(');
    const std::size_t start = place_;
    const bool negative = take('-');
    const char digit = peek();
    const auto refuse = [&] {
      fail(start, "an exponent is a whole number from -" + std::to_string(kMost) + " to " + std::to_string(kMost) +
                      " or 0.5; exp(x) is e to the power of x");
    };
    if (std::isdigit(static_cast<unsigned char>(digit)) == 0 && digit != '.') refuse();
    const double exponent = number().number();
    if (inside && !take(')')) refuse();
    if (exponent == 0.5 && !negative) return Expression::call<Sqrt>(base);
    if (exponent < 1 || exponent > kMost || exponent != std::floor(exponent)) refuse();
    const Expression raised = whole_power(base, static_cast<int>(exponent));
    return negative ? Expression(1.0) / raised : raised;
  }

  static Expression whole_power(const Expression& base, int exponent) {
    if (exponent == 1) return base;
    if (exponent == 3) return Expression::call<Cube>(base);
    return exponent % 2 == 0 ? Expression::call<Square>(whole_power(base, exponent / 2)) : whole_power(base, exponent - 1) * base;
  }

  Expression primary() {
    const char c = peek();
    const std::size_t start = place_;
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return number();
    if (take('(')) {
      const Level level(*this);
      Expression inside = sum();
      if (!take(')')) fail(place_, "expected an operator or ')', found " + found());
      return inside;
    }
    if (take('|')) {
      const Level level(*this);
      const Expression inside = sum();
      if (!take('|')) fail(place_, "expected an operator or '|', found " + found());
      return checked(Expression::call<Abs>(inside), start);
    }
    if (std::isalpha(static_cast<unsigned char>(c)) == 0 && c != '_') {
      fail(start, "expected a number, x, beta, a function or '(', found " + found());
    }
    const std::string_view word = text_.substr(start, word_length(start));
    place_ += word.size();
    if (word == "x") return Expression::input();
    if (word == "beta") return fresh_parameter(start, word);
    if (const auto index = parameter_index(start, word)) return Expression::parameter(*index);
    const auto meaning = callables().find(word);
    if (meaning == callables().end()) {
      if (const Spelling* const spelling = find_spelling(word)) return spelled(start, *spelling);
      if (const std::string_view advice = advice_on(word); !advice.empty()) {
        fail(start, "unknown word '" + std::string(word) + "': " + std::string(advice));
      }
    }
    if (meaning == callables().end()) fail(start, "unknown word '" + shortened(word) + "'" + did_you_mean(word, known_words()));
    if (peek() == '(') return call(start, word, meaning->second);
    if (const OperatorInfo* activation = find_activation(word)) return apply_operator(start, *activation, {Expression::input()});
    fail(place_, "expected '(' after '" + std::string(word) + "', found " + found());
  }

  Expression number() {
    const std::size_t start = place_;
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + start, text_.data() + text_.size(), value);
    if (error == std::errc::result_out_of_range) fail(start, "the number is outside the range of double precision");
    if (error != std::errc()) fail(start, "expected a number, found " + found());
    place_ = static_cast<std::size_t>(end - text_.data());
    return Expression(value);
  }

  /// The index of a word like beta12; nothing if it is no such word.
  std::optional<int> parameter_index(std::size_t start, std::string_view word) {
    constexpr std::string_view kPrefix = "beta";
    constexpr std::size_t kMaxDigits = 3;
    if (!word.starts_with(kPrefix)) return std::nullopt;
    const std::string_view digits = word.substr(kPrefix.size());
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    if (digits.size() > kMaxDigits) fail(start, "parameters are numbered beta0 to beta999");
    if (numbering_ == Numbering::kPlain) {
      fail(start, "'" + std::string(word) + "' beside a beta without a number: number all of them or none");
    }
    numbering_ = Numbering::kIndexed;
    int index = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), index);
    return index;
  }

  /// The next of the plain betas, brought in by `word`.
  Expression fresh_parameter(std::size_t start, std::string_view word) {
    if (numbering_ == Numbering::kIndexed) {
      fail(start, "'" + std::string(word) + "' has a beta without a number beside one with: number all of them or none");
    }
    numbering_ = Numbering::kPlain;
    return Expression::parameter(next_parameter_++);
  }

  /// A word of other tools, with its arguments or alone.
  Expression spelled(std::size_t start, const Spelling& spelling) {
    if (peek() == '(') return checked(spelling.build(arguments_of(start, spelling.name, spelling.arity)), start);
    if (spelling.arity == 1) return checked(spelling.build({Expression::input()}), start);
    fail(place_, "expected '(' after '" + std::string(spelling.name) + "', found " + found());
  }

  /// "(" sum {"," sum} ")", as many as `word` takes.
  std::vector<Expression> arguments_of(std::size_t start, std::string_view word, int arity) {
    const Level level(*this);
    std::vector<Expression> arguments;
    take('(');
    do {
      arguments.push_back(sum());
    } while (take(','));
    if (!take(')')) fail(place_, "expected an operator, ',' or ')', found " + found());
    if (static_cast<int>(arguments.size()) != arity) {
      fail(start, "'" + std::string(word) + "' takes " + std::to_string(arity) + (arity == 1 ? " argument" : " arguments") + ", found " +
                      std::to_string(arguments.size()));
    }
    return arguments;
  }

  Expression call(std::size_t start, std::string_view word, const Callable& meaning) {
    const FunctionId* function = std::get_if<FunctionId>(&meaning);
    const int arity = function != nullptr ? function_arity(*function) : std::get<const OperatorInfo*>(meaning)->arity;
    std::vector<Expression> arguments = arguments_of(start, word, arity);
    if (function != nullptr) return checked(Expression::call(*function, std::move(arguments)), start);
    return apply_operator(start, *std::get<const OperatorInfo*>(meaning), arguments);
  }

  Expression apply_operator(std::size_t start, const OperatorInfo& info, const std::vector<Expression>& arguments) {
    const Expression beta = info.has_parameter ? fresh_parameter(start, info.name) : Expression(0.0);
    return checked(info.build(arguments, beta), start);
  }

  Plain plain_;
  std::string_view text_;  // of plain_
  std::size_t place_ = 0;
  bool implied_product_ = false;  // whether the last factor was one like 2x
  std::size_t nesting_ = 0;
  Numbering numbering_ = Numbering::kUndecided;
  int next_parameter_ = 0;
};

}  // namespace

NotationError::NotationError(std::size_t column, const std::string& message)
    : std::invalid_argument("column " + std::to_string(column) + ": " + message), column_(column) {}

Expression parse(std::string_view text) { return Parser(text).parse(); }

}  // namespace actsearch
