#include "grammar/notation.h"

#include <random>

#include "grammar/operators.h"
#include "grammar/space.h"
#include "tests/grammar/support.h"

namespace actsearch {
namespace {

/// The message of the error that parsing the text gives; fails the test if it parses.
std::string error_of(std::string_view text) {
  try {
    parse(text);
  } catch (const NotationError& error) {
    return error.what();
  }
  ADD_FAILURE() << "parsed: " << text.substr(0, 60);
  return {};
}

void expect_round_trip(const Expression& y) {
  const std::string text = to_text(y);
  const Expression back = parse(text);
  ASSERT_EQ(to_text(back), text);
  const Program program = lower(y), again = lower(back);
  const std::vector<double> beta = test_betas(program);
  ASSERT_EQ(program.parameter_count(), again.parameter_count()) << text;
  for (const double at : test_points()) {
    ASSERT_TRUE(same_bits_or_nan(evaluate_forward(program, at, beta), evaluate_forward(again, at, beta))) << text << " at " << at;
  }
}

TEST(Notation, PrintsWhatItParsesOverAllOfCore1) {
  const Space space("core1");
  for (std::uint64_t i = 0; i < space.size(); ++i) ASSERT_NO_FATAL_FAILURE(expect_round_trip(space.at(i)));
}

TEST(Notation, PrintsWhatItParsesOverRandomDeepFormulas) {
  std::mt19937_64 random(20171016);
  for (const char* name : {"core2", "core3"}) {
    const Space space(name);
    for (int i = 0; i < 2'000; ++i) ASSERT_NO_FATAL_FAILURE(expect_round_trip(space.at(space.sample(random()))));
  }
}

TEST(Notation, PrintsDerivativesThatParse) {
  for (const NamedActivation& named : baselines()) {
    const Derivatives derivatives = differentiate(named.expression);
    for (const std::string& text : {to_text(derivatives.dydx), to_text(derivatives.dydbeta.empty() ? 0.0 : derivatives.dydbeta[0])}) {
      EXPECT_EQ(to_text(parse(text)), text);
    }
  }
}

TEST(Notation, UsesTheFewestParentheses) {
  for (const char* text : {"x",
                           "beta",
                           "-x",
                           "--x",
                           "x - -x",
                           "x * -2",
                           "-x * x",
                           "-(x * x)",
                           "x - (x - x)",
                           "x - x - x",
                           "x + (x + x)",
                           "x / (x / x)",
                           "x / x / x",
                           "x * (x + 1)",
                           "x * sigmoid(beta * x)",
                           "max(x, -x)",
                           "(x + 1) / (x - 1)",
                           "exp(-beta * square(sin(x) - x))",
                           "log(abs(x) + 1e-07)",
                           "0.25 * beta * min(x, 0)",
                           "-2",
                           "1.5e+300"}) {
    EXPECT_EQ(to_text(parse(text)), text);
  }
  EXPECT_EQ(to_text(parse("((x)) + ((x * (x)))")), "x + x * x");
  EXPECT_EQ(to_text(parse(" x*sigmoid( beta*x ) \n")), "x * sigmoid(beta * x)");
}

TEST(Notation, NumbersParametersOnlyWhereTheTextNeedsIt) {
  EXPECT_EQ(to_text(parse("beta * x + beta")), "beta * x + beta");
  EXPECT_EQ(parse("beta * x + beta").parameter_count(), 2);
  EXPECT_EQ(to_text(parse("beta0 * x + beta1")), "beta * x + beta");
  EXPECT_EQ(to_text(parse("beta0 * x + beta0")), "beta0 * x + beta0");
  EXPECT_EQ(parse("beta0 * x + beta0").parameter_count(), 1);
  EXPECT_EQ(to_text(parse("mix(beta_times(x), x)")), "beta0 * (beta1 * x) + (1 - beta0) * x");
}

TEST(Notation, OperatorsAndActivationsExpandToTheirFormulas) {
  EXPECT_EQ(to_text(parse("swish")), "x * sigmoid(beta * x)");
  EXPECT_EQ(to_text(parse("swish1(sin(x))")), "sin(x) * sigmoid(sin(x))");
  EXPECT_EQ(to_text(parse("sigmoid_mul(beta_times(x), identity(x))")), "sigmoid(beta * x) * x");
  EXPECT_EQ(to_text(parse("div(x, log_abs(x))")), "x / (log(abs(x) + 1e-07) + 1e-07)");
  EXPECT_EQ(to_text(parse("tanh")), "tanh(x)");
  EXPECT_EQ(to_text(parse("sub(relu, min0(x))")), "max(x, 0) - min(x, 0)");
}

TEST(Notation, EveryUnaryOperatorIsAWord) {
  for (const OperatorInfo& info : unary_operators()) {
    const std::string text = info.name == "beta" ? "beta" : std::string(info.name) + "(x)";
    EXPECT_EQ(to_text(parse(text)), to_text(info.build({Expression::input()}, Expression::parameter(0)))) << info.name;
  }
  for (const OperatorInfo& info : binary_operators()) {
    EXPECT_EQ(to_text(parse(std::string(info.name) + "(x, 2)")),
              to_text(info.build({Expression::input(), 2.0}, Expression::parameter(0)).with_parameters_in_order()));
  }
}

TEST(Notation, ErrorsNameTheColumnAndWhatWasExpected) {
  EXPECT_EQ(error_of(""), "column 1: expected a number, x, beta, a function or '(', found the end");
  EXPECT_EQ(error_of("x +"), "column 4: expected a number, x, beta, a function or '(', found the end");
  EXPECT_EQ(error_of("x * )"), "column 5: expected a number, x, beta, a function or '(', found ')'");
  EXPECT_EQ(error_of("(x"), "column 3: expected an operator or ')', found the end");
  EXPECT_EQ(error_of("2x"), "column 2: expected an operator or the end, found 'x'");
  EXPECT_EQ(error_of("x ^ 2"), "column 3: expected an operator or the end, found '^'");
  EXPECT_EQ(error_of("max(x)"), "column 1: 'max' takes 2 arguments, found 1");
  EXPECT_EQ(error_of("sin(x, x)"), "column 1: 'sin' takes 1 argument, found 2");
  EXPECT_EQ(error_of("sin + 1"), "column 5: expected '(' after 'sin', found '+'");
  EXPECT_EQ(error_of("swich"), "column 1: unknown word 'swich'; did you mean 'swish'?");
  EXPECT_EQ(error_of("x + sigmiod(x)"), "column 5: unknown word 'sigmiod'; did you mean 'sigmoid'?");
  EXPECT_EQ(error_of("frobnicate(x)"), "column 1: unknown word 'frobnicate'");
  EXPECT_EQ(error_of("1e999"), "column 1: the number is outside the range of double precision");
  EXPECT_EQ(error_of("beta + beta1"), "column 8: 'beta1' beside a beta without a number: number all of them or none");
  EXPECT_EQ(error_of("beta1 + swish"), "column 9: 'swish' has a beta without a number beside one with: number all of them or none");
  EXPECT_EQ(error_of("beta1234"), "column 1: parameters are numbered beta0 to beta999");
  EXPECT_EQ(error_of("σ(x)"), "column 1: expected a number, x, beta, a function or '(', found byte 0xcf");
  EXPECT_EQ(error_of("max(x, 'é')"), "column 8: expected a number, x, beta, a function or '(', found '''");
}

TEST(Notation, ColumnsCountCharactersNotBytes) {
  try {
    parse("x + é");
    FAIL();
  } catch (const NotationError& error) {
    EXPECT_EQ(error.column(), 5u);
  }
}

TEST(Notation, HostileTextsGiveAShortError) {
  const auto repeated = [](std::string_view unit, std::size_t length) {
    std::string text;
    while (text.size() < length) text += unit;
    return text;
  };
  for (const std::size_t length : {std::size_t{400}, std::size_t{9'999}, std::size_t{1'000'000}}) {
    for (const char* unit : {"(", "-", "sin(", "x+", "x*", "swish(", "max(x,", "a", "9", "beta", ",", "\xff", "x - (", "1e", "."}) {
      const std::string message = error_of(repeated(unit, length));
      EXPECT_LT(message.size(), 160u) << unit << " for " << length;
    }
    EXPECT_LT(error_of(repeated("x+", length) + "x").size(), 160u);
    EXPECT_LT(error_of(std::string(length, '\0')).size(), 160u);
  }
}

TEST(Notation, WhatDoublesAtEveryLevelIsRefusedBeforeItGrows) {
  std::string text = "x";
  for (int i = 0; i < 60; ++i) text = "swish1(" + text + ")";
  EXPECT_NE(error_of(text).find("written out has more than 5000 parts"), std::string::npos);
}

TEST(Notation, DepthUpToTheLimitIsAccepted) {
  std::string text = "x";
  for (std::size_t i = 1; i < kMaxDepth; ++i) text = "sin(" + text + ")";
  EXPECT_EQ(to_text(parse(text)), text);
  EXPECT_NE(error_of("sin(" + text + ")").find("200"), std::string::npos);
}

TEST(Notation, NumbersPrintTheShortestTextThatReadsBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1'000; ++i) {
    const double number = std::ldexp(static_cast<double>(random() >> 11u), static_cast<int>(random() % 200) - 150);
    EXPECT_EQ(parse(to_text(number)).number(), number);
  }
  EXPECT_EQ(to_text(0.1), "0.1");
}

TEST(Notation, PrintsLatex) {
  EXPECT_EQ(to_latex(parse("swish")), "x \\, \\sigma(\\beta \\, x)");
  EXPECT_EQ(to_latex(parse("div(sin(x), x)")), "\\frac{\\sin(x)}{x + 10^{-7}}");
  EXPECT_EQ(to_latex(parse("square(x) - square(x + 1)")), "x^2 - (x + 1)^2");
  EXPECT_EQ(to_latex(parse("beta * x + beta")), "\\beta_{0} \\, x + \\beta_{1}");
}

TEST(Notation, AFormulaBeyondPrintingIsRefused) {
  Expression y = Expression::input();
  for (int i = 0; i < 40; ++i) y = y * y;
  EXPECT_THROW(to_text(y), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
