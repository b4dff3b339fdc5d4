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

/// How straight-line code for some results is laid out. Values are named by their places in the graph, which outlives this.
class Layout {
 public:
  /// With `known`, that value is given.
  Layout(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, std::int64_t known = -1);
  /// Whether the code has the value in it: as a leaf or computed.
  bool needs(std::uint32_t node) const { return reach_.needs(node); }
  bool computes(std::uint32_t node) const;
  /// Whether it is computed once, under a name of its own: a whole instruction, or a value that is used twice. All else that is computed
  /// stands where it is used.
  bool names(std::uint32_t node) const;

 private:
  const IntrinsicGraph& graph_;
  std::int64_t known_;
  Reach reach_;
  std::vector<int> uses_;
};

/// The language's word for it. InexpressibleError where it has none.
const std::string& word_of(const Language& language, Intrinsic intrinsic);

/// What `results` are computed with, and nothing else; new names are t0, t1, … . InexpressibleError where the language lacks a word.
Code print(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, const Language& language, const Leaves& leaves);

/// The word with its arguments filled in. InexpressibleError where the language lacks it.
std::string spelled(const Language& language, Intrinsic intrinsic, std::string_view a, std::string_view b = {});

/// A text with every {{KEY}} replaced; a key without a value is std::logic_error.
std::string filled(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace actsearch
