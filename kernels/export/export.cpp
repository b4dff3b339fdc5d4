#include "kernels/export/export.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "grammar/hash.h"
#include "grammar/notation.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

std::string camel_case(const std::string& name) {
  std::string text;
  bool start = true;
  for (const char c : name) {
    if (c == '_') {
      start = true;
      continue;
    }
    text += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    start = false;
  }
  return text;
}

/// Printable ASCII alone, and nothing that joins lines (a backslash at the end, in C also as ??/) or ends a comment (-- in XML).
std::string harmless(const std::string& line) {
  std::string text;
  for (const char c : line) {
    if (!text.empty() && text.back() == c && (c == '?' || c == '-')) text += ' ';
    text += c < ' ' || c > '~' || c == '\\' ? '.' : c;
  }
  return text;
}

/// The line broken at blanks, further lines indented.
std::vector<std::string> wrapped(std::string line) {
  constexpr std::size_t kWidth = 118;
  const std::string indent = "  ";
  std::vector<std::string> lines;
  while (line.size() > kWidth) {
    const std::size_t blank = line.rfind(' ', kWidth);
    if (blank == std::string::npos || blank <= indent.size()) break;
    lines.push_back(line.substr(0, blank));
    line = indent + line.substr(blank + 1);
  }
  lines.push_back(line);
  return lines;
}

bool is_commutative(FunctionId function) {
  return function == function_id<Add> || function == function_id<Multiply> || function == function_id<Max> || function == function_id<Min>;
}

/// Numbers formulas so that two have the same number only if they are the same but for the order of commuting arguments.
class Spellings {
 public:
  int number_of(const Expression& formula) {
    std::map<const void*, int> of;
    for (const Expression& part : nodes_in_order(formula)) of[part.identity()] = number(part, of);
    return of.at(formula.identity());
  }

 private:
  int number(const Expression& part, const std::map<const void*, int>& of) {
    std::string key;
    switch (part.kind()) {
      case Expression::Kind::kInput:
        key = "x";
        break;
      case Expression::Kind::kParameter:
        key = "beta" + std::to_string(part.parameter_index());
        break;
      case Expression::Kind::kNumber:
        key = to_text(part.number());
        break;
      case Expression::Kind::kCall: {
        std::vector<int> arguments;
        for (const Expression& argument : part.arguments()) arguments.push_back(of.at(argument.identity()));
        if (is_commutative(part.function())) std::sort(arguments.begin(), arguments.end());
        key = function_name(part.function());
        for (const int argument : arguments) key += " " + std::to_string(argument);
        break;
      }
    }
    return numbers_.try_emplace(key, static_cast<int>(numbers_.size())).first->second;
  }

  std::map<std::string, int> numbers_;
};

}  // namespace

std::string_view well_known_name(const Expression& formula) {
  Spellings spellings;
  const int number = spellings.number_of(formula.with_parameters_in_order());
  for (const OperatorInfo& activation : activations()) {
    const Expression definition = activation.build({Expression::input()}, Expression::parameter(0));
    if (spellings.number_of(definition.with_parameters_in_order()) == number) return activation.name;
  }
  return {};
}

ExportedActivation::ExportedActivation(const Expression& written, std::string_view given_name, std::vector<std::string> where)
    : expression(written.with_parameters_in_order()),
      program(lower(expression)),
      graph(trace(program)),
      formula(to_text(expression)),
      name(given_name.empty() ? well_known_name(expression) : given_name),
      origin(std::move(where)) {
  if (name.empty()) name = name_of(formula);
  class_name = camel_case(name);
}

std::vector<std::string> ExportedActivation::parameter_names() const {
  std::vector<std::string> names;
  for (std::size_t k = 0; k < parameter_count(); ++k) names.push_back("beta" + std::to_string(k));
  return names;
}

std::vector<std::uint32_t> ExportedActivation::slopes() const {
  std::vector<std::uint32_t> places{graph.dydx};
  places.insert(places.end(), graph.dydbeta.begin(), graph.dydbeta.end());
  return places;
}

// One a target, each in a file of its own beside this one; a row below makes it known.
std::string to_pytorch(const ExportedActivation& activation);
std::string to_jax(const ExportedActivation& activation);
std::string to_keras(const ExportedActivation& activation);
std::string to_onnx(const ExportedActivation& activation);
/// The same graph of the operators themselves, without local functions, which not every converter takes.
std::string to_inlined_onnx(const ExportedActivation& activation);
std::string to_cuda_header(const ExportedActivation& activation);
std::string to_c(const ExportedActivation& activation);
std::string to_latex_file(const ExportedActivation& activation);
std::string to_sympy(const ExportedActivation& activation);
std::string to_mathml_file(const ExportedActivation& activation);

const std::vector<ExportTarget>& export_targets() {
  static const std::vector<ExportTarget> targets{
      {"pytorch", ".py", "a module with per-channel betas, and an autograd function that keeps only what backward needs", false, to_pytorch,
       nullptr},
      {"jax", ".py", "a pure function with its own derivative, and a Flax module", false, to_jax, nullptr},
      {"keras", ".py", "a Keras 3 layer with per-channel betas, for any backend", false, to_keras, nullptr},
      {"onnx", ".onnx", "a model: the function, its derivatives, and a graph that calls both (opset 17, fp32)", true, to_onnx,
       to_inlined_onnx},
      {"cuda", ".cuh", "a header with __device__ functions: value, and derivatives by x and beta", false, to_cuda_header, nullptr},
      {"c", ".h", "a C99 header with the same, in double and in single precision", false, to_c, nullptr},
      {"latex", ".tex", "the formula and its derivatives, for display", false, to_latex_file, nullptr},
      {"sympy", ".py", "the formula and its derivatives as SymPy expressions", false, to_sympy, nullptr},
      {"mathml", ".mml", "the formula and its derivatives as MathML Core, for a page", false, to_mathml_file, nullptr},
  };
  return targets;
}

std::vector<std::string> header_lines(const ExportedActivation& activation) {
  std::vector<std::string> lines{harmless("y = " + activation.formula), ""};
  for (const std::string& line : activation.origin) {
    for (std::string& part : wrapped(harmless(line))) lines.push_back(std::move(part));
  }
  lines.insert(lines.end(),
               {"", "SPDX-License-Identifier: MIT", "Copyright (c) 2026 The actsearch authors. Free to use, change and pass on;",
                "keep these lines in copies of this file."});
  return lines;
}

std::string header(const ExportedActivation& activation, std::string_view prefix) {
  std::string text;
  for (const std::string& line : header_lines(activation)) {
    text += line.empty() ? std::string(prefix.substr(0, prefix.find_last_not_of(' ') + 1)) : std::string(prefix) + line;
    text += '\n';
  }
  return text;
}

std::string name_of(std::string_view formula) {
  constexpr std::size_t kMaxWords = 32;
  std::string words;
  for (std::size_t i = 0; i < formula.size(); ++i) {
    const char c = formula[i];
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    const bool spaced = i + 1 < formula.size() && formula[i + 1] == ' ';  // binary operators are; a sign is not
    const std::string_view word = c == '+' && spaced   ? "_plus_"
                                  : c == '-' && spaced ? "_minus_"
                                  : c == '-'           ? "_neg_"
                                  : c == '*'           ? "_times_"
                                  : c == '/'           ? "_over_"
                                                       : "_";
    if (!words.empty() && words.back() == '_') words.pop_back();
    words += word;
  }
  words = words.substr(0, kMaxWords);
  while (!words.empty() && words.back() == '_') words.pop_back();
  words.erase(0, words.find_first_not_of('_'));
  if (words.empty() || std::isdigit(static_cast<unsigned char>(words.front())) != 0) words.insert(0, "f_");
  std::string digits(12, '0');
  std::uint64_t hash = 0;
  for (const char c : formula) hash = mixed(hash + kGoldenGamma + static_cast<unsigned char>(c));
  for (std::size_t i = 0; i < digits.size(); ++i) digits[i] = "0123456789abcdef"[hash >> (4 * i) & 15U];
  return words + "_" + digits;
}

void require_single_precision(const ExportedActivation& activation, std::string_view target) {
  for (const IntrinsicNode& node : activation.graph.nodes) {
    if (node.kind != IntrinsicNode::Kind::kNumber || !beyond_single_precision(node.number)) continue;
    throw InexpressibleError("the target " + std::string(target) + " cannot express the number " + to_text(node.number) +
                             ": it computes in single precision, from 1e-45 to 3e38");
  }
}

}  // namespace actsearch
