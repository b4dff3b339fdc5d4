#include "kernels/export/python_parts.h"

namespace actsearch {
namespace {

std::string with(std::string_view pattern, const std::string& value) {
  std::string text;
  for (const char c : pattern) text += c == '#' ? value : std::string(1, c);
  return text;
}

/// A function's body from its assignments and what it returns.
std::string body(const std::string& lines, const std::string& argument, const std::string& result) {
  const bool compares = (lines + result).find("dtype)") != std::string::npos;
  return (compares ? "    dtype = " + argument + ".dtype\n" : std::string()) + lines + "    return " + result + "\n";
}

std::string value_function(const ExportedActivation& activation, const Language& language, const Leaves& leaves,
                           const std::string& number_like_x, const std::string& beta_like_x) {
  const IntrinsicGraph& graph = activation.graph;
  Code code = print(graph, {graph.y}, language, leaves);
  std::string result = code.results.front();
  if (graph.nodes[graph.y].kind == IntrinsicNode::Kind::kNumber) {
    result = with(number_like_x, result);
  } else if (!Reach(graph, {graph.y}).needs_input()) {
    result = with(beta_like_x, result);
  }
  return "def _value(x" + for_each_beta(activation, ", beta#", "") + "):\n" + body(code.lines, "x", result);
}

std::string slopes_function(const ExportedActivation& activation, const Language& language, Leaves leaves) {
  const bool from_output = kept_by(activation) == Kept::kOutput;
  const std::string argument = from_output ? "y" : "x";
  if (from_output) leaves.y = "y";
  const Code code = print(activation.graph, activation.slopes(), language, leaves);
  std::string results;
  for (const std::string& result : code.results) results += (results.empty() ? "" : ", ") + result;
  if (code.results.size() == 1) results = "(" + results + ",)";
  return "def _slopes(" + argument + for_each_beta(activation, ", beta#", "") + "):\n" + body(code.lines, argument, results);
}

}  // namespace

Kept kept_by(const ExportedActivation& activation) {
  const IntrinsicGraph& graph = activation.graph;
  if (!Reach(graph, activation.slopes()).needs_input()) return Kept::kNothing;
  return Reach(graph, activation.slopes(), graph.y).needs_input() ? Kept::kInput : Kept::kOutput;
}

std::string for_each_beta(const ExportedActivation& activation, std::string_view item, std::string_view separator) {
  std::string text;
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) {
    if (k > 0) text += separator;
    text += with(item, std::to_string(k));
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> python_words(const ExportedActivation& activation, const Language& language,
                                                              const std::string& number_like_x, const std::string& beta_like_x) {
  const Leaves leaves{"x", activation.parameter_names()};
  const std::string code =
      value_function(activation, language, leaves, number_like_x, beta_like_x) + "\n\n" + slopes_function(activation, language, leaves);
  std::string helpers = helpers_for(language, code);
  if (!helpers.empty()) helpers = helpers.substr(1) + "\n";
  return {{"HEADER", header(activation, "# ")},
          {"CLASS", activation.class_name},
          {"NAME", activation.name},
          {"FORMULA", activation.formula},
          {"BETAS", for_each_beta(activation, ", beta#", "")},
          {"SLOPES", activation.parameter_count() == 0 ? "(dydx,)" : "(dydx" + for_each_beta(activation, ", dydbeta#", "") + ")"},
          {"CODE", helpers + code}};
}

}  // namespace actsearch
