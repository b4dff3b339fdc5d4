#include "search/strategies/surrogate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "grammar/candidate.h"
#include "search/surrogate/curve_features.h"

namespace actsearch {
namespace {

using Words = std::vector<std::string>;

/// A stand-in for training: how near the function is to Swish at a few points; what is steep at 3 fails.
std::optional<double> fake_score(const Space& space, std::uint64_t place) {
  const Candidate candidate = std::get<Candidate>(consider(space.at(place)));
  const std::vector<double> beta(static_cast<std::size_t>(candidate.program.parameter_count()), 1.0);
  if (std::abs(evaluate(candidate.program, 3, beta).dydx) > 5) return std::nullopt;
  double sum = 0;
  for (double x = -3; x <= 3; x += 0.5) sum += std::abs(evaluate_forward(candidate.program, x, beta) - x / (1 + std::exp(-x)));
  return 1 / (1 + sum);
}

std::string fingerprint(const Space& space, std::uint64_t place) { return std::get<Candidate>(consider(space.at(place))).fingerprint; }

const Space& grid() {
  static const Space space("core1", Words{"identity", "abs", "tanh", "sigmoid", "relu", "sin", "exp", "cube", "beta_times"},
                           Words{"add", "mul", "max", "sigmoid_mul"});
  return space;
}

SurrogateOptions quick() {
  SurrogateOptions options;
  options.trees.trees = 20;
  return options;
}

std::vector<std::uint64_t> proposals(Strategy& strategy, const Space& space, int count) {
  std::vector<std::uint64_t> all;
  for (int i = 0; i < count; ++i) {
    const auto place = strategy.propose();
    if (!place) break;
    all.push_back(*place);
    strategy.observe(*place, fake_score(space, *place));
  }
  return all;
}

TEST(Surrogate, ProposesEveryFunctionOfASmallSpaceOnceAndThenEnds) {
  std::set<std::string> functions;
  for (std::uint64_t place = 0; place < grid().size(); ++place) {
    if (std::holds_alternative<Candidate>(consider(grid().at(place)))) functions.insert(fingerprint(grid(), place));
  }
  Surrogate surrogate(grid(), 3, quick());
  std::set<std::string> proposed;
  for (const std::uint64_t place : proposals(surrogate, grid(), 1'000)) {
    EXPECT_TRUE(proposed.insert(fingerprint(grid(), place)).second) << grid().describe(place) << " a second time";
  }
  EXPECT_EQ(proposed, functions);
  EXPECT_FALSE(surrogate.propose());
}

TEST(Surrogate, ComesToTheBestSoonerThanRandomDraws) {
  double best = 0;
  for (std::uint64_t place = 0; place < grid().size(); ++place) {
    if (std::holds_alternative<Candidate>(consider(grid().at(place)))) best = std::max(best, fake_score(grid(), place).value_or(0));
  }
  int trials = 0;
  constexpr int kSeeds = 5;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Surrogate surrogate(grid(), seed, quick());
    for (;; ++trials) {
      const auto place = surrogate.propose();
      ASSERT_TRUE(place);
      const auto score = fake_score(grid(), *place);
      surrogate.observe(*place, score);
      if (score == best) break;
    }
  }
  EXPECT_LT(trials / kSeeds, 45) << "random draws need half of the functions, about 80";
}

TEST(Surrogate, ResumedItProposesWhatItWouldHaveProposed) {
  for (const char* const name : {"core1", "core2"}) {
    const Space space(name, Words{"identity", "abs", "tanh", "sigmoid", "relu", "sin", "cube"}, Words{"add", "mul", "max", "sub"});
    SurrogateOptions options = quick();
    options.window = 256;  // so that core2, of 38,416 places, and core1, of 196, are of either kind
    Surrogate whole(space, 9, options);
    const auto all = proposals(whole, space, 60);
    for (const std::size_t stop : {10u, 37u}) {
      Surrogate resumed(space, 9, options);
      for (std::size_t i = 0; i < stop; ++i) resumed.observe(all[i], fake_score(space, all[i]));
      const auto rest = proposals(resumed, space, static_cast<int>(60 - stop));
      EXPECT_EQ(rest, std::vector(all.begin() + static_cast<std::ptrdiff_t>(stop), all.end())) << name << " after " << stop;
    }
  }
}

TEST(Surrogate, ProposalsThatWaitForTheirScoresAreNotMadeAgain) {
  Surrogate surrogate(grid(), 1, quick());
  proposals(surrogate, grid(), 20);
  std::set<std::string> waiting;
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(waiting.insert(fingerprint(grid(), *surrogate.propose())).second);
}

TEST(Surrogate, SaysWhatItExpectsOfWhatItsModelChose) {
  Surrogate surrogate(grid(), 1, quick());
  int said = 0, near = 0, random = 0;
  for (int i = 0; i < 80; ++i) {
    const auto place = surrogate.propose();
    const auto score = fake_score(grid(), *place);
    if (const auto expected = surrogate.expected(*place)) {
      ++said;
      EXPECT_GE(expected->deviation, 0);
      EXPECT_GE(expected->failure, 0);
      EXPECT_LE(expected->failure, 1);
      near += score && std::abs(*score - expected->accuracy) < 3 * expected->deviation + 0.02 ? 1 : 0;
    } else {
      ++random;
    }
    surrogate.observe(*place, score);
  }
  EXPECT_GT(random, 16) << "a share stays random";
  EXPECT_GT(said, 40);
  EXPECT_GT(near, said * 2 / 3);
}

TEST(Surrogate, AFailureIsExpectedWhereOthersHaveFailed) {
  Surrogate surrogate(grid(), 2, quick());
  proposals(surrogate, grid(), 30);
  int failed = 0;
  for (int i = 0; i < 40; ++i) {
    const auto place = surrogate.propose();
    const auto score = fake_score(grid(), *place);
    failed += surrogate.expected(*place) && !score ? 1 : 0;
    surrogate.observe(*place, score);
  }
  EXPECT_LT(failed, 10) << "about a third of the functions fail";
}

TEST(Surrogate, FailuresAloneAreSomethingToLearnFromToo) {
  Surrogate surrogate(grid(), 2, quick());
  for (int i = 0; i < 40; ++i) {
    const auto place = surrogate.propose();
    ASSERT_TRUE(place);
    surrogate.observe(*place, std::nullopt);
  }
}

TEST(Surrogate, ASpaceWithoutAFiniteCurveIsRefused) {
  try {
    Surrogate(Space("core1", Words{"beta"}, Words{"add"}), 0);
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("no function of core1 with these operators has a finite"), std::string::npos) << error.what();
  }
}

TEST(Surrogate, ItsModelNamesTheVersionOfItsFeatures) {
  EXPECT_TRUE(kSurrogateModel.starts_with("curve features " + std::to_string(kFeatureVersion) + ","));
  EXPECT_EQ(find_strategy("surrogate").model, kSurrogateModel);
  EXPECT_EQ(find_strategy("random").model, "");
}

}  // namespace
}  // namespace actsearch
