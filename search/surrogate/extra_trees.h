/// Extremely randomised trees: a regression that says how sure it is (P. Geurts, D. Ernst and L. Wehenkel, "Extremely randomized trees",
/// 2006).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace actsearch {

struct ExtraTreesOptions {
  int trees = 100;
  std::size_t tried = 0;       ///< features that a split chooses from; 0 is a third of them
  std::size_t least_leaf = 2;  ///< samples in a leaf, at least
};

/// How many of so many observations trees learn from: they are fitted anew when observations have grown by a thirty-second, and at each of
/// the first 64. So a fit depends on the observations alone.
std::size_t fitted_observations(std::size_t observations);

/// What the trees say of one row.
struct TreePrediction {
  double mean = 0;       ///< of the trees' leaves
  double deviation = 0;  ///< of a new sample: the variance between the trees and that within their leaves, together
};

/// Each tree learns from all samples. A split draws some features and one threshold for each, even between the least and the largest
/// value, and takes the pair that lowers the variance most. Where none of those drawn leaves enough samples on either side, the node stays
/// a leaf. A prediction never leaves the range of the targets, so far from all samples it is that of the nearest edge, and its deviation
/// need not grow there.
class ExtraTrees {
 public:
  /// Learns from rows of `width` numbers, one after the other, with a target each. The same arguments give the same trees.
  /// std::invalid_argument where there is no row, the sizes do not fit, or a number is not finite.
  ExtraTrees(std::span<const double> rows, std::size_t width, std::span<const double> targets, std::uint64_t seed,
             const ExtraTreesOptions& options = {});

  /// Of a row of `width` numbers; std::invalid_argument for another length.
  TreePrediction predict(std::span<const double> row) const;

 private:
  struct Node {
    std::uint32_t feature = 0;
    std::uint32_t below = 0;           ///< place of the node for values below the threshold; the other stands after it; 0 in a leaf
    double threshold = 0;              ///< of a split
    double mean = 0, mean_square = 0;  ///< of the targets in a leaf
  };
  class Builder;

  std::size_t width_;
  std::vector<std::vector<Node>> trees_;
};

}  // namespace actsearch
