/// The deviation of a seed as published measurements have it, where a database has too few seeds of its own.
#pragma once

#include <optional>
#include <string>

#include "db/statistics.h"
#include "search/text/score_scale.h"

namespace actsearch {

/// The measured deviation under these conditions (conditions_text), for LeaderboardQuery::known_spread. Absent where it has not been
/// measured: other epochs, another rate or batch, or data other than CIFAR-10.
std::optional<SeedSpread> known_spread(const std::string& conditions);

/// One line that explains the ± of a table.
std::string spread_line(const SeedSpread& spread, const ScoreScale& scale = {});

}  // namespace actsearch
