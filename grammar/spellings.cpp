#include "grammar/spellings.h"

#include <algorithm>

#include "grammar/functions.h"

namespace actsearch {
namespace {

using Arguments = std::vector<Expression>;

template <class F>
Expression call(const Expression& x) {
  return Expression::call<F>(x);
}
template <class F>
Expression call(const Expression& a, const Expression& b) {
  return Expression::call<F>(a, b);
}

Expression clip(const Expression& x, const Expression& low, const Expression& high) { return call<Min>(call<Max>(x, low), high); }
Expression relu6(const Expression& x) { return clip(x, 0.0, 6.0); }
Expression hard_sigmoid(const Expression& x) { return relu6(x + 3.0) / 6.0; }
Expression elu(const Expression& x) { return call<Max>(x, 0.0) + call<Expm1>(call<Min>(0.0, x)); }
/// v where x is at most t, else x.
Expression threshold(const Expression& x, const Expression& t, const Expression& v) { return v + call<Greater>(x, t) * (x - v); }

Expression of_silu(const Arguments& a) { return a[0] * call<Sigmoid>(a[0]); }
Expression of_relu6(const Arguments& a) { return relu6(a[0]); }
Expression of_hard_sigmoid(const Arguments& a) { return hard_sigmoid(a[0]); }
Expression of_hard_swish(const Arguments& a) { return a[0] * hard_sigmoid(a[0]); }
Expression of_hard_tanh(const Arguments& a) { return clip(a[0], -1.0, 1.0); }
Expression of_softsign(const Arguments& a) { return a[0] / (1.0 + call<Abs>(a[0])); }
Expression of_celu(const Arguments& a) { return elu(a[0]); }
Expression of_log_sigmoid(const Arguments& a) { return -call<Softplus>(-a[0]); }
Expression of_tanh_shrink(const Arguments& a) { return a[0] - call<Tanh>(a[0]); }
Expression of_hard_shrink(const Arguments& a) { return call<Greater>(call<Abs>(a[0]), 0.5) * a[0]; }
Expression of_soft_shrink(const Arguments& a) { return a[0] - clip(a[0], -0.5, 0.5); }
Expression of_squareplus(const Arguments& a) { return 0.5 * (a[0] + call<Sqrt>(call<Square>(a[0]) + 4.0)); }
Expression of_sparse_plus(const Arguments& a) { return 0.25 * call<Square>(clip(a[0], -1.0, 1.0) + 1.0) + call<Max>(a[0] - 1.0, 0.0); }
Expression of_sparse_sigmoid(const Arguments& a) { return 0.5 * (clip(a[0], -1.0, 1.0) + 1.0); }
Expression of_quick_gelu(const Arguments& a) { return a[0] * call<Sigmoid>(1.702 * a[0]); }
Expression of_linear(const Arguments& a) { return a[0]; }
Expression of_exponential(const Arguments& a) { return call<Exp>(a[0]); }
Expression of_log1p(const Arguments& a) { return call<Log>(1.0 + a[0]); }
Expression of_asinh(const Arguments& a) { return call<Asinh>(a[0]); }
Expression of_atan(const Arguments& a) { return call<Atan>(a[0]); }
Expression of_logistic(const Arguments& a) { return call<Sigmoid>(a[0]); }
Expression of_max(const Arguments& a) { return call<Max>(a[0], a[1]); }
Expression of_min(const Arguments& a) { return call<Min>(a[0], a[1]); }
Expression of_clip(const Arguments& a) { return clip(a[0], a[1], a[2]); }
Expression of_threshold(const Arguments& a) { return threshold(a[0], a[1], a[2]); }

}  // namespace

const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> kAll{
      {"arcsinh", 1, "NumPy", of_asinh},
      {"arctan", 1, "NumPy", of_atan},
      {"arsinh", 1, "mathematics", of_asinh},
      {"celu", 1, "PyTorch and Keras, alpha 1", of_celu},
      {"clamp", 3, "PyTorch: x, the least, the most", of_clip},
      {"clip", 3, "NumPy: x, the least, the most", of_clip},
      {"exponential", 1, "Keras", of_exponential},
      {"hard_shrink", 1, "Keras, lambda 0.5", of_hard_shrink},
      {"hard_sigmoid", 1, "Keras", of_hard_sigmoid},
      {"hard_silu", 1, "Keras", of_hard_swish},
      {"hard_swish", 1, "Keras", of_hard_swish},
      {"hard_tanh", 1, "Keras", of_hard_tanh},
      {"hardshrink", 1, "PyTorch, lambda 0.5", of_hard_shrink},
      {"hardsigmoid", 1, "PyTorch", of_hard_sigmoid},
      {"hardswish", 1, "PyTorch", of_hard_swish},
      {"hardtanh", 1, "PyTorch", of_hard_tanh},
      {"linear", 1, "Keras", of_linear},
      {"log1p", 1, "NumPy", of_log1p},
      {"log_sigmoid", 1, "Keras", of_log_sigmoid},
      {"logistic", 1, "mathematics", of_logistic},
      {"logsigmoid", 1, "PyTorch", of_log_sigmoid},
      {"maximum", 2, "NumPy", of_max},
      {"minimum", 2, "NumPy", of_min},
      {"quick_gelu", 1, "GELU's approximation by a logistic function", of_quick_gelu},
      {"relu6", 1, "PyTorch and Keras", of_relu6},
      {"silu", 1, "PyTorch and Keras", of_silu},
      {"soft_shrink", 1, "Keras, lambda 0.5", of_soft_shrink},
      {"softshrink", 1, "PyTorch, lambda 0.5", of_soft_shrink},
      {"softsign", 1, "PyTorch and Keras", of_softsign},
      {"sparse_plus", 1, "Keras", of_sparse_plus},
      {"sparse_sigmoid", 1, "Keras", of_sparse_sigmoid},
      {"squareplus", 1, "Keras, b 4", of_squareplus},
      {"tanh_shrink", 1, "Keras", of_tanh_shrink},
      {"tanhshrink", 1, "PyTorch", of_tanh_shrink},
      {"threshold", 3, "PyTorch: x, the threshold, the value at or below it", of_threshold},
  };
  return kAll;
}

const Spelling* find_spelling(std::string_view name) {
  const auto& all = spellings();
  const auto place = std::find_if(all.begin(), all.end(), [&](const Spelling& one) { return one.name == name; });
  return place == all.end() ? nullptr : &*place;
}

std::string_view advice_on(std::string_view word) {
  struct Advice {
    std::string_view word, text;
  };
  static constexpr std::string_view kPieces = "pieces are made by max, min and greater(a, b), which is 1 where a > b and 0 elsewhere";
  static constexpr std::string_view kNotOfOneNumber = "an activation here is a function of one number";
  static constexpr Advice kAll[] = {
      {"where", kPieces},
      {"select", kPieces},
      {"if", kPieces},
      {"sign", "greater(x, 0) - greater(0, x) is the sign"},
      {"step", "greater(x, 0) is the step"},
      {"heaviside", "greater(x, 0) is the step"},
      {"pow", "write x^2, with a whole number from -16 to 16, or sqrt(x)"},
      {"power", "write x^2, with a whole number from -16 to 16, or sqrt(x)"},
      {"pi", "write 3.141592653589793"},
      {"softmax", kNotOfOneNumber},
      {"log_softmax", kNotOfOneNumber},
      {"glu", kNotOfOneNumber},
      {"rrelu", "its slope is random; leaky_relu and prelu are there"},
      {"alpha", "a trainable parameter is called beta"},
  };
  for (const Advice& one : kAll) {
    if (one.word == word) return one.text;
  }
  return {};
}

}  // namespace actsearch
