/// What to do about a file that cannot be used, by the system's error number.
#pragma once

#include <string>

namespace actsearch {

/// "; free some space …", to be put behind a message that names the file and the error; empty where there is nothing to advise.
std::string file_advice(int error_number);

}  // namespace actsearch
