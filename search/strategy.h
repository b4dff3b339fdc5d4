/// What to try next: a strategy proposes places in a space.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/space.h"

namespace actsearch {

/// A stream of places in a space, the same for the same space and seed. A resumed study walks the stream from its start; what is
/// finished is passed quickly. Not thread-safe.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// The next place, below the space's size; absent when there is none left.
  virtual std::optional<std::uint64_t> propose() = 0;
  /// The outcome of a trial of that place in this run: its validation accuracy, or absent where it failed. Both built-in strategies
  /// propose the same whatever they observe.
  virtual void observe(std::uint64_t place, std::optional<double> accuracy);
};

/// "exhaustive", "random".
const std::vector<std::string_view>& strategy_names();

/// exhaustive: every place once, in a seeded order, so that every beginning of it is a fair sample; constant memory. random: uniform
/// draws, repeated where they hit a place drawn before, until there is none left; it remembers what it drew. The space outlives the
/// strategy. std::invalid_argument for an unknown name.
std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, std::uint64_t seed);

}  // namespace actsearch
