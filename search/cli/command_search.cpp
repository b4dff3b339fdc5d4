// actsearch search: the study of one space under a budget.

#include <cmath>
#include <iostream>
#include <limits>

#include "db/open/open_store.h"
#include "db/reads.h"
#include "evaluator/formats/data_source.h"
#include "grammar/operators.h"
#include "search/cli/command.h"
#include "search/cli/device.h"
#include "search/cli/interrupt.h"
#include "search/cli/options.h"
#include "search/cli/own_training.h"
#include "search/cli/race_options.h"
#include "search/cli/run_files.h"
#include "search/run/forecast.h"
#include "search/run/known_spread.h"
#include "search/run/rerun.h"
#include "search/run/study.h"
#include "search/strategies/strategy.h"
#include "search/text/format.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
constexpr int kShown = 10;
// Measured: docs/results/early-epochs.md.
const std::vector<double> kUsualRungs{0.0625, 0.25, 0.5};

Options declared() {
  Options options("search", "--db FILE [flags]",
                  "Trains formulas, each for a short while, and ranks them in FILE by validation accuracy. A trial is\n"
                  "one training of one formula with one seed. The same command on the same file goes on where it\n"
                  "stopped: what is finished is not trained again. Several processes may share one file. A run ends at\n"
                  "the first budget that it reaches, or when every formula of the space is tried. Budgets count what\n"
                  "this run does.");
  options.value("db", "FILE", "the database: an SQLite file, created if it is not there, or postgresql://USER@HOST/NAME");
  declare_checkpoints(options);
  options.value("space", "NAME",
                "the formulas to search. core1: b(u(x), v(x)), of two unary operators u, v and a binary b; core2, core3: two or three such "
                "units, one after the other [core1]",
                space_names());
  options.value("unary", "A,B,...", "only these unary operators [all; `actsearch operators` lists them]", names_of(unary_operators()));
  options.value("binary", "A,B,...", "only these binary operators [all]", names_of(binary_operators()));
  declare_strategy(options);
  options.values("expr", "E", "also train this formula or name, in turn with the proposals; may be given several times",
                 names_of(activations()));
  options.flag("baselines", "also train ReLU, Swish and the other named functions of the paper, in turn with the proposals");
  declare_training(options, kDefaultSearchRecipe);
  Names measures;
  for (const auto& [measure, name] : score_measures()) measures.emplace_back(name);
  options.value("score", "S",
                "what ranks, on the images that validate: accuracy, or validation_loss, where lower is better; results are then ranked "
                "separately [accuracy]",
                std::move(measures));
  declare_device(options);
  declare_deterministic(options);
  options.value("seeds", "N", "trials of each formula, with different seeds [1]");
  options.value("seed", "S", "the first seed; the order of proposals follows from it too [0]");
  options.value("budget-time", "T", "end after this time, such as 45s, 30m, 1h30m");
  options.value("budget-trials", "N", "end after N trials");
  options.value("budget-epochs", "N", "train at most N epochs");
  options.flag("racing",
               "stop the weak early: every trial pauses at a few points, the rungs, and only the most promising go on "
               "(asynchronous successive halving)");
  std::string usual_rungs;
  for (const double rung : kUsualRungs) usual_rungs += (usual_rungs.empty() ? "" : ",") + exact(rung);
  options.value("rungs", "E,E,...", "the rungs, in epochs; 0.25 is a quarter of an epoch, rounded to whole steps [" + usual_rungs + "]");
  declare_race(options);
  options.value("trial-time", "T", "a trial that takes longer counts as failed [no limit]");
  declare_jobs(options);
  declare_own_training(options);
  options.epilogue(
      "Ctrl-C stops the run, keeps unfinished trials and prints the leaderboard (exit code 130). A second Ctrl-C\n"
      "ends it at once. The same command goes on later in both cases.\n"
      "\nWith --evaluator your own script trains: docs/own-training.md says what it has to do.\n"
      "\nExample: actsearch search --db first.db --baselines --budget-time 10m");
  return options;
}

Budget chosen_budget(const Options& options, const Recipe& recipe) {
  Budget budget{options.duration("budget-time"), options.integer("budget-trials", 1, kAny), options.integer("budget-epochs", 1, kAny)};
  if (budget.epochs && *budget.epochs < recipe.epochs) {
    throw UsageError("--budget-epochs " + std::to_string(*budget.epochs) + " is less than one trial of " + std::to_string(recipe.epochs) +
                     " epochs; --epochs makes trials shorter");
  }
  return budget;
}

/// What the flags say of a race: epochs, which the data make into steps.
struct RaceFlags {
  std::vector<double> rungs;
  RaceChoice choice = {};
};

std::optional<RaceFlags> chosen_race(const Options& options, const Recipe& recipe, const std::vector<double>& usual_rungs) {
  if (!races(options)) return std::nullopt;
  const RaceFlags race{options.numbers("rungs").value_or(usual_rungs), chosen_race_choice(options)};
  double before = 0;
  for (const double rung : race.rungs) {
    if (!(rung > before)) {
      throw UsageError("--rungs is a list of numbers of epochs that ascend from above 0, such as 0.1,0.5,1; not at '" + exact(rung) + "'");
    }
    before = rung;
  }
  if (before >= recipe.epochs) {
    throw UsageError("--rungs: a trial of " + std::to_string(recipe.epochs) + " epochs cannot pause after " + exact(before) +
                     "; --epochs makes trials longer");
  }
  return race;
}

/// The race on the data at hand.
Racing fitted(const RaceFlags& race, const Recipe& recipe, const Dataset& dataset) {
  const std::int64_t steps = steps_per_epoch(recipe, dataset.train.size());
  try {
    return {.rungs = rungs_after(race.rungs, recipe, steps), .steps_per_epoch = steps};
  } catch (const std::invalid_argument& error) {
    throw UsageError(std::string("--rungs: ") + error.what());
  }
}

/// What the flags say of the search, whoever trains: all but how that is done.
SearchPlan planned(const Options& options, const Recipe& recipe) {
  SearchPlan plan{.run = {},
                  .space = Space(options.text("space").value_or("core1"), options.list("unary"), options.list("binary")),
                  .strategy = options.choice("strategy"),
                  .baselines = options.has("baselines"),
                  .given = candidates_of(options.texts("expr")),
                  .data = "",
                  .commit = std::string(program_commit()),
                  .machine = machine_text()};
  (void)make_strategy(plan.strategy, plan.space, 0);  // or it has nothing to propose there
  plan.run.recipe = recipe;
  plan.run.seeds = static_cast<int>(options.integer("seeds", 1, 1'000'000).value_or(1));
  plan.run.seed = static_cast<std::uint64_t>(options.integer("seed", 0, 1'000'000'000'000'000'000).value_or(0));
  plan.run.budget = chosen_budget(options, recipe);
  plan.run.trial_limit = options.duration("trial-time");
  plan.run.checkpoints = chosen_checkpoints(options);
  return plan;
}

/// The same with the built-in trainer; the data's name is still missing.
SearchPlan planned(const Options& options, const Device& device) {
  Recipe recipe = chosen_recipe(options);
  const std::string score = options.choice("score");
  for (const auto& [measure, name] : score_measures()) {
    if (name == score) recipe.score = measure;
  }
  if (recipe.validation_size == 0) {
    throw UsageError("recipe " + recipe.name + " has no validation images, so a search cannot rank by it; it is for rerun");
  }
  SearchPlan plan = planned(options, recipe);
  if (device.is_cuda()) plan.machine += ", " + device.description;
  plan.run.precision = chosen_precision(options, device);
  plan.run.jobs = chosen_jobs(options, device);
  return plan;
}

std::string jobs_text(int jobs) { return std::to_string(jobs) + (jobs == 1 ? " job" : " jobs"); }

std::string search_text(const SearchPlan& plan) {
  return "search: " + plan.space.name() + " (" + std::to_string(plan.space.size()) + " spellings), " + plan.strategy + ", ";
}

void say_plan(Progress& progress, const SearchPlan& plan, const Device& device) {
  if (!device.note.empty())
    progress.say("device: the CPU, " + device.description + " (" + device.note + ")");
  else
    progress.say("device: " + device.description);
  progress.say(search_text(plan) + summary(plan.run.recipe) + " in " + std::string(to_text(plan.run.precision)) + ", " +
               jobs_text(plan.run.jobs));
}

void say_race(Progress& progress, const Racing& racing, int epochs) {
  std::string rungs;
  for (std::size_t i = 0; i < racing.rungs.size(); ++i) {
    const TrainingPoint& rung = racing.rungs[i];
    rungs += i == 0 ? "" : i + 1 == racing.rungs.size() ? " and " : ", ";
    rungs += std::to_string(rung.epochs * racing.steps_per_epoch + rung.steps);
  }
  progress.say("racing: a trial has " + std::to_string(epochs * racing.steps_per_epoch) + " steps and pauses after " + rungs +
               "; the best " + fixed(100 / racing.eta, 0) + " % of those that came as far go on, by " +
               (racing.promote_by == PromoteBy::kLoss
                    ? "their training loss"
                    : "their predicted end (until " + std::to_string(kEndsToLearnFrom) + " have ended, by their training loss)"));
}

/// What the file has under the conditions already, so that nobody thinks that it begins anew.
void say_before(Progress& progress, Store& database, const RunPlan& run) {
  const TrialCounts counts = database.reads().counts(database.recipe(run.recipe.name, run.recipe_text));
  if (counts.done + counts.failed + counts.unfinished == 0) return;
  progress.say("the file has " + std::to_string(counts.done) + " scored, " + std::to_string(counts.failed) + " failed and " +
               std::to_string(counts.unfinished) + " unfinished trials under these conditions");
}

/// How long it will take and what it will come to, timed on a few steps. A trial that is over in less than that needs none.
void say_forecast(Progress& progress, const Store& database, const SearchPlan& plan, const Dataset& dataset, const Evaluator& evaluator,
                  const std::atomic<bool>& interrupt) {
  constexpr std::int64_t kShort = 30;
  const std::int64_t steps = steps_per_epoch(plan.run.recipe, dataset.train.size());
  if (steps * plan.run.recipe.epochs < kShort) return;
  const auto step = timed_step(evaluator, plan.run, interrupt);
  if (!step) return;
  const int references = plan.baselines ? static_cast<int>(std::size(kReferences)) : 0;
  const bool scored = database.ranked_recipe(plan.run.recipe_text).has_value();
  const Forecast expected = forecast(plan.run, steps, *step, references);
  for (const std::string& line : forecast_lines(plan.run, expected, *step, dataset.train.size(), references, scored)) progress.say(line);
}

void say_ending(Progress& progress, const SearchReport& report) {
  const RunReport& run = report.run;
  const std::string done = std::to_string(run.done) + " trials (" + std::to_string(run.failed) + " failed, " +
                           (run.judged > run.done ? std::to_string(run.judged) + " judged, " : "") +
                           exact(std::round(10 * run.epochs) / 10) + " epochs) in " +
                           format_duration(std::chrono::duration<double>(run.seconds));
  const std::string kept = run.cut_off == 0   ? ""
                           : run.cut_off == 1 ? "; 1 trial in progress goes on where it was next time"
                                              : "; " + std::to_string(run.cut_off) + " trials in progress go on where they were next time";
  switch (run.ending) {
    case Ending::kFinished:
      progress.say(run.done == 0 ? "this study was finished before: all its " + std::to_string(run.skipped) + " trials are there"
                                 : "study finished: " + done);
      return;
    case Ending::kBudget:
      progress.say("budget reached: " + done + kept);
      return;
    case Ending::kInterrupted:
      progress.say("interrupted: " + done + kept);
      return;
  }
}

/// The best so far on standard output, and what to do next. Where nothing has finished, what a race has paused stands there. A search with
/// little time or failures alone has nothing to show.
void show_leaderboard(Progress& progress, const Store& database, const std::string& file, const SearchPlan& plan, Ending ending) {
  const std::string& recipe = plan.run.recipe_text;
  const LeaderboardQuery query{.recipe = recipe, .top = kShown, .sort = LeaderboardQuery::Sort::kLowerBound, .known_spread = known_spread};
  const auto rows = database.leaderboard(query);
  const auto provisional = database.provisional(recipe, kShown - static_cast<int>(rows.size()));
  const bool failures = rows.empty() && !database.failures(recipe).empty();
  const bool nothing = rows.empty() && provisional.rows.empty();
  if (nothing) {
    progress.say("no trial has come to a score yet: there is nothing to rank");
  } else {
    if (rows.empty()) progress.say("no trial has come to its end yet: these are provisional, furthest first, then by training loss");
    write(std::cout, leaderboard_table(rows, provisional, Format::kTable, std::nullopt, plan.run.scale), Format::kTable);
    std::cout.flush();
    if (const auto spread = database.seed_spread(query); spread && !rows.empty()) progress.say(spread_line(*spread, plan.run.scale));
  }
  if (ending != Ending::kFinished) progress.say("to go on:    run the same command again");
  if (failures) progress.say("to see why:  actsearch leaderboard --db " + in_shell(file) + " --failures");
  if (!nothing) progress.say("to see more: actsearch leaderboard --db " + in_shell(file) + " --top 50");
  if (rows.empty()) return;
  if (read_external_conditions(recipe))
    progress.say("to be sure:  actsearch finalists --db " + in_shell(file) + " --top 5 --full 0");
  else
    progress.say("to rerun:    actsearch rerun --db " + in_shell(file) + " --top 3 --recipe " + kDefaultRerunRecipe);
}

int ended(const SearchReport& report) { return report.run.ending == Ending::kInterrupted ? kInterruptedExit : 0; }

/// The built-in trainer searches.
int search_images(const Options& options) {
  const std::string file = options.required("db");
  const Device device = chosen_device(options);
  SearchPlan plan = planned(options, device);
  const auto race = chosen_race(options, plan.run.recipe, kUsualRungs);

  Progress progress(std::cerr, Progress::standard_error_style());
  require_usable(file);  // what is wrong with it is known before a download; it is made when all else is right
  const Dataset dataset = find_dataset(
      options.text("data"), [&](const std::string& line) { progress.say(line); }, kOfficialArchive, chosen_loading(options));
  plan.data = dataset.source;
  plan.run.recipe = fitted(plan.run.recipe, dataset);
  if (race) plan.run.racing = fitted(*race, plan.run.recipe, dataset);
  plan.run.recipe_text = conditions_text(plan.run.recipe, plan.run.precision, dataset.source);
  plan.run.scale = score_scale(plan.run.recipe_text);
  const auto store = open_store(file, Store::Access::kCreate);
  Store& database = *store;

  const auto say = [&](const std::string& line) {
    if (!line.empty()) progress.say(line);
  };
  say(note_on_data(dataset));
  say_plan(progress, plan, device);
  if (race) {
    settle_race(database, race->choice, plan);
    say_race(progress, *plan.run.racing, plan.run.recipe.epochs);
  }
  say(note_on_precision(database, plan.run));
  say_before(progress, database, plan.run);
  const std::atomic<bool>& interrupt = catch_interrupts();  // before this there is nothing to end cleanly
  const Evaluator evaluator = make_evaluator(device, dataset, plan.run, say);
  say_forecast(progress, database, plan, dataset, evaluator, interrupt);
  const SearchReport report = run_search(database, plan, evaluator, progress, interrupt);
  say_ending(progress, report);
  show_leaderboard(progress, database, file, plan, report.run.ending);
  say(note_on_data(dataset));
  return ended(report);
}

/// Rungs at whole epochs: about a ninth and a third of a trial.
std::vector<double> rungs_of_whole_epochs(int epochs) {
  std::vector<double> rungs;
  for (const int rung : {epochs / 9, epochs / 3}) {
    if (rung > 0 && rung < epochs && (rungs.empty() || rungs.back() < rung)) rungs.push_back(rung);
  }
  if (rungs.empty()) rungs.push_back(1);
  return rungs;
}

/// A race of a command's trials: an epoch is its smallest step.
Racing whole_epochs(const RaceFlags& race) {
  Racing racing{.rungs = {}, .steps_per_epoch = 1};
  for (const double rung : race.rungs) {
    if (rung != std::floor(rung)) throw UsageError("--rungs " + exact(rung) + ": an evaluator command pauses after whole epochs alone");
    racing.rungs.push_back({static_cast<int>(rung), 0});
  }
  return racing;
}

/// The user's own command trains.
int search_with_command(const Options& options, const OwnTraining& own) {
  const std::string file = options.required("db");
  SearchPlan plan = planned(options, recipe_of(own.conditions));
  const auto race = chosen_race(options, plan.run.recipe, rungs_of_whole_epochs(plan.run.recipe.epochs));
  if (race) {
    plan.run.racing = whole_epochs(*race);
    plan.run.racing->always = {std::string(kReferences[0])};
    require_epochs(own);
  }
  plan.run.recipe_text = to_text(own.conditions);
  plan.run.scale = score_scale(plan.run.recipe_text);
  plan.run.jobs = own.jobs;
  plan.data = "of the evaluator command";
  const Candidate relu = candidate_of(kReferences[0]);  // what others are compared with, and what tells a bad script from a bad function
  std::erase_if(plan.given, [&](const Candidate& given) { return given.fingerprint == relu.fingerprint; });
  plan.given.insert(plan.given.begin(), relu);

  Progress progress(std::cerr, Progress::standard_error_style());
  const auto say = [&](const std::string& line) { progress.say(line); };
  if (options.has("check-evaluator")) return check_evaluator(own, relu, plan.run.seed, plan.run.trial_limit, say);
  require_usable(file);
  const auto store = open_store(file, Store::Access::kCreate);
  Store& database = *store;
  say("evaluator: " + own.conditions.command);
  if (const std::string note = note_on_others(database, own.conditions); !note.empty()) say(note);
  say(search_text(plan) + std::to_string(own.conditions.epochs) + (own.conditions.epochs == 1 ? " epoch, " : " epochs, ") + "module for " +
      own.conditions.target + ", " + jobs_text(plan.run.jobs));
  if (race) {
    settle_race(database, race->choice, plan);
    say_race(progress, *plan.run.racing, plan.run.recipe.epochs);
  }
  say_before(progress, database, plan.run);
  const std::atomic<bool>& interrupt = catch_interrupts();
  const Evaluator evaluator = make_evaluator(own, database, file, plan.run, say);
  const SearchReport report = run_search(database, plan, evaluator, progress, interrupt);
  say_ending(progress, report);
  show_leaderboard(progress, database, file, plan, report.run.ending);
  return ended(report);
}

int run(const Options& options) {
  const auto own = chosen_own_training(options);
  return own ? search_with_command(options, *own) : search_images(options);
}

}  // namespace

Command search_command() { return {"search", "trains and ranks formulas until a budget ends", declared, run}; }

}  // namespace actsearch
