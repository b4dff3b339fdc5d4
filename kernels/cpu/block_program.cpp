#include "kernels/cpu/block_program.h"

#include <algorithm>

#include "kernels/cpu/pack.h"

namespace actsearch {
namespace {

static_assert(Pack::kLanes <= 16);
static_assert(kBlockFloats % (2 * Pack::kLanes) == 0);

/// Runs body(pack) with pack(k) the k-th operand's pack, for every pack of n floats. Operands that are all blocks share one index,
/// which is as fast as a loop over plain arrays; with numbers among them each has its own stride, and packs go by two.
template <std::size_t count, class Body>
void for_each_pack(const BlockOperand* arguments, std::size_t n, Body&& body) {
  const float* first[count];
  std::size_t stride[count];
  bool all_blocks = true;
  for (std::size_t k = 0; k < count; ++k) {
    first[k] = arguments[k].first;
    stride[k] = arguments[k].stride;
    all_blocks = all_blocks && stride[k] != 0;
  }
  if (all_blocks) {
#pragma GCC unroll 2
    for (std::size_t i = 0; i < n; i += Pack::kLanes) body(i, [&](std::size_t k) { return Pack::load(first[k] + i); });
  } else {
    for (std::size_t i = 0; i < n; i += 2 * Pack::kLanes) {
      body(i, [&](std::size_t k) { return Pack::load(first[k]); });
      body(i + Pack::kLanes, [&](std::size_t k) { return Pack::load(first[k] + stride[k]); });
      for (std::size_t k = 0; k < count; ++k) first[k] += 2 * stride[k];
    }
  }
}

/// F of the operands from `at` on.
template <class F, std::size_t at, class Operands>
Pack call(const Operands& operands) {
  if constexpr (F::arity == 1) {
    return F::f(operands(at));
  } else {
    return F::f(operands(at), operands(at + 1));
  }
}

/// Outer of an inner result and, where it takes two, the operand `rest`; `swapped`: in the other order.
template <class Outer, bool swapped, class Operands>
Pack call_on(const Pack& inner, const Operands& operands, std::size_t rest) {
  if constexpr (Outer::arity == 1) {
    return Outer::f(inner);
  } else if constexpr (swapped) {
    return Outer::f(operands(rest), inner);
  } else {
    return Outer::f(inner, operands(rest));
  }
}

/// out = F(a) or F(a, b).
template <class F>
void single(const BlockOperand* arguments, float* out, std::size_t n) {
  for_each_pack<F::arity>(arguments, n, [out](std::size_t i, const auto& operands) { call<F, 0>(operands).store(out + i); });
}

/// Functions so long that the packs that wait for their results fill the processor's registers: they are computed in two passes, and no
/// other function shares one with them. With AVX-512 there are twice as many registers.
template <class F>
constexpr bool is_long = std::is_same_v<F, Softplus>&& Pack::kLanes <= 8;

void softplus_in_two(const BlockOperand* arguments, float* out, std::size_t n) {
  alignas(64) float halfway[kBlockFloats];
  for_each_pack<1>(arguments, n, [&](std::size_t i, const auto& operands) { Softplus::exponential(operands(0)).store(halfway + i); });
  for_each_pack<1>(arguments, n, [&](std::size_t i, const auto& operands) {
    Softplus::of_exponential(operands(0), Pack::load(halfway + i)).store(out + i);
  });
}

/// Two functions in one pass. The inner one's arguments come first, then what remains of the outer one's.
template <class Outer, class Inner, bool swapped>
void pair(const BlockOperand* arguments, float* out, std::size_t n) {
  for_each_pack<Inner::arity + Outer::arity - 1>(arguments, n, [out](std::size_t i, const auto& operands) {
    call_on<Outer, swapped>(call<Inner, 0>(operands), operands, Inner::arity).store(out + i);
  });
}

/// Three functions of two arguments in one pass; which argument of the outer ones is the inner ones' result, `swapped` says.
template <class Outer, bool outer_swapped, class Middle, bool middle_swapped, class Inner>
void triple(const BlockOperand* arguments, float* out, std::size_t n) {
  for_each_pack<4>(arguments, n, [out](std::size_t i, const auto& operands) {
    const Pack middle = call_on<Middle, middle_swapped>(call<Inner, 0>(operands), operands, 2);
    call_on<Outer, outer_swapped>(middle, operands, 3).store(out + i);
  });
}

/// Three in one: Unary(a·b)·c.
template <class Unary>
void product_of_product(const BlockOperand* arguments, float* out, std::size_t n) {
  for_each_pack<3>(arguments, n,
                   [out](std::size_t i, const auto& operands) { (Unary::f(operands(0) * operands(1)) * operands(2)).store(out + i); });
}

/// Functions of one instruction: those worth fusing with each other.
template <class F>
constexpr bool is_arithmetic = std::is_same_v<F, Add> || std::is_same_v<F, Subtract> || std::is_same_v<F, Multiply>;

using PassFunction = void (*)(const BlockOperand*, float*, std::size_t);

/// The pass for Outer over Inner, or null where none is made: arithmetic is fused with everything but the other binaries.
template <class Outer, class Inner>
PassFunction pair_function(bool swapped) {
  constexpr bool fusable =
      !is_long<Outer> && !is_long<Inner> &&
      ((is_arithmetic<Outer> && (is_arithmetic<Inner> || Inner::arity == 1)) || (is_arithmetic<Inner> && Outer::arity == 1));
  if constexpr (!fusable) {
    static_cast<void>(swapped);
    return nullptr;
  } else if constexpr (Outer::arity == 1) {
    return &pair<Outer, Inner, false>;
  } else {
    return swapped ? &pair<Outer, Inner, true> : &pair<Outer, Inner, false>;
  }
}

PassFunction find_pair(FunctionId outer, FunctionId inner, bool swapped) {
  PassFunction found = nullptr;
  visit_function(outer,
                 [&]<class Outer>() { visit_function(inner, [&]<class Inner>() { found = pair_function<Outer, Inner>(swapped); }); });
  return found;
}

/// The pass for three instructions of which the outer and the inner are products and the middle one is unary, or null.
PassFunction find_chain(FunctionId outer, FunctionId middle, FunctionId inner) {
  PassFunction found = nullptr;
  if (outer != function_id<Multiply> || inner != function_id<Multiply>) return found;
  visit_function(middle, [&]<class Middle>() {
    if constexpr (Middle::arity == 1 && !is_long<Middle>) found = &product_of_product<Middle>;
  });
  return found;
}

/// Calls visitor.operator()<F>() for the arithmetic function F that is meant; for others does nothing.
template <class Visitor>
void visit_arithmetic(FunctionId function, Visitor&& visitor) {
  if (function == function_id<Add>) visitor.template operator()<Add>();
  if (function == function_id<Subtract>) visitor.template operator()<Subtract>();
  if (function == function_id<Multiply>) visitor.template operator()<Multiply>();
}

/// The pass for three instructions of arithmetic, or null. With 16 lanes a pass costs so little that three in one gain nothing.
PassFunction find_triple(FunctionId outer, bool outer_swapped, FunctionId middle, bool middle_swapped, FunctionId inner) {
  PassFunction found = nullptr;
  if constexpr (Pack::kLanes <= 8) {
    visit_arithmetic(outer, [&]<class Outer>() {
      visit_arithmetic(middle, [&]<class Middle>() {
        visit_arithmetic(inner, [&]<class Inner>() {
          found = outer_swapped
                      ? (middle_swapped ? &triple<Outer, true, Middle, true, Inner> : &triple<Outer, true, Middle, false, Inner>)
                      : (middle_swapped ? &triple<Outer, false, Middle, true, Inner> : &triple<Outer, false, Middle, false, Inner>);
        });
      });
    });
  }
  return found;
}

PassFunction find_single(FunctionId function) {
  PassFunction found = nullptr;
  visit_function(function, [&]<class F>() {
    if constexpr (is_long<F>) {
      found = &softplus_in_two;
    } else {
      found = &single<F>;
    }
  });
  return found;
}

}  // namespace

/// A step before its slots are known: what it reads are places in the program.
struct BlockProgram::Node {
  StepFunction function = nullptr;
  std::vector<std::uint16_t> arguments;
  bool needed = false;
};

std::vector<BlockProgram::Node> BlockProgram::fuse(const Program& program, const std::vector<std::uint16_t>& results) {
  const auto& instructions = program.instructions;
  std::vector<Node> nodes(instructions.size());
  std::vector<int> uses(instructions.size(), 0);
  for (const auto place : results) {
    nodes[place].needed = true;
    ++uses[place];
  }
  for (std::size_t i = instructions.size(); i-- > 0;) {
    const Instruction& instruction = instructions[i];
    if (!nodes[i].needed || instruction.kind != Expression::Kind::kCall) continue;
    nodes[i].function = find_single(instruction.function);
    nodes[i].arguments = {instruction.a};
    if (function_arity(instruction.function) == 2) nodes[i].arguments.push_back(instruction.b);
    for (const auto place : nodes[i].arguments) {
      nodes[place].needed = true;
      ++uses[place];
    }
  }
  // In order, so that what feeds a step is known to be single before the step takes it in.
  constexpr int kNone = -1, kThree = -2;
  std::vector<int> fed_by(instructions.size(), kNone);  // of a pair: the place of its inner instruction
  std::vector<bool> fed_second(instructions.size());    // of a pair: whether that is its second argument
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    Node& outer = nodes[i];
    if (!outer.needed || !outer.function) continue;
    for (std::size_t side = 0; side < outer.arguments.size(); ++side) {
      const std::uint16_t place = outer.arguments[side];
      Node& inner = nodes[place];
      if (!inner.function || uses[place] != 1 || fed_by[place] == kThree) continue;
      const FunctionId outer_id = instructions[i].function, inner_id = instructions[place].function;
      StepFunction function = nullptr;
      if (fed_by[place] == kNone) {
        function = find_pair(outer_id, inner_id, side == 1);
      } else {
        const FunctionId innermost = instructions[static_cast<std::size_t>(fed_by[place])].function;
        function = find_chain(outer_id, inner_id, innermost);
        if (!function) function = find_triple(outer_id, side == 1, inner_id, fed_second[place], innermost);
      }
      if (!function) continue;
      std::vector<std::uint16_t> arguments = inner.arguments;
      if (outer.arguments.size() == 2) arguments.push_back(outer.arguments[1 - side]);
      outer.function = function;
      outer.arguments = std::move(arguments);
      fed_by[i] = fed_by[place] == kNone ? place : kThree;
      fed_second[i] = side == 1;
      inner.needed = false;
      break;
    }
  }
  return nodes;
}

void BlockProgram::allocate(const Program& program, const std::vector<Node>& nodes, const std::vector<std::uint16_t>& results) {
  fixed_slots_ = 1 + static_cast<std::size_t>(program.parameter_count());
  // The last step that reads each value; results live to the end.
  std::vector<std::size_t> last_use(nodes.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i].needed) continue;
    for (const auto place : nodes[i].arguments) last_use[place] = i;
  }
  for (const auto place : results) last_use[place] = nodes.size();

  std::vector<Source> source(nodes.size());
  std::vector<std::uint32_t> free_slots;
  slot_count_ = fixed_slots_;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i].needed) continue;
    const Instruction& instruction = program.instructions[i];
    switch (instruction.kind) {
      case Expression::Kind::kInput:
        source[i] = {false, 0};
        break;
      case Expression::Kind::kParameter:
        source[i] = {false, 1u + instruction.parameter};
        break;
      case Expression::Kind::kNumber:
        source[i] = {true, static_cast<std::uint32_t>(numbers_.size())};
        std::fill_n(numbers_.emplace_back().values, 16, static_cast<float>(instruction.number));
        break;
      case Expression::Kind::kCall: {
        Step step;
        step.function = nodes[i].function;
        for (const auto place : nodes[i].arguments) step.arguments[step.argument_count++] = source[place];
        // An argument's slot may become the result's: a pass reads each pack before it writes it.
        for (std::size_t k = 0; k < nodes[i].arguments.size(); ++k) {
          const std::uint16_t place = nodes[i].arguments[k];
          const bool seen = std::find(nodes[i].arguments.begin(), nodes[i].arguments.begin() + static_cast<std::ptrdiff_t>(k), place) !=
                            nodes[i].arguments.begin() + static_cast<std::ptrdiff_t>(k);
          if (!seen && last_use[place] == i && !source[place].is_number && source[place].index >= fixed_slots_) {
            free_slots.push_back(source[place].index);
          }
        }
        if (free_slots.empty()) {
          step.out = static_cast<std::uint32_t>(slot_count_++);
        } else {
          step.out = free_slots.back();
          free_slots.pop_back();
        }
        source[i] = {false, step.out};
        steps_.push_back(step);
        break;
      }
    }
  }
  for (const auto place : results) results_.push_back(source[place]);
}

BlockProgram::BlockProgram(const Program& program, const std::vector<std::uint16_t>& results) {
  allocate(program, fuse(program, results), results);
}

std::size_t BlockProgram::temporary_of(std::size_t i) const {
  const Source& source = results_[i];
  return source.is_number || source.index < fixed_slots_ ? kNone : source.index;
}

BlockOperand BlockProgram::operand(const Source& source, float* const* slots) const {
  if (source.is_number) return {numbers_[source.index].values, 0};
  return {slots[source.index], Pack::kLanes};
}

void BlockProgram::run(float* const* slots, std::size_t n) const {
  for (const Step& step : steps_) {
    BlockOperand arguments[kMaxArguments];
    for (std::size_t k = 0; k < step.argument_count; ++k) arguments[k] = operand(step.arguments[k], slots);
    step.function(arguments, slots[step.out], n);
  }
}

}  // namespace actsearch
