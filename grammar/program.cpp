#include "grammar/program.h"

#include <array>
#include <bit>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "grammar/hash.h"

namespace actsearch {
namespace {

constexpr std::size_t kMaxInstructions = 10'000;

/// Appends formulas to a program, each distinct instruction once.
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

  Instruction instruction(const Expression& node) const {
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
    }
    return entry->second;
  }

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

}  // namespace

Program lower(const Expression& formula) {
  const Expression y = formula.with_parameters_in_order();
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

Evaluation evaluate(const Program& program, double x, const std::vector<double>& beta) {
  const std::vector<Values> values = run(program, program.instructions.size(), std::span(&x, 1), beta, kAsItIs);
  Evaluation result{values[program.y][0], values[program.dydx][0], {}};
  for (const std::uint16_t place : program.dydbeta) result.dydbeta.push_back(values[place][0]);
  return result;
}

double evaluate_forward(const Program& program, double x, const std::vector<double>& beta) {
  return evaluate_forward(program, std::span(&x, 1), beta)[0];
}

std::vector<double> evaluate_forward(const Program& program, std::span<const double> xs, const std::vector<double>& beta) {
  return std::move(run(program, program.forward_size, xs, beta, kAsItIs)[program.y]);
}

std::vector<double> evaluate_disturbed(const Program& program, std::span<const double> xs, const std::vector<double>& beta,
                                       std::uint64_t seed) {
  const auto disturb = [seed](std::size_t place, Values& values) {
    constexpr double kShift = 0x1p-50;
    const bool up = (mixed(seed + kGoldenGamma * (place + 1)) & 1u) != 0;
    for (double& value : values) value *= up ? 1 + kShift : 1 - kShift;
  };
  return std::move(run(program, program.forward_size, xs, beta, disturb)[program.y]);
}

}  // namespace actsearch
