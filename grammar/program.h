/// A formula as a straight line of instructions, common subexpressions computed once: what every backend consumes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "grammar/expression.h"

namespace actsearch {

/// One assignment. Its result is named by its place in the program.
struct Instruction {
  Expression::Kind kind = Expression::Kind::kInput;
  FunctionId function = 0;      ///< of a kCall
  std::uint16_t a = 0, b = 0;   ///< places of the arguments of a kCall; b only where the function has two
  std::uint16_t parameter = 0;  ///< of a kParameter
  double number = 0;            ///< of a kNumber
};

/// y, dy/dx and dy/dbeta_k of one activation. Instructions [0, forward_size) suffice for y.
struct Program {
  std::vector<Instruction> instructions;
  std::uint16_t forward_size = 0;
  std::uint16_t y = 0;  ///< places of the results
  std::uint16_t dydx = 0;
  std::vector<std::uint16_t> dydbeta;  ///< one a parameter
  int parameter_count() const { return static_cast<int>(dydbeta.size()); }
};

/// The formula and its derivatives as one program. Where a value on the way may be infinite in single precision for |x| up to 10,000,
/// functions that saturate at the largest finite number stand in for what the formula says, so that results are finite where the
/// formula's are; other programs are as written, but for log(1 + exp(u)), which is softplus(u). Where a formula is smooth at 0 and the
/// rules of its ties there do not fit together, the program reads -1e-30 in place of 0 (docs/grammar.md says which formulas). Parameters
/// are numbered in order (with_parameters_in_order). std::invalid_argument if it has more than 10,000 instructions.
Program lower(const Expression& y);

/// Value and partial derivatives at one point, in double: the reference that every backend is compared with. What overflows is infinite,
/// and so is every result beyond 1e300.
struct Evaluation {
  double y = 0, dydx = 0;
  std::vector<double> dydbeta;
};
/// beta holds program.parameter_count() values.
Evaluation evaluate(const Program& program, double x, const std::vector<double>& beta);
/// Whether a value on the way to y or dy/dx is beyond the largest number of single precision.
bool overflows_single_precision(const Program& program, double x, const std::vector<double>& beta);
/// y alone.
double evaluate_forward(const Program& program, double x, const std::vector<double>& beta);
/// The same at several points, which is quicker than one after the other.
std::vector<double> evaluate_forward(const Program& program, std::span<const double> xs, const std::vector<double>& beta);
/// y with the result of every call moved by 2^-50 of it, up or down as the seed says. Where that moves y by much, most digits of y are
/// rounding noise.
std::vector<double> evaluate_disturbed(const Program& program, std::span<const double> xs, const std::vector<double>& beta,
                                       std::uint64_t seed);

}  // namespace actsearch
