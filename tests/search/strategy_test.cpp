#include "search/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace actsearch {
namespace {

std::vector<std::uint64_t> all_of(Strategy& strategy) {
  std::vector<std::uint64_t> places;
  while (const auto place = strategy.propose()) places.push_back(*place);
  return places;
}

TEST(Strategy, EachProposesEveryPlaceOfASmallSpaceOnce) {
  const Space space("core1");
  for (const std::string_view name : strategy_names()) {
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

}  // namespace
}  // namespace actsearch
