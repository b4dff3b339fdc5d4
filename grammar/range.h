/// Which values of a formula may be infinite in single precision, though the formula's own may be finite.
#pragma once

#include <unordered_map>
#include <vector>

#include "grammar/expression.h"

namespace actsearch {

/// Between what bounds a value lies for |x| and |beta| up to 10,000. Bounds are those of exact arithmetic, or wider; beyond double
/// precision they are infinite. A divisor's zero crossing counts as a pole of the formula itself and is left out.
struct Range {
  double low = 0, high = 0;

  bool overflows_up() const;    ///< beyond the largest number of single precision
  bool overflows_down() const;  ///< … or the smallest
  bool overflows() const { return overflows_up() || overflows_down(); }
  /// May be 0, or so small that single precision makes it 0.
  bool may_vanish() const;
};

Range range_of_input();
Range range_of_number(double number);
/// Of a call, from those of its arguments; b is read where the function has two.
Range range_of_call(FunctionId function, const Range& a, const Range& b);
/// Of every node of a formula, by identity; `nodes` are nodes_in_order of it.
std::unordered_map<const void*, Range> ranges_of(const std::vector<Expression>& nodes);

}  // namespace actsearch
