/// Where a run keeps the files that its database does not hold.
#pragma once

#include <filesystem>
#include <string>

#include "search/cli/options.h"

namespace actsearch {

/// --checkpoints.
void declare_checkpoints(Options& options);

/// --checkpoints, or FILE.checkpoints beside the database. For a database on a server it is NAME.checkpoints in the working directory. A
/// trial's checkpoint is removed once its result is in the database.
std::filesystem::path chosen_checkpoints(const Options& options);

/// The same, ending in .logs: what a user's own training command prints.
std::filesystem::path log_directory(const std::string& database);

/// A database's place as a shell takes it: in quotes where it has characters that mean something there, as addresses have.
std::string in_shell(const std::string& database);

}  // namespace actsearch
