/// What a flag that names conditions of a database may say.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "db/database.h"

namespace actsearch {

/// Refuses a recipe's name that neither the file nor the program has (std::invalid_argument that names `flag`, suggests the nearest and
/// lists both). One that the program has and the file has no trials of is none of these: a search may be about to finish the first.
void require_known_recipe(const Database& database, const std::string& flag, const std::optional<std::string>& recipe);

/// For commands that go on with a search's results: DatabaseError where the file is not there or holds nothing, before it is opened for
/// writing, which would make it.
void require_searched(const std::filesystem::path& file);

}  // namespace actsearch
