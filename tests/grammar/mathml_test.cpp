#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "grammar/display.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"

namespace actsearch {
namespace {

/// What is wrong with a MathML document: tags that do not match, elements that MathML Core has not, the wrong number of parts, characters
/// that XML gives a meaning. Empty where it is well-formed.
std::string fault(const std::string& text) {
  static const std::map<std::string, int> parts{{"math", 1},  {"mrow", -1}, {"mfrac", 2}, {"msup", 2}, {"msub", 2},
                                                {"msqrt", 1}, {"mi", 0},    {"mn", 0},    {"mo", 0}};  // -1: any number
  struct Open {
    std::string tag;
    int children = 0;
    std::string characters;
  };
  std::vector<Open> open{{"", 0, ""}};
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '<') {
      if (text[at] == '&' && !text.substr(at).starts_with("&lt;") && !text.substr(at).starts_with("&gt;")) return "a bare &";
      open.back().characters += text[at++];
      continue;
    }
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag without an end";
    const std::string tag = text.substr(at + 1, text.find_first_of(" >", at) - at - 1);
    if (tag.size() != end - at - 1 && text.substr(at, end - at) != "<mo rspace=\"0.1667em\"") return "an attribute of <" + tag + ">";
    at = end + 1;
    if (!tag.starts_with("/")) {
      if (!parts.contains(tag)) return "no element <" + tag + ">";
      ++open.back().children;
      open.push_back({tag, 0, ""});
      continue;
    }
    const Open closed = open.back();
    if (tag.substr(1) != closed.tag) return "<" + closed.tag + "> is closed by <" + tag + ">";
    const int expected = parts.at(closed.tag);
    if (expected >= 0 && closed.children != expected) return "<" + closed.tag + "> with " + std::to_string(closed.children) + " parts";
    if (closed.characters.empty() != (expected != 0)) return "<" + closed.tag + "> with the text '" + closed.characters + "'";
    open.pop_back();
  }
  if (open.size() != 1) return "<" + open.back().tag + "> is left open";
  return open.back().characters.empty() ? "" : "text outside";
}

TEST(MathMl, EveryFunctionOfTheTableHasAForm) {
  const Expression x = Expression::input(), inner = x + Expression::parameter(0);
  std::set<std::string> forms;
  for_each_function([&]<class F>() {
    std::vector<Expression> arguments{inner};
    if (F::arity == 2) arguments.push_back(Expression::call<Sin>(x));
    const std::string mathml = to_mathml(Expression::call(function_id<F>, arguments));
    EXPECT_EQ(fault(mathml), "") << F::name << ": " << mathml;
    EXPECT_NE(mathml.find("<mi>x</mi><mo>+</mo><mi>β</mi>"), std::string::npos) << F::name << ": " << mathml;
    EXPECT_TRUE(forms.insert(mathml).second) << F::name << " looks like another function: " << mathml;
  });
  EXPECT_EQ(forms.size(), NotationFunctions::size);
}

TEST(MathMl, EveryOperatorAndActivationIsWellFormed) {
  const Expression x = Expression::input();
  for (const auto* table : {&unary_operators(), &activations(), &binary_operators()}) {
    for (const OperatorInfo& info : *table) {
      const std::vector<Expression> arguments = table == &binary_operators() ? std::vector{x, Expression(2.0)} : std::vector{x};
      const std::string mathml = to_mathml(info.build(arguments, Expression::parameter(0)));
      EXPECT_EQ(fault(mathml), "") << info.name << ": " << mathml;
    }
  }
}

TEST(MathMl, RandomFormulasAreWellFormed) {
  std::mt19937_64 random(20171016);
  const Space space("core3");
  for (int i = 0; i < 1'000; ++i) {
    const Expression y = space.at(space.sample(random()));
    EXPECT_EQ(fault(to_mathml(y)), "") << to_text(y);
    EXPECT_EQ(fault(to_mathml(differentiate(y).dydx)), "") << "the slope of " << to_text(y);
  }
}

TEST(MathMl, TypesetsWhatTheFormulaSays) {
  EXPECT_EQ(to_mathml(parse("x")), "<math><mi>x</mi></math>");
  EXPECT_EQ(to_mathml(parse("swish")),
            "<math><mrow><mi>x</mi><mo rspace=\"0.1667em\">\u2062</mo><mi>σ</mi><mo>\u2061</mo>"
            "<mrow><mo>(</mo><mrow><mi>β</mi><mo rspace=\"0.1667em\">\u2062</mo><mi>x</mi></mrow><mo>)</mo></mrow></mrow></math>");
  EXPECT_EQ(to_mathml(parse("square(x)")), "<math><msup><mi>x</mi><mn>2</mn></msup></math>");
  EXPECT_EQ(to_mathml(parse("x / sqrt(x)")), "<math><mfrac><mi>x</mi><msqrt><mi>x</mi></msqrt></mfrac></math>");
  EXPECT_EQ(to_mathml(parse("2 * 3")), "<math><mrow><mn>2</mn><mo>⋅</mo><mn>3</mn></mrow></math>");
  EXPECT_EQ(to_mathml(parse("1e-07")), "<math><msup><mn>10</mn><mrow><mo>−</mo><mn>7</mn></mrow></msup></math>");
  EXPECT_EQ(to_mathml(parse("beta0 + beta1")),
            "<math><mrow><msub><mi>β</mi><mn>0</mn></msub><mo>+</mo><msub><mi>β</mi><mn>1</mn></msub></mrow></math>");
  EXPECT_EQ(to_mathml(parse("greater(x, 0)")),
            "<math><mrow><mo>[</mo><mrow><mi>x</mi><mo>&gt;</mo><mn>0</mn></mrow><mo>]</mo></mrow></math>");
}

TEST(MathMl, AnInverseFunctionDoesNotLookLikeAReciprocal) {
  EXPECT_EQ(to_latex(parse("asinh(x)")), "\\operatorname{arsinh}(x)");
  EXPECT_EQ(to_latex(parse("atan(x)")), "\\arctan(x)");
  EXPECT_NE(to_mathml(parse("asinh(x)")).find("<mi>arsinh</mi>"), std::string::npos);
  EXPECT_NE(to_mathml(parse("atan(x)")).find("<mi>arctan</mi>"), std::string::npos);
  for_each_function([]<class F>() { EXPECT_EQ(F::display.find("^-"), std::string_view::npos) << F::name; });
}

TEST(MathMl, AFactorWithAMinusDoesNotLookLikeADifference) {
  EXPECT_EQ(to_latex(parse("x * -sin(x)")), "x \\, (-\\sin(x))");
  EXPECT_EQ(to_latex(parse("x * -2")), "x \\, (-2)");
  EXPECT_EQ(to_latex(parse("-x * x")), "-x \\, x");
  EXPECT_NE(to_mathml(parse("x * -2")).find("<mo rspace=\"0.1667em\">\u2062</mo><mrow><mo>(</mo>"), std::string::npos);
}

TEST(MathMl, AFormulaNestedTooDeepIsRefused) {
  Expression y = Expression::input();
  for (int i = 0; i < 600; ++i) y = Expression::call<Sin>(y);
  EXPECT_THROW(to_mathml(y), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
