/// What the database keeps of candidates and of a trial's outcome.
#pragma once

#include <vector>

#include "db/database.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"

namespace actsearch {

/// A candidate that the database has.
struct KeptCandidate {
  Id id = 0;
  Candidate candidate;
};
/// The candidate in the spelling that is trained: the one that the database has of its function, else the canonical one, which it then
/// keeps. So checkpoints, parameters and learned β mean the same in every trial of a function. Name and place are those given.
KeptCandidate keep(Database& database, const Candidate& met);

/// `validates`: the recipe has validation images; without, nothing is said of them.
EpochRecord to_record(const EpochMetrics& epoch, bool validates);
std::vector<EpochRecord> to_records(const std::vector<EpochMetrics>& epochs, bool validates);
PauseRecord to_record(const PartialEpoch& partial);
TrialRecord to_record(const TrialOutcome& outcome, bool validates);

}  // namespace actsearch
