/// Checks of the flags that name a database and its conditions.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "db/store.h"

namespace actsearch {

/// std::invalid_argument for a recipe's name that neither the file nor the program has; it names `flag`, suggests the nearest name and
/// lists both. A recipe of the program's without trials in the file passes, since a search may be about to finish the first.
void require_known_recipe(const Store& database, const std::string& flag, const std::optional<std::string>& recipe);

/// DatabaseError where the file does not exist or is empty. For commands that continue a search's results: they ask before they open the
/// file for writing, which would create it.
void require_searched(const std::string& place);

}  // namespace actsearch
