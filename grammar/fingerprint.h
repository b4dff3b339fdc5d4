/// What makes two formulas the same candidate, and which are refused before any training. docs/grammar.md explains the choices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grammar/program.h"

namespace actsearch {

/// Why a formula is no candidate.
enum class Rejection : std::uint8_t {
  kConstant,        ///< y does not depend on x
  kNotFinite,       ///< y is NaN, or beyond fp32's range, somewhere in [-5, 5], every parameter being 1
  kSlopeNotFinite,  ///< a derivative is, somewhere in [-5, 5] but at 0, where the kinks of abs, max and min lie
};
/// "constant", "not finite", "slope not finite".
std::string_view to_text(Rejection rejection);

struct Examination {
  /// 32 hexadecimal digits; equal for formulas that compute the same function, however spelled and whatever the order of their
  /// parameters. Set for a rejected formula too, unless it is not finite.
  std::string fingerprint;
  std::optional<Rejection> rejection;
  std::string detail;  ///< of a rejection: where and what, for people
};

/// Evaluates the program in double over two fixed grids of x, in [-5, 5] and from there to ±10,000 and close to 0, with several settings
/// of its parameters: all 1, where they start, and values between -5 and 5. In [-5, 5] it must be finite, and values are compared to 8
/// significant digits; below 1e-12 they count as 0. On the other grid 6 digits are compared, overflow and NaN are values of their own,
/// and so is a value whose digits are rounding noise.
Examination examine(const Program& program);

}  // namespace actsearch
