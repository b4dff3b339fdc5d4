// actsearch export: one formula, given or from a leaderboard, for use in another program.

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "db/open/open_store.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "kernels/export/export.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/cli/run_files.h"
#include "search/report/recipe_choice.h"
#include "search/run/study.h"
#include "search/text/format.h"
#include "search/text/output_file.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

std::string written_by(const ExportTarget& target) {
  return "Written by actsearch " + std::string(program_version()) + " (commit " + std::string(program_commit()) + "), target " +
         std::string(target.name) + ".";
}

std::string score_line(const LeaderboardRow& row, const ScoreScale& scale) {
  const std::string unit = scale.share ? " %" : "";
  std::string line = "Score: " + scale.name + " " + scale.value(row.mean) + unit + ", n = " + std::to_string(row.n);
  if (row.low && row.high) {
    const auto [low, high] = scale.negated ? std::pair(*row.high, *row.low) : std::pair(*row.low, *row.high);
    line += ", 95 % interval " + scale.value(low) + " to " + scale.value(high) + unit + " (Student's t over the seeds)";
  } else {
    line += ", so without an interval";
  }
  return line + "; rank " + std::to_string(row.rank) + " of the leaderboard by lower bound.";
}

std::vector<std::string> study_lines(const std::vector<CandidateStudy>& studies) {
  std::vector<std::string> lines;
  for (const auto& [study, record] : studies) {
    std::string line = "Study " + std::to_string(study) + " (" + record.kind;
    if (!record.space.empty()) line += ", space " + record.space;
    if (!record.strategy.empty()) line += ", strategy " + record.strategy;
    lines.push_back(line + ", seed " + std::to_string(record.seed) + "), program commit " + record.commit + ".");
  }
  return lines;
}

struct Chosen {
  Expression expression;
  std::vector<std::string> origin;
};

Chosen of_leaderboard(const Options& options, const std::string& file) {
  const int rank = static_cast<int>(options.integer("rank", 1, 1'000'000).value_or(1));
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& database = *store;
  const LeaderboardQuery query{.recipe = options.text("recipe"), .top = rank, .sort = LeaderboardQuery::Sort::kLowerBound};
  require_known_recipe(database, "--recipe", query.recipe);
  const auto rows = database.leaderboard(query);
  if (rows.size() < static_cast<std::size_t>(rank)) {
    throw UsageError("--rank " + std::to_string(rank) + ": the leaderboard ranks " + std::to_string(rows.size()) +
                     (rows.size() == 1 ? " function" : " functions") + "\nsee: actsearch leaderboard --db " + in_shell(file));
  }
  const LeaderboardRow& row = rows.back();
  const CandidateRecord candidate = database.top_candidates(query).back();
  std::vector<std::string> origin = study_lines(database.studies_with(candidate.fingerprint, query.recipe));
  const auto ranked = database.ranked_recipe(query.recipe);
  if (ranked) origin.push_back("Trained under: " + ranked->text);
  origin.push_back(score_line(row, ranked ? score_scale(ranked->text) : ScoreScale{}));
  if (row.beta)
    origin.push_back("Learned: beta0 ended at " + fixed(*row.beta, 3) + ", the mean over channels and seeds; here betas start at 1.");
  try {
    return {parse(candidate.formula), std::move(origin)};
  } catch (const NotationError& error) {  // not what this program writes there
    throw DatabaseError(file + ": the formula of rank " + std::to_string(rank) + " cannot be read: " + error.what());
  }
}

Chosen chosen(const Options& options) {
  const auto given = options.texts("expression");
  const auto file = options.text("db");
  if (given.empty() == !file.has_value()) {
    throw UsageError(std::string(file ? "a formula or --db, not both" : "a formula is expected, in quotes, or --db FILE") +
                     "\nsee: actsearch export --help");
  }
  if (file) return of_leaderboard(options, *file);
  if (options.has("rank") || options.has("recipe")) throw UsageError("--rank and --recipe belong to --db");
  return {parse(given.front()), {"Given on the command line, not taken from a search."}};
}

const ExportTarget& chosen_target(const Options& options) {
  options.required("to");
  const std::string name = options.choice("to");
  return *std::find_if(export_targets().begin(), export_targets().end(), [&](const ExportTarget& target) { return target.name == name; });
}

Options declared() {
  Options options("export", "(EXPR | --db FILE [--rank K]) --to TARGET [flags]",
                  "Writes a formula, or row K of a leaderboard, for use elsewhere: a module for a framework, a header,\n"
                  "or text for display. Derivatives come with it. Every file begins with the formula, where it comes\n"
                  "from and its licence.");
  options.value("db", "FILE", "take the formula from this database's leaderboard");
  options.value("rank", "K", "which row of the leaderboard [1]");
  options.value("recipe", "R", "the leaderboard of this recipe, as `actsearch leaderboard` takes it [the search's with the most trials]");
  options.value("to", "TARGET", "what to write; see below", names_of(export_targets()));
  options.value("out", "FILE", "the file to write [standard output]");
  options.flag("force", "replace a file that exists");
  options.flag("inline", "onnx: a graph without local functions, which converters take (to fp16, to another opset)");
  options.arguments("expression", 1, "EXPR", names_of(activations()));
  std::string targets = "Targets\n";
  for (const ExportTarget& target : export_targets()) {
    targets += "  " + std::string(target.name) + std::string(10 - target.name.size(), ' ') + std::string(target.description) + '\n';
  }
  options.epilogue(targets + "\nExample: actsearch export \"x * sigmoid(beta * x)\" --to pytorch --out swish.py");
  return options;
}

int run(const Options& options) {
  const ExportTarget& target = chosen_target(options);
  const bool inlined = options.has("inline");
  if (inlined && target.write_inlined == nullptr) throw UsageError("--inline belongs to --to onnx");
  const auto out = options.text("out");
  if (out) {
    require_writable(*out, options.has("force"));
  } else if (options.has("force")) {
    throw UsageError("--force belongs to --out");
  } else if (target.is_binary && isatty(STDOUT_FILENO) == 1) {
    throw UsageError("the target " + std::string(target.name) + " is binary and would spoil a terminal: --out FILE, or redirect it");
  }
  Chosen formula = chosen(options);
  formula.origin.push_back(written_by(target));
  const ExportedActivation activation(formula.expression, "", std::move(formula.origin));
  const std::string text = inlined ? target.write_inlined(activation) : target.write(activation);
  if (out) {
    write_file(*out, text, options.has("force"));
    std::cerr << *out << ": " << activation.name << ", y = " << activation.formula << '\n';
  } else {
    std::cout << text;
  }
  return 0;
}

}  // namespace

Command export_command() {
  return {"export", "writes a formula for PyTorch, JAX, Keras, ONNX, CUDA, C, LaTeX, SymPy or MathML", declared, run};
}

}  // namespace actsearch
