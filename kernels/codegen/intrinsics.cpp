#include "kernels/codegen/intrinsics.h"

#include <charconv>
#include <cmath>

#include "grammar/notation.h"

namespace actsearch {
namespace {

/// One intrinsic: its row in intrinsics.def.
struct Row {
  std::string_view name;
  int arity = 0;
  std::string_view c, torch, jax, keras, sympy, onnx;
};

constexpr std::array<Row, kIntrinsicCount> kTable{{
#define ACTSEARCH_WORD(enumerator, name, arity, value, ...) {#name, arity, __VA_ARGS__},
#define ACTSEARCH_SIGN(enumerator, name, arity, ...) {#name, arity, __VA_ARGS__},
#include "kernels/codegen/intrinsics.def"
#undef ACTSEARCH_WORD
#undef ACTSEARCH_SIGN
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
int intrinsic_arity(Intrinsic intrinsic) { return kTable[static_cast<std::size_t>(intrinsic)].arity; }

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
