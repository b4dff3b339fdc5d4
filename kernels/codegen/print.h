/// An IntrinsicGraph as straight-line code in a language: one assignment an instruction of the Program, and one for what is used twice.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/codegen/trace.h"

namespace actsearch {

/// What the values that code starts from are called there. With `y`, the activation's value is known under that name.
struct Leaves {
  std::string x;
  std::vector<std::string> beta;
  std::optional<std::string> y = std::nullopt;
};

struct Code {
  std::string lines;                 ///< assignments, complete lines
  std::vector<std::string> results;  ///< the values asked for, in their order
};

/// What `results` are computed with, and nothing else; new names are t0, t1, … . InexpressibleError where the language lacks a word.
Code print(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, const Language& language, const Leaves& leaves);

/// The word with its arguments filled in. InexpressibleError where the language lacks it.
std::string spelled(const Language& language, Intrinsic intrinsic, std::string_view a, std::string_view b = {});

/// A text with every {{KEY}} replaced; a key without a value is std::logic_error.
std::string filled(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace actsearch
