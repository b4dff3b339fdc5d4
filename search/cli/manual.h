/// The two texts about the whole program, made from its commands and their flags.
#pragma once

#include <string>

namespace actsearch {

/// What `actsearch --help` prints.
std::string overview();
/// The page actsearch(1), with every flag of every command, for man. It follows from the program alone: the same program, the same bytes.
std::string man_page();

}  // namespace actsearch
