// The targets for people and computer algebra: LaTeX, MathML, SymPy.

#include <functional>

#include "grammar/display.h"
#include "kernels/codegen/print.h"
#include "kernels/export/export.h"

namespace actsearch {
namespace {

/// A formula as `write` has it; `otherwise` where it is too large for that.
std::string shown(const Expression& formula, const std::function<std::string(const Expression&)>& write, const std::string& otherwise) {
  try {
    return write(formula);
  } catch (const std::invalid_argument&) {
    return otherwise;
  }
}

std::string required(const ExportedActivation& activation, const std::function<std::string(const Expression&)>& write,
                     const std::string& target) {
  try {
    return write(activation.expression);
  } catch (const std::invalid_argument& error) {
    throw InexpressibleError("the target " + target + " cannot express the formula: " + error.what());
  }
}

/// As the formula itself shows them; a derivative may lack some.
std::vector<std::string> shown_betas(const ExportedActivation& activation) {
  if (activation.parameter_count() == 1) return {"beta"};
  return activation.parameter_names();
}

}  // namespace

std::string to_latex_file(const ExportedActivation& activation) {
  const std::vector<std::string> betas = shown_betas(activation);
  const auto write = [&](const Expression& e) { return to_latex(e, betas); };
  const std::string otherwise = "\\text{(too large to print)}";
  const Derivatives derivatives = differentiate(activation.expression);
  std::string text = header(activation, "% ") + "%\n% For amsmath.\n\\begin{align*}\n";
  text += "  f(x) &= " + required(activation, write, "latex") + " \\\\\n";
  text += "  f'(x) &= " + shown(derivatives.dydx, write, otherwise);
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) {
    text += " \\\\\n  \\frac{\\partial f}{\\partial " + write(Expression::parameter(static_cast<int>(k))) +
            "} &= " + shown(derivatives.dydbeta[k], write, otherwise);
  }
  return text + "\n\\end{align*}\n";
}

std::string to_mathml_file(const ExportedActivation& activation) {
  const std::vector<std::string> betas = shown_betas(activation);
  const auto write = [&](const Expression& e) { return to_mathml(e, betas); };
  const std::string otherwise = "(too large to show)";
  const Derivatives derivatives = differentiate(activation.expression);
  std::string text = "<!--\n" + header(activation, "  ") + "-->\n<div class=\"activation\">\n";
  const auto line = [&](const std::string& what, const std::string& math) { text += "<p class=\"" + what + "\">" + math + "</p>\n"; };
  line("value", required(activation, write, "mathml"));
  line("slope", shown(derivatives.dydx, write, otherwise));
  for (const Expression& slope : derivatives.dydbeta) line("slope-by-beta", shown(slope, write, otherwise));
  return text + "</div>\n";
}

std::string to_sympy(const ExportedActivation& activation) {
  constexpr std::string_view kFile =
      R"({{HEADER}}"""The activation {{FORMULA}} for SymPy: y, dydx and dydbeta (a list, one for each beta) are expressions in x and the betas."""
import sympy

x = sympy.Symbol("x", real=True)
{{SYMBOLS}}
{{LINES}}
y = sympy.sympify({{VALUE}})
dydx = sympy.sympify({{SLOPE}})
dydbeta = [{{BETA_SLOPES}}]
)";
  std::vector<std::uint32_t> results{activation.graph.y};
  for (const std::uint32_t slope : activation.slopes()) results.push_back(slope);
  const Code code = print(activation.graph, results, sympy_language(), {"x", activation.parameter_names()});
  std::string symbols, slopes;
  for (const std::string& name : activation.parameter_names()) symbols += name + " = sympy.Symbol(\"" + name + "\", real=True)\n";
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) {
    slopes += (k > 0 ? ", " : "") + ("sympy.sympify(" + code.results[2 + k] + ")");
  }
  return filled(kFile, {{"HEADER", header(activation, "# ")},
                        {"FORMULA", activation.formula},
                        {"SYMBOLS", symbols},
                        {"LINES", code.lines},
                        {"VALUE", code.results[0]},
                        {"SLOPE", code.results[1]},
                        {"BETA_SLOPES", slopes}});
}

}  // namespace actsearch
