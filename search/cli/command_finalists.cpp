// actsearch finalists: the best of a search, scored again and trained at full length.

#include <iostream>

#include "db/open/open_store.h"
#include "evaluator/formats/data_source.h"
#include "grammar/likeness.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "search/cli/command.h"
#include "search/cli/device.h"
#include "search/cli/interrupt.h"
#include "search/cli/options.h"
#include "search/cli/own_training.h"
#include "search/cli/run_files.h"
#include "search/report/recipe_choice.h"
#include "search/run/finalists.h"
#include "search/run/study.h"
#include "search/run/told.h"
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
  options.value("db", "FILE", "the database of a search: an SQLite file, or postgresql://USER@HOST/NAME");
  declare_checkpoints(options);
  options.value("top", "N", "judge the N best of the leaderboard");
  declare_distinct(options);
  options.value("from", "RECIPE", "whose leaderboard: the recipe that --top ranks by [the search's with the most trials]");
  options.value("compare", "F", "the reference, a formula or a name [relu]", names_of(activations()));
  declare_margin(options);
  options.value("seeds", "K", "fresh trials of each formula, at least 2 [5]");
  options.value("seed", "S", "the first fresh seed [" + std::to_string(kFirstFreshSeed) + "]");
  declare_jobs(options);
  options.value("full", "M", "train the M best of the fresh stage at full length; 0 for none [all]");
  options.value("full-seeds", "K", "full-length runs of each formula [1]");
  declare_training(options, kDefaultRerunRecipe);
  declare_device(options);
  declare_deterministic(options);
  declare_fresh_training(options);
  declare_format(options);
  options.epilogue(
      "Of a search with --evaluator the fresh stage calls the same command with new seeds, and there is no full stage.\n\n"
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

/// The fresh stage's seeds and checkpoints.
void choose_fresh(const Options& options, RunPlan* plan) {
  plan->seed = static_cast<std::uint64_t>(options.integer("seed", 0, 1'000'000'000'000'000'000).value_or(kFirstFreshSeed));
  plan->seeds = static_cast<int>(options.integer("seeds", 1, 1'000'000).value_or(5));
  plan->checkpoints = chosen_checkpoints(options);
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
  plan.scale = score_scale(plan.recipe_text);
  plan.jobs = chosen_jobs(options, device);
  choose_fresh(options, &plan);
  return plan;
}

RerunPlan full_plan(const Options& options, const Device& device) {
  RerunPlan plan;
  plan.run.checkpoints = chosen_checkpoints(options);
  plan.run.recipe = chosen_recipe(options);
  plan.run.precision = chosen_precision(options, device);
  plan.run.seeds = static_cast<int>(options.integer("full-seeds", 1, 1'000'000).value_or(1));
  plan.run.jobs = device.is_cuda() ? static_cast<int>(device.cuda.size()) : 1;
  plan.run.threads = available_cores();
  return plan;
}

/// A row's cells, as text: with the interval in one for people, else every number in full. Accuracies are in per cent.
class RowText {
 public:
  RowText(bool people, const ScoreScale& scale, std::optional<double> margin) : people_(people), scale_(scale), margin_(margin) {}
  void text(const std::string& cell) { cells_.emplace_back(cell); }
  void mean(const std::optional<Mean>& mean) {
    if (people_) {
      add(mean ? std::optional(scale_.value(mean->value) + (mean->half_width ? " ± " + scale_.amount(*mean->half_width) : ""))
               : std::nullopt);
    } else {
      add(mean ? std::optional(scale_.exact_value(mean->value)) : std::nullopt);
      add(mean && mean->half_width ? std::optional(scale_.exact_amount(*mean->half_width)) : std::nullopt);
    }
    add(mean ? std::optional(std::to_string(mean->n)) : std::nullopt);
  }
  void ranks(const std::optional<RankRange>& ranks) {
    if (people_) return add(ranks ? std::optional(std::to_string(ranks->first) + "-" + std::to_string(ranks->last)) : std::nullopt);
    add(ranks ? std::optional(std::to_string(ranks->first)) : std::nullopt);
    add(ranks ? std::optional(std::to_string(ranks->last)) : std::nullopt);
  }
  void comparison(const std::optional<Comparison>& compared) {
    if (people_) {
      add(compared ? std::optional(scale_.difference(compared->difference)) : std::nullopt);
    } else {
      double Comparison::*const low = scale_.negated ? &Comparison::high : &Comparison::low;
      double Comparison::*const high = scale_.negated ? &Comparison::low : &Comparison::high;
      for (double Comparison::*part : {&Comparison::difference, low, high})
        add(compared ? std::optional(scale_.exact_difference((*compared).*part)) : std::nullopt);
    }
    add(compared ? std::optional(people_ ? fixed(compared->p, 4) : exact(compared->p)) : std::nullopt);
    if (!people_) add(compared ? std::optional(exact(compared->p_alone)) : std::nullopt);
    add(compared ? std::optional(people_ ? scale_.amount(compared->equal_within) : scale_.exact_amount(compared->equal_within))
                 : std::nullopt);
    add(compared ? std::optional(verdict(*compared, margin_)) : std::nullopt);
  }
  std::vector<std::optional<std::string>> take() { return std::move(cells_); }

 private:
  void add(std::optional<std::string> cell) { cells_.push_back(std::move(cell)); }
  bool people_;
  const ScoreScale& scale_;
  std::optional<double> margin_;
  std::vector<std::optional<std::string>> cells_;
};

/// The columns of finalists_table, stage by stage.
class Columns {
 public:
  Columns(bool people, std::string reference, const ScoreScale& scale) : people_(people), reference_(std::move(reference)), scale_(scale) {
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
    add(stage + " " + scale_.header());
    if (!people_) add(stage + " " + scale_.header("±"));
    add(people_ ? "n" : stage + " n");
  }
  /// As RowText::ranks has it.
  void ranks() {
    if (people_) return add("ranks");
    add("fresh_rank_first");
    add("fresh_rank_last");
  }
  /// As RowText::comparison has it.
  void comparison(const std::string& stage) {
    if (people_) {
      add("− " + reference_ + ", " + scale_.difference_unit());
    } else {
      for (const char* part : {"_difference", "_difference_low", "_difference_high"}) add(stage + part);
    }
    add(people_ ? "p (Dunnett)" : stage + "_p");
    if (!people_) add(stage + "_p_alone");
    add(people_ ? "equal within" : stage + "_equal_within");
    add(people_ ? "verdict" : stage + "_verdict", false);
  }
  Table table;

 private:
  bool people_;
  std::string reference_;
  const ScoreScale& scale_;
};

/// `full`: with the columns of the full length, where there is one.
Table finalists_table(const std::vector<FinalistRow>& rows, Format format, const std::string& reference, const ScoreScale& scale,
                      std::optional<double> margin, bool full) {
  const bool people = format == Format::kTable;
  Columns columns(people, reference, scale);
  columns.mean("search");
  columns.mean("fresh");
  columns.ranks();
  columns.comparison("fresh");
  if (full) {
    columns.mean("full test");
    columns.mean("best epoch");
    columns.comparison("full");
  }
  columns.add("failure", false);
  Table table = std::move(columns.table);
  int rank = 0;
  for (const FinalistRow& row : rows) {
    RowText cells(people, scale, margin);
    cells.text(std::to_string(++rank));
    cells.text(row.candidate.formula);
    cells.text(row.candidate.name);
    cells.mean(row.search);
    cells.mean(row.fresh);
    cells.ranks(row.ranks);
    cells.comparison(row.fresh_compared);
    if (full) {
      cells.mean(row.full);
      cells.mean(row.full_best);
      cells.comparison(row.full_compared);
    }
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

/// What both kinds of training have in common: the finalists and what they are compared with.
FinalistsPlan chosen_finalists(const Options& options, const Store& database, int top) {
  FinalistsPlan plan;
  plan.reference = candidate_of(options.text("compare").value_or("relu"));
  plan.commit = plan.full.commit = program_commit();
  plan.search_text = searched_text(database, options);
  std::optional<DistinctFunctions> kinds;
  if (const auto distance = chosen_distance(options)) kinds.emplace(*distance);
  const int most = kinds ? kMostRowsForKinds : top;
  for (const CandidateRecord& record :
       database.top_candidates({.recipe = plan.search_text, .top = most, .sort = LeaderboardQuery::Sort::kLowerBound})) {
    if (plan.finalists.size() == static_cast<std::size_t>(top)) break;
    Candidate candidate = candidate_of(record.formula);
    if (!kinds || kinds->add(candidate.program)) plan.finalists.push_back(std::move(candidate));
  }
  if (plan.finalists.size() == 1 && plan.finalists.front().fingerprint == plan.reference.fingerprint) {
    throw UsageError("--compare " + plan.reference.formula +
                     ": the only finalist is this function itself. A larger --top takes more of "
                     "the leaderboard, if it has more, and --compare another reference");
  }
  return plan;
}

/// Prints the rows. The command's exit code.
int show(Progress& progress, const FinalistsReport& report, const FinalistsPlan& plan, std::optional<double> margin, Format format) {
  if (report.ending == Ending::kInterrupted) progress.say("interrupted: the same command goes on");
  const std::string reference = plan.reference.name.empty() ? plan.reference.formula : plan.reference.name;
  const bool full = !read_external_conditions(plan.search_text);
  write(std::cout, finalists_table(report.rows, format, reference, plan.fresh.scale, margin, full), format);
  std::cout.flush();
  return report.ending == Ending::kInterrupted ? kInterruptedExit : 0;
}

/// The best of a search whose trials the user's command trained: the same command, with seeds that the search did not use.
int finalists_of_command(const Options& options, Store& database, FinalistsPlan plan, const ExternalConditions& searched, Format format) {
  const OwnTraining own = fresh_training(options, searched);
  Progress progress(std::cerr, Progress::standard_error_style());
  plan.machine = machine_text();
  plan.fresh.recipe = recipe_of(own.conditions);
  plan.fresh.recipe_text = to_text(own.conditions);
  plan.fresh.scale = score_scale(plan.fresh.recipe_text);
  plan.fresh.jobs = own.jobs;
  plan.data = "of the evaluator command";
  choose_fresh(options, &plan.fresh);
  plan.full.run.recipe = plan.fresh.recipe;  // there is no full length: nothing is trained under it
  plan.full.run.recipe_text = plan.fresh.recipe_text;
  const auto say = [&](const std::string& line) { progress.say(line); };
  say("evaluator: " + own.conditions.command);
  say("fresh: " + std::to_string(plan.finalists.size()) + " functions × " + std::to_string(plan.fresh.seeds) +
      " seeds and the reference, seeds from " + std::to_string(plan.fresh.seed));
  const std::atomic<bool>& interrupt = catch_interrupts();
  const Evaluator evaluator = make_evaluator(own, database, options.required("db"), plan.fresh, say);
  return show(progress, run_finalists(database, plan, evaluator, evaluator, progress, interrupt), plan,
              chosen_margin(options, plan.fresh.scale), format);
}

/// The best of a search of the built-in trainer.
int finalists_of_images(const Options& options, Store& database, FinalistsPlan plan, int full, Format format) {
  for (const char* const flag : {"gpus", "grace"}) {
    if (options.has(flag)) throw UsageError("--" + std::string(flag) + " belongs to a search with --evaluator, which this file's is not");
  }
  const Device device = chosen_device(options);
  plan.full = full_plan(options, device);
  plan.full.commit = plan.commit;
  plan.machine = plan.full.machine = machine_text() + (device.is_cuda() ? ", " + device.description : "");
  plan.full_top = std::min(full, static_cast<int>(plan.finalists.size()));
  Progress progress(std::cerr, Progress::standard_error_style());
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
  const int code = show(progress, run_finalists(database, plan, fresh, full_length, progress, interrupt), plan,
                        chosen_margin(options, plan.fresh.scale), format);
  if (!drawn.empty()) progress.say(drawn);
  return code;
}

int run(const Options& options) {
  const std::string file = options.required("db");
  const auto top = options.integer("top", 1, 100'000);
  if (!top) throw UsageError("--top N is required: how many of the leaderboard are finalists\nsee: actsearch finalists --help");
  if (options.integer("seeds", 1, 1'000'000) == 1) {
    throw UsageError("--seeds 1 is not enough: the comparison with the reference needs at least 2 trials of each function");
  }
  const auto full = options.integer("full", 0, 100'000).value_or(*top);
  if (full > *top) throw UsageError("--full " + std::to_string(full) + " is more than the --top " + std::to_string(*top) + " finalists");
  const Format format = options.format();
  (void)chosen_margin(options, {});                              // or it is none
  (void)candidate_of(options.text("compare").value_or("relu"));  // or it is no function

  require_searched(file);
  const auto store = open_store(file, Store::Access::kCreate);
  require_known_recipe(*store, "--from", options.text("from"));
  FinalistsPlan plan = chosen_finalists(options, *store, static_cast<int>(*top));
  if (read_told(plan.search_text)) {
    throw UsageError(
        "the trials of this file were told by a loop of your own, which finalists cannot train: ask for the best again with\n"
        "`ask --expr … --seed " +
        std::to_string(kFirstFreshSeed) + " --seeds 5`, under conditions that say that these are fresh seeds");
  }
  if (const auto searched = read_external_conditions(plan.search_text))
    return finalists_of_command(options, *store, std::move(plan), *searched, format);
  return finalists_of_images(options, *store, std::move(plan), static_cast<int>(full), format);
}

}  // namespace

Command finalists_command() {
  return {"finalists", "judges the best of a search again: fresh seeds and images, then full length", declared, run};
}

}  // namespace actsearch
