#include "grammar/fingerprint.h"

#include <map>
#include <set>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"
#include "tests/grammar/support.h"

namespace actsearch {
namespace {

Examination examination_of(std::string_view text) { return examine(lower(parse(text))); }
std::string fingerprint_of(std::string_view text) { return examination_of(text).fingerprint; }

TEST(Fingerprint, SpellingsOfOneFunctionAgree) {
  const std::vector<std::vector<std::string>> same{
      {"x * sigmoid(x)", "sigmoid(x) * x", "swish1", "x / (1 + exp(-x))", "mul(identity(x), sigmoid(x))"},
      {"x * sigmoid(beta * x)", "sigmoid(beta * x) * x", "swish", "x / (1 + exp(-(x * beta)))"},
      {"relu", "max(0, x)", "(x + abs(x)) / 2", "x - min(x, 0)"},
      {"beta * x + beta", "beta1 * x + beta0", "beta0 + x * beta1"},
      {"mix(sin(x), x)", "x + beta0 * (sin(x) - x)", "mix(x, x) + beta * (sin(x) - x)"},
      {"tanh", "2 * sigmoid(2 * x) - 1"},
      {"x", "mix(x, x)", "max(x, x)"},
      {"max(x, 0) + min(0, exp(x) - 1)", "elu"},
      {"x * (1 + tanh(x / 2)) / 2", "swish1"},
      {"x * (1 - sigmoid(-x))", "swish1"}};
  for (const auto& spellings : same) {
    for (const std::string& text : spellings) EXPECT_EQ(fingerprint_of(text), fingerprint_of(spellings[0])) << text;
  }
}

TEST(Fingerprint, DifferentFunctionsDiffer) {
  std::map<std::string, std::string> met;
  for (const char* text : {"swish1",
                           "swish",
                           "swish1(2 * x)",
                           "relu",
                           "leaky_relu",
                           "prelu",
                           "elu",
                           "selu",
                           "gelu",
                           "mish",
                           "x",
                           "-x",
                           "x + beta",
                           "beta * x",
                           "beta * x + beta",
                           "beta0 * x + beta0",
                           "min(x + beta, x)",
                           "max(x + beta, x)",
                           "max(exp(x), beta * x)",
                           "exp(x)",
                           "min(cosh(x), beta * x)",
                           "mix(x, beta_times(x))",
                           "mix(x, sin(x))",
                           "beta * beta * x",
                           "beta0 * (beta1 * x - beta2 * x)",
                           "beta0 * x - beta1 * x",
                           "exp(-beta0 * square(beta1 * x - beta2 * x))",
                           "exp(-square(beta1 * x - beta2 * x))",
                           "x * 1.000001",
                           "sinh(x) / (cosh(x) + 1e-07)",
                           "tanh"}) {
    const auto [entry, is_new] = met.emplace(fingerprint_of(text), text);
    EXPECT_TRUE(is_new) << text << " is taken for " << entry->second;
  }
}

TEST(Fingerprint, FunctionsThatDifferOnlyFarOutOrCloseTo0Differ) {
  const std::vector<std::pair<std::string, std::string>> pairs{{"min(max(x, 0), 6)", "relu"},
                                                               {"max(-6, min(6, x))", "x"},
                                                               {"min(x, 20)", "x"},
                                                               {"min(x, 9000)", "x"},
                                                               {"max(x, -9000)", "x"},
                                                               {"x * sigmoid(x) + greater(x, 7) * 100", "swish1"},
                                                               {"x * greater(abs(x), 0.001)", "x"},
                                                               {"min(x, 50 * beta)", "x"},
                                                               {"min(x, 50 * beta)", "min(x, 60 * beta)"}};
  for (const auto& [a, b] : pairs) EXPECT_NE(fingerprint_of(a), fingerprint_of(b)) << a << " is taken for " << b;
}

TEST(Fingerprint, OverflowIsAValueOfItsOwn) {
  EXPECT_EQ(examination_of("exp(x)").rejection, std::nullopt);
  EXPECT_NE(fingerprint_of("exp(x)"), fingerprint_of("min(exp(x), 1e38)"));
  EXPECT_NE(fingerprint_of("cube(x) * exp(x)"), fingerprint_of("cube(x) * min(exp(x), 1e30)"));
}

TEST(Fingerprint, RoundingNoiseIsNotCompared) {
  EXPECT_EQ(fingerprint_of("x - sin(x) * sin(x) - cos(x) * cos(x)"), fingerprint_of("x - 1"));
  EXPECT_EQ(fingerprint_of("(exp(x) + x) - exp(x)"), fingerprint_of("(x + exp(x)) - exp(x)"));
  EXPECT_EQ(fingerprint_of("cosh(x) * x - sinh(x) * x"), fingerprint_of("x * cosh(x) - sinh(x) * x"));
}

TEST(Fingerprint, IsThirtyTwoHexadecimalDigits) {
  const std::string fingerprint = fingerprint_of("swish");
  EXPECT_EQ(fingerprint.size(), 32u);
  EXPECT_EQ(fingerprint.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(Fingerprint, DoesNotDependOnTheNumberingOfParameters) {
  const std::string wanted = fingerprint_of("sin(beta0 * x) + beta1 * cos(x) - exp(-beta2 * square(x))");
  EXPECT_EQ(fingerprint_of("beta0 * cos(x) - exp(-beta1 * square(x)) + sin(beta2 * x)"), wanted);
  EXPECT_EQ(fingerprint_of("sin(x * beta) - (exp(-beta * (x * x)) - cos(x) * beta)"), wanted);
  EXPECT_NE(fingerprint_of("sin(beta0 * x) + beta1 * cos(x) - exp(-beta1 * square(x))"), wanted);
}

TEST(Rejection, NamesItsReason) {
  EXPECT_EQ(examination_of("x - x").rejection, Rejection::kConstant);
  EXPECT_EQ(examination_of("beta").rejection, Rejection::kConstant);
  EXPECT_EQ(examination_of("beta0 * (beta1 * x - beta1 * x)").rejection, Rejection::kConstant);
  EXPECT_EQ(examination_of("exp(-beta * square(x - x))").rejection, Rejection::kConstant);
  EXPECT_EQ(examination_of("exp(x) - exp(x)").rejection, Rejection::kConstant);  // far out it is not a number
  EXPECT_EQ(examination_of("greater(x, 20)").rejection, std::nullopt);
  EXPECT_EQ(examination_of("sqrt(x)").rejection, Rejection::kNotFinite);
  EXPECT_EQ(examination_of("1 / x").rejection, Rejection::kNotFinite);
  EXPECT_EQ(examination_of("exp(cosh(x))").rejection, std::nullopt);
  EXPECT_EQ(examination_of("exp(exp(x))").rejection, Rejection::kNotFinite);  // finite in double, beyond fp32
  EXPECT_EQ(examination_of("sqrt(abs(x) + x)").rejection, Rejection::kSlopeNotFinite);
  EXPECT_EQ(examination_of("sqrt(abs(x))").rejection, std::nullopt);
  EXPECT_NE(examination_of("sqrt(x)").detail.find("x = -4.8"), std::string::npos) << examination_of("sqrt(x)").detail;
  EXPECT_EQ(to_text(Rejection::kConstant), "constant");
}

TEST(Rejection, NoNamedActivationIsRejectedOrTakenForAnother) {
  std::set<std::string> fingerprints;
  for (const OperatorInfo& info : activations()) {
    const Examination examination = examination_of(info.name);
    EXPECT_FALSE(examination.rejection) << info.name << ": " << examination.detail;
    EXPECT_TRUE(fingerprints.insert(examination.fingerprint).second) << info.name;
  }
}

// The counts that docs/grammar.md explains.
TEST(Fingerprint, Core1Holds3738Functions) {
  const Space space("core1");
  std::map<std::optional<Rejection>, int> spellings;
  std::set<std::string> functions;
  for (std::uint64_t i = 0; i < space.size(); ++i) {
    const Examination examination = examine(lower(space.at(i)));
    ++spellings[examination.rejection];
    if (!examination.rejection) functions.insert(examination.fingerprint);
  }
  EXPECT_EQ(spellings[Rejection::kNotFinite], 490);  // all that use sqrt: 2 · 25 · 10 - 10
  EXPECT_EQ(spellings[Rejection::kConstant], 88);
  EXPECT_EQ(spellings[Rejection::kSlopeNotFinite], 0);
  EXPECT_EQ(spellings[std::nullopt], 5'672);
  EXPECT_EQ(functions.size(), 3'738u);
}

}  // namespace
}  // namespace actsearch
