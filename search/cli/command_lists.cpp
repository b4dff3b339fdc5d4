// actsearch operators, recipes and spaces: what there is.

#include <iostream>

#include "evaluator/cpu/throughput.h"
#include "evaluator/network/plan.h"
#include "evaluator/network/recipe_file.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/run/probe.h"
#include "search/text/format.h"
#include "search/text/machine.h"

namespace actsearch {
namespace {

/// Measured for each recipe, beyond warm-up.
constexpr double kMeasuredSeconds = 0.5;

std::string formula_of(const OperatorInfo& info) {
  if (info.arity == 1) return to_text(info.build({Expression::input()}, Expression::parameter(0)));
  // Printed over x and a second parameter that stands for the second argument.
  return to_text(info.build({Expression::input(), Expression::parameter(0)}, Expression::parameter(1)), {"y", "beta"});
}

Table operator_table() {
  Table table;
  table.columns = {"kind", "name", "formula", "parameters", "description"};
  table.numeric = {false, false, false, true, false};
  const auto add = [&](const char* kind, const std::vector<OperatorInfo>& operators) {
    for (const OperatorInfo& info : operators) {
      table.rows.push_back({kind, std::string(info.name), formula_of(info), info.has_parameter ? "1" : "0", std::string(info.description)});
    }
  };
  add("unary", unary_operators());
  add("binary", binary_operators());
  add("named", activations());
  return table;
}

/// Proxies run one to a core; full-length recipes have all cores to themselves.
int usual_threads(const Recipe& recipe) { return recipe.validation_size > 0 ? 1 : available_cores(); }

/// The places of a space whose function is the candidate's.
Table spellings_of(const Candidate& candidate, const Space& space) {
  Table table;
  table.columns = {"place", "spelling", "formula"};
  table.numeric = {true, false, false};
  for (std::uint64_t place = 0; place < space.size(); ++place) {
    const Expression expression = space.at(place);
    const auto considered = consider(expression);
    const auto* found = std::get_if<Candidate>(&considered);
    if (found == nullptr || found->fingerprint != candidate.fingerprint) continue;
    table.rows.push_back({std::to_string(place), space.describe(place), to_text(expression)});
  }
  return table;
}

Options declared_operators() {
  Options options("operators", "[flags]",
                  "Lists the operators that formulas are built from, and the named activations. In a binary operator's\n"
                  "formula, x and y are its arguments.");
  options.value("format", "F", "table, csv, json or markdown (docs/operators.md) [table]", {"table", "csv", "json", "markdown"});
  return options;
}

int run_operators(const Options& options) {
  if (options.choice("format") == "markdown") {
    std::cout << operators_markdown();
  } else {
    write(std::cout, operator_table(), options.format());
  }
  return 0;
}

Options declared_spaces() {
  Options options("spaces", "[flags]",
                  "Lists the search spaces and how many spellings each has. A core unit is b(u, v), a binary operator b of\n"
                  "two unary ones: core1 has one unit, core2 two, core3 three. Many spellings are the same function,\n"
                  "which a search trains once.");
  options.value("unary", "A,B,...", "count with only these unary operators", names_of(unary_operators()));
  options.value("binary", "A,B,...", "count with only these binary operators", names_of(binary_operators()));
  options.value("find", "F", "list every spelling in core1 of this formula or name instead", names_of(activations()));
  declare_format(options);
  options.epilogue("Example: actsearch spaces --find swish1");
  return options;
}

int run_spaces(const Options& options) {
  const Format format = options.format();
  if (const auto formula = options.text("find")) {
    write(std::cout, spellings_of(candidate_of(*formula), Space("core1", options.list("unary"), options.list("binary"))), format);
    return 0;
  }
  Table table;
  table.columns = {"space", "units", "unary", "binary", "spellings", "example"};
  table.numeric = {false, true, true, true, true, false};
  for (const std::string_view name : space_names()) {
    const Space space(name, options.list("unary"), options.list("binary"));
    table.rows.push_back({std::string(name), std::to_string(space.units()), std::to_string(space.unary().size()),
                          std::to_string(space.binary().size()), std::to_string(space.size()), space.describe(space.size() / 3)});
  }
  write(std::cout, table, format);
  return 0;
}

Options declared_recipes() {
  Options options("recipes", "[flags]",
                  "Lists the training recipes, with their trainable parameters and the work of one image's forward pass\n"
                  "(MFLOP). --measure adds how many images per second training does here, with ReLU: one thread for\n"
                  "recipes of a search, all cores for full-length ones.");
  options.value("show", "NAME", "print one recipe as a file, with every layer of its network: to be changed, and given to --recipe-file",
                names_of(recipes()));
  options.flag("measure", "measure the speed, some seconds a recipe; it says first how long");
  declare_precision(options);
  declare_format(options);
  return options;
}

int run_recipes(const Options& options) {
  const Format format = options.format();
  if (options.has("show")) {
    std::cout << recipe_file(find_recipe(options.choice("show")));
    return 0;
  }
  const Precision precision = chosen_precision(options);
  const bool measures = options.has("measure");
  if (measures) {
    const SpeedProbe probe(precision);
    std::chrono::duration<double> all{0};
    for (const Recipe& recipe : recipes()) all += probe.measurement(recipe, usual_threads(recipe), kMeasuredSeconds);
    say_duration(all);
  }

  Table table;
  table.columns = {"recipe", "parameters", "MFLOP/image", "epochs", "batch"};
  if (measures) table.columns.insert(table.columns.end(), {"threads", "images/s"});
  table.numeric.assign(table.columns.size(), true);
  table.numeric.front() = false;
  table.columns.insert(table.columns.end(), {"network", "purpose"});
  table.numeric.insert(table.numeric.end(), {false, false});
  const Program relu = lower(parse("relu"));
  for (const Recipe& recipe : recipes()) {
    auto& cells = table.rows.emplace_back();
    cells = {recipe.name, std::to_string(parameter_count(recipe.network)),
             fixed(static_cast<double>(forward_flop(recipe.network)) / 1e6, 1), std::to_string(recipe.epochs),
             std::to_string(recipe.batch)};
    if (measures) {
      const int threads = usual_threads(recipe);
      std::cerr << "measuring " << recipe.name << " in " << to_text(precision) << '\n';
      cells.emplace_back(std::to_string(threads));
      cells.emplace_back(fixed(training_throughput(recipe, relu, precision, threads, kMeasuredSeconds), 0));
    }
    cells.emplace_back(recipe.network.summary);
    cells.emplace_back(recipe.purpose);
  }
  write(std::cout, table, format);
  return 0;
}

}  // namespace

Command operators_command() { return {"operators", "lists the operators and the named activations", declared_operators, run_operators}; }
Command spaces_command() { return {"spaces", "lists the search spaces and their sizes", declared_spaces, run_spaces}; }
Command recipes_command() { return {"recipes", "lists the training recipes, and how fast they run here", declared_recipes, run_recipes}; }

}  // namespace actsearch
