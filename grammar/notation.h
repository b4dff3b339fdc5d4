/// The text form of formulas: `x * sigmoid(beta * x)`. What it accepts and prints is described in docs/grammar.md.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"

namespace actsearch {

inline constexpr std::size_t kMaxTextLength = 10'000;  ///< characters, as given and as printed
inline constexpr std::size_t kMaxDepth = 200;          ///< of the formula, and of parentheses within each other
inline constexpr std::size_t kMaxNodes = 5'000;        ///< of the formula written out

/// A text that is not a formula. The message names the column, what was expected and what was found; it is short whatever the
/// text is.
class NotationError : public std::invalid_argument {
 public:
  NotationError(std::size_t column, const std::string& message);
  std::size_t column() const { return column_; }  ///< from 1, in characters

 private:
  std::size_t column_;
};

/// The formula that the text means. Plain betas are numbered 0, 1, … in the order of the printed form. NotationError if it is none.
Expression parse(std::string_view text);

/// The formula's text, with the fewest parentheses that keep its structure: to_text(parse(to_text(y))) == to_text(y), and both
/// compute the same bits. Parameters are plain `beta` where each occurs once and in order, else beta0, beta1, …
/// std::invalid_argument where the formula is beyond printing: over 100,000 nodes written out, or nested over 2,000 deep.
/// Derivatives may be longer than parse() takes.
std::string to_text(const Expression& y);
/// The same with parameter k spelled parameter_names[k].
std::string to_text(const Expression& y, const std::vector<std::string>& parameter_names);

/// std::invalid_argument where the formula is beyond printing, as above.
void require_printable(const Expression& y);

/// The shortest decimal text that reads back to the same number.
std::string to_text(double number);

}  // namespace actsearch
