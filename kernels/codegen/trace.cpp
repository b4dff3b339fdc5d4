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
/// Each word is called like the function that it is of: abs(a), maximum(a, b).
#define ACTSEARCH_TAKES_1 const Traced& a
#define ACTSEARCH_TAKES_2 const Traced &a, const Traced &b
#define ACTSEARCH_GIVES_1 a
#define ACTSEARCH_GIVES_2 a, b
#define ACTSEARCH_NUMBERS_1 double u
#define ACTSEARCH_NUMBERS_2 double u, double v
#define ACTSEARCH_SIGN(...)
#define ACTSEARCH_WORD(enumerator, name, arity, value, ...)                                                         \
  Traced name(ACTSEARCH_TAKES_##arity) {                                                                            \
    return record(Intrinsic::enumerator, ACTSEARCH_GIVES_##arity, [](ACTSEARCH_NUMBERS_##arity) { return value; }); \
  }
#include "kernels/codegen/intrinsics.def"
#undef ACTSEARCH_WORD
#undef ACTSEARCH_SIGN

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
