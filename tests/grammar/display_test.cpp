#include "grammar/display.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"

namespace actsearch {
namespace {

using Kind = Box::Kind;

/// The boxes as one line, every row inside a box in braces: `x + {2}/{β}`, with "~" for a product, "." for a dot and "n:" before a name.
std::string outline(const Boxes& row) {
  std::string line;
  for (const Box& box : row) {
    const auto part = [&](std::size_t i) { return "{" + outline(box.parts.at(i)) + "}"; };
    switch (box.kind) {
      case Kind::kNumber:
      case Kind::kVariable:
        line += box.text;
        break;
      case Kind::kName:
        line += "n:" + box.text;
        break;
      case Kind::kSign:
        line += "-";
        break;
      case Kind::kOperator:
        line += " " + box.text + " ";
        break;
      case Kind::kComma:
        line += ",";
        break;
      case Kind::kProduct:
        line += "~";
        break;
      case Kind::kDot:
        line += ".";
        break;
      case Kind::kFraction:
        line += part(0) + "/" + part(1);
        break;
      case Kind::kRoot:
        line += "√" + part(0);
        break;
      case Kind::kFence:
        line += box.text + part(0);
        break;
      case Kind::kSuperscript:
        line += part(0) + "^" + part(1);
        break;
      case Kind::kSubscript:
        line += part(0) + "_" + part(1);
        break;
      case Kind::kPrime:
        line += part(0) + "'";
        break;
      case Kind::kArgument:
        line += "#" + box.text;
        break;
    }
  }
  return line;
}

std::string outline(const std::string& formula) { return outline(displayed(parse(formula))); }

/// The texts of numbers, letters and names in the order in which they are read.
std::string leaves(const Boxes& row) {
  std::string text;
  for (const Box& box : row) {
    if (box.kind == Kind::kNumber || box.kind == Kind::kVariable || box.kind == Kind::kName) text += box.text;
    for (const Boxes& part : box.parts) text += leaves(part);
  }
  return text;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
  return text;
}

/// What is left of a LaTeX text without all that is no number, letter or name.
std::string leaves_of_latex(std::string text) {
  text = replaced(replaced(std::move(text), "\\beta", "β"), "\\sigma", "σ");
  for (const char* command : {"\\operatorname", "\\frac", "\\sqrt", "\\lvert", "\\rvert", "\\cdot"}) text = replaced(text, command, "");
  std::erase_if(text, [](char c) { return std::string_view("\\ ,{}()[]+-<>^_'").find(c) != std::string_view::npos; });
  return text;
}

std::string leaves_of_mathml(std::string text) {
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) text.erase(at, text.find('>', at) + 1 - at);
  for (const char* mark : {"&lt;", "&gt;", "−", "⋅", "′", "\u2061", "\u2062"}) text = replaced(text, mark, "");
  std::erase_if(text, [](char c) { return std::string_view("()[]|+,").find(c) != std::string_view::npos; });
  return text;
}

void expect_same_leaves(const Expression& y) {
  const std::string expected = leaves(displayed(y));
  EXPECT_EQ(leaves_of_latex(to_latex(y)), expected) << to_latex(y);
  EXPECT_EQ(leaves_of_mathml(to_mathml(y)), expected) << to_mathml(y);
}

TEST(Pattern, IsReadIntoBoxes) {
  const std::pair<const char*, const char*> cases[] = {
      {"#1 + #2", "#1 + #2"},
      {"#1 - #2", "#1 − #2"},
      {"-#1", "-#1"},
      {"#1*-#2", "#1~-#2"},
      {"#1 + -#2", "#1 + -#2"},
      {"[#1 > #2]", "[{#1 > #2}"},
      {"max(#1, -#2)", "n:max({#1,-#2}"},
      {"{#1}/{2 - #2}", "{#1}/{2 − #2}"},
      {"√{#1}", "√{#1}"},
      {"|#1|", "|{#1}"},
      {"(#1)^2", "{({#1}}^{2}"},
      {"exp(-(#1)^12)", "n:exp({-{({#1}}^{12}}"},
      {"sinc'(#1)", "{n:sinc}'({#1}"},
      {"σ(#1)", "n:σ({#1}"},
  };
  for (const auto& [pattern, boxes] : cases) EXPECT_EQ(outline(read_pattern(pattern)), boxes) << pattern;
}

TEST(Pattern, ATextThatIsNoneIsRefused) {
  for (const char* text :
       {"(", "(#1", "#1)", "#", "#3", "{#1}", "{#1}/", "{#1}/#2", "√#1", "√{#1", "|#1", "[#1)", "#1^", "^2", "'", "?", "\\log(#1)"}) {
    EXPECT_THROW(read_pattern(text), std::logic_error) << text;
  }
}

TEST(Pattern, OfAFunctionShowsEachArgument) {
  const auto check = []<class F>() {
    const std::string boxes = outline(read_pattern(F::display));
    for (int argument = 1; argument <= 2; ++argument) {
      EXPECT_EQ(boxes.find("#" + std::to_string(argument)) != std::string::npos, argument <= F::arity) << F::name << ": " << boxes;
    }
  };
  for_each_function(check);
  for_each_program_function(check);
}

TEST(Display, PutsAFormulaIntoBoxes) {
  EXPECT_EQ(outline("swish"), "x~n:σ({β~x}");
  EXPECT_EQ(outline("div(sin(x), x)"), "{n:sin({x}}/{x + {10}^{-7}}");
  EXPECT_EQ(outline("square(x) - square(x + 1)"), "{x}^{2} − {({x + 1}}^{2}");
  EXPECT_EQ(outline("-1.5e-07 * x"), "-1.5.{10}^{-7}~x");
  EXPECT_EQ(outline("-1e+30"), "-1.{10}^{30}");
  EXPECT_EQ(outline("sqrt(2) * (x / 3)"), "√{2}.{x}/{3}") << "not a mixed number";
  EXPECT_EQ(outline("x - -2 * x"), "x − ({-2}~x");
  EXPECT_EQ(outline("x * -x"), "x~({-x}");
  EXPECT_EQ(outline("x - (x - 1)"), "x − ({x − 1}");
  EXPECT_EQ(outline("max(x - 1, -x)"), "n:max({x − 1,-x}") << "arguments inside brackets need none of their own";
}

TEST(Display, NamesParameters) {
  EXPECT_EQ(outline("beta * x"), "β~x") << "a single one has no number";
  EXPECT_EQ(outline("beta * x + beta"), "{β}_{0}~x + {β}_{1}");
  EXPECT_EQ(outline("square(beta0) + beta1"), "{{β}_{0}}^{2} + {β}_{1}");
  EXPECT_EQ(outline(displayed(parse("beta0 + beta1 + beta2"), {"beta", "beta17", "b"})), "β + {β}_{17} + b");
}

TEST(Display, LatexAndMathMlShowWhatTheBoxesSay) {
  const Expression x = Expression::input(), inner = x + Expression::parameter(0);
  for_each_function([&]<class F>() {
    std::vector<Expression> arguments{inner};
    if (F::arity == 2) arguments.push_back(-x);
    expect_same_leaves(Expression::call(function_id<F>, arguments));
  });
  std::mt19937_64 random(20171016);
  const Space space("core2");
  for (int i = 0; i < 1'000; ++i) {
    const Expression y = space.at(space.sample(random()));
    ASSERT_NO_FATAL_FAILURE(expect_same_leaves(y));
    ASSERT_NO_FATAL_FAILURE(expect_same_leaves(differentiate(y).dydx));
  }
}

TEST(Display, AFormulaBeyondPrintingIsRefused) {
  Expression y = Expression::input();
  for (int i = 0; i < 40; ++i) y = y * y;
  EXPECT_THROW(displayed(y), std::invalid_argument);
}

TEST(Latex, IsWrittenAsPeopleWriteIt) {
  EXPECT_EQ(to_latex(parse("swish")), "x \\, \\sigma(\\beta \\, x)");
  EXPECT_EQ(to_latex(parse("div(sin(x), x)")), "\\frac{\\sin(x)}{x + 10^{-7}}");
  EXPECT_EQ(to_latex(parse("square(x) - square(x + 1)")), "x^2 - (x + 1)^2");
  EXPECT_EQ(to_latex(parse("beta * x + beta")), "\\beta_{0} \\, x + \\beta_{1}");
}

TEST(Latex, SetsADotWhereFactorsWouldRunTogether) {
  EXPECT_EQ(to_latex(parse("2 * 3 * x")), "2 \\cdot 3 \\, x");
  EXPECT_EQ(to_latex(parse("x * 2")), "x \\cdot 2");
  EXPECT_EQ(to_latex(parse("x * 1e-07 * 2")), "x \\cdot 10^{-7} \\cdot 2");
  EXPECT_EQ(to_latex(parse("2 * (3 * x)")), "2 \\, (3 \\, x)");
  EXPECT_EQ(to_latex(parse("2 * (x / 3)")), "2 \\cdot \\frac{x}{3}") << "not a mixed number";
  EXPECT_EQ(to_latex(parse("x * (x / 3)")), "x \\, \\frac{x}{3}");
  EXPECT_EQ(to_latex(parse("2 * square(x)")), "2 \\, x^2");
}

TEST(Latex, BracketsASignAfterASign) {
  EXPECT_EQ(to_latex(parse("x - -3")), "x - (-3)");
  EXPECT_EQ(to_latex(parse("x + -x")), "x + (-x)");
  EXPECT_EQ(to_latex(parse("--x")), "-(-x)");
  EXPECT_EQ(to_latex(parse("x - -2 * x")), "x - (-2) \\, x");
  EXPECT_EQ(to_latex(parse("-x + x")), "-x + x");
  EXPECT_EQ(to_latex(parse("2 * -x")), "2 \\, (-x)");
  EXPECT_EQ(to_latex(parse("max(-x, -3)")), "\\max(-x, -3)");
  EXPECT_EQ(to_latex(parse("x - (-x + 1)")), "x - (-x + 1)");
}

TEST(Latex, NamesAreCommandsWhereLatexHasOne) {
  EXPECT_EQ(to_latex(parse("tanh(x) + erf(x)")), "\\tanh(x) + \\operatorname{erf}(x)");
  EXPECT_EQ(to_latex(parse("abs(x) + greater(x, 0)")), "\\lvert x \\rvert + [x > 0]");
  EXPECT_EQ(to_latex(parse("1e+05 * x")), "10^{5} \\, x");
  for_each_function([]<class F>() {
    const std::vector<Expression> arguments(F::arity, Expression::input());
    const std::string latex = to_latex(Expression::call(function_id<F>, arguments));
    EXPECT_TRUE(std::all_of(latex.begin(), latex.end(), [](char c) { return c >= ' ' && c <= '~'; })) << F::name << ": " << latex;
  });
}

}  // namespace
}  // namespace actsearch
