/// A formula: an immutable graph of calls over x, numbers and trainable parameters. Copying shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "grammar/functions.h"

namespace actsearch {

class Expression;
template <>
inline constexpr bool records_calls<Expression> = true;

/// One node of a formula. Nodes reached twice are computed once, and share their parameters.
class Expression {
 public:
  enum class Kind : std::uint8_t { kInput, kParameter, kNumber, kCall };

  /// A number.
  Expression(double number);  // NOLINT(google-explicit-constructor): formulas mix numbers and expressions
  /// The input x: the pre-activation.
  static Expression input();
  /// The trainable per-channel parameter beta<index>; the same index is the same parameter.
  static Expression parameter(int index);
  /// A call of the function; the number of arguments is the function's arity (std::invalid_argument otherwise).
  static Expression call(FunctionId function, std::vector<Expression> arguments);
  template <class F>
  static Expression call(const Expression& a) {
    return call(function_id<F>, {a});
  }
  template <class F>
  static Expression call(const Expression& a, const Expression& b) {
    return call(function_id<F>, {a, b});
  }

  Kind kind() const;
  double number() const;                             ///< of a kNumber
  int parameter_index() const;                       ///< of a kParameter
  FunctionId function() const;                       ///< of a kCall
  const std::vector<Expression>& arguments() const;  ///< of a kCall; empty otherwise
  std::size_t depth() const;                         ///< 1 for a leaf
  std::size_t size() const;                          ///< nodes when written out: a shared one counts each time; saturates
  /// Address of the shared node: equal for two expressions only if they are the same node.
  const void* identity() const { return node_.get(); }

  /// How many distinct parameters occur.
  int parameter_count() const;
  /// The same formula with its parameters renumbered 0, 1, … in the order of first occurrence, left to right.
  Expression with_parameters_in_order() const;

 private:
  struct Node;
  explicit Expression(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;
};

Expression operator+(const Expression& a, const Expression& b);
Expression operator-(const Expression& a, const Expression& b);
Expression operator*(const Expression& a, const Expression& b);
Expression operator/(const Expression& a, const Expression& b);
Expression operator-(const Expression& a);

/// Every distinct node of the formula once: arguments before the calls that use them, left to right; y itself comes last.
std::vector<Expression> nodes_in_order(const Expression& y);

/// The partial derivatives of a formula, by reverse accumulation over its graph with the functions' rules.
struct Derivatives {
  Expression dydx;
  std::vector<Expression> dydbeta;  ///< one for each parameter, by index
};
Derivatives differentiate(const Expression& y);

}  // namespace actsearch
