/// What is known of the deviation of a seed from measurements that are not in a database.
#pragma once

#include <optional>
#include <string>

#include "db/statistics.h"

namespace actsearch {

/// That of the recipe whose conditions (conditions_text) these are, trained on real CIFAR-10; absent where nobody has measured it: other
/// epochs, another rate or batch, other data. What LeaderboardQuery::known_spread asks for.
std::optional<SeedSpread> known_spread(const std::string& conditions);

/// What a table's ± means, in one line.
std::string spread_line(const SeedSpread& spread);

}  // namespace actsearch
