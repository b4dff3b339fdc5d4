// actsearch plot: functions and their derivatives as a picture.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <set>

#include "db/open/open_store.h"
#include "grammar/nearest.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/program.h"
#include "search/chart/chart.h"
#include "search/chart/png.h"
#include "search/chart/svg.h"
#include "search/chart/typeset.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/report/learned_beta.h"
#include "search/report/recipe_choice.h"
#include "search/text/output_file.h"

namespace actsearch {
namespace {

/// One formula with what is known of it.
struct Function {
  Expression expression;
  Program program;
  std::string name;                  ///< where it was asked for by name, or is stored with one; else empty
  std::vector<double> beta;          ///< what its parameters are where nothing else is asked for
  std::vector<LearnedBeta> learned;  ///< one for each parameter where it comes from a database, else empty
};

/// A function with its parameters set: one curve.
struct Setting {
  const Function* function = nullptr;
  std::vector<double> beta;
  RichText label;
};

Function function_of(const Expression& read, std::string name, std::vector<LearnedBeta> learned) {
  const Expression expression = read.with_parameters_in_order();
  Function function{expression, lower(expression), std::move(name), {}, std::move(learned)};
  function.beta.assign(static_cast<std::size_t>(function.program.parameter_count()), kBetaStart);
  for (std::size_t k = 0; k < std::min(function.learned.size(), function.beta.size()); ++k) function.beta[k] = function.learned[k].mean;
  return function;
}

std::vector<Function> chosen_functions(const Options& options) {
  std::vector<Function> functions;
  for (const std::string& text : options.texts("expression")) {
    try {
      const bool named =
          std::any_of(activations().begin(), activations().end(), [&](const OperatorInfo& info) { return info.name == text; });
      functions.push_back(function_of(parse(text), named ? text : "", {}));
    } catch (const NotationError& error) {
      throw UsageError("'" + shortened(text) + "': " + error.what());
    }
  }
  const auto file = options.text("db");
  const auto ranks = options.numbers("rank");
  if (!file && (ranks || options.has("recipe"))) throw UsageError("--rank and --recipe choose from a database: --db FILE is missing");
  if (file) {
    std::vector<int> places;
    for (const double rank : ranks.value_or(std::vector<double>{1})) {
      if (rank < 1 || rank > 1e6 || rank != std::floor(rank)) throw UsageError("--rank: whole numbers from 1 are expected, like 1,2,3");
      places.push_back(static_cast<int>(rank));
    }
    const auto store = open_store(*file, Store::Access::kReadOnly);
    const Store& database = *store;
    require_known_recipe(database, "--recipe", options.text("recipe"));
    for (RankedFunction& ranked : ranked_functions(database, places, options.text("recipe"))) {
      try {
        functions.push_back(function_of(parse(ranked.formula), ranked.name, std::move(ranked.learned)));
      } catch (const NotationError& error) {
        throw std::runtime_error(*file + " holds a text that is no formula: '" + shortened(ranked.formula) + "': " + error.what());
      }
      const Function& function = functions.back();
      if (function.learned.size() != function.beta.size()) {
        throw std::runtime_error(*file + ": '" + shortened(ranked.formula) + "' has " + std::to_string(function.beta.size()) +
                                 " parameters, and its trials have learned " + std::to_string(function.learned.size()));
      }
    }
  }
  if (functions.empty()) throw UsageError("a formula in quotes is expected, or --db FILE\nsee: actsearch plot --help");
  return functions;
}

std::string shown(double value, int digits = 4) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, std::abs(value));
  return (value < 0 ? "−" : "") + std::string(text);
}

/// β, or β with a number where there are several.
RichText beta_name(std::size_t k, std::size_t count) {
  RichText name{{"β", true}};
  if (count > 1) name.push_back({std::to_string(k), false, -1});
  return name;
}

RichText beta_text(const std::vector<double>& beta) {
  RichText text;
  for (std::size_t k = 0; k < beta.size(); ++k) {
    text = text + (k > 0 ? plain(", ") : RichText{}) + beta_name(k, beta.size()) + plain(" = " + shown(beta[k]));
  }
  return text;
}

RichText joined(const RichText& a, const std::string& between, const RichText& b) {
  return a.empty() ? b : b.empty() ? a : a + plain(between) + b;
}

/// The name, or the formula of what has none.
RichText name_of(const Function& function) { return function.name.empty() ? typeset(function.expression) : plain(function.name); }

/// The same with the formula after the name.
RichText full_label_of(const Function& function) { return joined(plain(function.name), ": ", typeset(function.expression)); }

/// Whether the legend has room for full labels: of all functions or of none.
bool full_labels_fit(const std::vector<Function>& functions) {
  constexpr std::size_t kFew = 4;
  constexpr double kLong = 200;
  return functions.size() <= kFew && std::all_of(functions.begin(), functions.end(), [](const Function& function) {
           return function.name.empty() || text_width(full_label_of(function), kLabelSize) <= kLong;
         });
}

/// What is said of a function's parameters after its label, which is cut where both are too long.
RichText with_betas(const RichText& label, const RichText& betas) {
  if (label.empty() || betas.empty()) return joined(label, "", betas);
  const RichText end = plain(", ") + betas;
  return elided(label, kLabelSize, kWidestLabel - text_width(end, kLabelSize)) + end;
}

/// What --beta-family asks for.
struct Family {
  bool learned = false;
  std::vector<double> values;  ///< of the first parameter; empty without the flag
};

Family chosen_family(const Options& options, const std::vector<Function>& functions) {
  Family family;
  const auto text = options.text("beta-family");
  if (!text) return family;
  family.learned = *text == "learned";
  if (!family.learned) family.values = *options.numbers("beta-family");
  const auto fits = std::count_if(functions.begin(), functions.end(), [&](const Function& function) {
    return family.learned ? !function.learned.empty() : !function.beta.empty();
  });
  if (family.learned && fits != 1) {
    throw UsageError("--beta-family learned shows what training made of the beta of one formula of a database (--db F --rank K); here " +
                     std::string(fits == 0 ? "none has one" : std::to_string(fits) + " have one"));
  }
  if (fits == 0) throw UsageError("--beta-family: no formula here has a beta");
  return family;
}

std::vector<Setting> settings(const std::vector<Function>& functions, const Family& family) {
  const bool full = full_labels_fit(functions);
  std::vector<Setting> result;
  for (const Function& function : functions) {
    const RichText label = functions.size() == 1 ? RichText{} : full ? full_label_of(function) : name_of(function);
    if (family.values.empty() || function.beta.empty()) {
      RichText betas = beta_text(function.beta);
      if (family.learned && !function.beta.empty()) betas = betas + plain(" (mean)");
      result.push_back({&function, function.beta, with_betas(label, betas)});
    } else {
      for (const double value : family.values) {
        std::vector<double> beta = function.beta;
        beta.front() = value;
        result.push_back({&function, beta, with_betas(label, beta_name(0, beta.size()) + plain(" = " + shown(value)))});
      }
    }
  }
  if (result.size() > kMostCurves) {
    throw UsageError(std::to_string(result.size()) + " curves are more than one picture can tell apart; at most " +
                     std::to_string(kMostCurves));
  }
  return result;
}

using Value = double (*)(const Program&, double x, const std::vector<double>& beta);
double slope(const Program& program, double x, const std::vector<double>& beta) { return evaluate(program, x, beta).dydx; }

/// Least and greatest value over x where each parameter by itself moves from `low` to `high`, the others at their means.
Interval reached(const Function& function, Value value, double x, const std::vector<Interval>& moved) {
  constexpr int kSteps = 8;
  const double mean = value(function.program, x, function.beta);
  Interval result{mean, mean};
  std::vector<double> beta = function.beta;
  for (std::size_t k = 0; k < moved.size(); ++k) {
    for (int i = 0; i <= kSteps; ++i) {
      beta[k] = moved[k].low + moved[k].length() * i / kSteps;
      const double y = value(function.program, x, beta);
      result = {std::min(result.low, y), std::max(result.high, y)};
    }
    beta[k] = function.beta[k];
  }
  return result;
}

/// The range of the learned parameters and, darker, one deviation around their mean.
std::vector<ChartBand> learned_bands(const Function& function, Value value) {
  std::vector<Interval> all, near;
  for (const LearnedBeta& beta : function.learned) {
    all.push_back({beta.min, beta.max});
    near.push_back({std::max(beta.min, beta.mean - beta.deviation), std::min(beta.max, beta.mean + beta.deviation)});
  }
  const LearnedBeta& first = function.learned.front();
  const bool single = function.learned.size() == 1;
  const RichText range = single ? plain("all channels, " + shown(first.min, 3) + " to " + shown(first.max, 3))
                                : plain("all channels, each ") + beta_name(0, 1);
  const RichText deviation =
      plain("mean ± one deviation" + (single ? ", " + shown(first.deviation, 3) : ", each ")) + (single ? RichText{} : beta_name(0, 1));
  const auto band = [&](const RichText& label, const std::vector<Interval>& moved, double darkness) {
    return ChartBand{label, [&function, value, moved](double x) { return reached(function, value, x, moved); }, darkness};
  };
  return {band(range, all, 0.16), band(deviation, near, 0.42)};
}

Panel panel_of(const std::vector<Setting>& curves, const Family& family, Value value, const Interval& x,
               const std::optional<Interval>& asked_y) {
  Panel panel;
  std::vector<RealFunction> shown_functions;
  for (const Setting& curve : curves) {
    const auto f = [value, curve](double at) { return value(curve.function->program, at, curve.beta); };
    panel.curves.push_back({curve.label, f});
    shown_functions.emplace_back(f);
    if (family.learned && !curve.function->learned.empty()) panel.bands = learned_bands(*curve.function, value);
  }
  for (const ChartBand& band : panel.bands) {
    shown_functions.emplace_back([bounds = band.bounds](double at) { return bounds(at).low; });
    shown_functions.emplace_back([bounds = band.bounds](double at) { return bounds(at).high; });
  }
  const VerticalRange range = vertical_range(shown_functions, x);  // bands are finite where their curves are
  if (range.nowhere_finite) {
    const std::string what = value == slope ? "the derivative of '" : "'";
    const Function& function = *curves.at(*range.nowhere_finite).function;
    throw UsageError(what + shortened(to_text(function.expression)) + "' is nowhere finite from " + shown(x.low) + " to " + shown(x.high) +
                     ": there is nothing to draw");
  }
  panel.y = asked_y.value_or(range.y);
  return panel;
}

RichText default_title(const std::vector<Function>& functions, bool with_betas) {
  RichText title;
  if (functions.size() == 1) {
    const Function& function = functions.front();
    const RichText formula = RichText{{"f", true}} + plain("(") + RichText{{"x", true}} + plain(") = ") + typeset(function.expression);
    const RichText named = joined(plain(function.name), ": ", formula);
    return with_betas ? joined(named, ", ", beta_text(function.beta)) : named;
  }
  for (const Function& function : functions) title = joined(title, ", ", name_of(function));
  return title;
}

std::string described(const std::vector<Setting>& curves, const Interval& x, bool derivative) {
  constexpr std::size_t kMost = 500;  // bytes of a formula
  std::string text = std::string(derivative ? "Functions and their derivatives" : "Functions") + " of x from " + shown(x.low) + " to " +
                     shown(x.high) + ".";
  for (const Setting& curve : curves) {
    const std::string formula = to_text(curve.function->expression);
    text += " " + (curve.function->name.empty() ? "" : curve.function->name + ": ") + formula.substr(0, kMost) +
            (formula.size() > kMost ? "…" : "");
    if (!curve.beta.empty()) text += " with " + unadorned(beta_text(curve.beta));
    text += ".";
  }
  return text;
}

/// --range and --y-range.
std::optional<Interval> chosen_interval(const Options& options, const std::string& name) {
  const auto ends = options.numbers(name);
  if (!ends) return std::nullopt;
  constexpr double kFarthest = 1e9, kNearest = 1e-6;  // the latter relative to the ends
  const auto wrong = [&](const std::string& why) {
    throw UsageError("--" + name + ": " + why + ": two numbers are expected, the smaller one first, like -5,5");
  };
  if (ends->size() != 2) wrong(std::to_string(ends->size()) + (ends->size() == 1 ? " number" : " numbers"));
  const double low = ends->front(), high = ends->back(), reach = std::max(std::abs(low), std::abs(high));
  if (reach > kFarthest) wrong("beyond 1e9");
  if (low >= high) wrong("the first is not the smaller one");
  if (high - low < kNearest * std::max(reach, kNearest)) wrong("too close to each other");
  return Interval{low, high};
}

struct Output {
  std::filesystem::path file;
  bool png = false;
};

std::vector<Output> chosen_outputs(const Options& options) {
  std::vector<Output> outputs;
  std::set<std::filesystem::path> seen;
  for (const std::string& text : options.texts("out")) {
    const std::filesystem::path file = text;
    const std::string extension = file.extension();
    if (extension != ".svg" && extension != ".png") {
      throw UsageError("--out: '" + shortened(file.filename().string()) +
                       "' ends neither in .svg nor in .png, so what to write is unknown");
    }
    if (!seen.insert(file.lexically_normal()).second) throw UsageError("--out: " + text + " is named twice");
    require_writable(file, options.has("force"));
    outputs.push_back({file, extension == ".png"});
  }
  if (outputs.empty() && options.has("force")) throw UsageError("--force replaces the files of --out, and there is none");
  return outputs;
}

Chart chart_of(const Options& options, const std::vector<Function>& functions) {
  const Interval x = chosen_interval(options, "range").value_or(Interval{-5, 5});
  const auto y = chosen_interval(options, "y-range");
  const Family family = chosen_family(options, functions);
  const std::vector<Setting> curves = settings(functions, family);
  const bool derivative = options.has("derivative");
  const auto title = options.text("title");
  Chart chart{title ? plain(*title) : default_title(functions, !options.has("beta-family")), described(curves, x, derivative), x, {}};
  chart.panels.push_back(panel_of(curves, family, evaluate_forward, x, y));
  if (derivative) {
    chart.panels.push_back(panel_of(curves, family, slope, x, std::nullopt));
    const RichText argument = plain("(") + RichText{{"x", true}} + plain(")");
    chart.panels[0].heading = RichText{{"f", true}} + argument;
    chart.panels[1].heading = RichText{{"f′", true}} + argument;
  }
  return chart;
}

Options declared() {
  Options options("plot", "EXPR… [--db FILE --rank K,…] [flags]",
                  "Draws formulas and named functions in one picture, as SVG or PNG. Curves differ in dashes and markers\n"
                  "too, for printing in black and white. Each beta is 1; for a formula from a database it is the mean\n"
                  "that training left.");
  options.values("out", "FILE", "FILE.svg or FILE.png; may be given several times [SVG on standard output]");
  options.flag("force", "replace files that exist");
  options.value("db", "FILE", "also draw functions from this database");
  options.value("rank", "K1,K2,...", "with --db: these rows of its leaderboard [1]");
  options.value("recipe", "R", "with --db: the leaderboard of this recipe, as `actsearch leaderboard` takes it");
  options.flag("derivative", "add a panel with the derivatives");
  options.value("beta-family", "B1,B2,...",
                "draw a formula once for each of these values of its first beta; or learned, for a formula of a database: the mean, "
                "deviation and range of beta over all trained channels");
  options.value("range", "A,B", "x from A to B [-5,5]");
  options.value("y-range", "A,B", "f(x) from A to B [what the functions need]");
  options.value("title", "TEXT", "the title, in place of the formulas or names");
  options.arguments("expression", -1, "EXPR", names_of(activations()));
  options.epilogue(
      "Examples:  actsearch plot relu swish1 \"max(x, sigmoid(x))\" --derivative --out functions.svg --out functions.png\n"
      "           actsearch plot swish --beta-family 0.1,1,10 > swish.svg\n"
      "           actsearch plot relu --db first.db --rank 1,2 --range -4,4 --out best.png");
  return options;
}

int run(const Options& options) {
  const std::vector<Output> outputs = chosen_outputs(options);
  const std::vector<Function> functions = chosen_functions(options);
  const Drawing drawing = draw(chart_of(options, functions));
  if (outputs.empty()) {
    std::cout << to_svg(drawing);
    return 0;
  }
  std::vector<std::string> contents;
  for (const Output& output : outputs) contents.push_back(output.png ? to_png(drawing) : to_svg(drawing));
  for (std::size_t i = 0; i < outputs.size(); ++i) write_file(outputs[i].file, contents[i], options.has("force"));
  return 0;
}

}  // namespace

Command plot_command() { return {"plot", "draws functions and their derivatives as SVG or PNG", declared, run}; }

}  // namespace actsearch
