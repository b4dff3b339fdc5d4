/// A Program compiled for blocks of floats: a list of steps, each one function over a block held in the first-level cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/program.h"

namespace actsearch {

/// Blocks hold at most this many floats; their buffers are 64-byte aligned and padded to whole packs.
inline constexpr std::size_t kBlockFloats = 1024;

/// The steps that compute some of a Program's results. Slot numbers name blocks: slot 0 is x, slots 1..parameters are the
/// betas, the rest are temporaries, reused as soon as their value is no longer needed.
class BlockProgram {
 public:
  /// `results` are places in the program.
  BlockProgram(const Program& program, const std::vector<std::uint16_t>& results);

  /// Slots in all, x and betas included: how many block pointers `run` needs.
  std::size_t slot_count() const { return slot_count_; }

  /// Where a result is after run(): a slot, or a number where the result does not depend on x or beta.
  struct Result {
    bool is_number = false;
    std::size_t slot = 0;
    float number = 0;
  };
  const std::vector<Result>& results() const { return results_; }

  /// Runs all steps over `n` floats, rounded up to whole packs. slots[i] points at block i; 0..parameters are only read.
  void run(float* const* slots, std::size_t n) const;

 private:
  using StepFunction = void (*)(const float* a, const float* b, float* out, std::size_t n);
  struct Operand {
    bool is_number = false;
    std::uint32_t index = 0;  ///< a slot, or a place in numbers_
  };
  struct Step {
    StepFunction function = nullptr;
    Operand a, b;
    std::uint32_t out = 0;
  };
  static StepFunction step_function(FunctionId function, bool a_is_number, bool b_is_number);

  std::vector<Step> steps_;
  std::vector<float> numbers_;
  std::vector<Result> results_;
  std::size_t slot_count_ = 0;
};

}  // namespace actsearch
