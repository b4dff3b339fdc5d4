#include "kernels/block_program.h"

#include <optional>

#include "kernels/pack.h"

namespace actsearch {
namespace {

// One function over a block. A number is read once and broadcast.
template <class F, bool kANumber, bool kBNumber>
void step(const float* a, const float* b, float* out, std::size_t n) {
  if constexpr (F::arity == 1) {
    static_cast<void>(b);
    const Pack constant = Pack::broadcast(a);
    for (std::size_t i = 0; i < n; i += Pack::kLanes) F::f(kANumber ? constant : Pack::load(a + i)).store(out + i);
  } else {
    const Pack a_constant = Pack::broadcast(a), b_constant = Pack::broadcast(b);
    for (std::size_t i = 0; i < n; i += Pack::kLanes) {
      F::f(kANumber ? a_constant : Pack::load(a + i), kBNumber ? b_constant : Pack::load(b + i)).store(out + i);
    }
  }
}

std::vector<bool> needed_for(const Program& program, const std::vector<std::uint16_t>& results) {
  std::vector<bool> needed(program.instructions.size(), false);
  for (const auto place : results) needed[place] = true;
  for (std::size_t i = program.instructions.size(); i-- > 0;) {
    const Instruction& instruction = program.instructions[i];
    if (!needed[i] || instruction.kind != Expression::Kind::kCall) continue;
    needed[instruction.a] = true;
    if (function_arity(instruction.function) == 2) needed[instruction.b] = true;
  }
  return needed;
}

}  // namespace

BlockProgram::StepFunction BlockProgram::step_function(FunctionId function, bool a_is_number, bool b_is_number) {
  StepFunction chosen = nullptr;
  visit_function(function, [&]<class F>() {
    if constexpr (F::arity == 1) {
      chosen = a_is_number ? &step<F, true, false> : &step<F, false, false>;
    } else if (a_is_number && b_is_number) {
      chosen = &step<F, true, true>;
    } else if (a_is_number) {
      chosen = &step<F, true, false>;
    } else {
      chosen = b_is_number ? &step<F, false, true> : &step<F, false, false>;
    }
  });
  return chosen;
}

BlockProgram::BlockProgram(const Program& program, const std::vector<std::uint16_t>& results) {
  const auto& instructions = program.instructions;
  const auto needed = needed_for(program, results);
  const std::size_t fixed_slots = 1 + static_cast<std::size_t>(program.parameter_count());

  // The last instruction that reads each value; results live to the end.
  std::vector<std::size_t> last_use(instructions.size(), 0);
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    if (!needed[i] || instructions[i].kind != Expression::Kind::kCall) continue;
    last_use[instructions[i].a] = i;
    if (function_arity(instructions[i].function) == 2) last_use[instructions[i].b] = i;
  }
  for (const auto place : results) last_use[place] = instructions.size();

  std::vector<Operand> value(instructions.size());
  std::vector<std::uint32_t> free_slots;
  slot_count_ = fixed_slots;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    if (!needed[i]) continue;
    const Instruction& instruction = instructions[i];
    switch (instruction.kind) {
      case Expression::Kind::kInput: value[i] = {false, 0}; break;
      case Expression::Kind::kParameter: value[i] = {false, 1u + instruction.parameter}; break;
      case Expression::Kind::kNumber:
        value[i] = {true, static_cast<std::uint32_t>(numbers_.size())};
        numbers_.push_back(static_cast<float>(instruction.number));
        break;
      case Expression::Kind::kCall: {
        const bool binary = function_arity(instruction.function) == 2;
        const Operand a = value[instruction.a], b = binary ? value[instruction.b] : a;
        const auto release = [&](std::uint16_t place, const Operand& operand) {
          if (last_use[place] == i && !operand.is_number && operand.index >= fixed_slots) free_slots.push_back(operand.index);
        };
        // An argument's slot may become the result's: each step reads a pack before it writes it.
        release(instruction.a, a);
        if (binary && instruction.b != instruction.a) release(instruction.b, b);
        std::uint32_t out = 0;
        if (free_slots.empty()) {
          out = static_cast<std::uint32_t>(slot_count_++);
        } else {
          out = free_slots.back();
          free_slots.pop_back();
        }
        value[i] = {false, out};
        steps_.push_back({step_function(instruction.function, a.is_number, b.is_number), a, b, out});
        break;
      }
    }
  }
  for (const auto place : results) {
    const Operand& operand = value[place];
    results_.push_back({operand.is_number, operand.is_number ? 0 : operand.index, operand.is_number ? numbers_[operand.index] : 0.0f});
  }
}

void BlockProgram::run(float* const* slots, std::size_t n) const {
  for (const Step& s : steps_) {
    const float* a = s.a.is_number ? &numbers_[s.a.index] : slots[s.a.index];
    const float* b = s.b.is_number ? &numbers_[s.b.index] : slots[s.b.index];
    s.function(a, b, slots[s.out], n);
  }
}

}  // namespace actsearch
