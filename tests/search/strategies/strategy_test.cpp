#include "search/strategies/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <stdexcept>

#include "grammar/hash.h"
#include "search/strategies/controller.h"
#include "search/strategies/evolution.h"
#include "search/strategies/ppo.h"

namespace actsearch {
namespace {

std::vector<std::uint64_t> all_of(Strategy& strategy) {
  std::vector<std::uint64_t> places;
  while (const auto place = strategy.propose()) places.push_back(*place);
  return places;
}

TEST(Strategy, EachProposesEveryPlaceOfASmallSpaceOnce) {
  const Space space("core1");
  for (const std::string_view name : {"random", "exhaustive"}) {
    const auto places = all_of(*make_strategy(name, space, 3));
    EXPECT_EQ(places.size(), 6'250u) << name;
    EXPECT_EQ(std::set<std::uint64_t>(places.begin(), places.end()).size(), 6'250u) << name;
    EXPECT_LT(*std::max_element(places.begin(), places.end()), 6'250u) << name;
  }
}

TEST(Strategy, TheSameSeedProposesTheSameAndAnotherOneSomethingElse) {
  const Space space("core2");
  for (const std::string_view name : strategy_names()) {
    const auto a = make_strategy(name, space, 7), b = make_strategy(name, space, 7), other = make_strategy(name, space, 8);
    int different = 0;
    for (int i = 0; i < 100; ++i) {
      const auto place = a->propose();
      EXPECT_EQ(place, b->propose()) << name;
      different += place != other->propose();
    }
    EXPECT_GT(different, 90) << name;
  }
}

TEST(Strategy, RandomDrawsAreSpreadEvenlyOverAHugeSpace) {
  const Space space("core3");
  const auto random = make_strategy("random", space, 1);
  constexpr int kDraws = 4'000;
  int lower_half = 0;
  for (int i = 0; i < kDraws; ++i) lower_half += *random->propose() < space.size() / 2;
  EXPECT_NEAR(lower_half, kDraws / 2, 5 * std::sqrt(kDraws) / 2);  // five standard deviations
}

TEST(Strategy, AnUnknownNameGetsASuggestion) {
  const Space space("core1");
  try {
    make_strategy("randon", space, 0);
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'random'"), std::string::npos) << error.what();
  }
}

TEST(Evolution, EveryChangeIsAnotherPlaceOfTheSpace) {
  for (const char* const name : {"core1", "core3"}) {
    const Space space(name);
    Evolution evolution(space, 5);
    std::mt19937_64 random(1);
    std::map<std::string, int> changed;
    constexpr int kTries = 500;
    for (int i = 0; i < kTries; ++i) {
      const auto genome = space.choices(space.sample(random())), other = space.choices(space.sample(random()));
      const std::map<std::string, Evolution::Genome> children{{"point", evolution.change_point(genome)},
                                                              {"subtree", evolution.change_subtree(genome)},
                                                              {"insert", evolution.insert_unit(genome)},
                                                              {"delete", evolution.delete_unit(genome)},
                                                              {"cross", evolution.cross(genome, other)}};
      for (const auto& [what, child] : children) {
        EXPECT_LT(space.index_of(child), space.size()) << what;
        changed[what] += child != genome;
      }
      int differences = 0;
      for (std::size_t k = 0; k < genome.size(); ++k) differences += children.at("point")[k] != genome[k];
      EXPECT_EQ(differences, 1);
    }
    EXPECT_EQ(changed["point"], kTries);
    EXPECT_GT(changed["subtree"], kTries * 9 / 10);
  }
}

TEST(Evolution, TheOldestLeaveHoweverGoodTheyAre) {
  const Space space("core1");
  EvolutionOptions options;
  options.population = 10;
  options.tournament = 10;
  Evolution evolution(space, 1, options);
  const std::uint64_t best = 77;
  evolution.observe(best, 0.99);
  for (std::uint64_t i = 0; i < 10; ++i) evolution.observe(1'000 + i, 0.1);  // the best is too old now
  const auto genome = space.choices(best);
  for (int i = 0; i < 200; ++i) {
    const auto child = space.choices(*evolution.propose());
    int same = 0;
    for (std::size_t k = 0; k < genome.size(); ++k) same += child[k] == genome[k] && space.radices()[k] > 1;
    EXPECT_LT(same, 3) << "a child of a member that should have left";
  }
}

TEST(Controller, ItsGradientIsWhatDifferencesSay) {
  const Space space("core2", std::vector<std::string>{"identity", "tanh", "relu"}, std::vector<std::string>{"add", "mul"});
  Controller controller(space, {.hidden = 5, .embedding = 3}, 3);
  std::mt19937_64 random(2);
  for (double& p : controller.parameters()) p *= 8;  // away from the nearly uniform start
  const auto choices = controller.sample(random);
  std::vector<double> coefficients;
  for (std::size_t t = 0; t < choices.size(); ++t) coefficients.push_back(0.3 * static_cast<double>(t) - 1.0);
  constexpr double kEntropy = 0.7;
  const auto objective = [&] {
    double sum = 0;
    const auto steps = controller.evaluate(choices);
    for (std::size_t t = 0; t < steps.size(); ++t) sum += coefficients[t] * steps[t].log_probability + kEntropy * steps[t].entropy;
    return sum;
  };
  std::vector<double> gradient(controller.parameters().size(), 0.0);
  controller.add_gradient(choices, coefficients, kEntropy, gradient);
  int moved = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    constexpr double kStep = 1e-5;
    double& p = controller.parameters()[i];
    const double start = p;
    p = start + kStep;
    const double above = objective();
    p = start - kStep;
    const double below = objective();
    p = start;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-7 + 1e-6 * std::abs(gradient[i])) << "parameter " << i;
    moved += gradient[i] != 0;
  }
  EXPECT_GT(moved, static_cast<int>(gradient.size()) / 2);
}

TEST(Controller, DrawsAreAsLikelyAsItSays) {
  const Space space("core1", std::vector<std::string>{"identity", "tanh"}, std::vector<std::string>{"add", "mul", "max"});
  const Controller controller(space, {.hidden = 4, .embedding = 2}, 9);
  std::map<std::uint64_t, int> counts;
  std::mt19937_64 random(4);
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) ++counts[space.index_of(controller.sample(random))];
  double all = 0;
  for (std::uint64_t place = 0; place < space.size(); ++place) {
    double log_probability = 0;
    for (const auto& step : controller.evaluate(space.choices(place))) log_probability += step.log_probability;
    const double expected = kDraws * std::exp(log_probability);
    EXPECT_NEAR(counts[place], expected, 5 * std::sqrt(expected)) << place;
    all += std::exp(log_probability);
  }
  EXPECT_NEAR(all, 1, 1e-12);
}

double shared(double same) { return same; }
/// A loss stands as its negative; who shares nothing with the planted place fails.
std::optional<double> negated_loss(double same) { return same == 0 ? std::nullopt : std::optional(same - 1); }

/// How many trials until a place shares at least `goal` of its choices with the planted place; a strategy sees score_of(that share).
template <class ScoreOf>
int trials_until(Strategy& strategy, const Space& space, std::uint64_t planted, double goal, int most, ScoreOf score_of) {
  const auto wanted = space.choices(planted);
  for (int trial = 1; trial <= most; ++trial) {
    const auto place = strategy.propose();
    const auto choices = space.choices(*place);
    double same = 0, free = 0;
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      if (space.radices()[k] == 1) continue;
      ++free;
      same += choices[k] == wanted[k];
    }
    if (same / free >= goal) return trial;
    strategy.observe(*place, score_of(same / free));
  }
  return most + 1;
}

TEST(Strategy, EvolutionAndPpoFindAPlantedOptimumFarFasterThanRandomDrawsDo) {
  const Space space("core2");  // 156,250,000 places
  constexpr int kMost = 4'000;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const std::uint64_t planted = mixed(seed) % space.size();
    EXPECT_GT(trials_until(*make_strategy("random", space, seed), space, planted, 0.99, kMost, shared), kMost);
    EXPECT_LE(trials_until(*make_strategy("evolution", space, seed), space, planted, 0.99, kMost, shared), kMost) << "seed " << seed;
    EXPECT_LE(trials_until(*make_strategy("ppo", space, seed), space, planted, 0.99, kMost, shared), kMost) << "seed " << seed;
  }
}

TEST(Strategy, AFailureIsWorseThanAnyLoss) {
  const Space space("core2");
  constexpr int kMost = 4'000;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const std::uint64_t planted = mixed(seed) % space.size();
    for (const char* const name : {"evolution", "ppo"}) {
      EXPECT_LE(trials_until(*make_strategy(name, space, seed), space, planted, 0.99, kMost, negated_loss), kMost)
          << name << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace actsearch
