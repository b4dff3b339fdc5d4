/// The elementary functions: the words of the notation and the instructions of a Program, each written once.
///
/// A function is a struct with a name, how it is displayed (a pattern, see grammar/display.h), one line for people, an arity,
/// its value `f` and its derivative rule. The value type `T` decides what a call means: `double` is the reference, a SIMD
/// pack is the CPU kernel (kernels/cpu/pack.h), an Expression builds a formula. Every list of functions iterates over a table at
/// the end: the parser, printers and tests over `NotationFunctions`, what computes over `Functions`, which has what programs put in
/// besides.
///
/// To be usable as `T`, a type is constructible from double and offers + - * / and unary -, and, found by
/// argument-dependent lookup or in std: abs, sqrt, exp, expm1, log, log1p, sin, cos, sinh, cosh, tanh, asinh, atan, erf, logistic,
/// maximum, minimum (both propagate NaN), greater(a, b) and equal(a, b) (1 where true, else 0, also for NaN), and three that keep
/// values finite in T's precision: exp_limit(a), the largest argument that exp has room for where a is beyond it, else a;
/// sinh_limit(a), the same on both sides; finite(a), the largest finite number of a's sign where a is infinite, else a. All keep NaN.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace actsearch {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);
};

// The operations of T that std lacks, for the reference type.
inline double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN() : (a > b ? a : b);
}
inline double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN() : (a < b ? a : b);
}
inline double exp_limit(double x) { return x > 709.78271 ? 709.78271 : x; }
inline double sinh_limit(double x) { return x > 710.47585 ? 710.47585 : (x < -710.47585 ? -710.47585 : x); }
inline double finite(double x) { return std::isinf(x) ? std::copysign(std::numeric_limits<double>::max(), x) : x; }
inline double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }
inline double greater(double a, double b) { return a > b ? 1.0 : 0.0; }
inline double equal(double a, double b) { return a == b ? 1.0 : 0.0; }

/// True for types that record a call of F as one node instead of computing it; Expression specialises it.
template <class T>
inline constexpr bool records_calls = false;

/// F applied to values of type T: computed, or recorded as one call where T records.
template <class F, class T>
T apply(const T& a) {
  if constexpr (records_calls<T>) {
    return T::template call<F>(a);
  } else {
    return F::f(a);
  }
}
template <class F, class T>
T apply(const T& a, const T& b) {
  if constexpr (records_calls<T>) {
    return T::template call<F>(a, b);
  } else {
    return F::f(a, b);
  }
}

// ---- Two arguments: value f(a, b); rules dfda and dfdb, y being the value. -------------------------------------------

struct Add {
  static constexpr std::string_view name = "+";
  static constexpr std::string_view display = "#1 + #2";
  static constexpr std::string_view description = "The sum.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return a + b;
  }
  template <class T>
  static T dfda(const T&, const T&, const T&) {
    return T(1.0);
  }
  template <class T>
  static T dfdb(const T&, const T&, const T&) {
    return T(1.0);
  }
};

struct Subtract {
  static constexpr std::string_view name = "-";
  static constexpr std::string_view display = "#1 - #2";
  static constexpr std::string_view description = "The difference.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return a - b;
  }
  template <class T>
  static T dfda(const T&, const T&, const T&) {
    return T(1.0);
  }
  template <class T>
  static T dfdb(const T&, const T&, const T&) {
    return T(-1.0);
  }
};

struct Multiply {
  static constexpr std::string_view name = "*";
  static constexpr std::string_view display = "#1 * #2";
  static constexpr std::string_view description = "The product.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return a * b;
  }
  template <class T>
  static T dfda(const T&, const T& b, const T&) {
    return b;
  }
  template <class T>
  static T dfdb(const T& a, const T&, const T&) {
    return a;
  }
};

struct Divide {
  static constexpr std::string_view name = "/";
  static constexpr std::string_view display = "{#1}/{#2}";
  static constexpr std::string_view description = "The quotient; not finite where the divisor is 0.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return a / b;
  }
  template <class T>
  static T dfda(const T&, const T& b, const T&) {
    return T(1.0) / b;
  }
  template <class T>
  static T dfdb(const T&, const T& b, const T& y) {
    return -(y / b);
  }
};

struct Greater {
  static constexpr std::string_view name = "greater";
  static constexpr std::string_view display = "[#1 > #2]";
  static constexpr std::string_view description = "1 where a > b, else 0 (ties and NaN too); its own derivative is 0.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return greater(a, b);
  }
  template <class T>
  static T dfda(const T&, const T&, const T&) {
    return T(0.0);
  }
  template <class T>
  static T dfdb(const T&, const T&, const T&) {
    return T(0.0);
  }
};

struct Max {
  static constexpr std::string_view name = "max";
  static constexpr std::string_view display = "max(#1, #2)";
  static constexpr std::string_view description = "The larger of two; NaN if either is. At a tie the derivative goes to the second.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return maximum(a, b);
  }
  template <class T>
  static T dfda(const T& a, const T& b, const T&) {
    return apply<Greater>(a, b);
  }
  template <class T>
  static T dfdb(const T& a, const T& b, const T&) {
    return T(1.0) - apply<Greater>(a, b);
  }
};

struct Min {
  static constexpr std::string_view name = "min";
  static constexpr std::string_view display = "min(#1, #2)";
  static constexpr std::string_view description = "The smaller of two; NaN if either is. At a tie the derivative goes to the second.";
  static constexpr int arity = 2;
  template <class T>
  static T f(const T& a, const T& b) {
    return minimum(a, b);
  }
  template <class T>
  static T dfda(const T& a, const T& b, const T&) {
    return apply<Greater>(b, a);
  }
  template <class T>
  static T dfdb(const T& a, const T& b, const T&) {
    return T(1.0) - apply<Greater>(b, a);
  }
};

// ---- One argument: value f(x); rule dfdx(x, y), y being the value. ---------------------------------------------------

struct Negate {
  static constexpr std::string_view name = "neg";
  static constexpr std::string_view display = "-#1";
  static constexpr std::string_view description = "The negative.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return -x;
  }
  template <class T>
  static T dfdx(const T&, const T&) {
    return T(-1.0);
  }
};

struct Abs {
  static constexpr std::string_view name = "abs";
  static constexpr std::string_view display = "|#1|";
  static constexpr std::string_view description = "The absolute value, with slope 0 at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::abs;
    return abs(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<Greater>(x, T(0.0)) - apply<Greater>(T(0.0), x);
  }
};

struct Square {
  static constexpr std::string_view name = "square";
  static constexpr std::string_view display = "(#1)^2";
  static constexpr std::string_view description = "The square.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return x * x;
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return T(2.0) * x;
  }
};

struct Cube {
  static constexpr std::string_view name = "cube";
  static constexpr std::string_view display = "(#1)^3";
  static constexpr std::string_view description = "The third power.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return x * x * x;
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return T(3.0) * apply<Square>(x);
  }
};

struct Sqrt {
  static constexpr std::string_view name = "sqrt";
  static constexpr std::string_view display = "√{#1}";
  static constexpr std::string_view description = "The square root; NaN for x < 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::sqrt;
    return sqrt(x);
  }
  template <class T>
  static T dfdx(const T&, const T& y) {
    return T(0.5) / y;
  }
};

struct Log {
  static constexpr std::string_view name = "log";
  static constexpr std::string_view display = "log(#1)";
  static constexpr std::string_view description = "The natural logarithm; NaN for x < 0, -Inf at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::log;
    return log(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return T(1.0) / x;
  }
};

struct Exp {
  static constexpr std::string_view name = "exp";
  static constexpr std::string_view display = "exp(#1)";
  static constexpr std::string_view description = "The exponential function.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::exp;
    return exp(x);
  }
  template <class T>
  static T dfdx(const T&, const T& y) {
    return y;
  }
};

struct Cos;

struct Sin {
  static constexpr std::string_view name = "sin";
  static constexpr std::string_view display = "sin(#1)";
  static constexpr std::string_view description = "The sine.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::sin;
    return sin(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<Cos>(x);
  }
};

struct Cos {
  static constexpr std::string_view name = "cos";
  static constexpr std::string_view display = "cos(#1)";
  static constexpr std::string_view description = "The cosine.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::cos;
    return cos(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return -apply<Sin>(x);
  }
};

struct Cosh;

struct Sinh {
  static constexpr std::string_view name = "sinh";
  static constexpr std::string_view display = "sinh(#1)";
  static constexpr std::string_view description = "The hyperbolic sine.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::sinh;
    return sinh(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<Cosh>(x);
  }
};

struct Cosh {
  static constexpr std::string_view name = "cosh";
  static constexpr std::string_view display = "cosh(#1)";
  static constexpr std::string_view description = "The hyperbolic cosine.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::cosh;
    return cosh(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<Sinh>(x);
  }
};

struct Tanh {
  static constexpr std::string_view name = "tanh";
  static constexpr std::string_view display = "tanh(#1)";
  static constexpr std::string_view description = "The hyperbolic tangent.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::tanh;
    return tanh(x);
  }
  template <class T>
  static T dfdx(const T&, const T& y) {
    return T(1.0) - apply<Square>(y);
  }
};

struct Asinh {
  static constexpr std::string_view name = "asinh";
  static constexpr std::string_view display = "arsinh(#1)";
  static constexpr std::string_view description = "The inverse hyperbolic sine.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::asinh;
    return asinh(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return T(1.0) / apply<Sqrt>(T(1.0) + apply<Square>(x));
  }
  /// The same where x² may overflow.
  template <class T>
  static T dfdx_far(const T&, const T& y) {
    return T(1.0) / apply<Cosh>(y);
  }
};

struct Atan {
  static constexpr std::string_view name = "atan";
  static constexpr std::string_view display = "arctan(#1)";
  static constexpr std::string_view description = "The inverse tangent.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::atan;
    return atan(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return T(1.0) / (T(1.0) + apply<Square>(x));
  }
};

/// From its series below |x| = 0.5, where the closed form cancels.
struct SincSlope {
  static constexpr std::string_view name = "sinc_slope";
  static constexpr std::string_view display = "sinc'(#1)";
  static constexpr std::string_view description = "The derivative of sinc, (cos x - sinc x) / x, 0 at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::abs;
    using std::cos;
    using std::sin;
    const T small = greater(T(0.5), abs(x));  // 1 where the series serves
    const T s = x * small, s2 = s * s;
    const T series = s * (T(-1.0 / 3) + s2 * (T(1.0 / 30) + s2 * (T(-1.0 / 840) + s2 * (T(1.0 / 45360) + s2 * T(-1.0 / 3991680)))));
    const T divisor = x + small * T(2.0);  // away from 0 wherever the quotient is not used
    const T quotient = (cos(x) - sin(x) / divisor) / divisor;
    return series + (T(1.0) - small) * quotient;
  }
  /// Not used by any derivative of first order; stated for completeness: sinc'' = -sinc - 2 sinc' / x.
  template <class T>
  static T dfdx(const T& x, const T& y);
};

struct Sinc {
  static constexpr std::string_view name = "sinc";
  static constexpr std::string_view display = "sinc(#1)";
  static constexpr std::string_view description = "The unnormalised cardinal sine, sin(x) / x with value 1 at 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::sin;
    const T zero = equal(x, T(0.0));
    return (sin(x) + zero) / (x + zero);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<SincSlope>(x);
  }
};

template <class T>
T SincSlope::dfdx(const T& x, const T& y) {
  return -apply<Sinc>(x) - T(2.0) * y / x;
}

struct Sigmoid {
  static constexpr std::string_view name = "sigmoid";
  static constexpr std::string_view display = "σ(#1)";
  static constexpr std::string_view description = "The logistic function 1 / (1 + exp(-x)).";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return logistic(x);
  }
  template <class T>
  static T dfdx(const T&, const T& y) {
    return y * (T(1.0) - y);
  }
};

/// log(1 + e^x) for a type that has no such function of its own.
template <class T>
T softplus(const T& x);

struct Softplus {
  static constexpr std::string_view name = "softplus";
  static constexpr std::string_view display = "log(1 + exp(#1))";
  static constexpr std::string_view description = "log(1 + exp(x)), in the form that neither overflows nor cancels.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return softplus(x);
  }
  /// f in two halves, for who computes them one after the other: e^-|x|, and the rest.
  template <class T>
  static T exponential(const T& x) {
    using std::abs;
    using std::exp;
    return exp(-abs(x));
  }
  template <class T>
  static T of_exponential(const T& x, const T& exponential) {
    using std::log1p;
    return maximum(x, T(0.0)) + log1p(exponential);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<Sigmoid>(x);
  }
};

template <class T>
T softplus(const T& x) {
  return Softplus::of_exponential(x, Softplus::exponential(x));
}

struct Gauss {
  static constexpr std::string_view name = "gauss";
  static constexpr std::string_view display = "exp(-(#1)^2)";
  static constexpr std::string_view description = "The Gaussian bell exp(-x²).";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::exp;
    return exp(-(x * x));
  }
  template <class T>
  static T dfdx(const T& x, const T& y) {
    return T(-2.0) * (x * y);
  }
};

struct Erf {
  static constexpr std::string_view name = "erf";
  static constexpr std::string_view display = "erf(#1)";
  static constexpr std::string_view description = "The error function, 2/√π ∫₀ˣ exp(-t²) dt.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::erf;
    return erf(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return T(1.1283791670955126) * apply<Gauss>(x);
  }
};

struct Expm1 {
  static constexpr std::string_view name = "expm1";
  static constexpr std::string_view display = "(exp(#1) - 1)";
  static constexpr std::string_view description = "exp(x) - 1, exact near 0.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    using std::expm1;
    return expm1(x);
  }
  template <class T>
  static T dfdx(const T& x, const T&) {
    return apply<Exp>(x);
  }
};

// ---- What programs put in, most of it where a value may overflow (grammar/range.h). A formula has no use for them. ------

/// The base F with a name of its own; its results stay finite.
struct SaturatingExp : Exp {
  static constexpr std::string_view name = "saturating_exp";
  static constexpr std::string_view description = "exp, the largest finite number where it would overflow. Put in by programs.";
  template <class T>
  static T f(const T& x) {
    return Exp::f(exp_limit(x));
  }
};
struct SaturatingExpm1 : Expm1 {
  static constexpr std::string_view name = "saturating_expm1";
  static constexpr std::string_view description = "expm1, the largest finite number where it would overflow. Put in by programs.";
  template <class T>
  static T f(const T& x) {
    return Expm1::f(exp_limit(x));
  }
};
struct SaturatingSinh : Sinh {
  static constexpr std::string_view name = "saturating_sinh";
  static constexpr std::string_view description = "sinh, the largest finite number where it would overflow. Put in by programs.";
  template <class T>
  static T f(const T& x) {
    return Sinh::f(sinh_limit(x));
  }
};
struct SaturatingCosh : Cosh {
  static constexpr std::string_view name = "saturating_cosh";
  static constexpr std::string_view description = "cosh, the largest finite number where it would overflow. Put in by programs.";
  template <class T>
  static T f(const T& x) {
    return Cosh::f(sinh_limit(x));
  }
};
struct Finite {
  static constexpr std::string_view name = "finite";
  static constexpr std::string_view display = "finite(#1)";
  static constexpr std::string_view description = "The argument, the largest finite number where it is infinite. Put in by programs.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return finite(x);
  }
  template <class T>
  static T dfdx(const T&, const T&) {
    return T(1.0);
  }
};

/// What stands for 0 where a formula is computed beside it: nothing in single precision, but no tie.
inline constexpr double kJustBelowZero = -1e-30;

/// `a` for a type that has no such function of its own; kJustBelowZero where it is 0.
template <class T>
T beside_zero(const T& a) {
  return a + T(kJustBelowZero) * equal(a, T(0.0));
}
/// Puts a formula on one side of its ties at 0, whose slopes then agree with each other (grammar/program.h).
struct BesideZero {
  static constexpr std::string_view name = "beside_zero";
  static constexpr std::string_view display = "#1";
  static constexpr std::string_view description = "The argument, -1e-30 where it is 0. Put in by programs.";
  static constexpr int arity = 1;
  template <class T>
  static T f(const T& x) {
    return beside_zero(x);
  }
  template <class T>
  static T dfdx(const T&, const T&) {
    return T(1.0);
  }
};

/// The words of the notation.
using NotationFunctions = TypeList<Add, Subtract, Multiply, Divide, Max, Min, Greater, Negate, Abs, Square, Cube, Sqrt, Log, Exp, Sin, Cos,
                                   Sinh, Cosh, Tanh, Asinh, Atan, Sinc, SincSlope, Sigmoid, Softplus, Gauss, Erf, Expm1>;
/// What programs have beside them.
using ProgramFunctions = TypeList<SaturatingExp, SaturatingExpm1, SaturatingSinh, SaturatingCosh, Finite, BesideZero>;

namespace detail {
template <class... As, class... Bs>
TypeList<As..., Bs...> joined(TypeList<As...>, TypeList<Bs...>);
}  // namespace detail
using Functions = decltype(detail::joined(NotationFunctions{}, ProgramFunctions{}));

/// A function by its place in `Functions`.
using FunctionId = std::uint8_t;

namespace detail {
template <class F, class List>
struct IndexIn;  // a value and no function: GCC 14 does not define the function in time where a template calls it
template <class F, class First, class... Rest>
struct IndexIn<F, TypeList<First, Rest...>> {
  static constexpr FunctionId value = 1 + IndexIn<F, TypeList<Rest...>>::value;
};
template <class F, class... Rest>
struct IndexIn<F, TypeList<F, Rest...>> {
  static constexpr FunctionId value = 0;
};
template <class Visitor, class... Ts>
void visit_at(FunctionId id, Visitor&& visitor, TypeList<Ts...>) {
  FunctionId index = 0;
  ((index++ == id ? (visitor.template operator()<Ts>(), void()) : void()), ...);
}
template <class Visitor, class... Ts>
void for_each_in(Visitor&& visitor, TypeList<Ts...>) {
  (visitor.template operator()<Ts>(), ...);
}
}  // namespace detail

template <class F>
inline constexpr FunctionId function_id = detail::IndexIn<F, Functions>::value;

/// Calls visitor.operator()<F>() for the function with this id. The id is below Functions::size.
template <class Visitor>
void visit_function(FunctionId id, Visitor&& visitor) {
  if (id >= Functions::size) throw std::logic_error("visit_function: no such function");
  detail::visit_at(id, visitor, Functions{});
}

/// Calls visitor.operator()<F>() for every word, in the table's order.
template <class Visitor>
void for_each_function(Visitor&& visitor) {
  detail::for_each_in(visitor, NotationFunctions{});
}
/// The same for what programs have beside them.
template <class Visitor>
void for_each_program_function(Visitor&& visitor) {
  detail::for_each_in(visitor, ProgramFunctions{});
}

/// The function's name in the notation.
inline std::string_view function_name(FunctionId id) {
  std::string_view name;
  visit_function(id, [&]<class F>() { name = F::name; });
  return name;
}
inline int function_arity(FunctionId id) {
  int arity = 0;
  visit_function(id, [&]<class F>() { arity = F::arity; });
  return arity;
}

}  // namespace actsearch
