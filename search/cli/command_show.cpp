// actsearch show: one formula, looked at from all sides.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>

#include "grammar/candidate.h"
#include "grammar/display.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/properties.h"
#include "kernels/cpu/eigen_kernel.h"
#include "kernels/cuda/source.h"
#include "search/chart/plot.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

using Json = nlohmann::ordered_json;

/// One formula and everything derived from it.
struct Shown {
  Expression expression;
  Derivatives derivatives;
  Program program;
  std::vector<double> beta;
  std::string name;       ///< or empty
  std::string rejection;  ///< why a search would not train it; or empty
};

/// JSON has no number for what is not finite: a text then.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(exact(value)); }
Json number(const std::optional<double>& value) { return value ? number(*value) : Json(); }
Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

Shown examined(const Options& options, const std::string& text) {
  const Expression expression = parse(text).with_parameters_in_order();
  Shown shown{expression, differentiate(expression), lower(expression), {}, "", ""};
  const auto parameters = static_cast<std::size_t>(shown.program.parameter_count());
  const auto beta = options.numbers("beta");
  if (beta && beta->size() != parameters) {
    throw UsageError("the formula has " + std::to_string(parameters) + " parameters, and --beta gives " + std::to_string(beta->size()) +
                     " values");
  }
  shown.beta = beta.value_or(std::vector<double>(parameters, kBetaStart));
  const auto considered = consider(expression);
  if (const auto* refusal = std::get_if<Refusal>(&considered)) {
    shown.rejection = refusal->reason;
  } else {
    shown.name = std::get<Candidate>(considered).name;
  }
  return shown;
}

Json point(double x, double y, double dydx, const std::vector<double>& dydbeta) {
  return {{"x", number(x)}, {"y", number(y)}, {"dydx", number(dydx)}, {"dydbeta", numbers(dydbeta)}};
}

Json reference_rows(const Shown& shown, const std::vector<double>& points) {
  Json rows = Json::array();
  for (const double x : points) {
    const Evaluation value = evaluate(shown.program, x, shown.beta);
    rows.push_back(point(x, value.y, value.dydx, value.dydbeta));
  }
  return rows;
}

Json eigen_rows(const Shown& shown, const std::vector<double>& points) {
  const std::vector<float> x(points.begin(), points.end()), beta(shown.beta.begin(), shown.beta.end());
  std::vector<float> y(x.size()), dydx(x.size()), dydbeta(x.size() * beta.size());
  EigenKernel(shown.program).evaluate(x, beta, y.data(), dydx.data(), dydbeta.data());
  Json rows = Json::array();
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<double> slopes;
    for (std::size_t k = 0; k < beta.size(); ++k) slopes.push_back(dydbeta[k * x.size() + i]);
    rows.push_back(point(x[i], y[i], dydx[i], slopes));
  }
  return rows;
}

/// The same rows for people: the reference in double precision, then the kernel in single.
void print_points_as_table(const Shown& shown, const std::vector<double>& points) {
  Table table;
  table.columns = {"x"};
  for (const std::string by : {"", "kernel "}) {
    table.columns.insert(table.columns.end(), {by + "f(x)", by + "f'(x)"});
    for (std::size_t k = 0; k < shown.beta.size(); ++k) {
      table.columns.push_back(by + "df/dbeta" + (shown.beta.size() > 1 ? std::to_string(k) : ""));
    }
  }
  table.numeric.assign(table.columns.size(), true);
  const auto text = [](const Json& value) { return value.is_number() ? exact(value.get<double>()) : value.get<std::string>(); };
  const Json reference = reference_rows(shown, points), eigen = eigen_rows(shown, points);
  for (std::size_t i = 0; i < points.size(); ++i) {
    auto& cells = table.rows.emplace_back();
    cells.emplace_back(exact(points[i]));
    for (const Json& row : {reference[i], eigen[i]}) {
      cells.emplace_back(text(row["y"]));
      cells.emplace_back(text(row["dydx"]));
      for (const Json& slope : row["dydbeta"]) cells.emplace_back(text(slope));
    }
  }
  std::cout << to_text(shown.expression) << "\n\n";
  write_table(std::cout, table);
}

void print_points(const Shown& shown, const std::vector<double>& points) {
  const Json object = {{"formula", to_text(shown.expression)},
                       {"beta", numbers(shown.beta)},
                       {"reference", reference_rows(shown, points)},
                       {"eigen", eigen_rows(shown, points)}};
  std::cout << object.dump(2) << '\n';
}

/// Where the kernel's result is not finite, has reached the largest finite number, or is off because a part of it has.
struct Span {
  double low, high;
};
constexpr double kReach = 1e4;

/// The points that spans are found by, ascending: every 64th to ±128, further out every whole one.
std::vector<float> span_points() {
  std::vector<float> points;
  for (double x = 0; x <= kReach; x += x < 128 ? 1.0 / 64 : 1) points.push_back(static_cast<float>(x));
  const std::size_t n = points.size();
  for (std::size_t i = 1; i < n; ++i) points.push_back(-points[i]);
  std::sort(points.begin(), points.end());
  return points;
}

struct Spans {
  std::vector<Span> value, slope;
};
Spans spans_out_of_range(const Shown& shown) {
  const std::vector<float> x = span_points(), beta(shown.beta.begin(), shown.beta.end());
  std::vector<float> y(x.size()), dydx(x.size()), dydbeta(x.size() * beta.size());
  EigenKernel(shown.program).evaluate(x, beta, y.data(), dydx.data(), dydbeta.data());
  Spans spans;
  bool value_was_out = false, slope_was_out = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool overflows = overflows_single_precision(shown.program, x[i], shown.beta);
    const Evaluation exact = overflows ? evaluate(shown.program, x[i], shown.beta) : Evaluation();
    const auto is_out = [&](float value, double expected) {
      constexpr double kSaturated = 0.9999 * std::numeric_limits<float>::max();
      if (!(std::abs(value) < kSaturated)) return true;
      return overflows && !(std::abs(value - expected) <= 1e-2 * std::abs(expected) + 1e-6);
    };
    const auto extend = [&](std::vector<Span>& list, bool out, bool& was_out) {
      if (out && was_out) list.back().high = x[i];
      if (out && !was_out) list.push_back({x[i], x[i]});
      was_out = out;
    };
    extend(spans.value, is_out(y[i], exact.y), value_was_out);
    extend(spans.slope, is_out(dydx[i], exact.dydx), slope_was_out);
  }
  return spans;
}

Json to_json(const std::vector<Span>& spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back({span.low, span.high});
  return list;
}

Json to_json(const Shown& shown) {
  const Properties p = examine_properties(shown.program, shown.beta);
  const Spans spans = spans_out_of_range(shown);
  Json dydbeta = Json::array();
  for (const Expression& slope : shown.derivatives.dydbeta) dydbeta.push_back(to_text(slope));
  return {{"formula", to_text(shown.expression)},
          {"name", shown.name.empty() ? Json() : Json(shown.name)},
          {"latex", to_latex(shown.expression)},
          {"parameters", shown.program.parameter_count()},
          {"beta", numbers(shown.beta)},
          {"rejected", shown.rejection.empty() ? Json() : Json(shown.rejection)},
          {"dydx", to_text(shown.derivatives.dydx)},
          {"dydbeta", dydbeta},
          {"properties",
           {{"minimum", number(p.minimum)},
            {"maximum", number(p.maximum)},
            {"monotonicity", to_text(p.monotonicity)},
            {"limit_at_minus_infinity", number(p.limit_at_minus_infinity)},
            {"limit_at_plus_infinity", number(p.limit_at_plus_infinity)},
            {"at_zero", number(p.at_zero)},
            {"slope_at_zero", number(p.slope_at_zero)},
            {"mean", number(p.mean)},
            {"second_moment", number(p.second_moment)},
            {"slope_second_moment", number(p.slope_second_moment)}}},
          {"out_of_range", {{"value", to_json(spans.value)}, {"slope", to_json(spans.slope)}}}};
}

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}
std::string rounded(const std::optional<double>& value) { return value ? rounded(*value) : "none"; }

/// "x > 88.7", "-3 < x < 3, x > 5", … of at most three spans.
std::string in_words(const std::vector<Span>& spans) {
  std::string text;
  for (std::size_t i = 0; i < spans.size() && i < 3; ++i) {
    const auto& [low, high] = spans[i];
    text += i == 0 ? "" : ", ";
    if (low == -kReach && high == kReach) {
      text += "everywhere";
    } else if (low == high) {
      text += "x = " + rounded(low);
    } else if (low == -kReach) {
      text += "x <= " + rounded(high);
    } else if (high == kReach) {
      text += "x >= " + rounded(low);
    } else {
      text += rounded(low) + " <= x <= " + rounded(high);
    }
  }
  if (spans.size() > 3) text += " and " + std::to_string(spans.size() - 3) + " more";
  return text;
}

std::string in_words(const Spans& spans) {
  if (spans.value.empty() && spans.slope.empty()) return "none: value and slope are finite for |x| <= 10000";
  std::string text;
  if (!spans.value.empty()) text = "value at " + in_words(spans.value);
  if (!spans.slope.empty()) text += std::string(text.empty() ? "" : "; ") + "slope at " + in_words(spans.slope);
  return text;
}

void print_text(const Shown& shown) {
  const auto line = [](const std::string& key, const std::string& value) {
    std::cout << key << std::string(key.size() < 16 ? 16 - key.size() : 1, ' ') << value << '\n';
  };
  line("formula", to_text(shown.expression));
  if (!shown.name.empty()) line("name", shown.name);
  if (!shown.rejection.empty()) line("not searched", shown.rejection);
  line("derivative", to_text(shown.derivatives.dydx));
  std::string betas;
  for (const double value : shown.beta) betas += (betas.empty() ? ", here " : ", ") + rounded(value);
  line("beta", std::to_string(shown.beta.size()) + (shown.beta.size() == 1 ? " parameter" : " parameters") + betas);
  for (std::size_t k = 0; k < shown.beta.size(); ++k) {
    line("d/dbeta" + (shown.beta.size() > 1 ? std::to_string(k) : std::string()), to_text(shown.derivatives.dydbeta[k]));
  }
  const Properties p = examine_properties(shown.program, shown.beta);
  line("range", rounded(p.minimum) + " to " + rounded(p.maximum));
  line("monotonicity", std::string(to_text(p.monotonicity)));
  line("limits", rounded(p.limit_at_minus_infinity) + " at -infinity, " + rounded(p.limit_at_plus_infinity) + " at +infinity");
  line("f(0), f'(0)", rounded(p.at_zero) + ", " + rounded(p.slope_at_zero));
  line("under N(0,1)",
       "E[f] = " + rounded(p.mean) + ", E[f²] = " + rounded(p.second_moment) + ", E[f'²] = " + rounded(p.slope_second_moment));

  line("out of range", in_words(spans_out_of_range(shown)));

  const char* no_colour = std::getenv("NO_COLOR");
  const bool colours = isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
  std::cout << "\nf (*) and f' (o) over x from -5 to 5\n"
            << plot({{'o', [&](double x) { return evaluate(shown.program, x, shown.beta).dydx; }},
                     {'*', [&](double x) { return evaluate_forward(shown.program, x, shown.beta); }}},
                    {}, colours);
}

Options declared() {
  Options options("show", "EXPR [flags]",
                  "Explains a formula or a named function: derivatives, properties and a plot.\n"
                  "\n"
                  "With --at it evaluates the formula instead and prints JSON: {formula, beta, reference, eigen}. The\n"
                  "last two are rows {x, y, dydx, dydbeta}: reference in double precision, eigen from the kernel of\n"
                  "training in single precision. A value that is not finite is the text nan, inf or -inf.");
  options.value("at", "X1,X2,...", "evaluate at these points; inf, -inf and nan are points too");
  options.value("beta", "B1,...", "values of the betas, in the formula's order [1 each]");
  options.value("emit", "LANGUAGE", "print code instead: cuda, the kernels for a GPU (bf16, 8 channels a thread)", {"cuda"});
  options.value("format", "F", "text or json [text; with --at: json]", {"text", "json"});
  options.arguments("expression", 1, "EXPR", names_of(activations()));
  options.epilogue("Example: actsearch show \"x * sigmoid(beta * x)\" --at -2,0,2 --beta 1.5");
  return options;
}

int run(const Options& options) {
  const auto given = options.texts("expression");
  if (given.empty()) throw UsageError("a formula is expected, in quotes\nsee: actsearch show --help");
  const Format format = options.format();
  const auto points = options.any_numbers("at");
  if (options.has("emit")) {
    if (points || options.has("format")) throw UsageError("--emit prints code: it does not go with --at or --format");
    options.choice("emit");
    std::cout << cuda_source(lower(parse(given.front()).with_parameters_in_order()), Storage::kBf16, 8);
    return 0;
  }
  const Shown shown = examined(options, given.front());
  if (points && options.has("format") && format == Format::kTable) {
    print_points_as_table(shown, *points);
  } else if (points) {
    print_points(shown, *points);
  } else if (format == Format::kJson) {
    std::cout << to_json(shown).dump(2) << '\n';
  } else {
    print_text(shown);
  }
  return 0;
}

}  // namespace

Command show_command() { return {"show", "explains one formula: derivative, properties, plot, values", declared, run}; }

}  // namespace actsearch
