/// Activations for other programs: one formula with its derivatives, written down for a framework, a language or a page.
///
/// Code targets print the formula's one Program through the table of kernels/codegen/intrinsics.h; latex and mathml print the formula
/// and its derivatives. What each file contains and promises: docs/export.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"
#include "grammar/program.h"
#include "kernels/codegen/trace.h"

namespace actsearch {

/// One activation with everything that the targets write.
struct ExportedActivation {
  /// `given_name` is its name. Where that is empty it has its well_known_name, or else a name made of the formula's words. `origin` says
  /// where the formula comes from, a line each; it may hold any text. std::invalid_argument where the formula is too long to lower.
  ExportedActivation(const Expression& formula, std::string_view given_name, std::vector<std::string> origin);

  Expression expression;  ///< its parameters in order
  Program program;
  IntrinsicGraph graph;
  std::string formula;     ///< the notation
  std::string name;        ///< snake_case: "swish", "x_times_sigmoid_x_0f1e2d3c4b5a"
  std::string class_name;  ///< CamelCase: "Swish"
  std::vector<std::string> origin;

  std::size_t parameter_count() const { return program.dydbeta.size(); }
  /// "beta0", "beta1", …
  std::vector<std::string> parameter_names() const;
  /// The places in the graph of dy/dx and of dy/dbeta_k.
  std::vector<std::uint32_t> slopes() const;
};

struct ExportTarget {
  std::string_view name;
  std::string_view extension;  ///< of its files' names: ".py"
  std::string_view description;
  bool is_binary = false;
  std::string (*write)(const ExportedActivation&) = nullptr;
  std::string (*write_inlined)(const ExportedActivation&) = nullptr;  ///< without functions of its own; null where a file has no such form
};
/// pytorch, jax, keras, onnx, cuda, c, latex, sympy, mathml. `write` returns the whole file, or throws InexpressibleError.
const std::vector<ExportTarget>& export_targets();

/// The first lines of every file: formula, origin and licence. No text can end the comment: what is not printable ASCII is a dot.
std::vector<std::string> header_lines(const ExportedActivation& activation);
/// Them, each after `prefix`.
std::string header(const ExportedActivation& activation, std::string_view prefix);

/// The name of the well-known activation that is defined by this formula, arguments of +, *, max and min in either order; else empty. A
/// formula that only computes the same values has none. No comparison of values proves that two formulas are one function, and files of
/// different functions must not share a name.
std::string_view well_known_name(const Expression& formula);

/// A name of the formula's words: letters, digits and underscores, beginning with a letter; different for different formulas.
std::string name_of(std::string_view formula);

/// InexpressibleError where the formula has a number that single precision has not.
void require_single_precision(const ExportedActivation& activation, std::string_view target);

}  // namespace actsearch
