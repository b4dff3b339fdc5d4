#include "grammar/candidate.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"

namespace actsearch {
namespace {

std::string name_of(const std::string& formula) { return candidate_of(formula).name; }
std::string canonical_of(const std::string& formula) { return canonical(candidate_of(formula)).formula; }

TEST(Candidate, HasAWellKnownNameOnlyWhereItIsThatFunction) {
  EXPECT_EQ(name_of("sigmoid(x) * x"), "swish1");
  EXPECT_EQ(name_of("(x + abs(x)) / 2"), "relu");
  for (const char* other : {"min(max(x, 0), 6)", "max(-6, min(6, x))", "min(x, 20)", "x * sigmoid(x) + greater(x, 7) * 100"}) {
    EXPECT_EQ(name_of(other), "") << other;
  }
}

TEST(CanonicalSpelling, OfAWellKnownFunctionIsItsDefinition) {
  for (const OperatorInfo& activation : activations()) {
    const std::string definition = to_text(parse(activation.name));
    EXPECT_EQ(canonical_of(std::string(activation.name)), definition);
  }
  EXPECT_EQ(canonical_of("x / (1 + exp(-x))"), to_text(parse("swish1")));
  EXPECT_EQ(canonical_of("mix(max(x, 0), relu)"), to_text(parse("relu")));
}

TEST(CanonicalSpelling, LeavesOutWhatDoesNotMatter) {
  EXPECT_EQ(canonical_of("mix(sin(x), sin(x))"), "sin(x)");
  EXPECT_EQ(canonical_of("beta * 0 + sin(x)"), "sin(x)");
  EXPECT_EQ(canonical_of("max(exp(x), x)"), "exp(x)");
  EXPECT_EQ(canonical_of("sin(x) * 1 + x"), "sin(x) + x");
  EXPECT_EQ(canonical_of("sin(x) * (sin(x) - sin(x) + 1)"), "sin(x)");
  EXPECT_EQ(canonical_of("beta0 * 0 + beta1 * sin(x)"), "beta * sin(x)");  // numbered anew
}

TEST(CanonicalSpelling, KeepsWhatMatters) {
  for (const char* formula :
       {"x + sin(x)", "sin(beta * x)", "beta * sin(x) + beta", "min(max(x, 0), 6)", "x * sigmoid(x) + greater(x, 7)"}) {
    EXPECT_EQ(canonical_of(formula), formula);
  }
}

TEST(CanonicalSpelling, IsTheSameFunctionAndItsOwnCanonicalSpelling) {
  const Space space("core2");
  for (std::uint64_t i = 1; i <= 60; ++i) {
    const auto considered = consider(space.at(i * 2'500'009 % space.size()));
    const auto* candidate = std::get_if<Candidate>(&considered);
    if (!candidate) continue;
    const Candidate once = canonical(*candidate);
    EXPECT_EQ(candidate_of(once.formula).fingerprint, candidate->fingerprint) << candidate->formula << " as " << once.formula;
    EXPECT_EQ(canonical(once).formula, once.formula);
    EXPECT_EQ(once.fingerprint, candidate->fingerprint);
    EXPECT_LE(once.program.parameter_count(), candidate->program.parameter_count());
  }
}

TEST(CanonicalSpelling, KeepsNameAndPlace) {
  Candidate candidate = candidate_of("max(x, tanh(x))");
  candidate.name = "max_x_tanh";
  candidate.index = 7;
  EXPECT_EQ(canonical(candidate).name, "max_x_tanh");
  EXPECT_EQ(canonical(candidate).index, 7u);
}

}  // namespace
}  // namespace actsearch
