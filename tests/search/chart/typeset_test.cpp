#include "search/chart/typeset.h"

#include <gtest/gtest.h>

#include "grammar/notation.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

std::string flat(const std::string& formula) { return unadorned(typeset(parse(formula))); }

TEST(Typeset, ReadsLikeAFormula) {
  EXPECT_EQ(flat("x * sigmoid(beta * x)"), "x\u2009σ(β\u2009x)");
  EXPECT_EQ(flat("max(x, -0.5)"), "max(x, −0.5)");
  EXPECT_EQ(flat("square(atan(x)) - x"), "(arctan(x))^2 − x");
  EXPECT_EQ(flat("square(x) + 1"), "x^2 + 1");
  EXPECT_EQ(flat("log(abs(x) + 1e-07)"), "log(|x| + 10^−7)");
  EXPECT_EQ(flat("erf(x) * softplus(x)"), "erf(x)\u2009log(1 + exp(x))");
  EXPECT_EQ(flat("beta0 * x + beta1"), "β0\u2009x + β1");
}

TEST(Typeset, VariablesAreItalicAndExponentsRaised) {
  EXPECT_EQ(typeset(parse("square(x)")), (RichText{{"x", true, 0}, {"2", false, 1}}));
  EXPECT_EQ(
      typeset(parse("beta0 + beta1 + x")),
      (RichText{{"β", true, 0}, {"0", false, -1}, {" + ", false, 0}, {"β", true, 0}, {"1", false, -1}, {" + ", false, 0}, {"x", true, 0}}));
}

TEST(Typeset, FractionsHaveASlashAndTheParenthesesTheyNeed) {
  EXPECT_EQ(flat("x / (x + 1)"), "x / (x + 1)");
  EXPECT_EQ(flat("(x - 1) / exp(x + 1)"), "(x − 1) / exp(x + 1)");
  EXPECT_EQ(flat("x / (1 / x)"), "x / (1 / x)");
  EXPECT_EQ(flat("x / (beta * x)"), "x / (β\u2009x)");
  EXPECT_EQ(flat("sin(x) * (x / 2)"), "sin(x)\u2009(x / 2)");
  EXPECT_EQ(flat("x / 2 * sin(x)"), "(x / 2)\u2009sin(x)");
  EXPECT_EQ(flat("sqrt(x) + sqrt(x + 1)"), "√x + √(x + 1)");
}

TEST(Typeset, LongNumbersAreCutAndSaySo) {
  EXPECT_EQ(flat("0.7071067811865476 * x"), "0.7071…\u2009x");
  EXPECT_EQ(flat("1.0507009873554805 * x"), "1.0507…\u2009x");
  EXPECT_EQ(flat("0.123456 * x"), "0.123456\u2009x");
  EXPECT_EQ(flat("123456.789 + x"), "123456.7… + x");
}

TEST(Typeset, EveryFunctionOfTheTableHasALine) {
  for_each_function([]<class F>() {
    std::vector<Expression> arguments(F::arity, Expression::input() + Expression(1.0));
    const std::string text = unadorned(typeset(Expression::call(function_id<F>, arguments)));
    EXPECT_EQ(text.find_first_of("\\{}*#"), std::string::npos) << F::name << ": " << text;
    EXPECT_NE(text.find('x'), std::string::npos) << F::name << ": " << text;
  });
}

TEST(Typeset, TextIsCutAtACharacter) {
  const RichText text = plain("βββββββββ");
  EXPECT_EQ(elided(text, 10, 1000), text);
  EXPECT_EQ(unadorned(elided(text, 10, 30)), "βββ…");
  EXPECT_LE(text_width(elided(text, 10, 30), 10), 30);
  EXPECT_EQ(unadorned(elided(text, 10, 0)), "…");
}

TEST(Drawable, ReplacesWhatNoDocumentMayHold) {
  EXPECT_EQ(drawable("plain <b> & \"β\" ✓ 𝛽"), "plain <b> & \"β\" ✓ 𝛽");
  EXPECT_EQ(drawable(std::string_view("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(drawable("a\x1b[31m\n"), "a\uFFFD[31m\uFFFD");
  EXPECT_EQ(drawable("\xff\xfe"), "\uFFFD\uFFFD");
  EXPECT_EQ(drawable("\xc0\xaf"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(drawable("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(drawable("\xef\xbf\xbf"), "\uFFFD\uFFFD\uFFFD") << "not a character";
  EXPECT_EQ(drawable("\xc2\x85"), "\uFFFD\uFFFD") << "a control character";
  EXPECT_EQ(drawable("\xe2\x82"), "\uFFFD\uFFFD") << "cut off";
  EXPECT_EQ(drawable(drawable("\xff x")), "\uFFFD x");
}

}  // namespace
}  // namespace actsearch
