#include "kernels/codegen/trace.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <tuple>

namespace actsearch {
namespace {

using Kind = IntrinsicNode::Kind;

/// The graph while it grows.
class Builder {
 public:
  std::uint32_t add(const IntrinsicNode& node) {
    const Key key{node.kind, node.intrinsic, node.a, node.b, node.parameter, std::bit_cast<std::uint64_t>(node.number)};
    const auto [entry, is_new] = places_.try_emplace(key, static_cast<std::uint32_t>(nodes.size()));
    if (is_new) nodes.push_back(node);
    return entry->second;
  }
  std::uint32_t number(double value) { return add({.kind = Kind::kNumber, .number = value}); }

  std::vector<IntrinsicNode> nodes;

 private:
  using Key = std::tuple<Kind, Intrinsic, std::uint32_t, std::uint32_t, int, std::uint64_t>;
  std::map<Key, std::uint32_t> places_;
};

/// A value type for grammar/functions.h that records what is computed. A number belongs to no graph until it meets a value that does.
struct Traced {
  Builder* builder = nullptr;
  std::uint32_t place = 0;
  double number = 0;                       ///< where builder is null
  Traced(double value) : number(value) {}  // NOLINT(google-explicit-constructor): numbers mix in formulas
  Traced(Builder* graph, std::uint32_t node) : builder(graph), place(node) {}
  std::uint32_t in(Builder& graph) const { return builder == nullptr ? graph.number(number) : place; }
};

template <class Reference>
Traced record(Intrinsic intrinsic, const Traced& a, Reference reference) {
  if (a.builder == nullptr) return {reference(a.number)};
  return {a.builder, a.builder->add({.kind = Kind::kCall, .intrinsic = intrinsic, .a = a.place})};
}
template <class Reference>
Traced record(Intrinsic intrinsic, const Traced& a, const Traced& b, Reference reference) {
  Builder* const builder = a.builder == nullptr ? b.builder : a.builder;
  if (builder == nullptr) return {reference(a.number, b.number)};
  const std::uint32_t first = a.in(*builder), second = b.in(*builder);
  return {builder, builder->add({.kind = Kind::kCall, .intrinsic = intrinsic, .a = first, .b = second})};
}

Traced operator+(const Traced& a, const Traced& b) {
  return record(Intrinsic::kAdd, a, b, [](double u, double v) { return u + v; });
}
Traced operator-(const Traced& a, const Traced& b) {
  return record(Intrinsic::kSubtract, a, b, [](double u, double v) { return u - v; });
}
Traced operator*(const Traced& a, const Traced& b) {
  return record(Intrinsic::kMultiply, a, b, [](double u, double v) { return u * v; });
}
Traced operator/(const Traced& a, const Traced& b) {
  return record(Intrinsic::kDivide, a, b, [](double u, double v) { return u / v; });
}
Traced operator-(const Traced& a) {
  return record(Intrinsic::kNegate, a, [](double u) { return -u; });
}
Traced abs(const Traced& a) {
  return record(Intrinsic::kAbs, a, [](double u) { return std::abs(u); });
}
Traced sqrt(const Traced& a) {
  return record(Intrinsic::kSqrt, a, [](double u) { return std::sqrt(u); });
}
Traced exp(const Traced& a) {
  return record(Intrinsic::kExp, a, [](double u) { return std::exp(u); });
}
Traced log(const Traced& a) {
  return record(Intrinsic::kLog, a, [](double u) { return std::log(u); });
}
Traced sin(const Traced& a) {
  return record(Intrinsic::kSin, a, [](double u) { return std::sin(u); });
}
Traced cos(const Traced& a) {
  return record(Intrinsic::kCos, a, [](double u) { return std::cos(u); });
}
Traced sinh(const Traced& a) {
  return record(Intrinsic::kSinh, a, [](double u) { return std::sinh(u); });
}
Traced cosh(const Traced& a) {
  return record(Intrinsic::kCosh, a, [](double u) { return std::cosh(u); });
}
Traced tanh(const Traced& a) {
  return record(Intrinsic::kTanh, a, [](double u) { return std::tanh(u); });
}
Traced asinh(const Traced& a) {
  return record(Intrinsic::kAsinh, a, [](double u) { return std::asinh(u); });
}
Traced atan(const Traced& a) {
  return record(Intrinsic::kAtan, a, [](double u) { return std::atan(u); });
}
Traced erf(const Traced& a) {
  return record(Intrinsic::kErf, a, [](double u) { return std::erf(u); });
}
Traced logistic(const Traced& a) {
  return record(Intrinsic::kLogistic, a, [](double u) { return actsearch::logistic(u); });
}
Traced maximum(const Traced& a, const Traced& b) {
  return record(Intrinsic::kMaximum, a, b, [](double u, double v) { return actsearch::maximum(u, v); });
}
Traced minimum(const Traced& a, const Traced& b) {
  return record(Intrinsic::kMinimum, a, b, [](double u, double v) { return actsearch::minimum(u, v); });
}
Traced expm1(const Traced& a) {
  return record(Intrinsic::kExpm1, a, [](double u) { return std::expm1(u); });
}
Traced softplus(const Traced& a) {
  return record(Intrinsic::kSoftplus, a, [](double u) { return actsearch::softplus(u); });
}
Traced exp_limit(const Traced& a) {
  return record(Intrinsic::kExpLimit, a, [](double u) { return actsearch::exp_limit(u); });
}
Traced sinh_limit(const Traced& a) {
  return record(Intrinsic::kSinhLimit, a, [](double u) { return actsearch::sinh_limit(u); });
}
Traced finite(const Traced& a) {
  return record(Intrinsic::kFinite, a, [](double u) { return actsearch::finite(u); });
}
Traced beside_zero(const Traced& a) {
  return record(Intrinsic::kBesideZero, a, [](double u) { return actsearch::beside_zero(u); });
}
Traced greater(const Traced& a, const Traced& b) {
  return record(Intrinsic::kGreater, a, b, [](double u, double v) { return actsearch::greater(u, v); });
}
Traced equal(const Traced& a, const Traced& b) {
  return record(Intrinsic::kEqual, a, b, [](double u, double v) { return actsearch::equal(u, v); });
}

Traced traced(const Instruction& instruction, const std::vector<Traced>& values, Builder& builder) {
  switch (instruction.kind) {
    case Expression::Kind::kInput:
      return {&builder, builder.add({.kind = Kind::kInput})};
    case Expression::Kind::kParameter:
      return {&builder, builder.add({.kind = Kind::kParameter, .parameter = instruction.parameter})};
    case Expression::Kind::kNumber:
      return {instruction.number};
    case Expression::Kind::kCall: {
      Traced result(0.0);
      visit_function(instruction.function, [&]<class F>() {
        if constexpr (F::arity == 1) {
          result = F::f(values[instruction.a]);
        } else {
          result = F::f(values[instruction.a], values[instruction.b]);
        }
      });
      if (result.builder != nullptr) builder.nodes[result.place].is_instruction = true;
      return result;
    }
  }
  throw std::logic_error("trace: no such kind of instruction");
}

}  // namespace

int intrinsic_arity(Intrinsic intrinsic) {
  switch (intrinsic) {
    case Intrinsic::kAdd:
    case Intrinsic::kSubtract:
    case Intrinsic::kMultiply:
    case Intrinsic::kDivide:
    case Intrinsic::kMaximum:
    case Intrinsic::kMinimum:
    case Intrinsic::kGreater:
    case Intrinsic::kEqual:
      return 2;
    case Intrinsic::kNegate:
    case Intrinsic::kAbs:
    case Intrinsic::kSqrt:
    case Intrinsic::kExp:
    case Intrinsic::kLog:
    case Intrinsic::kSin:
    case Intrinsic::kCos:
    case Intrinsic::kSinh:
    case Intrinsic::kCosh:
    case Intrinsic::kTanh:
    case Intrinsic::kAsinh:
    case Intrinsic::kAtan:
    case Intrinsic::kErf:
    case Intrinsic::kExpm1:
    case Intrinsic::kSoftplus:
    case Intrinsic::kExpLimit:
    case Intrinsic::kSinhLimit:
    case Intrinsic::kFinite:
    case Intrinsic::kBesideZero:
    case Intrinsic::kLogistic:
      return 1;
  }
  throw std::logic_error("intrinsic_arity: no such intrinsic");
}

IntrinsicGraph trace(const Program& program) {
  Builder builder;
  std::vector<Traced> values;
  for (const Instruction& instruction : program.instructions) values.push_back(traced(instruction, values, builder));
  IntrinsicGraph graph;
  graph.y = values[program.y].in(builder);
  graph.dydx = values[program.dydx].in(builder);
  for (const std::uint16_t place : program.dydbeta) graph.dydbeta.push_back(values[place].in(builder));
  graph.nodes = std::move(builder.nodes);
  return graph;
}

Reach::Reach(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, std::int64_t known)
    : needed_(graph.nodes.size(), false) {
  for (const std::uint32_t result : results) needed_[result] = true;
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const IntrinsicNode& node = graph.nodes[i];
    if (!needed_[i] || static_cast<std::int64_t>(i) == known) continue;
    switch (node.kind) {
      case Kind::kInput:
        input_ = true;
        break;
      case Kind::kParameter:
        parameters_.push_back(node.parameter);
        break;
      case Kind::kNumber:
        break;
      case Kind::kCall:
        needed_[node.a] = true;
        if (intrinsic_arity(node.intrinsic) == 2) needed_[node.b] = true;
        break;
    }
  }
}

bool Reach::needs_parameter(int parameter) const {
  return std::find(parameters_.begin(), parameters_.end(), parameter) != parameters_.end();
}

}  // namespace actsearch
