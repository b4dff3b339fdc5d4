/// What the database keeps of a trial's outcome.
#pragma once

#include <vector>

#include "db/database.h"
#include "evaluator/trainer.h"

namespace actsearch {

/// `validates`: the recipe has validation images; without, nothing is said of them.
EpochRecord to_record(const EpochMetrics& epoch, bool validates);
std::vector<EpochRecord> to_records(const std::vector<EpochMetrics>& epochs, bool validates);
PauseRecord to_record(const PartialEpoch& partial);
TrialRecord to_record(const TrialOutcome& outcome, bool validates);

}  // namespace actsearch
