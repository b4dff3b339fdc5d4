#include "search/run/records.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "grammar/notation.h"

namespace actsearch {
namespace {

std::string beta_json(const std::vector<BetaStatistics>& beta) {
  auto list = nlohmann::json::array();
  for (const BetaStatistics& b : beta) {
    list.push_back({{"mean", b.mean}, {"deviation", b.deviation}, {"min", b.minimum}, {"max", b.maximum}});
  }
  return list.dump();
}

CandidateRecord to_record(const Candidate& candidate) {
  return {candidate.fingerprint, candidate.formula, candidate.name, candidate.program.parameter_count()};
}

/// The candidate as the formula spells it; nothing where that is another function, as in a file that was changed by hand.
std::optional<Candidate> spelled(const Candidate& candidate, const std::string& formula) {
  if (formula == candidate.formula) return candidate;
  try {
    auto considered = consider(parse(formula));
    auto* const other = std::get_if<Candidate>(&considered);
    if (!other || other->fingerprint != candidate.fingerprint) return std::nullopt;
    other->name = candidate.name;
    other->index = candidate.index;
    return std::move(*other);
  } catch (const NotationError&) {
    return std::nullopt;
  }
}

}  // namespace

KeptCandidate keep(Store& database, const Candidate& met) {
  auto kept = database.candidate_with(met.fingerprint);
  if (!kept) {
    database.candidate(to_record(canonical(met)));
    kept = database.candidate_with(met.fingerprint);  // maybe another process's
  }
  if (kept && kept->record.name.empty() && !met.name.empty()) database.candidate(to_record(met));  // takes the name
  std::optional<Candidate> candidate = kept ? spelled(met, kept->record.formula) : std::nullopt;
  return {kept ? kept->id : 0, std::move(candidate).value_or(met)};
}

Candidate stored(const CandidateRecord& record, std::optional<std::uint64_t> place) {
  auto considered = consider(parse(record.formula));
  auto* const candidate = std::get_if<Candidate>(&considered);
  if (!candidate) throw std::logic_error("a candidate of the database is none: " + record.formula);
  candidate->name = record.name;
  candidate->index = place;
  return std::move(*candidate);
}

namespace {

/// The user's own training need not tell everything; what it did not tell is a NaN.
std::optional<double> if_told(double value) { return std::isnan(value) ? std::nullopt : std::optional(value); }

}  // namespace

EpochRecord to_record(const EpochMetrics& epoch, bool validates) {
  EpochRecord record{.epoch = epoch.epoch,
                     .learning_rate = epoch.learning_rate,
                     .train_loss = epoch.train_loss,
                     .train_accuracy = epoch.train_accuracy,
                     .validation_loss = std::nullopt,
                     .validation_accuracy = std::nullopt,
                     .test_accuracy = epoch.test_accuracy,
                     .seconds = epoch.seconds};
  if (validates) {
    record.validation_loss = if_told(epoch.validation_loss);
    record.validation_accuracy = if_told(epoch.validation_accuracy);
  }
  return record;
}

std::vector<EpochRecord> to_records(const std::vector<EpochMetrics>& epochs, bool validates) {
  std::vector<EpochRecord> records;
  for (const EpochMetrics& epoch : epochs) records.push_back(to_record(epoch, validates));
  return records;
}

PauseRecord to_record(const PartialEpoch& partial) {
  return {.epoch = partial.epoch,
          .step = partial.steps,
          .epoch_steps = partial.epoch_steps,
          .train_loss = partial.train_loss,
          .train_accuracy = partial.train_accuracy,
          .seconds = partial.seconds};
}

TrialRecord to_record(const TrialOutcome& outcome, bool validates) {
  TrialRecord record;
  record.seconds = outcome.seconds;
  record.beta = beta_json(outcome.beta);
  if (outcome.failure != Failure::kNone) {
    record.failure = to_text(outcome.failure);
    record.failure_detail = outcome.detail;
  } else if (validates) {
    record.validation_accuracy = outcome.score;
  }
  for (const EpochMetrics& epoch : outcome.epochs) {
    if (epoch.test_accuracy) {
      record.best_test_accuracy = std::max(record.best_test_accuracy.value_or(0), *epoch.test_accuracy);
      record.final_test_accuracy = epoch.test_accuracy;
    }
    record.train_loss = if_told(epoch.train_loss);
  }
  return record;
}

}  // namespace actsearch
