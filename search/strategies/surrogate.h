/// Search by a model: trees learn how the shape of a curve foretells its accuracy, and what they hope most of is tried next (an upper
/// confidence bound, as in N. Srinivas, A. Krause, S. Kakade and M. Seeger, 2010, on P. Geurts' extremely randomised trees).
#pragma once

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "search/strategies/strategy.h"
#include "search/surrogate/extra_trees.h"

namespace actsearch {

/// The version of the curves' features, and of how the strategy uses them. A test holds the first to kFeatureVersion.
inline constexpr std::string_view kSurrogateModel = "curve features 1, trees 1";

struct SurrogateOptions {
  std::size_t first = 16;                   ///< observations that precede the model; until then draws are random
  double random_share = 0.1;                ///< of the proposals after that
  double bound = 1.0;                       ///< deviations above the mean that a proposal is judged by
  std::size_t window = 8'192;               ///< places that the model looks at; a smaller space is looked at in full
  std::size_t window_step = 8;              ///< places that leave the window, and others come, with each observation
  std::size_t parents = 16, children = 16;  ///< in a larger space the best are changed too
  ExtraTreesOptions trees{.trees = 60, .tried = 0, .least_leaf = 2};
};

/// Proposes each function once, and never one that is refused, so a space may end. What it draws follows from the seed, the observations
/// and the functions that wait for theirs: a study that is resumed, with one job, proposes what it would have proposed.
///
/// The model is fitted anew when observations have grown by a thirty-second, and at each one of the first 64. It expects an accuracy, with
/// a deviation, and a probability of failure. A failure counts as the worst accuracy observed.
/// In a space of more than `window` places the model sees a window of random places that moves on, and changes of the best.
class Surrogate : public Strategy {
 public:
  /// std::invalid_argument where no function of the space has finite features. Of a large space 20,000 draws are looked at.
  Surrogate(const Space& space, std::uint64_t seed, const SurrogateOptions& options = {});
  std::optional<std::uint64_t> propose() override;
  void observe(std::uint64_t place, std::optional<double> accuracy) override;
  bool learns() const override { return true; }
  bool draws_by_observations() const override { return true; }
  std::optional<Expectation> expected(std::uint64_t place) const override;

 private:
  using FunctionId = std::size_t;  ///< a place in functions_
  struct Function {
    std::string fingerprint;
    std::vector<double> features;
    bool known = false;  ///< proposed or observed
    bool observed = false;
  };
  struct Observed {
    FunctionId function = 0;
    std::uint64_t place = 0;
    std::optional<double> accuracy;
  };
  /// A function by the spelling that this look at the space met. It does not depend on earlier looks, which a resumed study has not had.
  struct Sight {
    FunctionId function = 0;
    std::uint64_t place = 0;
  };
  struct Rated {
    double rating = 0;
    Sight sight;
    Expectation expected;
  };

  bool small() const { return space_.size() <= options_.window; }
  /// The function at a place; absent where it is refused or has no finite features. Examines each place once.
  std::optional<FunctionId> function_at(std::uint64_t place);
  void note_known(FunctionId function);
  std::optional<Sight> unknown_at(std::uint64_t place);
  std::optional<Sight> random_function();
  std::optional<Sight> best_function();
  std::vector<Sight> within_sight(std::size_t count);
  void rate(std::size_t count);

  const Space& space_;
  const std::uint64_t seed_;
  const SurrogateOptions options_;
  const SeededPermutation order_;
  std::unordered_map<std::uint64_t, std::optional<FunctionId>> at_;
  std::unordered_map<std::string, FunctionId> by_fingerprint_;
  std::vector<Function> functions_;
  std::size_t known_ = 0;
  std::vector<Observed> observed_;
  std::size_t rated_for_ = 0;                                ///< observations that `rated_` learned from
  std::vector<Rated> rated_;                                 ///< the best last
  std::unordered_map<std::uint64_t, Expectation> expected_;  ///< of places proposed
};

}  // namespace actsearch
