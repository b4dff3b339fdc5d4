/// A Program compiled for blocks of floats: a list of steps, each one pass over blocks held in the first-level cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/program.h"

namespace actsearch {

/// Blocks hold at most this many floats; their buffers are 64-byte aligned and padded to whole packs. A backward pass keeps about a
/// dozen blocks: 24 KiB of the 32 to 48 that first-level caches have.
inline constexpr std::size_t kBlockFloats = 512;

/// A block to read: consecutive floats, or (stride 0) one pack of equal lanes, which is how numbers are passed.
struct BlockOperand {
  const float* first = nullptr;
  std::size_t stride = 0;  ///< floats from one pack to the next
};

/// The steps that compute some of a Program's results. A step is one function, or two or three of which the first only feed the next. A
/// pass over a block costs as much as simple arithmetic, so fewer passes make this kernel fast. Slots name blocks: slot 0 is x, slots
/// 1..parameters are the betas, the rest are temporaries. A temporary is reused as soon as its value is no longer needed.
class BlockProgram {
 public:
  /// `results` are places in the program.
  BlockProgram(const Program& program, const std::vector<std::uint16_t>& results);

  /// Slots in all, x and betas included: how many block pointers `run` needs.
  std::size_t slot_count() const { return slot_count_; }
  std::size_t step_count() const { return steps_.size(); }
  std::size_t result_count() const { return results_.size(); }

  /// Runs all steps over `n` floats, rounded up to an even number of packs. slots[i] points at block i; 0..parameters are only read.
  void run(float* const* slots, std::size_t n) const;
  /// Where result i is after run().
  BlockOperand result(std::size_t i, float* const* slots) const { return operand(results_[i], slots); }
  /// The slot of result i if that is a temporary, else kNone. run() leaves the result where that slot points.
  std::size_t temporary_of(std::size_t i) const;
  static constexpr std::size_t kNone = ~std::size_t{0};

 private:
  static constexpr std::size_t kMaxArguments = 4;
  using StepFunction = void (*)(const BlockOperand* arguments, float* out, std::size_t n);
  struct Source {
    bool is_number = false;
    std::uint32_t index = 0;  ///< a slot, or a place in numbers_
  };
  struct Step {
    StepFunction function = nullptr;
    std::size_t argument_count = 0;
    Source arguments[kMaxArguments];
    std::uint32_t out = 0;
  };
  struct Node;
  static std::vector<Node> fuse(const Program& program, const std::vector<std::uint16_t>& results);
  void allocate(const Program& program, const std::vector<Node>& nodes, const std::vector<std::uint16_t>& results);
  BlockOperand operand(const Source& source, float* const* slots) const;

  /// One pack of equal lanes for each number.
  struct alignas(64) Lanes {
    float values[16];
  };
  std::vector<Step> steps_;
  std::vector<Lanes> numbers_;
  std::vector<Source> results_;
  std::size_t fixed_slots_ = 0;  ///< of x and the betas
  std::size_t slot_count_ = 0;
};

}  // namespace actsearch
