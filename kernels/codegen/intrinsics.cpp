#include "kernels/codegen/intrinsics.h"

#include <charconv>
#include <cmath>

#include "grammar/notation.h"

namespace actsearch {
namespace {

/// One intrinsic in every language. In C, @ is the suffix of single precision (f) and $ the helpers' prefix.
struct Row {
  std::string_view name, c, torch, jax, keras, sympy, onnx;
};

// softplus in ONNX: log(1 + u) = 2 artanh(u / (2 + u)), which loses nothing where u = exp(-|x|) is small. expm1 = tanh(x / 2) (exp(x) + 1).
// In PyTorch and Keras it is the log-sigmoid's mirror: their softplus drops what is below single precision's last place.
constexpr std::array<Row, kIntrinsicCount> kTable{{
    {"add", "(#1 + #2)", "(#1 + #2)", "(#1 + #2)", "(#1 + #2)", "(#1 + #2)", "Add(#1, #2)"},
    {"subtract", "(#1 - #2)", "(#1 - #2)", "(#1 - #2)", "(#1 - #2)", "(#1 - #2)", "Sub(#1, #2)"},
    {"multiply", "(#1 * #2)", "(#1 * #2)", "(#1 * #2)", "(#1 * #2)", "(#1 * #2)", "Mul(#1, #2)"},
    {"divide", "(#1 / #2)", "(#1 / #2)", "(#1 / #2)", "(#1 / #2)", "(#1 / #2)", "Div(#1, #2)"},
    {"negate", "(-#1)", "(-#1)", "(-#1)", "(-#1)", "(-#1)", "Neg(#1)"},
    {"abs", "fabs@(#1)", "torch.abs(#1)", "jnp.abs(#1)", "ops.abs(#1)", "sympy.Abs(#1)", "Abs(#1)"},
    {"sqrt", "sqrt@(#1)", "torch.sqrt(#1)", "jnp.sqrt(#1)", "ops.sqrt(#1)", "sympy.sqrt(#1)", "Sqrt(#1)"},
    {"exp", "exp@(#1)", "torch.exp(#1)", "jnp.exp(#1)", "ops.exp(#1)", "sympy.exp(#1)", "Exp(#1)"},
    {"log", "log@(#1)", "torch.log(#1)", "jnp.log(#1)", "ops.log(#1)", "sympy.log(#1)", "Log(#1)"},
    {"sin", "sin@(#1)", "torch.sin(#1)", "jnp.sin(#1)", "ops.sin(#1)", "sympy.sin(#1)", "Sin(#1)"},
    {"cos", "cos@(#1)", "torch.cos(#1)", "jnp.cos(#1)", "ops.cos(#1)", "sympy.cos(#1)", "Cos(#1)"},
    {"sinh", "sinh@(#1)", "torch.sinh(#1)", "jnp.sinh(#1)", "ops.sinh(#1)", "sympy.sinh(#1)", "Sinh(#1)"},
    {"cosh", "cosh@(#1)", "torch.cosh(#1)", "jnp.cosh(#1)", "ops.cosh(#1)", "sympy.cosh(#1)", "Cosh(#1)"},
    {"tanh", "tanh@(#1)", "torch.tanh(#1)", "jnp.tanh(#1)", "ops.tanh(#1)", "sympy.tanh(#1)", "Tanh(#1)"},
    {"asinh", "asinh@(#1)", "torch.asinh(#1)", "jnp.arcsinh(#1)", "ops.arcsinh(#1)", "sympy.asinh(#1)", "Asinh(#1)"},
    {"atan", "atan@(#1)", "torch.atan(#1)", "jnp.arctan(#1)", "ops.arctan(#1)", "sympy.atan(#1)", "Atan(#1)"},
    {"erf", "erf@(#1)", "torch.erf(#1)", "jax.lax.erf(#1)", "ops.erf(#1)", "sympy.erf(#1)", "Erf(#1)"},
    {"logistic", "$logistic(#1)", "torch.sigmoid(#1)", "jax.nn.sigmoid(#1)", "ops.sigmoid(#1)", "(1 / (1 + sympy.exp(-#1)))",
     "Sigmoid(#1)"},
    {"maximum", "$maximum(#1, #2)", "_maximum(#1, #2)", "jnp.maximum(#1, #2)", "ops.maximum(#1, #2)", "sympy.Max(#1, #2)", "Max(#1, #2)"},
    {"minimum", "$minimum(#1, #2)", "_minimum(#1, #2)", "jnp.minimum(#1, #2)", "ops.minimum(#1, #2)", "sympy.Min(#1, #2)", "Min(#1, #2)"},
    {"greater", "(#1 > #2 ? 1.0@ : 0.0@)", "(#1 > #2).to(dtype)", "(#1 > #2).astype(dtype)", "ops.cast(#1 > #2, dtype)",
     "sympy.Piecewise((1, #1 > #2), (0, True))", "Cast(Greater(#1, #2))"},
    {"equal", "(#1 == #2 ? 1.0@ : 0.0@)", "(#1 == #2).to(dtype)", "(#1 == #2).astype(dtype)", "ops.cast(ops.equal(#1, #2), dtype)",
     "sympy.Piecewise((1, sympy.Eq(#1, #2)), (0, True))", "Cast(Equal(#1, #2))"},
    {"expm1", "expm1@(#1)", "torch.expm1(#1)", "jnp.expm1(#1)", "ops.expm1(#1)", "(sympy.exp(#1) - 1)",
     "Mul(Tanh(Mul(0.5, #1)), Add(Exp(#1), 1))"},
    {"softplus", "$softplus(#1)", "(-nn.functional.logsigmoid(-#1))", "jax.nn.softplus(#1)", "(-ops.log_sigmoid(-#1))",
     "sympy.log(1 + sympy.exp(#1))", "Add(Max(#1, 0), Mul(2, Atanh(Div(Exp(Neg(Abs(#1))), Add(2, Exp(Neg(Abs(#1))))))))"},
    {"exp_limit", "$exp_limit(#1)", "_exp_limit(#1)", "_exp_limit(#1)", "_exp_limit(#1)", "#1", "Min(#1, 88.72283)"},
    {"sinh_limit", "$sinh_limit(#1)", "_sinh_limit(#1)", "_sinh_limit(#1)", "_sinh_limit(#1)", "#1", "Max(Min(#1, 89.41597), -89.41597)"},
    {"finite", "$finite(#1)", "_finite(#1)", "_finite(#1)", "_finite(#1)", "#1", "Max(Min(#1, 3.4028235e+38), -3.4028235e+38)"},
    {"beside_zero", "(#1 == 0 ? -1e-30@ : #1)", "(#1 - 1e-30 * (#1 == 0).to(dtype))", "(#1 - 1e-30 * (#1 == 0).astype(dtype))",
     "(#1 - 1e-30 * ops.cast(ops.equal(#1, 0), dtype))", "#1", "Sub(#1, Mul(1e-30, Cast(Equal(#1, 0))))"},
}};

// A little less than the logarithms of the largest finite number and of twice that: the exponential functions' own errors do not reach it.
using Helpers = std::vector<std::pair<std::string, std::string>>;
/// Not clamp, whose derivative at NaN is 0.
const Helpers& torch_helpers() {
  static const Helpers helpers{{"_exp_limit(", R"(
def _exp_limit(a):  # exp of it is finite
    limit = 88.72283 if a.dtype == torch.float32 else 709.78271
    return a.masked_fill(a > limit, limit)
)"},
                               {"_sinh_limit(", R"(
def _sinh_limit(a):  # sinh and cosh of it are finite
    limit = 89.41597 if a.dtype == torch.float32 else 710.47585
    return a.masked_fill(a > limit, limit).masked_fill(a < -limit, -limit)
)"},
                               {"_finite(", R"(
def _finite(a):  # the largest finite number in place of an infinite one
    largest = torch.finfo(a.dtype).max
    return a.masked_fill(a > largest, largest).masked_fill(a < -largest, -largest)
)"}};
  return helpers;
}
const Helpers& jax_helpers() {
  static const Helpers helpers{{"_exp_limit(", R"(
def _exp_limit(a):  # exp of it is finite
    return jnp.minimum(a, 88.72283 if a.dtype == jnp.float32 else 709.78271)
)"},
                               {"_sinh_limit(", R"(
def _sinh_limit(a):  # sinh and cosh of it are finite
    limit = 89.41597 if a.dtype == jnp.float32 else 710.47585
    return jnp.clip(a, -limit, limit)
)"},
                               {"_finite(", R"(
def _finite(a):  # the largest finite number in place of an infinite one
    return jnp.clip(a, jnp.finfo(a.dtype).min, jnp.finfo(a.dtype).max)
)"}};
  return helpers;
}
const Helpers& keras_helpers() {
  static const Helpers helpers{{"_exp_limit(", R"(
def _exp_limit(a):  # exp of it is finite
    return ops.minimum(a, 709.78271 if "float64" in str(a.dtype) else 88.72283)
)"},
                               {"_sinh_limit(", R"(
def _sinh_limit(a):  # sinh and cosh of it are finite
    limit = 710.47585 if "float64" in str(a.dtype) else 89.41597
    return ops.clip(a, -limit, limit)
)"},
                               {"_finite(", R"(
def _finite(a):  # the largest finite number in place of an infinite one
    limit = 1.7976931348623157e308 if "float64" in str(a.dtype) else 3.4028234663852886e38
    return ops.clip(a, -limit, limit)
)"}};
  return helpers;
}

std::string in_parentheses_if_negative(const std::string& text) { return text.front() == '-' ? "(" + text + ")" : text; }

/// With a point or an exponent, so that no language takes it for an integer.
std::string with_point(std::string text) {
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string c_double_number(double number) {
  if (std::isnan(number)) return "((double)NAN)";
  if (std::isinf(number)) return number > 0 ? "((double)INFINITY)" : "(-(double)INFINITY)";
  return in_parentheses_if_negative(with_point(to_text(number)));
}

std::string finite_float_number(float value) {
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return in_parentheses_if_negative(with_point(std::string(digits.data(), end)) + "f");
}

std::string c_float_number(double number) {
  const auto value = static_cast<float>(number);
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value > 0 ? "INFINITY" : "(-INFINITY)";
  return finite_float_number(value);
}

std::string cuda_number(double number) {
  const auto value = static_cast<float>(number);
  if (std::isnan(value)) return "__int_as_float(0x7fc00000)";
  if (std::isinf(value)) return value > 0 ? "__int_as_float(0x7f800000)" : "__int_as_float(0xff800000)";
  return finite_float_number(value);
}

std::string python_number(double number) {
  if (std::isnan(number)) return "float(\"nan\")";
  if (std::isinf(number)) return number > 0 ? "float(\"inf\")" : "float(\"-inf\")";
  return in_parentheses_if_negative(with_point(to_text(number)));
}

/// Whole numbers as such: exact for SymPy, where 2.0 would make everything it touches approximate.
std::string sympy_number(double number) {
  if (std::isnan(number)) return "sympy.nan";
  if (std::isinf(number)) return number > 0 ? "sympy.oo" : "(-sympy.oo)";
  if (number == std::floor(number) && std::abs(number) < 1e15) {
    return in_parentheses_if_negative(std::to_string(static_cast<long long>(number)));
  }
  return in_parentheses_if_negative(to_text(number));
}

std::string onnx_number(double number) { return to_text(number); }

Language language(std::string name, std::string_view Row::*column, std::string (*number)(double), std::string assignment) {
  Language made;
  made.name = std::move(name);
  made.number = number;
  made.assignment = std::move(assignment);
  for (std::size_t i = 0; i < kIntrinsicCount; ++i) made.words[i] = kTable[i].*column;
  return made;
}

Language c_language(std::string name, const std::string& type, const std::string& suffix, const std::string& prefix,
                    std::string (*number)(double)) {
  Language made = language(std::move(name), &Row::c, number, "  const " + type + " #1 = #2;\n");
  for (std::string& word : made.words) {
    std::string filled;
    for (const char c : word) {
      if (c == '@') {
        filled += suffix;
      } else if (c == '$') {
        filled += prefix;
      } else {
        filled += c;
      }
    }
    word = filled;
  }
  return made;
}

constexpr const char* kPythonAssignment = "    #1 = #2\n";

}  // namespace

std::string_view intrinsic_name(Intrinsic intrinsic) { return kTable[static_cast<std::size_t>(intrinsic)].name; }

Language c_double_language(const std::string& prefix) { return c_language("c", "double", "", prefix, c_double_number); }
Language c_float_language(const std::string& prefix) { return c_language("c", "float", "f", prefix, c_float_number); }
Language cuda_language(const std::string& prefix) { return c_language("cuda", "float", "f", prefix, cuda_number); }
Language torch_language() {
  Language made = language("pytorch", &Row::torch, python_number, kPythonAssignment);
  made.helpers = torch_helpers();
  return made;
}
Language jax_language() {
  Language made = language("jax", &Row::jax, python_number, kPythonAssignment);
  made.helpers = jax_helpers();
  return made;
}
Language keras_language() {
  Language made = language("keras", &Row::keras, python_number, kPythonAssignment);
  made.helpers = keras_helpers();
  return made;
}
Language sympy_language() { return language("sympy", &Row::sympy, sympy_number, "#1 = #2\n"); }
Language onnx_language() { return language("onnx", &Row::onnx, onnx_number, "#1 = #2\n"); }

std::string helpers_for(const Language& language, std::string_view code) {
  std::string text;
  for (const auto& [call, definition] : language.helpers) {
    if (code.find(call) != std::string_view::npos) text += definition + "\n";
  }
  return text;
}

bool beyond_single_precision(double number) {
  const auto value = static_cast<float>(number);
  return std::isfinite(number) && (std::isinf(value) || (value == 0 && number != 0));
}

}  // namespace actsearch
