// actsearch ask: hands out trials that somebody else trains, and lists those that are out.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "db/open/open_store.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "kernels/export/export.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/cli/own_training.h"
#include "search/cli/race_options.h"
#include "search/run/ask.h"
#include "search/run/budget.h"
#include "search/strategies/strategy.h"
#include "search/text/format.h"
#include "search/text/machine.h"
#include "search/text/output_file.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

constexpr std::chrono::hours kUsualLease{24};

Options declared() {
  Options options("ask", "--db FILE --conditions TEXT [flags]",
                  "Hands out trials that your own program trains: it proposes formulas as `search` does, and you say with\n"
                  "`actsearch tell` what became of each. The same flags on the same file are the same study, and go on\n"
                  "with it. A trial is handed out for a time, its lease. No process needs to live meanwhile. When the lease\n"
                  "ends without word, a later `ask` hands the trial out again. Several may ask at once: none gets a trial\n"
                  "that another has.");
  options.value("db", "FILE", "the database: an SQLite file, created if it is not there, or postgresql://USER@HOST/NAME");
  options.value("conditions", "TEXT",
                "what is trained, in your own words: scores are ranked together where this text, --epochs and --metric are equal");
  options.value("count", "N", "how many trials [1]");
  options.value("lease", "T", "for how long, such as 2h or 30m; a told epoch and `tell --renew` begin it anew [24h]");
  options.value("epochs", "N", "of a whole trial [1]");
  declare_metric(options, "", "what the score is called, such as perplexity");
  options.value("space", "NAME", "the formulas to search: core1, core2 or core3, as in `search` [core1]", space_names());
  options.value("unary", "A,B,...", "only these unary operators [all; `actsearch operators` lists them]", names_of(unary_operators()));
  options.value("binary", "A,B,...", "only these binary operators [all]", names_of(binary_operators()));
  declare_strategy(options);
  options.values("expr", "E", "also hand out this formula or name, in turn with the proposals; may be given several times",
                 names_of(activations()));
  options.flag("baselines", "also hand out ReLU, Swish and the other named functions of the paper, in turn with the proposals");
  options.value("seeds", "N", "trials of each formula, with different seeds [1]");
  options.value("seed", "S", "the first seed; the order of proposals follows from it too [0]");
  options.flag("racing",
               "stop the weak early: `tell --epoch` answers `pause` at a rung unless the trial is among the most promising there");
  options.value("rungs", "E,E,...", "the rungs, in whole epochs, such as 1,3");
  declare_race(options);
  options.value("to", "TARGET", "also write each formula as `actsearch export --to` does: pytorch, jax, keras, ...",
                names_of(export_targets()));
  options.value("out", "DIR", "where to: DIR/trial-17.py and so on; created if it is not there, and files of that name are replaced");
  options.flag("list", "list the trials that are out instead");
  declare_format(options);
  options.epilogue("Example: actsearch ask --db own.db --conditions 'resnet20, train.py v3' --epochs 10 --count 4 --format json");
  return options;
}

std::optional<AskPlan::Race> chosen_race(const Options& options) {
  if (!races(options)) return std::nullopt;
  const auto rungs = options.numbers("rungs");
  if (!rungs) throw UsageError("--racing needs --rungs, in whole epochs, such as 1,3");
  AskPlan::Race race{.rungs = {}, .choice = chosen_race_choice(options)};
  for (const double rung : *rungs) {
    if (rung != std::floor(rung) || std::abs(rung) > 100'000)
      throw UsageError("--rungs: a whole number of epochs is expected, not '" + exact(rung) + "'");
    race.rungs.push_back(static_cast<int>(rung));
  }
  return race;
}

AskPlan planned(const Options& options) {
  AskPlan plan{.conditions = chosen_conditions(options),
               .space = Space(options.text("space").value_or("core1"), options.list("unary"), options.list("binary")),
               .strategy = options.choice("strategy"),
               .seed = static_cast<std::uint64_t>(options.integer("seed", 0, 1'000'000'000'000'000'000).value_or(0)),
               .seeds = static_cast<int>(options.integer("seeds", 1, 1'000'000).value_or(1)),
               .baselines = options.has("baselines"),
               .given = candidates_of(options.texts("expr")),
               .race = chosen_race(options),
               .commit = std::string(program_commit()),
               .machine = machine_text()};
  return plan;
}

/// Where and how the formulas are written; absent where they are not.
struct Modules {
  const ExportTarget* target = nullptr;
  std::filesystem::path directory;
};
std::optional<Modules> chosen_modules(const Options& options) {
  if (options.has("to") != options.has("out")) throw UsageError("--to TARGET and --out DIR belong together");
  if (!options.has("to")) return std::nullopt;
  const std::string name = options.choice("to");
  const auto target =
      std::find_if(export_targets().begin(), export_targets().end(), [&](const ExportTarget& one) { return one.name == name; });
  Modules modules{&*target, options.required("out")};
  if (std::filesystem::exists(modules.directory) && !std::filesystem::is_directory(modules.directory)) {
    throw UsageError("--out " + modules.directory.string() + ": is no folder");
  }
  return modules;
}

/// The file of the trial's formula. Empty, and a message, where the target cannot express the formula.
std::string write_module(const Modules& modules, const AskedTrial& trial, const AskPlan& plan, Id study) {
  const ExportTarget& target = *modules.target;
  const std::string number = std::to_string(trial.handed_out.ticket.trial);
  std::vector<std::string> origin{"Trial " + number + " of study " + std::to_string(study) + " (asked for, space " + plan.space.name() +
                                      ", strategy " + plan.strategy + "), seed " + std::to_string(trial.seed) + ".",
                                  "To be trained under: " + to_text(plan.conditions),
                                  "Written by actsearch " + std::string(program_version()) + " (commit " + std::string(program_commit()) +
                                      "), target " + std::string(target.name) + "."};
  const std::filesystem::path file = modules.directory / ("trial-" + number + std::string(target.extension));
  try {
    write_file(file, target.write(ExportedActivation(parse(trial.candidate.formula), "activation", std::move(origin))), /*force=*/true);
  } catch (const InexpressibleError& error) {
    std::cerr << "trial " << number << ": no file is written: " << error.what() << '\n';
    return "";
  }
  return file.string();
}

Table asked_table(const std::vector<AskedTrial>& asked, const std::vector<std::string>& files) {
  Table table;
  table.columns = {"trial", "formula", "name", "seed", "module", "from_epoch", "to_epoch", "lease_until"};
  table.numeric = {false, false, false, true, false, true, true, false};
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const AskedTrial& trial = asked[i];
    const auto text_or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
    table.rows.push_back({ticket_text(trial.handed_out.ticket), trial.candidate.formula, text_or_null(trial.candidate.name),
                          std::to_string(trial.seed), text_or_null(files[i]), std::to_string(trial.handed_out.from_epoch),
                          std::to_string(trial.to_epoch), trial.handed_out.lease_until});
  }
  return table;
}

int list(const Options& options, const std::string& file) {
  for (const char* other :
       {"conditions", "count",     "lease", "epochs", "metric", "minimize", "score-range", "space",      "unary", "binary", "strategy",
        "expr",       "baselines", "seeds", "seed",   "racing", "rungs",    "eta",         "promote-by", "to",    "out"}) {
    if (options.has(other)) throw UsageError(std::string("--list shows all that is out: --") + other + " does not go with it");
  }
  const Format format = options.format();
  const auto store = open_store(file, Store::Access::kReadOnly);
  Table table;
  table.columns = {"trial", "formula", "name", "seed", "lease_left", "lease_until", "epochs", "to_epoch", "conditions"};
  table.numeric = {false, false, false, true, format != Format::kTable, false, true, true, false};
  for (const TicketTrial& trial : static_cast<const Store&>(*store).tickets().out()) {
    const auto conditions = read_told(trial.recipe_text);
    if (!conditions) continue;
    const auto left = trial.lease_left.count();
    table.rows.push_back({ticket_text(trial.ticket), trial.record.formula,
                          trial.record.name.empty() ? std::nullopt : std::optional(trial.record.name), std::to_string(trial.seed),
                          format != Format::kTable ? std::to_string(left)
                          : left > 0               ? format_duration(trial.lease_left)
                                                   : "over",
                          trial.lease_until, std::to_string(trial.epochs), std::to_string(conditions->epochs), conditions->text});
  }
  write(std::cout, table, format);
  return 0;
}

int run(const Options& options) {
  const std::string file = options.required("db");
  if (options.has("list")) return list(options, file);
  const AskPlan plan = planned(options);
  const Format format = options.format();
  const int count = static_cast<int>(options.integer("count", 1, 100'000).value_or(1));
  const auto lease = std::chrono::duration_cast<std::chrono::seconds>(options.duration("lease").value_or(kUsualLease));
  if (lease < std::chrono::seconds(1)) throw UsageError("--lease is a second at least");
  const auto modules = chosen_modules(options);
  require_valid(plan);
  require_usable(file);
  if (modules) std::filesystem::create_directories(modules->directory);

  const auto store = open_store(file, Store::Access::kCreate);
  if (const std::string note = note_on_epochs(*store, plan.conditions); !note.empty()) std::cerr << note << '\n';
  Asker asker(*store, plan);
  const std::vector<AskedTrial> asked = asker.ask(count, lease);
  std::vector<std::string> files(asked.size());
  try {
    for (std::size_t i = 0; modules && i < asked.size(); ++i) files[i] = write_module(*modules, asked[i], plan, asker.study());
  } catch (...) {
    for (const AskedTrial& trial : asked) store->tickets().give_back(trial.handed_out.ticket);
    throw;
  }
  write(std::cout, asked_table(asked, files), format);
  if (static_cast<int>(asked.size()) < count) {
    std::cerr << "no more trials to hand out now: the rest is told, out" << (plan.race ? ", paused" : "")
              << " or refused; `actsearch ask --db " << file << " --list` shows what is out\n";
  }
  return 0;
}

}  // namespace

Command ask_command() { return {"ask", "hands out formulas for your own program to train", declared, run}; }

}  // namespace actsearch
