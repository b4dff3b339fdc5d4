// Texts through the whole chain of a formula: notation, derivatives, program, kernel, fingerprint, exports.

#include <cmath>
#include <stdexcept>
#include <vector>

#include "grammar/display.h"
#include "grammar/fingerprint.h"
#include "grammar/notation.h"
#include "grammar/program.h"
#include "kernels/cpu/eigen_kernel.h"
#include "kernels/export/export.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;

namespace {

/// Bits, but that one NaN is like another.
bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void check(const Expression& formula) {
  const std::string printed = to_text(formula);
  const Expression again = parse(printed);
  fuzz::require(to_text(again) == printed, "what is printed is read and printed the same: " + printed);
  const Program program = lower(formula), program_again = lower(again);
  const std::vector<double> beta(static_cast<std::size_t>(program.parameter_count()), 1.0);
  for (const double x : {-100.0, -1.5, 0.0, 1e-3, 2.0, 88.0, 1e30}) {
    const Evaluation value = evaluate(program, x, beta);
    fuzz::require(same(value.y, evaluate_forward(program, x, beta)), "the value with its slope is the value: " + printed);
    fuzz::require(same(value.y, evaluate_forward(program_again, x, beta)), "both compute the same bits: " + printed);
  }
  examine(program);
  to_latex(formula);
  to_mathml(formula);
  const EigenKernel kernel(program);
  const std::vector<float> x{-3, -0.5f, 0, 1, 50}, ones(beta.size(), 1.0f);
  std::vector<float> y(x.size()), slope(x.size()), by_beta(x.size() * beta.size());
  kernel.evaluate(x, ones, y.data(), slope.data(), by_beta.data());
  const ExportedActivation activation(formula, "", {"fuzz\n*/ \xff"});
  for (const ExportTarget& target : export_targets()) {
    try {
      target.write(activation);
    } catch (const std::runtime_error&) {  // InexpressibleError
    } catch (const std::invalid_argument&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 400) return 0;  // what is longer is refused or takes long, and finds nothing more
  Expression formula{0.0};
  try {
    formula = parse(fuzz::text_of(data, size));
  } catch (const NotationError& error) {
    fuzz::require(std::string(error.what()).size() < 500, "a message is short");
    return 0;
  }
  try {
    check(formula);
  } catch (const std::invalid_argument&) {  // too long to lower or to print
  }
  return 0;
}
