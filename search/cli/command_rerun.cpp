// actsearch rerun: full-length training of the best candidates, or of given formulas.

#include <iostream>

#include "db/open/open_store.h"
#include "evaluator/formats/data_source.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "search/cli/command.h"
#include "search/cli/device.h"
#include "search/cli/interrupt.h"
#include "search/cli/options.h"
#include "search/cli/run_files.h"
#include "search/report/recipe_choice.h"
#include "search/run/rerun.h"
#include "search/run/study.h"
#include "search/text/format.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

Options declared() {
  Options options("rerun", "--db FILE (--top N | --expr E …) [flags]",
                  "Trains formulas at full length, on the CPU one after the other with all cores. It measures test\n"
                  "accuracy after every epoch, and reports the best and the last. After each epoch it writes a\n"
                  "checkpoint under FILE.checkpoints; the same command goes on from there after any interruption.");
  options.value("db", "FILE", "the database: an SQLite file, created if it is not there, or postgresql://USER@HOST/NAME");
  declare_checkpoints(options);
  options.value("top", "N", "train the N best of the leaderboard");
  options.value("from", "RECIPE", "whose leaderboard: the recipe that --top ranks by [the search's with the most trials]");
  options.values("expr", "E", "train this formula or name; may be given several times", names_of(activations()));
  declare_training(options, kDefaultRerunRecipe);
  declare_device(options);
  declare_deterministic(options);
  options.value("seeds", "N", "runs of each formula, with different seeds [1]");
  options.value("seed", "S", "the first seed [0]");
  options.value("threads", "T", "threads of one run on the CPU [all cores]");
  options.value("jobs", "J", "runs at once on each CUDA device [1]");
  declare_format(options);
  return options;
}

std::vector<Candidate> best_candidates(const Store& database, const Options& options, int top) {
  std::vector<Candidate> candidates;
  for (const CandidateRecord& record :
       database.top_candidates({.recipe = options.text("from"), .top = top, .sort = LeaderboardQuery::Sort::kLowerBound})) {
    candidates.push_back(candidate_of(record.formula));
  }
  if (candidates.empty())
    throw std::runtime_error("the leaderboard is empty: run a search into this database first, or name formulas with --expr");
  return candidates;
}

RerunPlan planned(const Options& options, const Device& device) {
  RerunPlan plan;
  plan.run.checkpoints = chosen_checkpoints(options);
  plan.commit = program_commit();
  plan.run.recipe = chosen_recipe(options);
  plan.run.precision = chosen_precision(options, device);
  plan.run.seeds = static_cast<int>(options.integer("seeds", 1, 1'000'000).value_or(1));
  plan.run.seed = static_cast<std::uint64_t>(options.integer("seed", 0, 1'000'000'000'000'000'000).value_or(0));
  const int cores = available_cores();
  plan.run.threads = static_cast<int>(options.integer("threads", 1, cores).value_or(cores));
  plan.machine = machine_text() + ", " + (device.is_cuda() ? device.description : std::to_string(plan.run.threads) + " threads a run");
  constexpr std::int64_t kMost = 128;
  const auto jobs = options.integer("jobs", 1, kMost);
  if (jobs && !device.is_cuda())
    throw UsageError("--jobs is for CUDA devices; on the CPU a run has all cores\nsee: actsearch rerun --help");
  plan.run.jobs = device.is_cuda() ? static_cast<int>(jobs.value_or(1)) * static_cast<int>(device.cuda.size()) : 1;
  plan.candidates = candidates_of(options.texts("expr"));
  return plan;
}

int run(const Options& options) {
  const auto top = options.integer("top", 1, 1'000'000);
  if (top.has_value() == options.has("expr")) throw UsageError("either --top N or --expr E is expected\nsee: actsearch rerun --help");
  if (options.has("from") && !top) throw UsageError("--from belongs to --top\nsee: actsearch rerun --help");
  const Format format = options.format();
  const Device device = chosen_device(options);
  RerunPlan plan = planned(options, device);

  Progress progress(std::cerr, Progress::standard_error_style());
  const std::string file = options.required("db");
  require_usable(file);  // it is made when all else is right
  if (top) {
    require_searched(file);
    const auto store = open_store(file, Store::Access::kCreate);
    Store& searched = *store;
    require_known_recipe(searched, "--from", options.text("from"));
    plan.candidates = best_candidates(searched, options, static_cast<int>(*top));
  }
  const Dataset dataset = find_dataset(
      options.text("data"), [&](const std::string& line) { progress.say(line); }, kOfficialArchive, chosen_loading(options));
  plan.data = dataset.source;
  plan.run.recipe = fitted(plan.run.recipe, dataset);
  plan.run.recipe_text = rerun_conditions_text(plan.run.recipe, plan.run.precision, dataset.source);
  const auto store = open_store(file, Store::Access::kCreate);
  Store& database = *store;

  const std::string drawn = note_on_data(dataset);
  if (!drawn.empty()) progress.say(drawn);
  progress.say("rerun: " + std::to_string(plan.candidates.size()) + (plan.candidates.size() == 1 ? " function" : " functions") + " × " +
               std::to_string(plan.run.seeds) + (plan.run.seeds == 1 ? " seed, " : " seeds, ") + summary(plan.run.recipe) + " in " +
               std::string(to_text(plan.run.precision)) + ", " +
               (device.is_cuda() ? device.description : std::to_string(plan.run.threads) + " threads"));
  if (const std::string note = note_on_precision(database, plan.run); !note.empty()) progress.say(note);
  const std::atomic<bool>& interrupt = catch_interrupts();  // before this there is nothing to end cleanly
  const Evaluator evaluator = make_evaluator(device, dataset, plan.run, [&](const std::string& line) { progress.say(line); });
  const RerunReport report = run_reruns(database, plan, evaluator, progress, interrupt);
  if (report.run.ending == Ending::kInterrupted) progress.say("interrupted: the same command goes on from the last checkpoint");
  write(std::cout, report.results, format);
  std::cout.flush();
  if (!drawn.empty()) progress.say(drawn);
  return report.run.ending == Ending::kInterrupted ? kInterruptedExit : 0;
}

}  // namespace

Command rerun_command() { return {"rerun", "trains the best, or given formulas, at full length, with test accuracy", declared, run}; }

}  // namespace actsearch
