// actsearch finalists: the best of a search, scored again and trained at full length.

#include <iostream>

#include "db/open/open_store.h"
#include "evaluator/formats/data_source.h"
#include "grammar/notation.h"
#include "search/cli/command.h"
#include "search/cli/device.h"
#include "search/cli/interrupt.h"
#include "search/cli/options.h"
#include "search/report/recipe_choice.h"
#include "search/run/finalists.h"
#include "search/run/study.h"
#include "search/text/format.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

constexpr std::int64_t kFirstFreshSeed = 1'000;
constexpr int kFold = 1;  // searches validate on fold 0

Options declared() {
  Options options("finalists", "--db FILE --top N [flags]",
                  "The best of many scores owes a part of it to luck. This command judges the best N of a search again,\n"
                  "each against a reference, in two stages.\n"
                  "\n"
                  "  fresh   the search's recipe, with new seeds and other validation images\n"
                  "  full    training at full length, with test accuracy\n"
                  "\n"
                  "The scores of the search and of both stages stay apart. The same command goes on after any\n"
                  "interruption.");
  options.value("db", "FILE", "the database of a search");
  options.value("top", "N", "judge the N best of the leaderboard");
  options.value("from", "RECIPE", "whose leaderboard: the recipe that --top ranks by [the search's with the most trials]");
  options.value("compare", "F", "the reference, a formula or a name [relu]");
  options.value("seeds", "K", "fresh trials of each formula, at least 2 [5]");
  options.value("seed", "S", "the first fresh seed [" + std::to_string(kFirstFreshSeed) + "]");
  declare_jobs(options);
  options.value("full", "M", "train the M best of the fresh stage at full length; 0 for none [all]");
  options.value("full-seeds", "K", "full-length runs of each formula [1]");
  declare_training(options, kDefaultRerunRecipe);
  declare_device(options);
  declare_deterministic(options);
  options.value("format", "F", "table, csv or json [table]");
  options.epilogue(
      "--recipe, --epochs, --batch, --rate and --precision are those of the full-length runs. The fresh stage\n"
      "takes them from the search.");
  return options;
}

/// The conditions that the leaderboard of the search ranks under.
std::string searched_text(const Store& database, const Options& options) {
  const auto from = options.text("from");
  if (const auto ranked = database.ranked_recipe(from)) return ranked->text;
  throw std::runtime_error(from ? "no finished trials under recipe " + *from +
                                      ": --from takes a recipe's name, its whole text, or its name and some of its fields"
                                : "the leaderboard is empty: run a search into this database first");
}

/// The fresh stage: the search's conditions with another fold.
RunPlan fresh_plan(const Options& options, const Device& device, const std::string& searched, const Dataset& dataset) {
  const auto conditions = read_conditions(searched, dataset);
  if (!conditions) {
    throw std::runtime_error(
        "the search's trials cannot be repeated: they are of other data, or of a recipe that this version does not have.\n" +
        ("  their conditions: " + searched + "\n  the data here:    " + dataset.source));
  }
  if (conditions->recipe.validation_size == 0) {
    throw UsageError("recipe " + conditions->recipe.name + " has no validation images: --from names the recipe of a search");
  }
  RunPlan plan;
  plan.recipe = conditions->recipe;
  plan.recipe.validation_fold = kFold;
  plan.precision = conditions->precision;
  plan.recipe_text = conditions_text(plan.recipe, plan.precision, dataset.source);
  plan.seed = static_cast<std::uint64_t>(options.integer("seed", 0, 1'000'000'000'000'000'000).value_or(kFirstFreshSeed));
  plan.seeds = static_cast<int>(options.integer("seeds", 1, 1'000'000).value_or(5));
  plan.jobs = chosen_jobs(options, device);
  plan.checkpoints = checkpoint_directory(options.required("db"));
  return plan;
}

RerunPlan full_plan(const Options& options, const Device& device) {
  RerunPlan plan;
  plan.database_file = options.required("db");
  plan.run.recipe = chosen_recipe(options, kDefaultRerunRecipe);
  plan.run.precision = chosen_precision(options, device);
  plan.run.seeds = static_cast<int>(options.integer("full-seeds", 1, 1'000'000).value_or(1));
  plan.run.jobs = device.is_cuda() ? static_cast<int>(device.cuda.size()) : 1;
  plan.run.threads = available_cores();
  return plan;
}

/// A row's cells, as text: with the interval in one for people, else every number in full. Accuracies are in per cent.
class RowText {
 public:
  explicit RowText(bool people) : people_(people) {}
  void text(const std::string& cell) { cells_.emplace_back(cell); }
  void mean(const std::optional<Mean>& mean) {
    if (people_) {
      add(mean ? std::optional(percent(mean->value) + (mean->half_width ? " ± " + percent(*mean->half_width) : "")) : std::nullopt);
    } else {
      add(mean ? std::optional(exact_percent(mean->value)) : std::nullopt);
      add(mean && mean->half_width ? std::optional(exact_percent(*mean->half_width)) : std::nullopt);
    }
    add(mean ? std::optional(std::to_string(mean->n)) : std::nullopt);
  }
  void comparison(const std::optional<PairedComparison>& compared) {
    if (people_) {
      add(compared ? std::optional(signed_percent(compared->difference)) : std::nullopt);
    } else {
      for (double PairedComparison::*part : {&PairedComparison::difference, &PairedComparison::low, &PairedComparison::high})
        add(compared ? std::optional(exact_percent((*compared).*part)) : std::nullopt);
    }
    add(compared ? std::optional(people_ ? fixed(compared->p_holm, 4) : exact(compared->p_holm)) : std::nullopt);
    add(compared ? std::optional(verdict(*compared)) : std::nullopt);
  }
  std::vector<std::optional<std::string>> take() { return std::move(cells_); }

 private:
  void add(std::optional<std::string> cell) { cells_.push_back(std::move(cell)); }
  bool people_;
  std::vector<std::optional<std::string>> cells_;
};

/// The columns of finalists_table, stage by stage.
class Columns {
 public:
  Columns(bool people, std::string reference) : people_(people), reference_(std::move(reference)) {
    add("rank");
    add("formula", false);
    add("name", false);
  }
  void add(const std::string& name, bool numeric = true) {
    table.columns.push_back(name);
    table.numeric.push_back(numeric);
  }
  /// As RowText::mean has it.
  void mean(const std::string& stage) {
    add(stage + " " + kAccuracy);
    if (!people_) add(stage + " ± %");
    add(people_ ? "n" : stage + " n");
  }
  /// As RowText::comparison has it.
  void comparison(const std::string& stage) {
    if (people_) {
      add("− " + reference_ + ", points");
    } else {
      for (const char* part : {"_difference", "_difference_low", "_difference_high"}) add(stage + part);
    }
    add(people_ ? "p (Holm)" : stage + "_p_holm");
    add(people_ ? "verdict" : stage + "_verdict", false);
  }
  Table table;

 private:
  bool people_;
  std::string reference_;
};

Table finalists_table(const std::vector<FinalistRow>& rows, Format format, const std::string& reference) {
  const bool people = format == Format::kTable;
  Columns columns(people, reference);
  columns.mean("search");
  columns.mean("fresh");
  columns.comparison("fresh");
  columns.mean("full test");
  columns.mean("best epoch");
  columns.comparison("full");
  columns.add("failure", false);
  Table table = std::move(columns.table);
  int rank = 0;
  for (const FinalistRow& row : rows) {
    RowText cells(people);
    cells.text(std::to_string(++rank));
    cells.text(row.candidate.formula);
    cells.text(row.candidate.name);
    cells.mean(row.search);
    cells.mean(row.fresh);
    cells.comparison(row.fresh_compared);
    cells.mean(row.full);
    cells.mean(row.full_best);
    cells.comparison(row.full_compared);
    cells.text(row.failure);
    table.rows.push_back(cells.take());
  }
  return table;
}

void say_plan(Progress& progress, const FinalistsPlan& plan, const Device& device) {
  const auto trials = [](std::size_t functions, int seeds) {
    return std::to_string(functions) + (functions == 1 ? " function" : " functions") + " × " + std::to_string(seeds) +
           (seeds == 1 ? " seed" : " seeds");
  };
  progress.say("device: " + (device.is_cuda() ? device.description : "the CPU, " + device.description));
  progress.say("fresh: " + trials(plan.finalists.size(), plan.fresh.seeds) + " and the reference, " + summary(plan.fresh.recipe) +
               ", seeds from " + std::to_string(plan.fresh.seed) + ", images validating that the search trained on");
  if (plan.full_top > 0) {
    progress.say("full: " + trials(static_cast<std::size_t>(plan.full_top), plan.full.run.seeds) + " and the reference, " +
                 summary(plan.full.run.recipe));
  }
}

}  // namespace

int finalists_command(const Words& words) {
  Options options = declared();
  if (!options.parse(words)) return 0;
  const std::string file = options.required("db");
  const auto top = options.integer("top", 1, 100'000);
  if (!top) throw UsageError("--top N is required: how many of the leaderboard are finalists\nsee: actsearch finalists --help");
  if (options.integer("seeds", 1, 1'000'000) == 1) {
    throw UsageError("--seeds 1 is not enough: the paired test beside the reference needs at least 2 trials a candidate");
  }
  const auto full = options.integer("full", 0, 100'000).value_or(*top);
  if (full > *top) throw UsageError("--full " + std::to_string(full) + " is more than the --top " + std::to_string(*top) + " finalists");
  const Format format = options.format();
  const Device device = chosen_device(options);
  FinalistsPlan plan;
  plan.reference = candidate_of(options.text("compare").value_or("relu"));
  plan.full = full_plan(options, device);
  plan.commit = plan.full.commit = program_commit();
  plan.machine = plan.full.machine = machine_text() + (device.is_cuda() ? ", " + device.description : "");

  require_searched(file);
  Progress progress(std::cerr, Progress::standard_error_style());
  const auto store = open_store(file, Store::Access::kCreate);
  Store& database = *store;
  require_known_recipe(database, "--from", options.text("from"));
  plan.search_text = searched_text(database, options);
  for (const CandidateRecord& record :
       database.top_candidates({.recipe = plan.search_text, .top = static_cast<int>(*top), .sort = LeaderboardQuery::Sort::kLowerBound})) {
    plan.finalists.push_back(candidate_of(record.formula));
  }
  plan.full_top = static_cast<int>(std::min<std::int64_t>(full, static_cast<std::int64_t>(plan.finalists.size())));

  const Dataset dataset = find_dataset(
      options.text("data"), [&](const std::string& line) { progress.say(line); }, kOfficialArchive, chosen_loading(options));
  plan.data = plan.full.data = dataset.source;
  plan.fresh = fresh_plan(options, device, plan.search_text, dataset);
  plan.full.run.recipe = fitted(plan.full.run.recipe, dataset);
  plan.full.run.recipe_text = rerun_conditions_text(plan.full.run.recipe, plan.full.run.precision, dataset.source);

  const std::string drawn = note_on_data(dataset);
  if (!drawn.empty()) progress.say(drawn);
  say_plan(progress, plan, device);
  const std::atomic<bool>& interrupt = catch_interrupts();
  const auto say = [&](const std::string& line) { progress.say(line); };
  const Evaluator fresh = make_evaluator(device, dataset, plan.fresh, say);
  const Evaluator full_length = make_evaluator(device, dataset, plan.full.run, say);
  const FinalistsReport report = run_finalists(database, plan, fresh, full_length, progress, interrupt);
  if (report.ending == Ending::kInterrupted) progress.say("interrupted: the same command goes on");
  const std::string reference = plan.reference.name.empty() ? plan.reference.formula : plan.reference.name;
  write(std::cout, finalists_table(report.rows, format, reference), format);
  std::cout.flush();
  if (!drawn.empty()) progress.say(drawn);
  return report.ending == Ending::kInterrupted ? kInterruptedExit : 0;
}

}  // namespace actsearch
