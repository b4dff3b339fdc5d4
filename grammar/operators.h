/// The operators: the alphabet that candidates are spelled in (25 unary, 10 binary), and the well-known activations.
///
/// An operator is a struct with a name (the word of the command line and of the notation), one line for people, an arity and
/// its formula `f` over the elementary functions. An operator with a trainable parameter takes it as f's last argument, and
/// each use of the operator has its own. Everything that lists operators iterates over the tables at the end of this file:
/// adding one made of known functions is adding a struct and its place in a table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"
#include "grammar/functions.h"

namespace actsearch {

/// Keeps log(|x| + ε) finite at 0 and x1 / (x2 + ε) apart from division by an exact 0. The paper names no value; this one is
/// small beside any activation, and still shifts an fp32 number near 1.
inline constexpr double kEpsilon = 1e-7;

/// Where every trainable parameter starts. The paper names no value; its learned ones peak near 1.
inline constexpr double kBetaStart = 1.0;

/// An operator that is an elementary function, under its name.
template <class F>
struct Elementary {
  static constexpr std::string_view name = F::name;
  static constexpr std::string_view description = F::description;
  static constexpr int arity = F::arity;
  template <class T>
  requires(arity == 1) static T f(const T& x) { return apply<F>(x); }
  template <class T>
  requires(arity == 2) static T f(const T& a, const T& b) { return apply<F>(a, b); }
};

// ---- Unary operators. ------------------------------------------------------------------------------------------------

struct Identity {
  static constexpr std::string_view name = "identity";
  static constexpr std::string_view description = "The input itself.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return x;
  }
};

struct BetaTimes {
  static constexpr std::string_view name = "beta_times";
  static constexpr std::string_view description = "The input scaled by a trainable parameter.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x, const T& beta) {
    return beta * x;
  }
};

struct PlusBeta {
  static constexpr std::string_view name = "plus_beta";
  static constexpr std::string_view description = "The input shifted by a trainable parameter.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x, const T& beta) {
    return x + beta;
  }
};

struct LogAbs {
  static constexpr std::string_view name = "log_abs";
  static constexpr std::string_view description = "The logarithm of the absolute value, kept finite at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Log>(apply<Abs>(x) + T(kEpsilon));
  }
};

struct Relu {
  static constexpr std::string_view name = "relu";
  static constexpr std::string_view description = "The positive part, slope 0 at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Max>(x, T(0.0));
  }
};

struct Min0 {
  static constexpr std::string_view name = "min0";
  static constexpr std::string_view description = "The negative part, slope 0 at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Min>(x, T(0.0));
  }
};

struct Beta {
  static constexpr std::string_view name = "beta";
  static constexpr std::string_view description = "A trainable parameter alone; the input is ignored.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T&, const T& beta) {
    return beta;
  }
};

// ---- Binary operators. -----------------------------------------------------------------------------------------------

struct AddOperator : Elementary<Add> {
  static constexpr std::string_view name = "add";
};

struct MultiplyOperator : Elementary<Multiply> {
  static constexpr std::string_view name = "mul";
};

struct SubtractOperator : Elementary<Subtract> {
  static constexpr std::string_view name = "sub";
};

struct DivideOperator {
  static constexpr std::string_view name = "div";
  static constexpr std::string_view description = "The quotient, the divisor moved off 0.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return a / (b + T(kEpsilon));
  }
};

struct SigmoidMultiply {
  static constexpr std::string_view name = "sigmoid_mul";
  static constexpr std::string_view description = "The second argument gated by the logistic function of the first.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return apply<Sigmoid>(a) * b;
  }
};

struct GaussDifference {
  static constexpr std::string_view name = "gauss_diff";
  static constexpr std::string_view description = "A Gaussian bell of the difference, its width trainable.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b, const T& beta) {
    return apply<Exp>(-beta * apply<Square>(a - b));
  }
};

struct LaplaceDifference {
  static constexpr std::string_view name = "laplace_diff";
  static constexpr std::string_view description = "A two-sided exponential of the difference, its width trainable.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b, const T& beta) {
    return apply<Exp>(-beta * apply<Abs>(a - b));
  }
};

struct Mix {
  static constexpr std::string_view name = "mix";
  static constexpr std::string_view description = "A mixture of both arguments, its weight trainable.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b, const T& beta) {
    return beta * a + (T(1.0) - beta) * b;
  }
};

// ---- Well-known activations. -----------------------------------------------------------------------------------------

struct LeakyRelu {
  static constexpr std::string_view name = "leaky_relu";
  static constexpr std::string_view description = "ReLU with slope 0.01 for negative inputs.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Max>(x, T(0.0)) + T(0.01) * apply<Min>(x, T(0.0));
  }
};

struct PRelu {
  static constexpr std::string_view name = "prelu";
  static constexpr std::string_view description = "ReLU with a trainable slope for negative inputs that starts at 0.25.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x, const T& beta) {
    return apply<Max>(x, T(0.0)) + T(0.25) * beta * apply<Min>(x, T(0.0));
  }
};

/// expm1 sees only the negative part, so that neither a large input nor its slope overflows. At 0 the minimum's tie gives the slope to x:
/// 1, where the maximum's gives 0.
struct Elu {
  static constexpr std::string_view name = "elu";
  static constexpr std::string_view description = "ReLU with exp(x) - 1 for negative inputs (alpha = 1).";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Max>(x, T(0.0)) + apply<Expm1>(apply<Min>(T(0.0), x));
  }
};

struct Selu {
  static constexpr std::string_view name = "selu";
  static constexpr std::string_view description = "ELU scaled so that mean 0 and variance 1 are a fixed point.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    const T alpha(1.6732632423543772), scale(1.0507009873554805);
    return scale * (apply<Max>(x, T(0.0)) + alpha * apply<Expm1>(apply<Min>(T(0.0), x)));
  }
};

struct Gelu {
  static constexpr std::string_view name = "gelu";
  static constexpr std::string_view description = "The input times the normal distribution function of it.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return T(0.5) * x * (T(1.0) + apply<Erf>(T(0.7071067811865476) * x));
  }
};

struct Swish1 {
  static constexpr std::string_view name = "swish1";
  static constexpr std::string_view description = "The input times its logistic function (SiLU): Swish with beta fixed at 1.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return x * apply<Sigmoid>(x);
  }
};

struct Swish {
  static constexpr std::string_view name = "swish";
  static constexpr std::string_view description = "The paper's find, with beta trained.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x, const T& beta) {
    return x * apply<Sigmoid>(beta * x);
  }
};

struct Mish {
  static constexpr std::string_view name = "mish";
  static constexpr std::string_view description = "The input times the hyperbolic tangent of its softplus.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return x * apply<Tanh>(apply<Softplus>(x));
  }
};

struct MaxXSigmoid {
  static constexpr std::string_view name = "max_x_sigmoid";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Max>(x, apply<Sigmoid>(x));
  }
};

struct CosMinusX {
  static constexpr std::string_view name = "cos_minus_x";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Cos>(x) - x;
  }
};

struct MinXSin {
  static constexpr std::string_view name = "min_x_sin";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Min>(x, apply<Sin>(x));
  }
};

struct Atan2MinusX {
  static constexpr std::string_view name = "atan2_minus_x";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Square>(apply<Atan>(x)) - x;
  }
};

struct MaxXTanh {
  static constexpr std::string_view name = "max_x_tanh";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Max>(x, apply<Tanh>(x));
  }
};

struct SincPlusX {
  static constexpr std::string_view name = "sinc_plus_x";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return apply<Sinc>(x) + x;
  }
};

struct XAsinh2 {
  static constexpr std::string_view name = "x_asinh2";
  static constexpr std::string_view description = "Found by the paper.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return x * apply<Square>(apply<Asinh>(x));
  }
};

// ---- The tables. -----------------------------------------------------------------------------------------------------

/// In the paper's order.
using UnaryOperators = TypeList<Identity, Elementary<Negate>, Elementary<Abs>, Elementary<Square>, Elementary<Cube>, Elementary<Sqrt>,
                                BetaTimes, PlusBeta, LogAbs, Elementary<Exp>, Elementary<Sin>, Elementary<Cos>, Elementary<Sinh>,
                                Elementary<Cosh>, Elementary<Tanh>, Elementary<Asinh>, Elementary<Atan>, Elementary<Sinc>, Relu, Min0,
                                Elementary<Sigmoid>, Elementary<Softplus>, Elementary<Gauss>, Elementary<Erf>, Beta>;
using BinaryOperators = TypeList<AddOperator, MultiplyOperator, SubtractOperator, DivideOperator, Elementary<Max>, Elementary<Min>,
                                 SigmoidMultiply, GaussDifference, LaplaceDifference, Mix>;
/// What the paper compares: seven baselines, Swish without and with a trained beta, and its seven other finds.
using Baselines = TypeList<Relu, LeakyRelu, PRelu, Elementary<Softplus>, Elu, Selu, Gelu, Swish1, Swish, MaxXSigmoid, CosMinusX, MinXSin,
                           Atan2MinusX, MaxXTanh, SincPlusX, XAsinh2>;
using OtherActivations = TypeList<Mish, Elementary<Tanh>, Elementary<Sigmoid>, Identity>;

/// Whether the operator has a trainable parameter: read off its formula's arguments.
template <class Operator>
inline constexpr bool uses_beta = [] {
  if constexpr (Operator::arity == 1) {
    return requires(double v) { Operator::f(v, v); };
  } else {
    return requires(double v) { Operator::f(v, v, v); };
  }
}();

/// An operator as a value, for code that takes its name at run time.
struct OperatorInfo {
  std::string_view name;
  std::string_view description;
  int arity = 1;
  bool has_parameter = false;
  /// The formula over `arguments` (arity of them). `beta` is the operator's parameter, ignored where it has none.
  Expression (*build)(const std::vector<Expression>& arguments, const Expression& beta) = nullptr;
};
const std::vector<OperatorInfo>& unary_operators();
const std::vector<OperatorInfo>& binary_operators();
/// The well-known activations, all of one argument: names that the notation takes with or without it.
const std::vector<OperatorInfo>& activations();

/// A well-known activation of x, its parameters in order.
struct NamedActivation {
  std::string_view name;
  Expression expression;
};
/// The paper's seven baselines, Swish-1, Swish and its seven other finds, in this order.
const std::vector<NamedActivation>& baselines();

/// docs/operators.md: every operator, activation and elementary function with its formula. Generated from the tables alone.
std::string operators_markdown();

}  // namespace actsearch
