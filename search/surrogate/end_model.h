/// How a trial will end, foretold from its losses so far and the shape of its function.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "search/surrogate/extra_trees.h"

namespace actsearch {

/// The version of this model and of its features. A test holds it to kFeatureVersion.
inline constexpr std::string_view kEndModel = "curve features 1, ends 1";

/// What is known of a trial at a rung of a race.
struct EarlyTrial {
  std::span<const double> features;  ///< curve_features of its function; empty where it has none
  std::vector<double> losses;        ///< the training loss at each rung so far, this one last; finite
};

/// Extremely randomised trees over the features of the curve and the losses. A function without features is judged by its losses.
class EndModel {
 public:
  /// Learns from trials that came to their end with a score, higher is better. All are as known at the same rung. The same arguments give
  /// the same model. std::invalid_argument where there is none, or the sizes do not fit.
  EndModel(std::span<const EarlyTrial> ended, std::span<const double> scores, std::uint64_t seed);
  /// The score that a trial at that rung will end with.
  double predict(const EarlyTrial& trial) const;

 private:
  ExtraTrees trees_;
};

}  // namespace actsearch
