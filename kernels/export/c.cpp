#include <array>

#include "kernels/codegen/print.h"
#include "kernels/export/export.h"

namespace actsearch {
namespace {

/// A function that C has not, after the prefix of its language.
struct Helper {
  std::string_view name, text;
};
// The logistic function from exp(-|x|), which does not overflow. C's fmax and fmin drop a NaN, these keep it.
constexpr std::array<Helper, 7> kHelpers{{
    {"logistic(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}logistic({{TYPE}} x) {
  const {{TYPE}} e = exp{{SUFFIX}}(-fabs{{SUFFIX}}(x));
  return (x < 0 ? e : 1.0{{SUFFIX}}) / (1.0{{SUFFIX}} + e);
}
)"},
    {"maximum(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}maximum({{TYPE}} a, {{TYPE}} b) { return a > b ? a : (a <= b ? b : a + b); }
)"},
    {"minimum(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}minimum({{TYPE}} a, {{TYPE}} b) { return a < b ? a : (a >= b ? b : a + b); }
)"},
    {"softplus(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}softplus({{TYPE}} x) { return (x > 0 ? x : (x <= 0 ? 0 : x)) + log1p{{SUFFIX}}(exp{{SUFFIX}}(-fabs{{SUFFIX}}(x))); }
)"},
    // A little less than the logarithms of the largest finite number and of twice that.
    {"exp_limit(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}exp_limit({{TYPE}} x) { return x > {{EXP_LIMIT}} ? {{EXP_LIMIT}} : x; }
)"},
    {"sinh_limit(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}sinh_limit({{TYPE}} x) {
  return x > {{SINH_LIMIT}} ? {{SINH_LIMIT}} : (x < -{{SINH_LIMIT}} ? -{{SINH_LIMIT}} : x);
}
)"},
    {"finite(", R"(
{{INLINE}}{{TYPE}} {{PREFIX}}finite({{TYPE}} x) { return x > {{LARGEST}} ? {{LARGEST}} : (x < -{{LARGEST}} ? -{{LARGEST}} : x); }
)"},
}};

constexpr std::string_view kFunctions = R"(
{{INLINE}}{{TYPE}} {{FUNCTION}}({{TYPE}} x, const {{TYPE}} *beta) {
{{VALUE}}}

{{INLINE}}{{TYPE}} {{FUNCTION}}_derivative({{TYPE}} x, const {{TYPE}} *beta, {{TYPE}} *dydbeta) {
{{SLOPES}}}
)";

constexpr std::string_view kC = R"({{HEADER}}//
// The activation in C99, in double and, with f after the name, in single precision:
//
//     y    = {{NAME}}(x, beta)
//     dydx = {{NAME}}_derivative(x, beta, dydbeta)
//
// beta: {{COUNT}}. Not for -ffast-math, under which NaN and infinities are undefined.
#ifndef {{GUARD}}
#define {{GUARD}}

{{INCLUDE}}
{{BODY}}
#endif
)";

constexpr std::string_view kCuda = R"({{HEADER}}//
// The activation in CUDA C++, in single precision; no header is needed, so NVRTC compiles it too:
//
//     y    = {{NAME}}(x, beta)
//     dydx = {{NAME}}_derivative(x, beta, dydbeta)
//
// beta: {{COUNT}}. Half precision: convert, compute, convert back. Not for --use_fast_math, whose
// logarithms and quotients are less exact and whose denormals are 0.
#pragma once
{{BODY}})";

/// Arguments that the results do not depend on, marked so.
std::string unused(const ExportedActivation& activation, const std::vector<std::uint32_t>& results) {
  const Reach reach(activation.graph, results);
  bool reads_beta = false;
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) reads_beta = reads_beta || reach.needs_parameter(static_cast<int>(k));
  return std::string(reach.needs_input() ? "" : "  (void)x;\n") + (reads_beta ? "" : "  (void)beta;\n");
}

/// How one kind of function is written.
struct Dialect {
  Language language;
  std::string function, type, suffix, inlined;
};

std::string functions(const ExportedActivation& activation, const Dialect& dialect) {
  Leaves leaves{"x", {}};
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) leaves.beta.push_back("beta[" + std::to_string(k) + "]");
  const Code value = print(activation.graph, {activation.graph.y}, dialect.language, leaves);
  const Code slopes = print(activation.graph, activation.slopes(), dialect.language, leaves);
  std::string stored;
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) {
    stored += "  dydbeta[" + std::to_string(k) + "] = " + slopes.results[k + 1] + ";\n";
  }
  const std::string prefix = dialect.function + "_", all = value.lines + slopes.lines;
  const bool single = dialect.type == "float";
  std::string text;
  for (const Helper& helper : kHelpers) {
    if (all.find(prefix + std::string(helper.name)) != std::string::npos) text += helper.text;
  }
  return filled(text + std::string(kFunctions),
                {{"FUNCTION", dialect.function},
                 {"PREFIX", prefix},
                 {"TYPE", dialect.type},
                 {"SUFFIX", dialect.suffix},
                 {"INLINE", dialect.inlined},
                 {"EXP_LIMIT", single ? "88.72283f" : "709.78271"},
                 {"SINH_LIMIT", single ? "89.41597f" : "710.47585"},
                 {"LARGEST", single ? "3.4028235e38f" : "1.7976931348623157e308"},
                 {"VALUE", unused(activation, {activation.graph.y}) + value.lines + "  return " + value.results[0] + ";\n"},
                 {"SLOPES", unused(activation, activation.slopes()) + (stored.empty() ? "  (void)dydbeta;\n" : "") + slopes.lines + stored +
                                "  return " + slopes.results[0] + ";\n"}});
}

std::string function_name_of(const ExportedActivation& activation) { return "activation_" + activation.name; }

std::string file(std::string_view pattern, const ExportedActivation& activation, const std::string& body) {
  std::string guard = function_name_of(activation) + "_H";
  for (char& c : guard) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const std::size_t count = activation.parameter_count();
  return filled(pattern, {{"HEADER", header(activation, "// ")},
                          {"NAME", function_name_of(activation)},
                          {"GUARD", guard},
                          {"INCLUDE", "#include <math.h>"},
                          {"COUNT", count == 0   ? "not read, dydbeta neither; null will do"
                                    : count == 1 ? "1 value; dydbeta: 1, written"
                                                 : std::to_string(count) + " values; dydbeta: as many, written"},
                          {"BODY", body}});
}

}  // namespace

std::string to_c(const ExportedActivation& activation) {
  require_single_precision(activation, "c");
  const std::string name = function_name_of(activation);
  return file(kC, activation,
              functions(activation, {c_double_language(name + "_"), name, "double", "", "static inline "}) +
                  functions(activation, {c_float_language(name + "f_"), name + "f", "float", "f", "static inline "}));
}

std::string to_cuda_header(const ExportedActivation& activation) {
  require_single_precision(activation, "cuda");
  const std::string name = function_name_of(activation);
  return file(kCuda, activation,
              functions(activation, {cuda_language(name + "_"), name, "float", "f", "static __device__ __forceinline__ "}));
}

}  // namespace actsearch
