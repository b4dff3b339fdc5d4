/// What comes of taking one store's results into another (Store::take_in).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "db/records.h"

namespace actsearch {

/// A trial that has ended in both stores, with different results. The store that takes in keeps its own.
struct Conflict {
  struct Ending {
    std::optional<double> accuracy;  ///< as a leaderboard ranks it; absent where the trial failed
    std::string failure;             ///< the reason's name, or empty
  };
  std::string formula, recipe;  ///< the recipe's whole text
  std::uint64_t seed = 0;
  Ending kept, other;
  std::string differs;  ///< the first column of `trials` (docs/schema.md) in which they differ
};

/// Counts trials of the source. What is neither new, nor further, nor in conflict was there already.
struct TakenIn {
  std::int64_t trials = 0;     ///< all that were read
  std::int64_t added = 0;      ///< were not there
  std::int64_t further = 0;    ///< were there, and had not come as far
  std::int64_t conflicts = 0;  ///< have ended otherwise
  std::int64_t running = 0;    ///< somebody trains them at the source; they come as given back
  std::int64_t respelled = 0;  ///< functions that have another spelling here, which stays
};

/// Who is told what while results are taken in. Either may be empty. They run on the calling thread and must not call the two stores.
struct IntakeListener {
  std::function<void(const Conflict&)> conflict;
  std::function<void(const TakenIn& so_far)> batch;  ///< after each batch, which is then stored
};

}  // namespace actsearch
