#include "grammar/expression.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "grammar/range.h"

namespace actsearch {

struct Expression::Node {
  Kind kind = Kind::kInput;
  FunctionId function = 0;
  int parameter = 0;
  double number = 0;
  std::size_t depth = 1;
  std::size_t size = 1;
  mutable std::vector<Expression> arguments;  // emptied by the destructor of the last owner, never before

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() { release(std::move(arguments)); }

  // Frees a graph of any depth with a work list, where the members' own destructors would recurse.
  static void release(std::vector<Expression> pending) {
    while (!pending.empty()) {
      const Expression last = std::move(pending.back());
      pending.pop_back();
      if (last.node_ == nullptr || last.node_.use_count() != 1) continue;
      std::atomic_thread_fence(std::memory_order_acquire);  // sees all that other, former owners did
      std::vector<Expression> children = std::move(last.node_->arguments);
      last.node_->arguments.clear();
      for (Expression& child : children) pending.push_back(std::move(child));
    }
  }
};

Expression::Expression(double number) {
  if (!std::isfinite(number)) throw std::invalid_argument("a number of a formula is finite");
  auto node = std::make_shared<Node>();
  node->kind = Kind::kNumber;
  node->number = number;
  node_ = std::move(node);
}

Expression Expression::input() {
  static const auto node = std::make_shared<const Node>();
  return Expression(node);
}

Expression Expression::parameter(int index) {
  if (index < 0) throw std::invalid_argument("a parameter's index is not negative");
  auto node = std::make_shared<Node>();
  node->kind = Kind::kParameter;
  node->parameter = index;
  return Expression(std::move(node));
}

Expression Expression::call(FunctionId function, std::vector<Expression> arguments) {
  if (static_cast<int>(arguments.size()) != function_arity(function)) {
    throw std::invalid_argument(std::string(function_name(function)) + " takes " + std::to_string(function_arity(function)) +
                                " argument(s), not " + std::to_string(arguments.size()));
  }
  auto node = std::make_shared<Node>();
  node->kind = Kind::kCall;
  node->function = function;
  for (const Expression& argument : arguments) {
    node->depth = std::max(node->depth, argument.depth() + 1);
    const std::size_t room = std::numeric_limits<std::size_t>::max() - node->size;
    node->size += std::min(room, argument.size());
  }
  node->arguments = std::move(arguments);
  return Expression(std::move(node));
}

Expression::Kind Expression::kind() const { return node_->kind; }
double Expression::number() const { return node_->number; }
int Expression::parameter_index() const { return node_->parameter; }
FunctionId Expression::function() const { return node_->function; }
const std::vector<Expression>& Expression::arguments() const { return node_->arguments; }
std::size_t Expression::depth() const { return node_->depth; }
std::size_t Expression::size() const { return node_->size; }

int Expression::parameter_count() const {
  std::set<int> seen;
  for (const Expression& node : nodes_in_order(*this)) {
    if (node.kind() == Kind::kParameter) seen.insert(node.parameter_index());
  }
  return static_cast<int>(seen.size());
}

Expression Expression::with_parameters_in_order() const {
  std::unordered_map<int, int> renumbered;
  std::unordered_map<const void*, Expression> copy_of;
  const std::vector<Expression> nodes = nodes_in_order(*this);
  bool in_order = true;
  for (const Expression& node : nodes) {
    if (node.kind() != Kind::kParameter) continue;
    const auto [entry, is_new] = renumbered.try_emplace(node.parameter_index(), static_cast<int>(renumbered.size()));
    in_order = in_order && entry->second == node.parameter_index();
  }
  if (in_order) return *this;
  for (const Expression& node : nodes) {
    Expression copy = node;
    if (node.kind() == Kind::kParameter) copy = parameter(renumbered.at(node.parameter_index()));
    if (node.kind() == Kind::kCall) {
      std::vector<Expression> arguments;
      for (const Expression& argument : node.arguments()) arguments.push_back(copy_of.at(argument.identity()));
      copy = call(node.function(), std::move(arguments));
    }
    copy_of.emplace(node.identity(), std::move(copy));
  }
  return copy_of.at(identity());
}

Expression operator+(const Expression& a, const Expression& b) { return Expression::call<Add>(a, b); }
Expression operator-(const Expression& a, const Expression& b) { return Expression::call<Subtract>(a, b); }
Expression operator*(const Expression& a, const Expression& b) { return Expression::call<Multiply>(a, b); }
Expression operator/(const Expression& a, const Expression& b) { return Expression::call<Divide>(a, b); }
Expression operator-(const Expression& a) { return Expression::call<Negate>(a); }

std::vector<Expression> nodes_in_order(const Expression& y) {
  struct Visit {
    Expression node;
    std::size_t next_argument = 0;
  };
  std::vector<Expression> order;
  std::unordered_set<const void*> seen{y.identity()};
  std::vector<Visit> path;
  path.push_back({y});
  while (!path.empty()) {
    Visit& top = path.back();
    if (top.next_argument == top.node.arguments().size()) {
      order.push_back(std::move(top.node));
      path.pop_back();
      continue;
    }
    const Expression& argument = top.node.arguments()[top.next_argument++];
    if (seen.insert(argument.identity()).second) path.push_back({argument});
  }
  return order;
}

namespace {

// ---- Simplifying constructors. They serve derivatives only: a formula itself stays as it was written. ----------------

bool is_number(const Expression& e) { return e.kind() == Expression::Kind::kNumber; }
bool is_number(const Expression& e, double value) { return is_number(e) && e.number() == value; }
template <class F>
bool is_call(const Expression& e) {
  return e.kind() == Expression::Kind::kCall && e.function() == function_id<F>;
}

Expression negated(const Expression& a) {
  if (is_number(a)) return Expression(-a.number());
  if (is_call<Negate>(a)) return a.arguments()[0];
  return -a;
}

Expression sum(const Expression& a, const Expression& b) {
  if (is_number(a, 0)) return b;
  if (is_number(b, 0)) return a;
  if (is_number(a) && is_number(b) && std::isfinite(a.number() + b.number())) return Expression(a.number() + b.number());
  if (is_call<Negate>(b)) return a - b.arguments()[0];
  if (is_call<Negate>(a)) return b - a.arguments()[0];
  return a + b;
}

Expression product(const Expression& a, const Expression& b) {
  if (is_number(a, 0) || is_number(b, 0)) return Expression(0.0);
  if (is_number(a) && is_number(b) && std::isfinite(a.number() * b.number())) return Expression(a.number() * b.number());
  if (is_number(a, 1)) return b;
  if (is_number(b, 1)) return a;
  if (is_number(a, -1)) return negated(b);
  if (is_number(b, -1)) return negated(a);
  if (is_call<Negate>(a)) return negated(product(a.arguments()[0], b));
  if (is_call<Negate>(b)) return negated(product(a, b.arguments()[0]));
  if (is_call<Divide>(b) && is_number(b.arguments()[0], 1)) return a / b.arguments()[1];
  if (is_number(b)) return b * a;
  return a * b;
}

/// Where x² of single precision is still finite.
constexpr double kSquareIsFinite = 1e19;

/// The partial derivative of the call y by its argument `index`, by the function's own rule: that for large arguments where `range`, its
/// first argument's, has any.
Expression partial(const Expression& y, std::size_t index, const Range& range) {
  Expression result(0.0);
  visit_function(y.function(), [&]<class F>() {
    if constexpr (F::arity == 1) {
      result = F::dfdx(y.arguments()[0], y);
      if constexpr (requires { F::dfdx_far(y, y); }) {
        if (range.high > kSquareIsFinite || range.low < -kSquareIsFinite) result = F::dfdx_far(y.arguments()[0], y);
      }
    } else {
      result = index == 0 ? F::dfda(y.arguments()[0], y.arguments()[1], y) : F::dfdb(y.arguments()[0], y.arguments()[1], y);
    }
  });
  return result;
}

}  // namespace

Derivatives differentiate(const Expression& y) {
  const std::vector<Expression> nodes = nodes_in_order(y);
  const auto ranges = ranges_of(nodes);
  // dy/dnode; only nodes that depend on x or a parameter have an entry, so that numbers are never differentiated.
  std::unordered_map<const void*, Expression> adjoint;
  int parameters = 0;
  for (const Expression& node : nodes) {
    bool varies = node.kind() == Expression::Kind::kInput || node.kind() == Expression::Kind::kParameter;
    for (const Expression& argument : node.arguments()) varies = varies || adjoint.contains(argument.identity());
    if (varies) adjoint.emplace(node.identity(), Expression(0.0));
    if (node.kind() == Expression::Kind::kParameter) parameters = std::max(parameters, node.parameter_index() + 1);
  }
  Derivatives result{Expression(0.0), std::vector<Expression>(static_cast<std::size_t>(parameters), Expression(0.0))};
  if (const auto root = adjoint.find(y.identity()); root != adjoint.end()) root->second = Expression(1.0);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const auto entry = adjoint.find(node->identity());
    if (entry == adjoint.end()) continue;
    const Expression dy_dnode = entry->second;
    if (node->kind() == Expression::Kind::kInput) result.dydx = sum(result.dydx, dy_dnode);
    if (node->kind() == Expression::Kind::kParameter) {
      Expression& slope = result.dydbeta[static_cast<std::size_t>(node->parameter_index())];
      slope = sum(slope, dy_dnode);
    }
    for (std::size_t i = 0; i < node->arguments().size(); ++i) {
      const auto argument = adjoint.find(node->arguments()[i].identity());
      if (argument == adjoint.end() || is_number(dy_dnode, 0)) continue;
      const Range& range = ranges.at(node->arguments()[0].identity());
      argument->second = sum(argument->second, product(dy_dnode, partial(*node, i, range)));
    }
  }
  return result;
}

}  // namespace actsearch
