/// Turns candidates and outcomes of training into the records that the database stores.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "db/store.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"

namespace actsearch {

/// A candidate that is in the database.
struct KeptCandidate {
  Id id = 0;
  Candidate candidate;
};
/// The candidate in the one spelling of its function that is trained. It is the database's spelling; a new function gets the canonical one,
/// which is stored. So checkpoints, parameters and learned β mean the same in every trial of a function. Name and place stay as given.
KeptCandidate keep(Store& database, const Candidate& met);

/// A candidate of the database, as a source would give it. std::logic_error where its formula is no candidate.
Candidate stored(const CandidateRecord& record, std::optional<std::uint64_t> place);

/// `validates`: whether the recipe has validation images. Without them the record has no validation scores.
EpochRecord to_record(const EpochMetrics& epoch, bool validates);
std::vector<EpochRecord> to_records(const std::vector<EpochMetrics>& epochs, bool validates);
PauseRecord to_record(const PartialEpoch& partial);
TrialRecord to_record(const TrialOutcome& outcome, bool validates);

}  // namespace actsearch
