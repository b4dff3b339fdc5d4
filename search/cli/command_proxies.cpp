// actsearch proxies: which short training ranks functions as the long one does.

#include <iostream>

#include "db/open/open_store.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/report/agreement.h"
#include "search/report/recipe_choice.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

/// Of a recipe's text what tells proxies apart at a glance: its name and a few of its fields.
std::string shortened_recipe(const std::string& text) {
  std::string result = text.substr(0, text.find(' '));
  for (const std::string field : {"epochs", "batch", "peak", "precision", "fold"}) {
    const std::size_t at = text.find(" " + field + "=");
    if (at != std::string::npos) result += text.substr(at, text.find(' ', at + 1) - at);
  }
  return result;
}

Table agreement_table(const std::vector<Agreement>& agreements, Format format) {
  const bool people = format == Format::kTable;
  Table table;
  table.columns = people
                      ? std::vector<std::string>{"recipe", "functions", "seeds", "Spearman", "95 % interval", "best shared", "s/trial"}
                      : std::vector<std::string>{"recipe", "functions", "seeds", "spearman", "low", "high", "top", "top_shared", "seconds"};
  table.numeric.assign(table.columns.size(), true);
  table.numeric.front() = false;
  for (const Agreement& row : agreements) {
    const auto of_rank = [&row](double RankCorrelation::*value, bool brief) -> std::optional<std::string> {
      if (!row.rank) return std::nullopt;
      return brief ? fixed((*row.rank).*value, 2) : exact((*row.rank).*value);
    };
    std::vector<std::optional<std::string>> cells{people ? shortened_recipe(row.recipe) : row.recipe, std::to_string(row.functions),
                                                  people ? fixed(row.seeds, 1) : exact(row.seeds), of_rank(&RankCorrelation::rho, people)};
    if (people) {
      std::optional<std::string> interval;
      if (row.rank) interval = fixed(row.rank->low, 2) + " to " + fixed(row.rank->high, 2);
      cells.insert(cells.end(), {interval, std::to_string(row.top_shared) + " of " + std::to_string(row.top), fixed(row.seconds, 1)});
    } else {
      cells.insert(cells.end(), {of_rank(&RankCorrelation::low, false), of_rank(&RankCorrelation::high, false), std::to_string(row.top),
                                 std::to_string(row.top_shared), exact(row.seconds)});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Options declared() {
  Options options("proxies", "--db FILE --truth RECIPE [flags]",
                  "A proxy is a short training that stands in for a long one. This command compares each recipe of a\n"
                  "database with the one that --truth names, over the functions that both have tried.\n"
                  "\n"
                  "  Spearman      rank correlation of the mean accuracies, with its 95 % interval\n"
                  "  best shared   how many of the truth's best functions are among the recipe's own best\n"
                  "  s/trial       mean seconds of a trial\n"
                  "\n"
                  "A function whose trials all failed counts as the worst.");
  options.value("db", "FILE", "the database: an SQLite file, or postgresql://USER@HOST/NAME");
  options.value("truth", "RECIPE", "the recipe to compare with: its name, its whole text, or its name and some fields");
  options.value("top", "K", "how many count as the best [5]");
  declare_format(options);
  options.epilogue("Example: actsearch proxies --db docs/results/panel.db --truth \"vgg16-slim epochs=10\" --top 10");
  return options;
}

int run(const Options& options) {
  const std::string file = options.required("db"), truth = options.required("truth");
  const Format format = options.format();
  const int top = static_cast<int>(options.integer("top", 1, 100'000).value_or(5));
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& database = *store;
  require_known_recipe(database, "--truth", truth);
  const Table table = agreement_table(agreements(database, truth, top), format);
  const RankedRecipe ranked = database.ranked_recipe(truth).value();  // it has finished trials, or agreements had thrown
  std::cerr << "truth: " << ranked.done << " trials under: " << ranked.text << '\n';
  write(std::cout, table, format);
  return 0;
}

}  // namespace

Command proxies_command() { return {"proxies", "compares short trainings with a long one", declared, run}; }

}  // namespace actsearch
