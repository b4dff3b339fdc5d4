#include "python/bindings/formula.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <variant>

#include "grammar/candidate.h"
#include "grammar/display.h"
#include "grammar/fingerprint.h"
#include "grammar/notation.h"
#include "kernels/export/export.h"
#include "search/chart/chart.h"
#include "search/chart/svg.h"
#include "search/chart/trace.h"
#include "search/chart/typeset.h"
#include "search/text/version.h"

namespace actsearch::python {
namespace {

/// The numbers of an expression's parameters in the order of their first occurrence, which with_parameters_in_order() gives them.
std::vector<std::size_t> numbers_in_order(const Expression& expression) {
  std::vector<std::size_t> numbers;
  for (const Expression& node : nodes_in_order(expression)) {
    if (node.kind() != Expression::Kind::kParameter) continue;
    const auto number = static_cast<std::size_t>(node.parameter_index());
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
  }
  return numbers;
}

Panel panel(const RichText& heading, const RealFunction& f, const Interval& x) {
  const VerticalRange range = vertical_range({f}, x);
  if (range.nowhere_finite) throw std::invalid_argument("the formula is nowhere finite in this range: there is nothing to draw");
  return {.heading = heading, .curves = {{heading, f}}, .bands = {}, .y = range.y};
}

}  // namespace

Formula::Formula(const Expression& expression, std::vector<std::size_t> numbers, std::size_t parameter_count)
    : expression_(expression.with_parameters_in_order()),
      numbers_(std::move(numbers)),
      parameter_count_(parameter_count),
      program_(lower(expression_)) {}

Formula::Formula(std::string_view text) : expression_(parse(text).with_parameters_in_order()), program_(lower(expression_)) {
  parameter_count_ = static_cast<std::size_t>(expression_.parameter_count());
  for (std::size_t k = 0; k < parameter_count_; ++k) numbers_.push_back(k);
}

std::vector<std::string> Formula::parameter_names() const {
  std::vector<std::string> names;
  for (const std::size_t number : numbers_) names.push_back("beta" + std::to_string(number));
  return names;
}

std::string Formula::text() const { return is_whole() ? to_text(expression_) : to_text(expression_, parameter_names()); }
std::string Formula::latex() const { return is_whole() ? to_latex(expression_) : to_latex(expression_, parameter_names()); }
std::string Formula::mathml() const { return is_whole() ? to_mathml(expression_) : to_mathml(expression_, parameter_names()); }

Formula Formula::derivative(std::optional<std::size_t> parameter) const {
  if (parameter && *parameter >= parameter_count_) {
    throw std::invalid_argument("there is no beta" + std::to_string(*parameter) + ": the formula has " + std::to_string(parameter_count_) +
                                (parameter_count_ == 1 ? " beta" : " betas"));
  }
  const Derivatives derivatives = differentiate(expression_);
  Expression slope = derivatives.dydx;
  if (parameter) {
    const auto place = std::find(numbers_.begin(), numbers_.end(), *parameter);
    slope = place == numbers_.end() ? Expression(0) : derivatives.dydbeta.at(static_cast<std::size_t>(place - numbers_.begin()));
  }
  std::vector<std::size_t> numbers;
  for (const std::size_t k : numbers_in_order(slope)) numbers.push_back(numbers_.at(k));
  return {slope, std::move(numbers), parameter_count_};
}

std::string Formula::fingerprint() const { return examine(program_).fingerprint; }

std::string Formula::name() const {
  const auto considered = consider(expression_);
  const auto* candidate = std::get_if<Candidate>(&considered);
  return candidate != nullptr ? candidate->name : "";
}

std::string Formula::refusal() const {
  const auto considered = consider(expression_);
  const auto* refusal = std::get_if<Refusal>(&considered);
  return refusal != nullptr ? refusal->reason : "";
}

Formula Formula::canonical() const {
  const auto considered = consider(expression_);
  if (const auto* refusal = std::get_if<Refusal>(&considered)) {
    throw std::invalid_argument("'" + refusal->formula + "' is no activation that a search trains: " + refusal->reason);
  }
  return Formula(actsearch::canonical(std::get<Candidate>(considered)).formula);
}

std::vector<double> Formula::used(const std::vector<double>& beta) const {
  if (beta.size() != parameter_count_) {
    throw std::invalid_argument("the formula has " + std::to_string(parameter_count_) + (parameter_count_ == 1 ? " beta" : " betas") +
                                ", and " + std::to_string(beta.size()) + " are given");
  }
  std::vector<double> values;
  for (const std::size_t number : numbers_) values.push_back(beta[number]);
  return values;
}

void Formula::values(std::span<const double> x, const std::vector<double>& beta, std::span<double> y) const {
  if (x.size() != y.size()) throw std::invalid_argument("as many places for values are wanted as there are x");
  const std::vector<double> values = evaluate_forward(program_, x, used(beta));
  std::copy(values.begin(), values.end(), y.begin());
}

void Formula::slopes(std::span<const double> x, const std::vector<double>& beta, std::span<double> dydx) const {
  if (x.size() != dydx.size()) throw std::invalid_argument("as many places for values are wanted as there are x");
  const std::vector<double> betas = used(beta);
  std::transform(x.begin(), x.end(), dydx.begin(), [&](double at) { return evaluate(program_, at, betas).dydx; });
}

std::string Formula::svg(double low, double high, bool derivative, const std::vector<double>& beta) const {
  constexpr double kFarthest = 1e9, kNearest = 1e-6;  // the latter relative to the ends, as `actsearch plot` has them
  if (!(low < high) || std::max(std::abs(low), std::abs(high)) > kFarthest ||
      high - low < kNearest * std::max(std::abs(low), std::abs(high))) {
    throw std::invalid_argument("a range is two numbers within 1e9, the smaller one first");
  }
  const std::vector<double> betas = used(beta);
  const Interval x{low, high};
  const RichText argument = plain("(") + RichText{{"x", true}} + plain(")");
  const RichText f = RichText{{"f", true}} + argument;
  Chart chart{.title = f + plain(" = ") + typeset(expression_), .description = "The function " + text(), .x = x, .panels = {}};
  chart.panels.push_back(panel(
      f, [this, &betas](double at) { return evaluate_forward(program_, at, betas); }, x));
  if (derivative) {
    chart.panels.push_back(panel(
        RichText{{"f′", true}} + argument, [this, &betas](double at) { return evaluate(program_, at, betas).dydx; }, x));
  }
  return to_svg(draw(chart));
}

std::string Formula::exported(std::string_view target, const std::string& given_name) const {
  std::string known;
  for (const ExportTarget& one : export_targets()) {
    if (one.name == target) {
      return one.write(
          {expression_,
           given_name,
           {"Given in Python, not taken from a search.", "Written by actsearch " + std::string(program_version()) + " (commit " +
                                                             std::string(program_commit()) + "), target " + std::string(target) + "."}});
    }
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  throw std::invalid_argument("there is no target '" + std::string(target) + "'; there are " + known);
}

std::pair<std::string, std::string> Formula::exported_names() const {
  const ExportedActivation activation(expression_, "", {});
  return {activation.name, activation.class_name};
}

}  // namespace actsearch::python
