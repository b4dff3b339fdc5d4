/// What other tools call a function and this alphabet does not: `silu`, `relu6`, `clip(x, a, b)`. The notation takes these words and writes
/// the formula that they stand for. They are no operators, and no candidate is called by them.
#pragma once

#include <string_view>
#include <vector>

#include "grammar/expression.h"

namespace actsearch {

struct Spelling {
  std::string_view name;
  int arity = 1;        ///< with 1 it may also stand alone, of x
  std::string_view as;  ///< where the name is from, or what it is of: for docs and messages
  /// Of `arity` arguments.
  Expression (*build)(const std::vector<Expression>& arguments) = nullptr;
};

/// Every one, by name: PyTorch's and Keras's elementwise activations, and NumPy's words. Defaults are those of these tools.
const std::vector<Spelling>& spellings();
/// Null if it is none.
const Spelling* find_spelling(std::string_view name);

/// What to write in place of a word that the notation cannot take, such as `where`; empty if there is nothing to say.
std::string_view advice_on(std::string_view word);

}  // namespace actsearch
