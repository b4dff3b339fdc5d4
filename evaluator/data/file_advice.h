/// What to do about a file that cannot be used, by the system's error number.
#pragma once

#include <filesystem>
#include <string>

namespace actsearch {

/// "; free some space …", to be put behind a message that names the file and the error; empty where there is nothing to advise.
std::string file_advice(int error_number);

/// The standard library's error as people read it: the file, what the system says, and what to do.
std::string plain_text(const std::filesystem::filesystem_error& error);

}  // namespace actsearch
