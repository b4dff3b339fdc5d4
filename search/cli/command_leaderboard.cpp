// actsearch leaderboard and actsearch query: what a database holds.

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>

#include "db/open/open_store.h"
#include "db/reads.h"
#include "grammar/candidate.h"
#include "grammar/likeness.h"
#include "grammar/operators.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/report/kernel_time.h"
#include "search/report/recipe_choice.h"
#include "search/run/known_spread.h"
#include "search/run/study.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

using Sort = LeaderboardQuery::Sort;

constexpr int kMostRows = 1'000'000;

Sort chosen_sort(const Options& options) {
  const std::string name = options.choice("sort");
  if (name == "accuracy") return Sort::kAccuracy;
  if (name == "time") return Sort::kTime;
  if (name == "trials") return Sort::kTrials;
  return Sort::kLowerBound;
}

/// Which trials are ranked, and what else there is: a name may stand for several conditions.
void say_conditions(const Store& database, const std::optional<std::string>& recipe, const Provisional& provisional) {
  const auto ranked = database.ranked_recipe(recipe);
  if (ranked) {
    std::cerr << "ranked: " << ranked->done << " trials under: " << ranked->text << '\n';
  } else {
    std::cerr << "no finished trials" << (recipe ? " under recipe " + *recipe : "") << " yet\n";
  }
  if (const auto spread = database.seed_spread({.recipe = recipe, .known_spread = known_spread})) {
    std::cerr << spread_line(*spread, score_scale(ranked ? ranked->text : provisional.recipe.text)) << '\n';
  }
  if (provisional.trials > 0) {
    std::cerr << "provisional: " << provisional.trials << (provisional.trials == 1 ? " trial" : " trials") << " that a race has paused";
    if (!ranked) std::cerr << ", under: " << provisional.recipe.text;
    std::cerr << "; they come last and have no rank: furthest first, then by training loss"
              << (provisional.rows.empty() ? " (a larger --top shows them)" : "") << '\n';
  }
  const auto stored = database.reads().recipes();
  const auto others =
      std::count_if(stored.begin(), stored.end(), [](const StoredRecipe& one) { return one.finished > 0; }) - (ranked ? 1 : 0);
  if (others > 0)
    std::cerr << "not shown: " << others
              << " other conditions; --recipe takes a recipe's name, such a text, or the name and some fields of it\n";
}

/// Rows of a leaderboard with what their functions themselves say.
struct Selection {
  std::vector<LeaderboardRow> rows;
  std::vector<int> alike;      ///< how many further rows are like each; empty without --distinct
  std::vector<double> kernel;  ///< ns an element, forward and backward together; empty without --front
};

/// The first of each kind of functions.
void keep_kinds(double distance, Selection* selected) {
  DistinctFunctions functions(distance);
  std::erase_if(selected->rows, [&](const LeaderboardRow& row) { return !functions.add(candidate_of(row.formula).program); });
  selected->alike = functions.kin();
}

/// The rows that are quicker than every row above them, by what is more than the noise of a measurement.
void keep_front(Selection* selected) {
  constexpr std::chrono::seconds kMostTime{30};  // a row takes about a millisecond
  constexpr double kQuicker = 0.95;
  KernelTimes times(kMostTime);
  Selection front;
  double quickest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < selected->rows.size(); ++i) {
    const auto time = times.of(selected->rows[i].formula);
    const double ns = time ? time->forward_ns + time->backward_ns : quickest;
    if (!(ns < kQuicker * quickest)) continue;
    quickest = ns;
    front.rows.push_back(std::move(selected->rows[i]));
    if (!selected->alike.empty()) front.alike.push_back(selected->alike[i]);
    front.kernel.push_back(ns);
  }
  *selected = std::move(front);
}

void keep_top(std::size_t top, Selection* selected) {
  if (selected->rows.size() > top) selected->rows.resize(top);
  if (selected->alike.size() > top) selected->alike.resize(top);
  if (selected->kernel.size() > top) selected->kernel.resize(top);
}

/// A column behind the others, for the first rows of the table.
void add_column(Table& table, const std::string& name, const std::vector<std::string>& cells) {
  if (cells.empty()) return;
  table.columns.push_back(name);
  table.numeric.push_back(true);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    table.rows[i].push_back(i < cells.size() ? std::optional(cells[i]) : std::nullopt);
  }
}

void add_columns(Table& table, const Selection& selected, Format format) {
  std::vector<std::string> alike, kernel;
  for (const int others : selected.alike) alike.push_back(std::to_string(others));
  for (const double ns : selected.kernel) kernel.push_back(format == Format::kTable ? fixed(ns, 2) : exact(ns));
  add_column(table, "alike", alike);
  add_column(table, "ns", kernel);
}

bool compares(const std::vector<LeaderboardRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const LeaderboardRow& row) { return row.compared.has_value(); });
}

std::vector<LeaderboardRow> all_rows(const Store& database, LeaderboardQuery query) {
  query.top = kMostRows;
  return database.leaderboard(query);
}

Options declared_leaderboard() {
  Options options("leaderboard", "--db FILE [flags]",
                  "Ranks the functions of a database by validation accuracy, the mean of n trials with different seeds.\n"
                  "\n"
                  "  ± %      half of the 95 % interval of that mean, by how far the seeds of a function lie apart\n"
                  "  tied     the ranks that the row is not told apart from\n"
                  "  bound %  the mean less what so few seeds may have added; the order of the rows, where there is one\n"
                  "  status   finished, or paused: a race stopped it early. Paused rows come last and have no rank\n"
                  "\n"
                  "It is safe while a search writes.");
  options.value("db", "FILE", "the database: an SQLite file, or postgresql://USER@HOST/NAME");
  options.value(
      "recipe", "R",
      "rank this recipe: its name, its whole text, or its name and some fields, \"vgg-s epochs=8\" [the search's with the most trials]");
  options.value("top", "N", "how many rows [20]");
  options.value("sort", "BY", "lower-bound, accuracy, time or trials [lower-bound]", {"lower-bound", "accuracy", "time", "trials"});
  options.value("compare", "F",
                "add each row's difference from this formula or name, for functions with several seeds, with Dunnett's test",
                names_of(activations()));
  declare_margin(options);
  declare_distinct(options);
  options.flag("front",
               "score against cost: only functions whose CPU kernel is quicker than those of all better ones. It is timed here and now; ns "
               "is what it takes an element, forward and backward");
  options.flag("failures", "list the failed trials and their reasons instead");
  declare_format(options);
  options.epilogue("Example: actsearch leaderboard --db first.db --top 10");
  return options;
}

int run_leaderboard(const Options& options) {
  const std::string file = options.required("db");
  const Format format = options.format();
  LeaderboardQuery query{options.text("recipe"), static_cast<int>(options.integer("top", 1, kMostRows).value_or(20)), chosen_sort(options)};
  query.known_spread = known_spread;
  query.losses = format != Format::kTable;
  const auto reference = options.text("compare");
  if (reference) query.reference = candidate_of(*reference).fingerprint;
  const auto distance = chosen_distance(options);
  const bool front = options.has("front");
  if (options.has("failures") && (options.has("sort") || options.has("top") || reference || distance || front)) {
    throw UsageError("--failures lists all failed trials: --sort, --top, --compare, --distinct and --front do not go with it");
  }
  if (front && (query.sort == Sort::kTime || query.sort == Sort::kTrials)) {
    throw UsageError("--front goes down a ranking by score: --sort is lower-bound or accuracy with it");
  }
  if (chosen_margin(options, {}) && !reference) throw UsageError("--margin goes with --compare");
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& database = *store;
  require_known_recipe(database, "--recipe", query.recipe);
  if (options.has("failures")) {
    write(std::cout, failure_table(database.failures(query.recipe)), format);
    return 0;
  }
  const int top = query.top;
  const bool selects = distance || front;
  if (selects) query.top = std::max(top, kMostRowsForKinds);
  Selection selected{.rows = database.leaderboard(query), .alike = {}, .kernel = {}};
  if (distance) keep_kinds(*distance, &selected);
  if (front) keep_front(&selected);
  keep_top(static_cast<std::size_t>(top), &selected);
  const auto& rows = selected.rows;
  if (reference && !compares(rows) && !compares(all_rows(database, query))) {
    throw UsageError("--compare " + *reference +
                     ": nothing can be compared. That takes finished trials of it and of another function with "
                     "the same seeds, and several seeds of one of the two");
  }
  const auto provisional = database.provisional(query.recipe, selects ? 0 : top - static_cast<int>(rows.size()));
  say_conditions(database, query.recipe, provisional);
  const ScoreScale scale = score_scale(provisional.recipe.text);
  Table table = leaderboard_table(rows, provisional, format, reference, scale, chosen_margin(options, scale));
  add_columns(table, selected, format);
  write(std::cout, table, format);
  return 0;
}

Options declared_query() {
  Options options("query", "--db FILE \"SELECT …\" [flags]",
                  "Runs one read-only SELECT. docs/schema.md describes the views that it reads: leaderboard, standings,\n"
                  "trials, epochs, failures, candidates, rejections, recipes, studies, study_trials, running, pauses\n"
                  "and paused.");
  options.value("db", "FILE", "the database: an SQLite file, or postgresql://USER@HOST/NAME");
  declare_format(options);
  options.arguments("sql", 1, "SELECT");
  options.epilogue("Example: actsearch query --db first.db \"SELECT formula, accuracy FROM trials WHERE accuracy > 0.75\"");
  return options;
}

int run_query(const Options& options) {
  const std::string file = options.required("db");
  const Format format = options.format();
  const auto sql = options.texts("sql");
  if (sql.empty()) throw UsageError("a SELECT statement is expected, in quotes\nsee: actsearch query --help");
  const auto store = open_store(file, Store::Access::kReadOnly);
  if (!store->queries()) throw UsageError("--db " + file + ": this store answers no SELECT");
  write(std::cout, store->queries()->query(sql.front()), format);
  return 0;
}

}  // namespace

Command leaderboard_command() {
  return {"leaderboard", "shows the best of a database, or what failed", declared_leaderboard, run_leaderboard};
}
Command query_command() { return {"query", "runs a read-only SELECT on a database", declared_query, run_query}; }

}  // namespace actsearch
