/// What the formats share when they read files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace actsearch {

/// The path in quotation marks, for messages.
std::string quoted(const std::filesystem::path& path);

/// The whole file. DataError if it cannot be read.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path);

/// MD5 of the file's bytes. DataError if it cannot be read.
std::string md5_of_file(const std::filesystem::path& path);

}  // namespace actsearch
