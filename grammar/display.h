/// What a formula looks like, as rows of boxes. LaTeX and MathML are printings of them, as is a picture's text (search/chart/typeset.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"

namespace actsearch {

/// One thing that stands in a row, with the rows inside it. Texts are UTF-8, as a reader sees them: "β", "−".
struct Box {
  enum class Kind : std::uint8_t {
    kNumber,       ///< text: its digits, without a sign
    kVariable,     ///< text: x, β, …
    kName,         ///< text: a function's name, which is applied to the next box
    kSign,         ///< the minus of one term
    kOperator,     ///< text: what stands between two terms, + − < or >
    kComma,        ///< between two arguments
    kProduct,      ///< an invisible multiplication sign
    kDot,          ///< a visible one
    kFraction,     ///< parts: above and below the line
    kRoot,         ///< parts: what the square root is taken of
    kFence,        ///< text: the opening bracket, one of ( [ |; parts: what is inside
    kSuperscript,  ///< parts: the base, one box, and the exponent
    kSubscript,    ///< parts: the base, one box, and the index
    kPrime,        ///< parts: the base, one box
    kArgument,     ///< text: 1 or 2, which argument a pattern wants here; no formula has one
  };
  Kind kind;
  std::string text = {};
  std::vector<std::vector<Box>> parts = {};
  bool operator==(const Box&) const = default;
};
using Boxes = std::vector<Box>;

/// The formula in boxes, with the fewest brackets that keep its structure readable. Limits as to_text.
Boxes displayed(const Expression& y);
/// The same with parameter k named parameter_names[k]: `beta` is β, `beta1` has an index, any other name is shown as it is.
Boxes displayed(const Expression& y, const std::vector<std::string>& parameter_names);

/// The formula in LaTeX's mathematics mode. Limits and parameter_names as displayed().
std::string to_latex(const Expression& y);
std::string to_latex(const Expression& y, const std::vector<std::string>& parameter_names);

/// The formula as MathML Core, `<math>…</math>`. std::invalid_argument also where it is nested over 500 deep; else as displayed().
std::string to_mathml(const Expression& y);
std::string to_mathml(const Expression& y, const std::vector<std::string>& parameter_names);

/// The pattern of a function, `display` in grammar/functions.h, in boxes:
///
///     #1 #2                   the arguments; brackets go around one where its place asks for them
///     2  exp  σ               numbers and names
///     + - * < > ,             a - that begins a row or follows another of these is a sign, and * is a product without a sign
///     (…) [ … ] |…|           fences
///     {…}/{…}  √{…}  …^2  …'  a fraction, a root, an exponent, a prime
///
/// A base (#1) loses its brackets where the argument is a letter: x² and (x + 1)². std::logic_error where the text is no pattern.
Boxes read_pattern(std::string_view text);

}  // namespace actsearch
