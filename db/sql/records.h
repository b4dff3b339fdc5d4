/// What trials belong to: each is found by what identifies it, or created.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/records.h"
#include "db/sql/connection.h"

namespace actsearch {

/// As Store::study. `created` is when a study that is new here was created: now, unless it says otherwise.
Id store_study(sql::Connection& connection, const StudyRecord& study, std::optional<std::string_view> created = std::nullopt);
/// As Store::recipe.
Id store_recipe(sql::Connection& connection, std::string_view name, std::string_view text);

}  // namespace actsearch
