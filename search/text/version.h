/// Which program this is.
#pragma once

#include <string_view>

namespace actsearch {

/// The version of the project, "0.1.0".
std::string_view program_version();
/// The abbreviated commit it was built from, "-modified" after it where the tree had changes; "unknown" outside git.
std::string_view program_commit();

}  // namespace actsearch
