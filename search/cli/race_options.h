/// The flags of a race that `search` and `ask` share; each has its own rungs.
#pragma once

#include "search/cli/options.h"
#include "search/run/race.h"

namespace actsearch {

/// Declares --eta and --promote-by.
void declare_race(Options& options);

/// Whether --racing is given. UsageError where another flag of a race is given without it.
bool races(const Options& options);

/// --eta and --promote-by. UsageError for an eta that is no number above 1.
RaceChoice chosen_race_choice(const Options& options);

}  // namespace actsearch
