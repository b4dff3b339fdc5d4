/// A formula as Python holds it: one that was parsed, or a derivative of one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/expression.h"
#include "grammar/program.h"

namespace actsearch::python {

/// Immutable. Its betas are those of the formula that was parsed: a derivative keeps their numbers and their count, also where some no
/// longer occur in it.
class Formula {
 public:
  /// NotationError where the text is no formula; std::invalid_argument where it is too long to compute.
  explicit Formula(std::string_view text);

  /// The notation, LaTeX and MathML Core.
  std::string text() const;
  std::string latex() const;
  std::string mathml() const;
  std::size_t parameter_count() const { return parameter_count_; }

  /// The derivative by x, or by beta<parameter>. std::invalid_argument where there is no such beta.
  Formula derivative(std::optional<std::size_t> parameter) const;

  /// Equal for formulas that compute the same function, within the limits of grammar/fingerprint.h. Empty where it is not finite.
  std::string fingerprint() const;
  /// The name of the well-known function that this is, however it is spelled; else empty.
  std::string name() const;
  /// Why no search would train it; else empty.
  std::string refusal() const;
  /// The spelling that a search trains. std::invalid_argument where it is refused.
  Formula canonical() const;

  /// y, or dy/dx, at every x in double, as the reference that all kernels are compared with. `y` has as many places as `x`, and `beta`
  /// parameter_count() values: std::invalid_argument otherwise.
  void values(std::span<const double> x, const std::vector<double>& beta, std::span<double> y) const;
  void slopes(std::span<const double> x, const std::vector<double>& beta, std::span<double> dydx) const;

  /// A picture of y over low..high, with `derivative` beside it dy/dx, as SVG. std::invalid_argument for a range that cannot be drawn, and
  /// where the formula is nowhere finite there.
  std::string svg(double low, double high, bool derivative, const std::vector<double>& beta) const;

  /// What `actsearch export` writes for the target (binary for onnx), with this file's comment on where it comes from.
  /// std::invalid_argument for an unknown target, and where the target cannot express the formula.
  std::string exported(std::string_view target, const std::string& given_name) const;
  /// The names of the function and of the class in such a file.
  std::pair<std::string, std::string> exported_names() const;

 private:
  Formula(const Expression& expression, std::vector<std::size_t> numbers, std::size_t parameter_count);
  /// Whether its betas are numbered 0, 1, … in order, as those of a formula that was parsed.
  bool is_whole() const { return numbers_.size() == parameter_count_ && std::is_sorted(numbers_.begin(), numbers_.end()); }
  std::vector<std::string> parameter_names() const;
  std::vector<double> used(const std::vector<double>& beta) const;

  Expression expression_;             ///< its parameters in order
  std::vector<std::size_t> numbers_;  ///< of its k-th parameter: which beta that is
  std::size_t parameter_count_ = 0;
  Program program_;
};

}  // namespace actsearch::python
