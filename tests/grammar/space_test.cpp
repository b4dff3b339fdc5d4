#include "grammar/space.h"

#include <random>
#include <set>
#include <stdexcept>

#include "grammar/notation.h"
#include "tests/grammar/support.h"

namespace actsearch {
namespace {

using Names = std::vector<std::string>;

std::string error_of(std::string_view space, const std::optional<Names>& unary, const std::optional<Names>& binary) {
  try {
    Space(space, unary, binary);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Space, SizesAreThePapers) {
  EXPECT_EQ(Space("core1").size(), 6'250u);
  EXPECT_EQ(Space("core2").size(), 156'250'000u);
  EXPECT_EQ(Space("core3").size(), 8'789'062'500'000u);
}

TEST(Space, ARestrictedSpaceHasOnlyItsOperators) {
  const Space space("core1", Names{"identity", "beta_times"}, Names{"sigmoid_mul", "max"});
  EXPECT_EQ(space.size(), 8u);
  std::set<std::string> texts;
  for (std::uint64_t i = 0; i < space.size(); ++i) texts.insert(to_text(space.at(i)));
  const std::set<std::string> expected{
      "sigmoid(x) * x",          "max(x, x)",        "sigmoid(beta * x) * x",          "max(beta * x, x)",
      "sigmoid(x) * (beta * x)", "max(x, beta * x)", "sigmoid(beta * x) * (beta * x)", "max(beta * x, beta * x)"};
  EXPECT_EQ(texts, expected);
}

TEST(Space, SwishIsOneCoreUnit) {
  const Space space("core1");
  int found = 0;
  for (std::uint64_t i = 0; i < space.size(); ++i) {
    if (space.describe(i) != "sigmoid_mul(beta_times(x), identity(x))") continue;
    ++found;
    const Program ours = lower(space.at(i)), swish = lower(parse("swish"));
    for (const double at : test_points()) EXPECT_EQ(evaluate_forward(ours, at, {0.7}), evaluate_forward(swish, at, {0.7}));
  }
  EXPECT_EQ(found, 1);
}

TEST(Space, EveryIndexOfCore1IsADifferentSpellingThatParses) {
  const Space space("core1");
  std::set<std::string> spellings;
  for (std::uint64_t i = 0; i < space.size(); ++i) {
    const std::string spelling = space.describe(i);
    EXPECT_TRUE(spellings.insert(spelling).second) << spelling;
    ASSERT_EQ(to_text(parse(spelling)), to_text(space.at(i)));
  }
}

TEST(Space, LaterUnitsTakeXOrAnyEarlierOutput) {
  const Space space("core2", Names{"sin"}, Names{"add"});
  ASSERT_EQ(space.size(), 4u);
  std::set<std::string> texts;
  for (std::uint64_t i = 0; i < space.size(); ++i) texts.insert(to_text(space.at(i)));
  const std::set<std::string> expected{"sin(x) + sin(x)", "sin(sin(x) + sin(x)) + sin(x)", "sin(x) + sin(sin(x) + sin(x))",
                                       "sin(sin(x) + sin(x)) + sin(sin(x) + sin(x))"};
  EXPECT_EQ(texts, expected);
  EXPECT_EQ(space.describe(3), "a = add(sin(x), sin(x)); add(sin(a), sin(a))");
}

TEST(Space, ParametersAreInOrder) {
  const Space space("core3");
  std::mt19937_64 random(11);
  for (int i = 0; i < 500; ++i) {
    const Expression y = space.at(space.sample(random()));
    EXPECT_EQ(y.identity(), y.with_parameters_in_order().identity()) << to_text(y);
  }
}

TEST(Space, DerivativesOfRandomCompositionsMatchCentralDifferences) {
  std::mt19937_64 random(2017);
  for (const char* name : {"core1", "core2"}) {
    const Space space(name, Names{"identity", "neg", "beta_times", "plus_beta", "sin", "tanh", "atan", "sinc", "sigmoid", "gauss", "erf"});
    for (int i = 0; i < 500; ++i) {
      const Expression y = space.at(space.sample(random()));
      const std::string text = to_text(y);
      if (text.find('/') != std::string::npos) continue;  // next to a pole a difference says nothing
      const Program program = lower(y);
      for (const double at : {-1.413, 0.239, 1.309}) expect_derivatives_match(program, at, test_betas(program), text);
    }
  }
}

TEST(Space, MistakesAreNamed) {
  EXPECT_EQ(error_of("core4", {}, {}), "no space 'core4'; known are core1, core2, core3");
  EXPECT_EQ(error_of("core1", Names{}, {}), "the list of unary operators is empty");
  EXPECT_EQ(error_of("core1", Names{"sin", "cos", "sin"}, {}), "the unary operator 'sin' is named twice");
  const std::string unknown = error_of("core1", {}, Names{"ad"});
  EXPECT_EQ(unknown.find("no binary operator 'ad'; did you mean 'add'? known are add, mul, sub"), 0u) << unknown;
  EXPECT_NE(error_of("core1", Names{"zzzzzzz"}, {}).find("'zzzzzzz'; known are identity, neg"), std::string::npos);
  EXPECT_THROW(Space("core1").at(6'250), std::out_of_range);
}

TEST(SeededPermutation, VisitsEveryElementOnce) {
  for (const std::uint64_t size : {1u, 2u, 3u, 4u, 5u, 17u, 64u, 65u, 1'000u, 6'250u}) {
    const SeededPermutation permutation(size, 42);
    std::vector<bool> seen(size);
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint64_t element = permutation(i);
      ASSERT_LT(element, size);
      ASSERT_FALSE(seen[element]) << size;
      seen[element] = true;
    }
  }
  EXPECT_THROW(SeededPermutation(10, 1)(10), std::out_of_range);
  EXPECT_THROW(SeededPermutation(0, 1), std::invalid_argument);
}

TEST(SeededPermutation, DependsOnTheSeedAlone) {
  const SeededPermutation a(6'250, 1), b(6'250, 1), c(6'250, 2);
  int same_as_c = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    EXPECT_EQ(a(i), b(i));
    same_as_c += a(i) == c(i) ? 1 : 0;
  }
  EXPECT_LT(same_as_c, 10);
}

TEST(SeededPermutation, EveryPrefixIsAFairSample) {
  // 1,000 of 8.8e12 in ten equal parts: 100 each, standard deviation 9.5; 5 of those is the bound.
  const std::uint64_t size = Space("core3").size();
  for (const std::uint64_t seed : {0u, 1u, 2u}) {
    const SeededPermutation permutation(size, seed);
    std::vector<int> parts(10), residues(10);
    for (std::uint64_t i = 0; i < 1'000; ++i) {
      ++parts[permutation(i) / (size / 10)];
      ++residues[permutation(i) % 10];
    }
    for (const auto& counts : {parts, residues}) {
      for (const int count : counts) EXPECT_NEAR(count, 100, 48);
    }
  }
}

TEST(Space, AnIndexAndItsChoicesAreTheSamePlace) {
  for (const char* const name : {"core1", "core2", "core3"}) {
    const Space space(name);
    EXPECT_EQ(space.radices().size(), static_cast<std::size_t>(space.units()) * Space::kChoicesPerUnit);
    for (const std::uint64_t place : {std::uint64_t{0}, space.size() / 3, space.size() - 1}) {
      EXPECT_EQ(space.index_of(space.choices(place)), place) << name;
    }
    auto choices = space.choices(0);
    choices.back() = space.binary().size();
    EXPECT_THROW(space.index_of(choices), std::out_of_range);
    choices.pop_back();
    EXPECT_THROW(space.index_of(choices), std::out_of_range);
    EXPECT_THROW(space.choices(space.size()), std::out_of_range);
  }
}

}  // namespace
}  // namespace actsearch
