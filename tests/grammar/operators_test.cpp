#include "grammar/operators.h"

#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "grammar/notation.h"
#include "tests/grammar/support.h"

namespace actsearch {
namespace {

const Expression x = Expression::input();

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

TEST(Operators, ThePapersAlphabetHas25UnaryAnd10Binary) {
  EXPECT_EQ(unary_operators().size(), 25u);
  EXPECT_EQ(binary_operators().size(), 10u);
}

TEST(Operators, NamesAreDifferent) {
  std::set<std::string_view> names;
  for (const auto* table : {&unary_operators(), &binary_operators()}) {
    for (const OperatorInfo& info : *table) EXPECT_TRUE(names.insert(info.name).second) << info.name;
  }
}

TEST(Operators, DerivativeOfEachMatchesCentralDifferences) {
  for (const auto* table : {&unary_operators(), &activations()}) {
    for (const OperatorInfo& info : *table) {
      const Program program = lower(info.build({x}, Expression::parameter(0)));
      for (const double at : test_points()) expect_derivatives_match(program, at, test_betas(program), std::string(info.name));
    }
  }
  for (const OperatorInfo& info : binary_operators()) {
    const Program program = lower(info.build({Expression::call<Tanh>(x), Expression::parameter(1)}, Expression::parameter(0)));
    for (const double at : test_points()) expect_derivatives_match(program, at, test_betas(program), std::string(info.name));
  }
}

/// The alphabet as the paper writes it, independently of the formulas under test.
TEST(Operators, UnaryValuesAreThePapersFormulas) {
  const std::map<std::string_view, std::function<double(double, double)>> expected{
      {"identity", [](double v, double) { return v; }},
      {"neg", [](double v, double) { return -v; }},
      {"abs", [](double v, double) { return std::fabs(v); }},
      {"square", [](double v, double) { return v * v; }},
      {"cube", [](double v, double) { return v * v * v; }},
      {"sqrt", [](double v, double) { return std::sqrt(v); }},
      {"beta_times", [](double v, double b) { return b * v; }},
      {"plus_beta", [](double v, double b) { return v + b; }},
      {"log_abs", [](double v, double) { return std::log(std::fabs(v) + 1e-7); }},
      {"exp", [](double v, double) { return std::exp(v); }},
      {"sin", [](double v, double) { return std::sin(v); }},
      {"cos", [](double v, double) { return std::cos(v); }},
      {"sinh", [](double v, double) { return std::sinh(v); }},
      {"cosh", [](double v, double) { return std::cosh(v); }},
      {"tanh", [](double v, double) { return std::tanh(v); }},
      {"asinh", [](double v, double) { return std::asinh(v); }},
      {"atan", [](double v, double) { return std::atan(v); }},
      {"sinc", [](double v, double) { return std::sin(v) / v; }},
      {"relu", [](double v, double) { return v > 0 ? v : 0; }},
      {"min0", [](double v, double) { return v < 0 ? v : 0; }},
      {"sigmoid", [](double v, double) { return sigmoid(v); }},
      {"softplus", [](double v, double) { return std::log(1 + std::exp(v)); }},
      {"gauss", [](double v, double) { return std::exp(-v * v); }},
      {"erf", [](double v, double) { return std::erf(v); }},
      {"beta", [](double, double b) { return b; }}};
  ASSERT_EQ(expected.size(), unary_operators().size());
  for (const OperatorInfo& info : unary_operators()) {
    const Program program = lower(info.build({x}, Expression::parameter(0)));
    for (const double at : test_points()) {
      const double value = evaluate_forward(program, at, test_betas(program)), wanted = expected.at(info.name)(at, 1.1);
      if (std::isnan(wanted)) {
        EXPECT_TRUE(std::isnan(value)) << info.name;
      } else {
        EXPECT_NEAR(value, wanted, 1e-13 * std::max(1.0, std::fabs(wanted))) << info.name << " at " << at;
      }
    }
  }
}

TEST(Operators, BinaryValuesAreThePapersFormulas) {
  const std::map<std::string_view, std::function<double(double, double, double)>> expected{
      {"add", [](double a, double b, double) { return a + b; }},
      {"mul", [](double a, double b, double) { return a * b; }},
      {"sub", [](double a, double b, double) { return a - b; }},
      {"div", [](double a, double b, double) { return a / (b + 1e-7); }},
      {"max", [](double a, double b, double) { return std::fmax(a, b); }},
      {"min", [](double a, double b, double) { return std::fmin(a, b); }},
      {"sigmoid_mul", [](double a, double b, double) { return sigmoid(a) * b; }},
      {"gauss_diff", [](double a, double b, double c) { return std::exp(-c * (a - b) * (a - b)); }},
      {"laplace_diff", [](double a, double b, double c) { return std::exp(-c * std::fabs(a - b)); }},
      {"mix", [](double a, double b, double c) { return c * a + (1 - c) * b; }}};
  ASSERT_EQ(expected.size(), binary_operators().size());
  for (const OperatorInfo& info : binary_operators()) {
    // Parameter 0 stands for the second argument, parameter 1 for beta, whichever order lower() finds them in.
    const Expression formula = info.build({x, Expression::parameter(0)}, Expression::parameter(1));
    const bool beta_first = info.has_parameter && to_text(formula) != to_text(formula.with_parameters_in_order());
    for (const double a : test_points()) {
      for (const double b : {-1.9, 0.35, 2.2}) {
        const double c = 0.7;
        std::vector<double> values{b};
        if (info.has_parameter) values = beta_first ? std::vector{c, b} : std::vector{b, c};
        const double wanted = expected.at(info.name)(a, b, c);
        EXPECT_NEAR(evaluate_forward(lower(formula), a, values), wanted, 1e-13 * std::max(1.0, std::fabs(wanted))) << info.name;
      }
    }
  }
}

TEST(Activations, ValuesAreTheClosedForms) {
  const std::map<std::string_view, std::function<double(double)>> expected{
      {"relu", [](double v) { return v > 0 ? v : 0; }},
      {"leaky_relu", [](double v) { return v > 0 ? v : 0.01 * v; }},
      {"prelu", [](double v) { return v > 0 ? v : 0.25 * v; }},
      {"softplus", [](double v) { return std::log1p(std::exp(v)); }},
      {"elu", [](double v) { return v > 0 ? v : std::expm1(v); }},
      {"selu", [](double v) { return 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * std::expm1(v)); }},
      {"gelu", [](double v) { return v * std::erfc(-v / std::sqrt(2.0)) / 2; }},
      {"swish1", [](double v) { return v / (1 + std::exp(-v)); }},
      {"swish", [](double v) { return v / (1 + std::exp(-v)); }},
      {"max_x_sigmoid", [](double v) { return std::fmax(v, sigmoid(v)); }},
      {"cos_minus_x", [](double v) { return std::cos(v) - v; }},
      {"min_x_sin", [](double v) { return std::fmin(v, std::sin(v)); }},
      {"atan2_minus_x", [](double v) { return std::atan(v) * std::atan(v) - v; }},
      {"max_x_tanh", [](double v) { return std::fmax(v, std::tanh(v)); }},
      {"sinc_plus_x", [](double v) { return std::sin(v) / v + v; }},
      {"x_asinh2", [](double v) { return v * std::asinh(v) * std::asinh(v); }},
      {"mish", [](double v) { return v * std::tanh(std::log1p(std::exp(v))); }},
      {"tanh", [](double v) { return std::tanh(v); }},
      {"sigmoid", [](double v) { return sigmoid(v); }},
      {"identity", [](double v) { return v; }}};
  ASSERT_EQ(expected.size(), activations().size());
  for (const OperatorInfo& info : activations()) {
    const Program program = lower(parse(info.name));
    const std::vector<double> beta(program.dydbeta.size(), kBetaStart);
    for (const double at : test_points()) {
      const double wanted = expected.at(info.name)(at);
      EXPECT_NEAR(evaluate_forward(program, at, beta), wanted, 1e-14 * std::max(1.0, std::fabs(wanted))) << info.name << " at " << at;
    }
  }
}

TEST(Activations, TheOnesThatSaturateAreFiniteFarOut) {
  for (const char* name : {"elu", "selu", "softplus", "gelu", "swish1", "mish"}) {
    const Program program = lower(parse(name));
    for (const double at : {-1e4, 1e4}) {
      const Evaluation far = evaluate(program, at, {});
      EXPECT_TRUE(std::isfinite(far.y) && std::isfinite(far.dydx)) << name << " at " << at;
    }
  }
}

TEST(Activations, BaselinesAreThePapersSevenTheTwoSwishesAndItsOtherFinds) {
  ASSERT_EQ(baselines().size(), 16u);
  EXPECT_EQ(baselines().front().name, "relu");
  std::set<std::string> formulas;
  for (const NamedActivation& named : baselines()) {
    EXPECT_EQ(to_text(named.expression), to_text(parse(named.name)));
    EXPECT_TRUE(formulas.insert(to_text(named.expression)).second) << named.name;
  }
}

TEST(Operators, TheCheckedInListIsUpToDate) {
  std::ifstream file(ACTSEARCH_SOURCE_DIR "/docs/operators.md");
  ASSERT_TRUE(file) << "docs/operators.md is missing";
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), operators_markdown()) << "regenerate it: actsearch operators --format markdown > docs/operators.md";
}

}  // namespace
}  // namespace actsearch
