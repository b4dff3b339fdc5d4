/// The flags of a race that `search` and `ask` share; each has its own rungs.
#pragma once

#include <optional>

#include "search/cli/options.h"
#include "search/run/race.h"

namespace actsearch {

/// Declares --eta and --promote-by.
void declare_race(Options& options);

/// Whether --racing is given. UsageError where another flag of a race is given without it.
bool races(const Options& options);

/// --eta; UsageError unless it is a number above 1.
double chosen_eta(const Options& options);

/// --promote-by; absent where it is not given.
std::optional<PromoteBy> chosen_promotion(const Options& options);

}  // namespace actsearch
