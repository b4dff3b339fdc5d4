#include "search/report/forms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "grammar/display.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/program.h"

namespace actsearch {
namespace {

constexpr double kFurthestX = 5, kFurthestY = 10;  // what lies beyond is a gap
static_assert(kDigits.size() == 92 && kShapeLevels <= 92 * 91);

std::string text_of(std::string_view xml) {
  if (xml == "&lt;") return "<";
  if (xml == "&gt;") return ">";
  return std::string(xml);
}

/// The heights of the curve, with 0 between `low` and `high`.
void draw(const Program& program, Form& form) {
  const std::vector<double> beta(static_cast<std::size_t>(program.parameter_count()), kBetaStart);
  std::vector<double> heights;
  for (int i = 0; i < kShapePoints; ++i) {
    const double y = evaluate_forward(program, kFurthestX * (2.0 * i / (kShapePoints - 1) - 1), beta);
    heights.push_back(std::abs(y) <= kFurthestY ? y : std::numeric_limits<double>::quiet_NaN());
    if (std::isnan(heights.back())) continue;
    form.low = std::min(form.low, y);
    form.high = std::max(form.high, y);
  }
  const double range = form.high - form.low;
  for (const double y : heights) {
    const bool gap = std::isnan(y);
    const auto level = gap || range <= 0 ? 0u : static_cast<std::size_t>(std::lround((y - form.low) / range * (kShapeLevels - 1)));
    form.shape += gap ? kDigits.back() : kDigits[level / kDigits.size()];
    form.shape += gap ? kDigits.back() : kDigits[level % kDigits.size()];
  }
}

int operations_of(const Program& program) {
  return static_cast<int>(std::count_if(program.instructions.begin(), program.instructions.begin() + program.forward_size,
                                        [](const Instruction& i) { return i.kind == Expression::Kind::kCall; }));
}

}  // namespace

const Form& Forms::of(const std::string& formula) {
  const auto [place, fresh] = forms_.try_emplace(formula);
  Form& form = place->second;
  if (!fresh) return form;
  try {
    const Expression y = parse(formula).with_parameters_in_order();
    const Program program = lower(y);
    form.operations = operations_of(program);
    draw(program, form);
    form.mathml = packed(to_mathml(y));
  } catch (const std::invalid_argument&) {
    // No formula, or one too large to show: the page has its text.
  }
  return form;
}

std::string Forms::packed(std::string_view mathml) {
  std::string text;
  while (!mathml.empty()) {
    const std::size_t tag_end = mathml.find('>');
    const std::string_view tag = mathml.substr(1, tag_end - 1);
    mathml.remove_prefix(tag_end + 1);
    std::string piece(tag.starts_with('/') ? "/" : tag);
    const std::size_t characters = mathml.find('<');
    if (characters != 0 && characters != std::string_view::npos) {  // <mi>x</mi>
      piece += ":" + text_of(mathml.substr(0, characters));
      mathml.remove_prefix(mathml.find('>') + 1);
    }
    if (!append(text, std::move(piece))) return {};
  }
  return text;
}

bool Forms::append(std::string& text, std::string tag) {
  const auto [place, fresh] = places_.try_emplace(std::move(tag), tags_.size());
  if (fresh) tags_.push_back(place->first);
  const std::size_t at = place->second, base = kDigits.size();
  if (at < kOneDigit) {
    text += kDigits[at];
    return true;
  }
  if (at >= base * base) return false;  // thousands of different numbers in the formulas
  text.append({kDigits[kOneDigit], kDigits[at / base], kDigits[at % base]});
  return true;
}

}  // namespace actsearch
