#include "grammar/notation.h"

#include <random>

#include "grammar/operators.h"
#include "grammar/space.h"
#include "grammar/spellings.h"
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

TEST(Notation, TakesTheSpellingsOfPeopleAndOtherTools) {
  const std::pair<const char*, const char*> same[] = {
      {"x^2", "square(x)"},
      {"x**3", "cube(x)"},
      {"x²", "square(x)"},
      {"x^4", "square(square(x))"},
      {"x^5", "square(square(x)) * x"},
      {"x^-1", "1 / x"},
      {"x^(-2)", "1 / square(x)"},
      {"x^0.5", "sqrt(x)"},
      {"-x^2", "-square(x)"},
      {"2x^2", "2 * square(x)"},
      {"2x", "2 * x"},
      {"0.5(1 + x)", "0.5 * (1 + x)"},
      {"-2x", "-(2 * x)"},
      {"x / 2", "x / 2"},
      {"1e-3sin(x)", "0.001 * sin(x)"},
      {"+x", "x"},
      {"x - +2", "x - 2"},
      {"|x|", "abs(x)"},
      {"|x - |x||", "abs(x - abs(x))"},
      {"|x| * |x + 1|", "abs(x) * abs(x + 1)"},
      {"β·x", "beta * x"},
      {"βx", "beta * x"},
      {"x·σ(βx)", "x * sigmoid(beta * x)"},
      {"xσ(x)", "x * sigmoid(x)"},
      {"2β", "2 * beta"},
      {"x − 1", "x - 1"},
      {"x × x ÷ 2", "x * x / 2"},
      {"silu", "x * sigmoid(x)"},
      {"silu(2x)", "2 * x * sigmoid(2 * x)"},
      {"maximum(x, 0)", "max(x, 0)"},
      {"clip(x, -1, 1)", "min(max(x, -1), 1)"},
  };
  for (const auto& [given, plain] : same) {
    EXPECT_EQ(to_text(parse(given)), plain) << given;
  }
}

// By the definitions in the documentation of PyTorch and of Keras.
TEST(Notation, OtherToolsActivationsHaveTheirValues) {
  struct Known {
    const char* name;
    double at_minus_2, at_minus_0_3, at_0_7, at_4, at_9;
  };
  const Known all[] = {
      {"relu6", 0, 0, 0.7, 4, 6},
      {"hardtanh", -1, -0.3, 0.7, 1, 1},
      {"hardsigmoid", 1.0 / 6, 0.45, 3.7 / 6, 1, 1},
      {"hardswish", -1.0 / 3, -0.135, 0.7 * 3.7 / 6, 4, 9},
      {"softsign", -2.0 / 3, -0.3 / 1.3, 0.7 / 1.7, 0.8, 0.9},
      {"celu", std::expm1(-2), std::expm1(-0.3), 0.7, 4, 9},
      {"logsigmoid", -std::log1p(std::exp(2)), -std::log1p(std::exp(0.3)), -std::log1p(std::exp(-0.7)), -std::log1p(std::exp(-4)),
       -std::log1p(std::exp(-9))},
      {"tanhshrink", -2 - std::tanh(-2), -0.3 - std::tanh(-0.3), 0.7 - std::tanh(0.7), 4 - std::tanh(4), 9 - std::tanh(9)},
      {"hardshrink", -2, 0, 0.7, 4, 9},
      {"softshrink", -1.5, 0, 0.2, 3.5, 8.5},
      {"squareplus", (-2 + std::sqrt(8)) / 2, (-0.3 + std::sqrt(4.09)) / 2, (0.7 + std::sqrt(4.49)) / 2, (4 + std::sqrt(20)) / 2,
       (9 + std::sqrt(85)) / 2},
      {"sparse_plus", 0, 0.1225, 0.7225, 4, 9},
      {"sparse_sigmoid", 0, 0.35, 0.85, 1, 1},
      {"quick_gelu", -2 / (1 + std::exp(3.404)), -0.3 / (1 + std::exp(0.5106)), 0.7 / (1 + std::exp(-1.1914)), 4 / (1 + std::exp(-6.808)),
       9 / (1 + std::exp(-15.318))},
      {"threshold(x, 0.5, -1)", -1, -1, 0.7, 4, 9},
      {"log1p(x^2)", std::log1p(4), std::log1p(0.09), std::log1p(0.49), std::log1p(16), std::log1p(81)},
  };
  for (const Known& known : all) {
    const Program program = lower(parse(known.name));
    const std::pair<double, double> points[] = {
        {-2, known.at_minus_2}, {-0.3, known.at_minus_0_3}, {0.7, known.at_0_7}, {4, known.at_4}, {9, known.at_9}};
    for (const auto& [x, y] : points) EXPECT_NEAR(evaluate_forward(program, x, {}), y, 1e-12) << known.name << " at " << x;
  }
}

TEST(Notation, EverySpellingParsesAloneOrWithItsArguments) {
  for (const Spelling& spelling : spellings()) {
    const std::string arguments = spelling.arity == 1 ? "(x)" : spelling.arity == 2 ? "(x, 0)" : "(x, -1, 1)";
    EXPECT_NO_THROW(parse(std::string(spelling.name) + arguments)) << spelling.name;
    if (spelling.arity > 1) continue;
    EXPECT_EQ(to_text(parse(spelling.name)), to_text(parse(std::string(spelling.name) + "(x)")));
  }
}

TEST(Notation, SaysWhatToWriteInPlaceOfWhatItDoesNotTake) {
  EXPECT_EQ(error_of("where(x > 0, x, 0)"),
            "column 1: unknown word 'where': pieces are made by max, min and greater(a, b), which is 1 where a > b and 0 elsewhere");
  EXPECT_EQ(error_of("pow(x, 2)"), "column 1: unknown word 'pow': write x^2, with a whole number from -16 to 16, or sqrt(x)");
  EXPECT_EQ(error_of("softmax(x)"), "column 1: unknown word 'softmax': an activation here is a function of one number");
  EXPECT_EQ(error_of("1 / 2x"), "column 3: a product such as 2x after '/' can be read in two ways: put it in parentheses");
  EXPECT_EQ(error_of("x^2^3"), "column 4: two powers in a row can be read in two ways: use parentheses");
  EXPECT_EQ(error_of("x^2.5").substr(0, 42), "column 3: an exponent is a whole number fr");
  EXPECT_EQ(error_of("|x"), "column 3: expected an operator or '|', found the end");
  EXPECT_EQ(error_of("clip(x, 0)"), "column 1: 'clip' takes 3 arguments, found 2");
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
  EXPECT_EQ(error_of("2 x"), "column 3: expected an operator or the end, found 'x'");
  EXPECT_EQ(error_of("x ^ x"), "column 5: an exponent is a whole number from -16 to 16 or 0.5; exp(x) is e to the power of x");
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
  EXPECT_EQ(error_of("σ(ζ)"), "column 3: expected a number, x, beta, a function or '(', found byte 0xce");
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

TEST(Notation, AFormulaBeyondPrintingIsRefused) {
  Expression y = Expression::input();
  for (int i = 0; i < 40; ++i) y = y * y;
  EXPECT_THROW(to_text(y), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
