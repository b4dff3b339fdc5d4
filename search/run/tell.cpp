#include "search/run/tell.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "db/reads.h"
#include "search/run/progress.h"
#include "search/run/race.h"
#include "search/run/records.h"
#include "search/run/study.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

std::string epochs_text(int epochs) { return std::to_string(epochs) + (epochs == 1 ? " epoch" : " epochs"); }

TrialRecord record_of(const ToldResult& told, const ToldConditions& conditions, const std::optional<double>& train_loss) {
  TrialRecord record;
  if (told.score) record.validation_accuracy = conditions.stored(*told.score);
  record.train_loss = train_loss;
  if (told.failure) {
    record.failure = kToldFailed;
    record.failure_detail = cut(*told.failure, kLongestFailure);
  }
  return record;
}

/// What is stored of a trial that has ended, as it was told.
std::string result_text(const ToldConditions& conditions, const std::optional<double>& score, const std::string& failure,
                        const std::string& detail) {
  return score                    ? "the score " + exact(conditions.stored(*score))
         : failure == kToldFailed ? "failed (" + detail + ")"
                                  : failure + " (" + detail + ")";
}

/// Where the study races and has a rung after so many epochs: the race. What is stored of a study does not say whether it has baselines, so
/// here the references take no place of others at a rung.
std::optional<Race> race_with_rung(const Store& database, const TicketTrial& trial, int epochs, int trial_epochs) {
  const auto conditions = database.reads().conditions(trial.terms->study);
  auto racing = conditions ? read_racing(*conditions) : std::nullopt;
  if (!racing || std::find(racing->rungs.begin(), racing->rungs.end(), TrainingPoint{epochs, 0}) == racing->rungs.end())
    return std::nullopt;
  if (racing->promote_by == PromoteBy::kPrediction) require_end_model(*conditions);
  racing->always.assign(std::begin(kReferences), std::end(kReferences));
  return std::optional<Race>(std::in_place, database, trial.terms->study, trial.recipe, std::move(*racing), trial_epochs);
}

/// A value in the scale of the conditions.
void require_in_range(const std::string& what, double value, const ToldConditions& conditions) {
  if (std::isfinite(value) && value >= conditions.lowest && value <= conditions.highest) return;
  throw std::invalid_argument(what + " is a number from " + exact(conditions.lowest) + " to " + exact(conditions.highest) + ", " +
                              (conditions.minimize ? "lower" : "higher") + " is better, not " + exact(value));
}

}  // namespace

void require_valid(const ToldResult& told, const ToldConditions& conditions) {
  if (told.score.has_value() == told.failure.has_value()) throw std::invalid_argument("a result is a score or a failure");
  if (told.score) require_in_range("the " + conditions.metric, *told.score, conditions);
}

void require_valid(const ToldEpoch& told, const ToldConditions& conditions) {
  if (told.epoch > conditions.epochs) {
    throw std::invalid_argument("a whole trial has " + epochs_text(conditions.epochs) + ": there is no epoch " +
                                std::to_string(told.epoch));
  }
  if (told.epoch < 1) throw std::invalid_argument("epochs count from 1");
  if (!told.train_loss && !told.accuracy) throw std::invalid_argument("an epoch has a training loss, an accuracy or both");
  if (told.train_loss && !std::isfinite(*told.train_loss)) {
    throw std::invalid_argument("a training loss is a finite number, not " + exact(*told.train_loss) +
                                "; a training that diverges has failed: tell that");
  }
  if (told.accuracy) require_in_range("the accuracy of an epoch", *told.accuracy, conditions);
}

std::string_view to_text(Answer answer) {
  switch (answer) {
    case Answer::kGoOn:
      return "go on";
    case Answer::kPause:
      return "pause";
    case Answer::kStop:
      return "stop";
    case Answer::kStored:
      return "stored";
    case Answer::kAlreadyTold:
      return "already told";
    case Answer::kGivenBack:
      return "given back";
  }
  throw std::logic_error("to_text: no such answer");
}

struct Teller::Shown {
  TicketTrial trial;
  ToldConditions conditions;
  bool latest = false;  ///< the trial has not been handed out, or claimed, since
  bool held = false;
};

Teller::Shown Teller::look_at(const Claim& ticket) const {
  auto trial = tickets_.find(ticket.trial);
  if (!trial)
    throw TellError("there is no trial " + std::to_string(ticket.trial) + " in this database; ask --list shows those that are out");
  auto conditions = read_told(trial->recipe_text);
  if (!conditions) {
    throw TellError("trial " + std::to_string(ticket.trial) + " was not asked for: the program trains it itself, under " +
                    trial->recipe_text);
  }
  if (ticket.attempt > trial->ticket.attempt) {
    throw TellError("trial " + std::to_string(ticket.trial) + " was handed out " + std::to_string(trial->ticket.attempt) +
                    (trial->ticket.attempt == 1 ? " time" : " times") + ": there is no " + ticket_text(ticket));
  }
  const bool latest = trial->ticket == ticket && trial->terms;
  const bool held = latest && trial->status == TrialStatus::kRunning;
  return {std::move(*trial), std::move(*conditions), latest, held};
}

/// To somebody whose ticket does not hold the trial.
Reply Teller::no_longer(const Shown& shown) const {
  const TicketTrial& trial = shown.trial;
  const std::string name = "trial " + std::to_string(trial.ticket.trial);
  if (!shown.latest) {
    return {Answer::kStop,
            "this ticket has ended: its lease was over, or it was given back. " + name + " was handed out again at " + trial.handed_out +
                ", as " + ticket_text(trial.ticket),
            ""};
  }
  if (trial.status == TrialStatus::kReleased) {
    if (race_with_rung(database_, trial, trial.epochs, shown.conditions.epochs)) {
      return {Answer::kPause, name + " is paused after " + epochs_text(trial.epochs) + "; a later ask hands it out again if it is promoted",
              ""};
    }
    return {Answer::kStop, name + " was given back after " + epochs_text(trial.epochs), ""};
  }
  return {Answer::kStop,
          name + " has ended: " + result_text(shown.conditions, trial.score, trial.failure, trial.failure_detail) + " is stored", ""};
}

Reply Teller::epoch(const Claim& ticket, const ToldEpoch& told) {
  for (;;) {
    const Shown shown = look_at(ticket);
    require_valid(told, shown.conditions);
    if (!shown.held) return no_longer(shown);
    auto race = race_with_rung(database_, shown.trial, told.epoch, shown.conditions.epochs);
    if (race && !told.train_loss) throw std::invalid_argument("the race judges by the training loss, which this epoch needs");
    EpochRecord record;
    record.epoch = told.epoch - 1;
    record.train_loss = told.train_loss;
    if (told.accuracy) record.validation_accuracy = shown.conditions.stored(*told.accuracy);
    if (!tickets_.add_epoch(ticket, record)) continue;  // another has just taken it: the next look says who
    const bool at_rung = race && shown.trial.terms->judged && shown.trial.epochs <= told.epoch;
    if (at_rung && !race->goes_on(shown.trial.candidate, shown.trial.seed, {told.epoch, 0})) {
      if (!tickets_.give_back(ticket)) continue;
      return {Answer::kPause, "", ""};
    }
    return {Answer::kGoOn, "", look_at(ticket).trial.lease_until};
  }
}

/// Of a trial that has ended: whether it ended like that.
Reply Teller::compared(const TicketTrial& trial, const ToldConditions& conditions, const ToldResult& told) const {
  const TrialRecord record = record_of(told, conditions, {});
  const std::string stored = result_text(conditions, trial.score, trial.failure, trial.failure_detail);
  const bool equal = told.score ? trial.score == record.validation_accuracy
                                : trial.failure == record.failure && trial.failure_detail == record.failure_detail;
  if (equal) return {Answer::kAlreadyTold, "", ""};
  throw TellError("trial " + std::to_string(trial.ticket.trial) + " has " + stored + " already; " +
                  result_text(conditions, record.validation_accuracy, record.failure, record.failure_detail) + " is not stored");
}

Reply Teller::result(const Claim& ticket, const ToldResult& told) {
  for (;;) {
    const Shown shown = look_at(ticket);
    require_valid(told, shown.conditions);
    if (!shown.latest) return no_longer(shown);
    const TicketTrial& trial = shown.trial;
    if (trial.status == TrialStatus::kDone || trial.status == TrialStatus::kFailed) return compared(trial, shown.conditions, told);
    if (!tickets_.finish(ticket, record_of(told, shown.conditions, trial.train_loss))) continue;  // another has just taken it, or told it
    std::string late;
    if (!shown.held)
      late = "it had been paused or given back, and nobody had asked for it since";
    else if (trial.lease_left <= std::chrono::seconds::zero())
      late = "the lease had ended at " + trial.lease_until + ", and nobody had asked for the trial since";
    return {Answer::kStored, std::move(late), ""};
  }
}

Reply Teller::renew(const Claim& ticket, std::optional<std::chrono::seconds> lease) {
  const Shown shown = look_at(ticket);
  if (!shown.held || !tickets_.renew(ticket, lease)) return no_longer(look_at(ticket));
  return {Answer::kGoOn, "", look_at(ticket).trial.lease_until};
}

Reply Teller::give_back(const Claim& ticket) {
  const Shown shown = look_at(ticket);
  if (!shown.held || !tickets_.give_back(ticket)) return no_longer(look_at(ticket));
  return {Answer::kGivenBack, "", ""};
}

Reply Teller::elsewhere(const Elsewhere& trial, const ToldResult& told) {
  require_valid(told, trial.conditions);
  const std::string recipe_text = to_text(trial.conditions);
  const Id study = database_.study({.kind = std::string(kToldRecipe),
                                    .space = "",
                                    .strategy = "",
                                    .seed = 0,
                                    .recipe = recipe_text,
                                    .data = "",
                                    .conditions = "{}",
                                    .commit = trial.commit,
                                    .machine = trial.machine});
  const Id recipe = database_.recipe(kToldRecipe, recipe_text), candidate = keep(database_, trial.candidate).id;
  for (;;) {
    // A lease of no length: should this process die before the next call, the trial is free.
    HandedOut out;
    const TicketTerms terms{.study = study, .lease = std::chrono::seconds::zero(), .judged = false};
    const ClaimState state = tickets_.hand_out(candidate, recipe, trial.seed, terms, std::nullopt, &out);
    if (state == ClaimState::kClaimed) {
      if (tickets_.finish(out.ticket, record_of(told, trial.conditions, {}))) return {Answer::kStored, "", ""};
      continue;  // somebody asked for it between the two calls
    }
    const auto stored = tickets_.find(out.ticket.trial);
    if (!stored) continue;
    if (state == ClaimState::kDone) return compared(*stored, trial.conditions, told);
    throw TellError("it is out as trial " + ticket_text(stored->ticket) + " until " + stored->lease_until + ": tell --trial " +
                    ticket_text(stored->ticket));
  }
}

}  // namespace actsearch
