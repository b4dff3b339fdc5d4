/// How a study's race has narrowed: what came to each rung, and what became of it there.
#pragma once

#include <cstdint>
#include <vector>

#include "db/store.h"

namespace actsearch {

/// Counts of trials. Of the stretch that leads to a rung, entered = judged or passed + failed + under_way; of the rung itself, what came
/// there has stopped or went on. The last stage is the trial's end: what is judged there has finished, and nothing stops.
struct FunnelStage {
  double epochs = 0;           ///< where it lies; 0 for the end
  std::int64_t entered = 0;    ///< began the stretch that ends here
  std::int64_t failed = 0;     ///< in that stretch
  std::int64_t under_way = 0;  ///< in that stretch: in training now, or given back inside it
  std::int64_t judged = 0;     ///< compared at the rung. A trial that another study has trained past it is not
  std::int64_t stopped = 0;    ///< wait here
  std::int64_t went_on = 0;    ///< were trained further
};

/// The stages of a study's race in the order of its rungs, then the end; empty where the study is no race, or does not exist.
std::vector<FunnelStage> race_funnel(const Store& database, Id study, Id recipe);

}  // namespace actsearch
