// actsearch tell: takes in what became of a trial that was asked for, and answers what to do next.

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "db/open/open_store.h"
#include "grammar/operators.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/cli/own_training.h"
#include "search/report/recipe_choice.h"
#include "search/run/tell.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

Options declared() {
  Options options("tell", "--db FILE (--trial T | --formula F --conditions TEXT) (--epoch N … | --score S | --failed TEXT | …) [flags]",
                  "Says what became of a trial that `actsearch ask` handed out. The answer is on standard output:\n"
                  "\n"
                  "  go on         train on\n"
                  "  pause         keep a checkpoint and stop: a later `ask` hands the trial out again if it is promoted\n"
                  "  stop          the trial is no longer yours; standard error says why\n"
                  "  stored        the result counts\n"
                  "  already told  the same result was stored before\n"
                  "  given back    a later `ask` hands the trial out again");
  options.value("db", "FILE", "the database: an SQLite file, or postgresql://USER@HOST/NAME");
  options.value("trial", "T", "the trial, as `ask` named it: 17, or 17.2 where it was handed out a second time");
  options.value("epoch", "N", "so many epochs are trained; with --train-loss, --accuracy or both. It renews the lease");
  options.value("train-loss", "L", "training loss of that epoch; a race needs it");
  options.value("accuracy", "A",
                "validation accuracy after that epoch, 0 to 1; in the scale of the score where `ask` has --score-range or --minimize");
  options.value("score", "S",
                "the trial has ended with this score: 0 to 1, higher is better, unless `ask` has --score-range or --minimize");
  options.value("failed", "TEXT", "the trial has failed, and why: a result too");
  options.flag("renew", "begin the lease anew");
  options.value("lease", "T", "with --renew: for this long [as long as it was asked for]");
  options.flag("give-back", "give the trial back unfinished; what was told of its epochs stays");
  options.value("formula", "F", "take in a result from elsewhere: of this formula or name, with --score or --failed",
                names_of(activations()));
  options.value("seed", "S", "with --formula: the seed [0]");
  options.value("conditions", "TEXT", "with --formula: what was trained, the text that `ask` has");
  options.value("epochs", "N", "with --formula: of the whole trial [1]");
  declare_metric(options, "with --formula: ", "what the score is called");
  declare_format(options, {"table", "json"});
  options.epilogue(
      "Example: actsearch tell --db own.db --formula 'x * tanh(x)' --score 0.91 --seed 3 --conditions 'resnet20, train.py v3'");
  return options;
}

/// The number of a flag, whatever it is: the message for what makes no sense is of whoever takes it.
std::optional<double> number(const Options& options, const std::string& flag) {
  const auto numbers = options.any_numbers(flag);
  if (!numbers) return std::nullopt;
  if (numbers->size() != 1) throw UsageError("--" + flag + ": one number is expected, not '" + *options.text(flag) + "'");
  return numbers->front();
}

void require_only(const Options& options, const std::string& owner, const std::vector<std::string>& belongings, bool given) {
  for (const std::string& flag : belongings) {
    if (options.has(flag) && !given) throw UsageError("--" + flag + " belongs to " + owner + "\nsee: actsearch tell --help");
  }
}

/// What is told: one of these, and what belongs to it.
std::string chosen_subject(const Options& options) {
  std::string chosen;
  for (const char* subject : {"epoch", "score", "failed", "renew", "give-back"}) {
    if (!options.has(subject)) continue;
    if (!chosen.empty()) throw UsageError("--" + chosen + " and --" + subject + " are both given: tell one after the other");
    chosen = subject;
  }
  if (chosen.empty()) throw UsageError("what is told? --epoch, --score, --failed, --renew or --give-back\nsee: actsearch tell --help");
  require_only(options, "--epoch", {"train-loss", "accuracy"}, chosen == "epoch");
  require_only(options, "--renew", {"lease"}, chosen == "renew");
  return chosen;
}

std::optional<std::chrono::seconds> chosen_lease(const Options& options) {
  const auto lease = options.duration("lease");
  if (!lease) return std::nullopt;
  if (*lease < std::chrono::seconds(1)) throw UsageError("--lease is a second at least");
  return std::chrono::duration_cast<std::chrono::seconds>(*lease);
}

void write_reply(const Options& options, const std::string& trial, const Reply& reply) {
  if (options.format() == Format::kJson) {
    const auto text_or_null = [](const std::string& text) {
      return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
    };
    std::cout << nlohmann::ordered_json{{"trial", text_or_null(trial)},
                                        {"answer", to_text(reply.answer)},
                                        {"reason", text_or_null(reply.reason)},
                                        {"lease_until", text_or_null(reply.lease_until)}}
                     .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
    return;
  }
  std::cout << to_text(reply.answer) << '\n';
  if (!reply.reason.empty()) std::cerr << reply.reason << '\n';
}

int run(const Options& options) {
  const std::string file = options.required("db");
  const std::string subject = chosen_subject(options);
  (void)options.format();
  if (options.has("trial") == options.has("formula"))
    throw UsageError("either --trial T or --formula F is expected\nsee: actsearch tell --help");
  require_only(options, "--formula", {"seed", "conditions", "epochs", "metric", "minimize", "score-range"}, options.has("formula"));
  const ToldResult result{number(options, "score"), options.text("failed")};
  const bool ends = subject == "score" || subject == "failed";

  if (options.has("formula")) {
    if (!ends) throw UsageError("--formula takes a result: --score or --failed");
    const Teller::Elsewhere trial{.conditions = chosen_conditions(options),
                                  .candidate = candidate_of(options.required("formula")),
                                  .seed = static_cast<std::uint64_t>(options.integer("seed", 0, 1'000'000'000'000'000'000).value_or(0)),
                                  .commit = std::string(program_commit()),
                                  .machine = machine_text()};
    (void)to_text(trial.conditions);  // or they cannot be: before a file is made
    require_valid(result, trial.conditions);
    require_usable(file);
    const auto store = open_store(file, Store::Access::kCreate);
    if (const std::string note = note_on_epochs(*store, trial.conditions); !note.empty()) std::cerr << note << '\n';
    write_reply(options, "", Teller(*store).elsewhere(trial, result));
    return 0;
  }

  const std::string name = options.required("trial");
  const Claim ticket = read_ticket(name);
  const auto lease = chosen_lease(options);
  ToldEpoch epoch;
  epoch.epoch = static_cast<int>(options.integer("epoch", 1, 100'000).value_or(1));
  epoch.train_loss = number(options, "train-loss");
  epoch.accuracy = number(options, "accuracy");
  require_searched(file);
  const auto store = open_store(file, Store::Access::kCreate);
  Teller teller(*store);
  write_reply(options, name,
              ends                 ? teller.result(ticket, result)
              : subject == "epoch" ? teller.epoch(ticket, epoch)
              : subject == "renew" ? teller.renew(ticket, lease)
                                   : teller.give_back(ticket));
  return 0;
}

}  // namespace

Command tell_command() { return {"tell", "takes in what became of them, and answers what to do", declared, run}; }

}  // namespace actsearch
