#include "grammar/program.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "grammar/hash.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/range.h"

namespace actsearch {
namespace {

constexpr std::size_t kMaxInstructions = 10'000;

/// The formula with `other` in place of each node, arguments first: it is given the node with its new arguments.
template <class Other>
Expression rewritten(const Expression& y, Other&& other) {
  std::unordered_map<const void*, Expression> copy_of;
  for (const Expression& node : nodes_in_order(y)) {
    Expression copy = node;
    bool changed = false;
    std::vector<Expression> arguments;
    for (const Expression& argument : node.arguments()) {
      arguments.push_back(copy_of.at(argument.identity()));
      changed = changed || arguments.back().identity() != argument.identity();
    }
    if (changed) copy = Expression::call(node.function(), std::move(arguments));
    copy_of.emplace(node.identity(), other(copy));
  }
  return copy_of.at(y.identity());
}

template <class F>
bool is_call(const Expression& e) {
  return e.kind() == Expression::Kind::kCall && e.function() == function_id<F>;
}

/// log(1 + e^u) as softplus(u), which overflows no sooner than u does.
Expression with_softplus(const Expression& node) {
  const auto is_one = [](const Expression& e) { return e.kind() == Expression::Kind::kNumber && e.number() == 1; };
  if (!is_call<Log>(node) || !is_call<Add>(node.arguments()[0])) return node;
  const auto& terms = node.arguments()[0].arguments();
  if (is_one(terms[0]) && is_call<Exp>(terms[1])) return Expression::call<Softplus>(terms[1].arguments()[0]);
  if (is_one(terms[1]) && is_call<Exp>(terms[0])) return Expression::call<Softplus>(terms[0].arguments()[0]);
  return node;
}

Expression beside_zero_if_input(const Expression& node) {
  return node.kind() == Expression::Kind::kInput ? Expression::call<BesideZero>(node) : node;
}

/// Appends formulas to a program, each distinct instruction once. Where a value may be infinite in single precision though the formula is
/// not, it is kept finite: 0·∞, ∞ - ∞, ∞ / ∞ and the sine of ∞ are what spoils results.
class Assembler {
 public:
  /// The place of the formula's value.
  std::uint16_t add(const Expression& y) {
    for (const Expression& node : nodes_in_order(y)) {
      if (!place_of_.contains(node.identity())) place_of_.emplace(node.identity(), place(instruction(node)));
    }
    kept_.push_back(y);  // nodes are known by address, so they must outlive the assembly
    return place_of_.at(y.identity());
  }

  std::vector<Instruction> instructions;

 private:
  using Key = std::tuple<Expression::Kind, FunctionId, std::uint16_t, std::uint16_t, std::uint16_t, std::uint64_t>;

  Instruction instruction(const Expression& node) {
    Instruction result;
    result.kind = node.kind();
    switch (node.kind()) {
      case Expression::Kind::kInput:
        break;
      case Expression::Kind::kParameter:
        result.parameter = static_cast<std::uint16_t>(node.parameter_index());
        break;
      case Expression::Kind::kNumber:
        result.number = node.number();
        break;
      case Expression::Kind::kCall:
        result.function = node.function();
        result.a = place_of_.at(node.arguments()[0].identity());
        if (node.arguments().size() == 2) result.b = place_of_.at(node.arguments()[1].identity());
        keep_finite(result);
        // Negation is the one function that is exact in every precision, so the one that is folded.
        if (result.function == function_id<Negate> && instructions[result.a].kind == Expression::Kind::kNumber) {
          const double number = -instructions[result.a].number;
          result = Instruction{};
          result.kind = Expression::Kind::kNumber;
          result.number = number;
        }
        break;
    }
    return result;
  }

  std::uint16_t place(const Instruction& i) {
    const Key key{i.kind, i.function, i.a, i.b, i.parameter, std::bit_cast<std::uint64_t>(i.number)};
    const auto [entry, is_new] = place_of_instruction_.try_emplace(key, static_cast<std::uint16_t>(instructions.size()));
    if (is_new) {
      if (instructions.size() == kMaxInstructions) {
        throw std::invalid_argument("the formula and its derivatives have more than " + std::to_string(kMaxInstructions) + " instructions");
      }
      instructions.push_back(i);
      ranges_.push_back(range(i));
    }
    return entry->second;
  }

  Range range(const Instruction& i) const {
    switch (i.kind) {
      case Expression::Kind::kInput:
      case Expression::Kind::kParameter:
        return range_of_input();
      case Expression::Kind::kNumber:
        return range_of_number(i.number);
      case Expression::Kind::kCall:
        return range_of_call(i.function, ranges_[i.a], ranges_[i.b]);
    }
    throw std::logic_error("range: no such kind of instruction");
  }

  /// The function that saturates in place of one that may overflow, and finite arguments where infinite ones could make NaN.
  void keep_finite(Instruction& i) {
    static const std::map<FunctionId, FunctionId> saturating{{function_id<Exp>, function_id<SaturatingExp>},
                                                             {function_id<Expm1>, function_id<SaturatingExpm1>},
                                                             {function_id<Sinh>, function_id<SaturatingSinh>},
                                                             {function_id<Cosh>, function_id<SaturatingCosh>}};
    if (const auto other = saturating.find(i.function); other != saturating.end()) {
      if (range(i).overflows()) i.function = other->second;
      return;
    }
    const Range a = ranges_[i.a], b = ranges_[i.b];
    bool finite_a = false, finite_b = false;
    if (i.function == function_id<Multiply>) {
      finite_a = b.may_vanish();
      finite_b = a.may_vanish();
    } else if (i.function == function_id<Divide>) {
      finite_a = finite_b = a.overflows() && b.overflows();
    } else if (i.function == function_id<Add>) {
      finite_a = finite_b = (a.overflows_up() && b.overflows_down()) || (a.overflows_down() && b.overflows_up());
    } else if (i.function == function_id<Subtract>) {
      finite_a = finite_b = (a.overflows_up() && b.overflows_up()) || (a.overflows_down() && b.overflows_down());
    } else if (i.function == function_id<Sin> || i.function == function_id<Cos> || i.function == function_id<Sinc> ||
               i.function == function_id<SincSlope>) {
      finite_a = true;
    }
    if (finite_a && a.overflows()) i.a = finite_place(i.a);
    if (finite_b && b.overflows()) i.b = finite_place(i.b);
  }
  std::uint16_t finite_place(std::uint16_t argument) {
    Instruction call;
    call.kind = Expression::Kind::kCall;
    call.function = function_id<Finite>;
    call.a = argument;
    return place(call);
  }

  std::vector<Range> ranges_;  // of the instructions
  std::unordered_map<const void*, std::uint16_t> place_of_;
  std::map<Key, std::uint16_t> place_of_instruction_;
  std::vector<Expression> kept_;
};

using Values = std::vector<double>;  // one a point

/// The function at every point; one of one argument ignores b.
using Reference = void (*)(const Values& a, const Values& b, Values& result);

template <class... Fs>
constexpr std::array<Reference, sizeof...(Fs)> make_references(TypeList<Fs...>) {
  return {[](const Values& a, [[maybe_unused]] const Values& b, Values& result) {
    for (std::size_t i = 0; i < result.size(); ++i) {
      if constexpr (Fs::arity == 1) {
        result[i] = Fs::f(a[i]);
      } else {
        result[i] = Fs::f(a[i], b[i]);
      }
    }
  }...};
}
constexpr auto kReferences = make_references(Functions{});

/// A result so large that something has overflowed on the way.
double result(double value) {
  constexpr double kOverflow = 1e300;
  return std::abs(value) > kOverflow ? std::copysign(std::numeric_limits<double>::infinity(), value) : value;
}

Values results(Values values) {
  std::transform(values.begin(), values.end(), values.begin(), result);
  return values;
}

/// The values of the first `size` instructions at each x. `after_call(place, values)` may change what a call gave.
template <class AfterCall>
std::vector<Values> run(const Program& program, std::size_t size, std::span<const double> xs, const std::vector<double>& beta,
                        AfterCall&& after_call) {
  if (beta.size() != program.dydbeta.size()) {
    throw std::invalid_argument("the program has " + std::to_string(program.dydbeta.size()) + " parameter(s), " +
                                std::to_string(beta.size()) + " value(s) were given");
  }
  std::vector<Values> values(size);
  for (std::size_t place = 0; place < size; ++place) {
    const Instruction& i = program.instructions[place];
    switch (i.kind) {
      case Expression::Kind::kInput:
        values[place].assign(xs.begin(), xs.end());
        break;
      case Expression::Kind::kParameter:
        values[place].assign(xs.size(), beta[i.parameter]);
        break;
      case Expression::Kind::kNumber:
        values[place].assign(xs.size(), i.number);
        break;
      case Expression::Kind::kCall:
        values[place].resize(xs.size());
        kReferences[i.function](values[i.a], values[i.b], values[place]);
        after_call(place, values[place]);
        break;
    }
  }
  return values;
}

constexpr auto kAsItIs = [](std::size_t /*place*/, const Values& /*values*/) {};

/// Each function of the formula with the number that it is given at each place, or none where that is no number.
using Words = std::set<std::tuple<FunctionId, std::size_t, std::optional<double>>>;
void add_words(const Expression& y, Words& words) {
  for (const Expression& node : nodes_in_order(y)) {
    for (std::size_t i = 0; i < node.arguments().size(); ++i) {
      const Expression& argument = node.arguments()[i];
      const bool is_number = argument.kind() == Expression::Kind::kNumber;
      words.emplace(node.function(), i, is_number ? std::optional(argument.number()) : std::nullopt);
    }
  }
}

/// Whether a search may have found or trained the formula, going by its words. Stored results repeat only while such a program stays as it
/// is.
bool may_be_of_a_search(const Expression& y) {
  static const Words words_of_searches = [] {
    const Expression x = Expression::input(), beta = Expression::parameter(0);
    Words words;
    for (const OperatorInfo& info : unary_operators()) add_words(info.build({x}, beta), words);
    for (const OperatorInfo& info : binary_operators()) add_words(info.build({x, x}, beta), words);
    return words;
  }();
  Words words;
  add_words(y, words);
  constexpr std::string_view kEluOfStoredTrials = "max(x, 0) + (exp(min(x, 0)) - 1)";
  return std::includes(words_of_searches.begin(), words_of_searches.end(), words.begin(), words.end()) || to_text(y) == kEluOfStoredTrials;
}

Program assembled(const Expression& y) {
  const Derivatives derivatives = differentiate(y);
  Assembler assembler;
  Program program;
  program.y = assembler.add(y);
  program.forward_size = static_cast<std::uint16_t>(assembler.instructions.size());
  program.dydx = assembler.add(derivatives.dydx);
  for (const Expression& dydbeta : derivatives.dydbeta) program.dydbeta.push_back(assembler.add(dydbeta));
  program.instructions = std::move(assembler.instructions);
  return program;
}

/// Whether the formula has the same value and slope on both sides of 0, and at 0 the program has another slope: each tie takes one side's,
/// and not all the same.
bool misses_slope_at_zero(const Program& program) {
  const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-9 * (1 + std::abs(a)); };  // not where one is not finite
  bool misses = false;
  for (const double first : {1.0, 0.7, -1.3}) {  // all parameters start at 1; then they differ
    std::vector<double> beta;
    for (int k = 0; k < program.parameter_count(); ++k) beta.push_back(first == 1 ? 1 : first * (1 + 0.3 * k));
    const Evaluation below = evaluate(program, kJustBelowZero, beta), at = evaluate(program, 0, beta),
                     above = evaluate(program, -kJustBelowZero, beta);
    if (!near(at.y, below.y) || !near(at.y, above.y) || !near(below.dydx, above.dydx)) return false;
    misses = misses || (std::isfinite(at.dydx) && !near(at.dydx, below.dydx));
  }
  return misses;
}

/// Whether the formula has two ties or more, is smooth at 0, and its rules miss its slope or its second derivative there.
bool is_spoiled_by_ties_at_zero(const Expression& y, const Program& program) {
  const auto has_tie = [](const Instruction& i) {
    return i.kind == Expression::Kind::kCall && (i.function == function_id<Max> || i.function == function_id<Min> ||
                                                 i.function == function_id<Abs> || i.function == function_id<Greater>);
  };
  const auto ties = std::count_if(program.instructions.begin(), program.instructions.begin() + program.forward_size, has_tie);
  if (ties < 2 || may_be_of_a_search(y)) return false;
  constexpr std::size_t kMaxToDifferentiateAgain = kMaxInstructions / 10;
  if (misses_slope_at_zero(program)) return true;
  return program.instructions.size() < kMaxToDifferentiateAgain && misses_slope_at_zero(assembled(differentiate(y).dydx));
}

}  // namespace

Program lower(const Expression& formula) {
  const Expression as_written = formula.with_parameters_in_order(), y = rewritten(as_written, with_softplus);
  Program program = assembled(y);
  return is_spoiled_by_ties_at_zero(as_written, program) ? assembled(rewritten(y, beside_zero_if_input)) : program;
}

Evaluation evaluate(const Program& program, double x, const std::vector<double>& beta) {
  const std::vector<Values> values = run(program, program.instructions.size(), std::span(&x, 1), beta, kAsItIs);
  Evaluation at{result(values[program.y][0]), result(values[program.dydx][0]), {}};
  for (const std::uint16_t place : program.dydbeta) at.dydbeta.push_back(result(values[place][0]));
  return at;
}

bool overflows_single_precision(const Program& program, double x, const std::vector<double>& beta) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  const std::vector<Values> values = run(program, program.instructions.size(), std::span(&x, 1), beta, kAsItIs);
  return std::any_of(values.begin(), values.end(), [](const Values& at) { return std::abs(at[0]) > kLargest; });
}

double evaluate_forward(const Program& program, double x, const std::vector<double>& beta) {
  return evaluate_forward(program, std::span(&x, 1), beta)[0];
}

std::vector<double> evaluate_forward(const Program& program, std::span<const double> xs, const std::vector<double>& beta) {
  return results(std::move(run(program, program.forward_size, xs, beta, kAsItIs)[program.y]));
}

std::vector<double> evaluate_disturbed(const Program& program, std::span<const double> xs, const std::vector<double>& beta,
                                       std::uint64_t seed) {
  const auto disturb = [seed](std::size_t place, Values& values) {
    constexpr double kShift = 0x1p-50;
    const bool up = (mixed(seed + kGoldenGamma * (place + 1)) & 1u) != 0;
    for (double& value : values) value *= up ? 1 + kShift : 1 - kShift;
  };
  return results(std::move(run(program, program.forward_size, xs, beta, disturb)[program.y]));
}

}  // namespace actsearch
