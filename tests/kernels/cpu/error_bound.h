/// How far fp32, or another precision, may lie from the double reference: a first-order bound carried along the program.
#pragma once

#include <cmath>
#include <vector>

#include "grammar/program.h"

namespace actsearch::testing {

/// Units in the last place that one fp32 function may be off, times 2^-24: its own rounding.
inline constexpr double kUnit = 0x1p-24;

struct Bounded {
  double value = 0;
  double error = 0;
};

/// Value and error bound of every instruction at one point. Each function adds `ulps` roundings of its result (and of its argument, for
/// the functions that reduce it), and passes on its arguments' errors by its slopes. `ambiguous` is set where a comparison could
/// go either way within the bounds: there fp32 and double may rightly differ by a jump. `unit` is half a unit in the last place of 1.
inline std::vector<Bounded> bounded_run(const Program& program, double x, const std::vector<double>& beta, bool* ambiguous,
                                        double unit = kUnit) {
  std::vector<Bounded> all;
  for (const Instruction& i : program.instructions) {
    Bounded out;
    switch (i.kind) {
      case Expression::Kind::kInput:
        out.value = x;
        break;
      case Expression::Kind::kParameter:
        out.value = beta[i.parameter];
        break;
      case Expression::Kind::kNumber:
        out = {i.number, std::abs(i.number) * unit};
        break;
      case Expression::Kind::kCall:
        visit_function(i.function, [&]<class F>() {
          constexpr double ulps = 16;
          const Bounded a = all[i.a];
          if constexpr (F::arity == 1) {
            out.value = F::f(a.value);
            const double slope = std::abs(F::dfdx(a.value, out.value));
            out.error = slope * (a.error + 2 * unit * std::abs(a.value)) + ulps * unit * std::abs(out.value) + 4 * unit * unit;
            // The rational approximations of erf and tanh and the reductions of sin and cos are good to an absolute 2^-22.
            if (function_name(i.function).size() >= 3) out.error += 4 * unit * std::min(1.0, std::abs(a.value));
            if (std::is_same_v<F, Abs> && std::abs(a.value) <= a.error) *ambiguous = true;
          } else {
            const Bounded b = all[i.b];
            out.value = F::f(a.value, b.value);
            out.error = std::abs(F::dfda(a.value, b.value, out.value)) * a.error +
                        std::abs(F::dfdb(a.value, b.value, out.value)) * b.error + 2 * unit * std::abs(out.value);
            const bool compares = std::is_same_v<F, Greater> || std::is_same_v<F, Max> || std::is_same_v<F, Min>;
            if (compares && std::abs(a.value - b.value) <= a.error + b.error && a.error + b.error > 0) *ambiguous = true;
            // A quotient's error is not small where the divisor's is not small beside it.
            if (std::is_same_v<F, Divide> && b.error > 0.01 * std::abs(b.value)) *ambiguous = true;
          }
        });
        break;
    }
    all.push_back(out);
  }
  return all;
}

}  // namespace actsearch::testing
