/// One trial to do, and how people read its name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "db/records.h"
#include "grammar/candidate.h"
#include "search/run/race.h"

namespace actsearch {

struct Task {
  std::shared_ptr<const Candidate> candidate;
  Id candidate_id = 0;
  std::uint64_t seed = 0;
  Stretch stretch;
  Claim claim;  ///< of this process, once there is one
};

/// As one number; whole ones where it is not known of how many steps an epoch is.
inline double epochs_in(const TrialProgress& progress) {
  return progress.epochs + (progress.epoch_steps > 0 ? static_cast<double>(progress.steps) / static_cast<double>(progress.epoch_steps) : 0);
}

inline std::string label(const Candidate& candidate) { return candidate.name.empty() ? candidate.formula : candidate.name; }
inline std::string long_label(const Candidate& candidate) {
  return candidate.formula + (candidate.name.empty() || candidate.name == candidate.formula ? "" : " (" + candidate.name + ")");
}

}  // namespace actsearch
