/// Files that a command writes for the user.
#pragma once

#include <filesystem>
#include <string_view>

namespace actsearch {

/// std::invalid_argument if something is at `file` already and `force` is not set (the message names --force), or if it is no regular
/// file. To be called before the work, so that nothing is done in vain.
void require_writable(const std::filesystem::path& file, bool force);

/// Writes the whole file or nothing: under another name in the same folder, then renames it. Without `force` it never replaces a file, not
/// even one that appeared meanwhile. std::runtime_error with the file and the system's reason.
void write_file(const std::filesystem::path& file, std::string_view bytes, bool force);

}  // namespace actsearch
