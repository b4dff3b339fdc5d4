/// What to try next: a strategy proposes places in a space and learns from what becomes of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "grammar/space.h"

namespace actsearch {

/// What a model says of a function that is not trained yet.
struct Expectation {
  double accuracy = 0, deviation = 0;  ///< if it does not fail
  double failure = 0;                  ///< probability
};

/// A stream of places in a space. The same seed and the same observations between the same proposals give the same stream. What a
/// strategy has learned is a function of what it observed, so the stored results of a study are its whole state: a resumed study
/// observes them again, in order. Not thread-safe.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// The next place, below the space's size; absent when there is none left.
  virtual std::optional<std::uint64_t> propose() = 0;
  /// The outcome of a place, proposed before or not: its score, or absent where it failed or was refused. The higher score is the better;
  /// one that stands for a loss is negative, so that no number may stand for a failure.
  virtual void observe(std::uint64_t place, std::optional<double> score);
  /// Whether proposals depend on what was observed. Those that do not are walked from their start by a resumed study.
  virtual bool learns() const { return false; }
  /// Whether it draws by what it has observed, not by how often it has drawn. Such a strategy keeps its seed when its study resumes.
  virtual bool draws_by_observations() const { return false; }
  /// What it expected of a place when it proposed it; absent where it has no model, or none yet.
  virtual std::optional<Expectation> expected(std::uint64_t place) const;
};

struct StrategyInfo {
  std::string_view name;
  std::string_view about;  ///< what it does, for a list: "uniform draws without repetition"
  std::unique_ptr<Strategy> (*make)(const Space& space, std::uint64_t seed);
  std::string_view model = {};  ///< what it learns with: "curve features 1, trees 1". A study goes on with the one that it began with
};

/// All strategies, the default first. Command line, messages and tests list what is here.
std::span<const StrategyInfo> strategies();
/// Their names, in that order.
const std::vector<std::string_view>& strategy_names();

/// exhaustive proposes every place once, in a seeded order: each beginning of it is a fair sample. It takes constant memory. random draws
/// evenly, and again where it hits a place drawn before, until none is left; it remembers what it drew. All others have a header of their
/// own here. evolution and ppo propose places again, and never end.
/// The space outlives the strategy. std::invalid_argument for an unknown name, and for a space in which it finds nothing to propose.
/// std::invalid_argument for an unknown name.
const StrategyInfo& find_strategy(std::string_view name);
std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, std::uint64_t seed);

}  // namespace actsearch
