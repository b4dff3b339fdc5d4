/// Files that a command writes for the user.
#pragma once

#include <filesystem>
#include <string_view>

namespace actsearch {

/// std::invalid_argument, whose message names --force, if there is something at `file` already and `force` is not set, or if what is there
/// is no regular file. To be asked before the work, so that nothing is done in vain.
void require_writable(const std::filesystem::path& file, bool force);

/// Writes the whole file or nothing: under another name in the same folder, then renamed. Without `force` what has meanwhile appeared there
/// is not replaced either. std::runtime_error with the file and the system's reason.
void write_file(const std::filesystem::path& file, std::string_view bytes, bool force);

}  // namespace actsearch
