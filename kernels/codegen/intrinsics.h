/// The intrinsics: the primitive words that the functions of grammar/functions.h are computed with, and how each language spells them.
///
/// Their one table is intrinsics.def, which every printer of a Program reads. A function or operator made of these words needs nothing
/// here; a new word is a row there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace actsearch {

#define ACTSEARCH_WORD(enumerator, ...) enumerator,
#define ACTSEARCH_SIGN(enumerator, ...) enumerator,
enum class Intrinsic : std::uint8_t {
#include "kernels/codegen/intrinsics.def"
};
#undef ACTSEARCH_WORD
#undef ACTSEARCH_SIGN
#define ACTSEARCH_WORD(...) +1
#define ACTSEARCH_SIGN(...) +1
inline constexpr std::size_t kIntrinsicCount = 0
#include "kernels/codegen/intrinsics.def"
    ;
#undef ACTSEARCH_WORD
#undef ACTSEARCH_SIGN

/// A formula that a target cannot express: the message names the word and says why.
class InexpressibleError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// How a language writes values down. In a word, #1 and #2 stand for the arguments; a word that is empty cannot be said in it.
struct Language {
  std::string name;
  std::array<std::string, kIntrinsicCount> words;
  std::string (*number)(double) = nullptr;
  std::string assignment;  ///< a line of code: #1 is the new name, #2 the value
  /// Functions that the words call: how a call begins, and the definition. A file has those that its code calls.
  std::vector<std::pair<std::string, std::string>> helpers;
  std::string& word(Intrinsic intrinsic) { return words[static_cast<std::size_t>(intrinsic)]; }
  const std::string& word(Intrinsic intrinsic) const { return words[static_cast<std::size_t>(intrinsic)]; }
};

/// The definitions of the language's helpers that the code calls, in order.
std::string helpers_for(const Language& language, std::string_view code);

/// The word's name in the table: "add", "softplus", …
std::string_view intrinsic_name(Intrinsic intrinsic);
/// How many arguments the word has: 1 or 2.
int intrinsic_arity(Intrinsic intrinsic);

/// C99 in double, and in single precision (whose functions end in f). `prefix` stands before the words that C has not: the helpers
/// logistic, maximum, minimum, softplus, exp_limit, sinh_limit and finite.
Language c_double_language(const std::string& prefix);
Language c_float_language(const std::string& prefix);
/// CUDA C++ in single precision, its functions C's; no header is needed.
Language cuda_language(const std::string& prefix);
/// Python, each over its library's arrays. `dtype` is a variable in scope where a comparison occurs.
Language torch_language();
Language jax_language();
Language keras_language();
Language sympy_language();
/// ONNX: nested calls of operators, to be cut into nodes.
Language onnx_language();

/// A number of double precision that single precision has not: beyond its range, or so small that it would be 0.
bool beyond_single_precision(double number);

}  // namespace actsearch
