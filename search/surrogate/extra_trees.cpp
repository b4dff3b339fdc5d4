#include "search/surrogate/extra_trees.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "grammar/hash.h"

namespace actsearch {

/// Grows one tree after the other.
class ExtraTrees::Builder {
 public:
  Builder(std::span<const double> rows, std::size_t width, std::span<const double> targets, std::uint64_t seed,
          const ExtraTreesOptions& options)
      : rows_(rows),
        width_(width),
        targets_(targets),
        state_(seed),
        tried_(options.tried > 0 ? std::min(options.tried, width) : std::max<std::size_t>(1, width / 3)),
        least_leaf_(std::max<std::size_t>(1, options.least_leaf)),
        samples_(targets.size()),
        features_(width) {}

  std::vector<Node> tree() {
    std::iota(samples_.begin(), samples_.end(), std::uint32_t{0});
    std::iota(features_.begin(), features_.end(), std::uint32_t{0});
    struct Waiting {
      std::uint32_t node = 0;
      std::size_t begin = 0, end = 0;
    };
    std::vector<Node> nodes(1);
    std::vector<Waiting> waiting{{0, 0, samples_.size()}};
    while (!waiting.empty()) {
      const auto [node, begin, end] = waiting.back();
      waiting.pop_back();
      const Split split = best_split(begin, end);
      if (!split.found) {
        nodes[node] = leaf(begin, end);
        continue;
      }
      const auto first = samples_.begin();
      const auto middle = std::partition(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end),
                                         [&](std::uint32_t sample) { return value(sample, split.feature) < split.threshold; });
      const auto at = static_cast<std::size_t>(middle - first);
      const auto below = static_cast<std::uint32_t>(nodes.size());
      nodes[node] = {.feature = split.feature, .below = below, .threshold = split.threshold, .mean = 0, .mean_square = 0};
      nodes.resize(nodes.size() + 2);
      waiting.push_back({below, begin, at});
      waiting.push_back({below + 1, at, end});
    }
    return nodes;
  }

 private:
  struct Split {
    bool found = false;
    std::uint32_t feature = 0;
    double threshold = 0, gain = 0;
  };

  double value(std::uint32_t sample, std::uint32_t feature) const { return rows_[sample * width_ + feature]; }
  std::uint64_t draw() { return mixed(state_ += kGoldenGamma); }
  double share() { return static_cast<double>(draw() >> 11u) * 0x1p-53; }

  Node leaf(std::size_t begin, std::size_t end) const {
    double sum = 0, squares = 0;
    for (std::size_t i = begin; i < end; ++i) {
      sum += targets_[samples_[i]];
      squares += targets_[samples_[i]] * targets_[samples_[i]];
    }
    const auto count = static_cast<double>(end - begin);
    return {.feature = 0, .below = 0, .threshold = 0, .mean = sum / count, .mean_square = squares / count};
  }

  /// Features that do not vary among the samples are passed over, and do not count as tried.
  Split best_split(std::size_t begin, std::size_t end) {
    Split best;
    if (end - begin < 2 * least_leaf_) return best;
    const auto [least, most] =
        std::minmax_element(samples_.begin() + static_cast<std::ptrdiff_t>(begin), samples_.begin() + static_cast<std::ptrdiff_t>(end),
                            [&](std::uint32_t a, std::uint32_t b) { return targets_[a] < targets_[b]; });
    if (!(targets_[*least] < targets_[*most])) return best;
    std::size_t tried = 0;
    for (std::size_t i = 0; i < width_ && tried < tried_; ++i) {
      std::swap(features_[i], features_[i + draw() % (width_ - i)]);
      tried += consider(features_[i], begin, end, best) ? 1 : 0;
    }
    return best;
  }

  /// False where the feature does not vary.
  bool consider(std::uint32_t feature, std::size_t begin, std::size_t end, Split& best) {
    double low = value(samples_[begin], feature), high = low;
    for (std::size_t i = begin + 1; i < end; ++i) {
      low = std::min(low, value(samples_[i], feature));
      high = std::max(high, value(samples_[i], feature));
    }
    if (!(low < high)) return false;
    const double threshold = low + (high - low) * share();
    double sum_below = 0, sum = 0;
    std::size_t below = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const double target = targets_[samples_[i]];
      const bool is_below = value(samples_[i], feature) < threshold;
      sum += target;
      sum_below += is_below ? target : 0;
      below += is_below ? 1 : 0;
    }
    const std::size_t above = end - begin - below;
    if (below < least_leaf_ || above < least_leaf_) return true;
    // The variance falls by what the means of the two parts explain.
    const double all = sum / static_cast<double>(end - begin), part = sum_below / static_cast<double>(below),
                 rest = (sum - sum_below) / static_cast<double>(above);
    const double gain = static_cast<double>(below) * (part - all) * (part - all) + static_cast<double>(above) * (rest - all) * (rest - all);
    if (!best.found || gain > best.gain) best = {true, feature, threshold, gain};
    return true;
  }

  const std::span<const double> rows_;
  const std::size_t width_;
  const std::span<const double> targets_;
  std::uint64_t state_;
  const std::size_t tried_, least_leaf_;
  std::vector<std::uint32_t> samples_, features_;
};

ExtraTrees::ExtraTrees(std::span<const double> rows, std::size_t width, std::span<const double> targets, std::uint64_t seed,
                       const ExtraTreesOptions& options)
    : width_(width) {
  if (targets.empty() || width == 0 || options.trees < 1) throw std::invalid_argument("trees learn from at least one row and one feature");
  if (rows.size() != width * targets.size()) throw std::invalid_argument("trees learn from rows of equal length with a target each");
  const auto finite = [](double number) { return std::isfinite(number); };
  if (!std::all_of(rows.begin(), rows.end(), finite) || !std::all_of(targets.begin(), targets.end(), finite)) {
    throw std::invalid_argument("trees learn from finite numbers");
  }
  Builder builder(rows, width, targets, seed, options);
  for (int i = 0; i < options.trees; ++i) trees_.push_back(builder.tree());
}

TreePrediction ExtraTrees::predict(std::span<const double> row) const {
  if (row.size() != width_) throw std::invalid_argument("a row of another length than the trees have learned from");
  double sum = 0, squares = 0;
  for (const std::vector<Node>& nodes : trees_) {
    const Node* node = nodes.data();
    while (node->below != 0) node = nodes.data() + node->below + (row[node->feature] < node->threshold ? 0 : 1);
    sum += node->mean;
    squares += node->mean_square;
  }
  const auto count = static_cast<double>(trees_.size());
  const double mean = sum / count;
  return {mean, std::sqrt(std::max(0.0, squares / count - mean * mean))};
}

std::size_t fitted_observations(std::size_t observations) {
  return observations - observations % std::max<std::size_t>(1, std::bit_floor(observations) / 32);
}

}  // namespace actsearch
