#include "search/chart/ticks.h"

#include <algorithm>
#include <cmath>

#include "search/chart/typeset.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

/// mantissa · 10^exponent; the mantissa is 1, 2 or 5.
struct Step {
  int mantissa = 1, exponent = 0;
  double size() const { return exponent < 0 ? mantissa / std::pow(10.0, -exponent) : mantissa * std::pow(10.0, exponent); }
  /// The k-th multiple: in decimal what its label says, so that neighbours never differ in the last place by rounding.
  double multiple(double k) const {
    return exponent < 0 ? k * mantissa / std::pow(10.0, -exponent) : k * mantissa * std::pow(10.0, exponent);
  }
  double first(const Interval& in) const { return std::ceil(in.low / size() - kSlack); }
  double last(const Interval& in) const { return std::floor(in.high / size() + kSlack); }

  static constexpr double kSlack = 1e-9;  // of a step: an end that is a multiple counts, however it was rounded
};

Step next_coarser(Step step) {
  switch (step.mantissa) {
    case 1:
      return {2, step.exponent};
    case 2:
      return {5, step.exponent};
    case 5:
      return {1, step.exponent + 1};
  }
  throw std::logic_error("ticks: no such step");
}

Step fitting_step(const Interval& interval, int most) {
  Step step{1, static_cast<int>(std::floor(std::log10(interval.length() / std::max(most, 2)))) - 1};
  while (step.last(interval) - step.first(interval) + 1 > std::max(most, 2)) step = next_coarser(step);
  return step;
}

std::string with_minus(double value, int digits) {
  const std::string text = fixed(std::abs(value), digits);
  return (value < 0 ? "−" : "") + text;
}

RichText label_of(double value, const Step& step, double reach) {
  constexpr double kLarge = 1e6, kSmall = 1e-3;
  if (reach < kLarge && reach >= kSmall) return plain(with_minus(value, std::max(0, -step.exponent)));
  if (value == 0) return plain("0");
  const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-12));
  const double mantissa = value / std::pow(10.0, exponent);
  RichText label = plain(with_minus(mantissa, std::max(0, exponent - step.exponent)) + "·10");
  label.push_back({(exponent < 0 ? "−" : "") + std::to_string(std::abs(exponent)), false, 1});
  return label;
}

}  // namespace

std::vector<Tick> ticks(const Interval& interval, int most) {
  const Step step = fitting_step(interval, most);
  const double reach = std::max(std::abs(interval.low), std::abs(interval.high));
  std::vector<Tick> result;
  for (double k = step.first(interval); k <= step.last(interval); ++k) {
    const double value = step.multiple(k) + 0.0;  // no -0
    result.push_back({value, label_of(value, step, reach)});
  }
  return result;
}

}  // namespace actsearch
