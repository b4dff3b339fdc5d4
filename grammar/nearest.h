/// Suggestions for a mistyped name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace actsearch {

/// "; did you mean 'swish'?" for the known name that is fewest edits away, if that is few beside its length; else empty.
/// Words of more than 40 characters have no suggestion.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

/// The first 24 characters of a word that goes into a message, with an ellipsis where it is longer.
std::string shortened(std::string_view word);

}  // namespace actsearch
