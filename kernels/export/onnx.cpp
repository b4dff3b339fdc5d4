// The ONNX target. Field numbers are those of onnx.proto (IR version 8, ONNX 1.12).

#include <bit>
#include <charconv>
#include <map>
#include <utility>

#include "kernels/codegen/print.h"
#include "kernels/export/export.h"
#include "kernels/export/protobuf.h"

namespace actsearch {
namespace {

constexpr int kIrVersion = 8, kOpset = 17;
constexpr int kFloat = 1;  // TensorProto.DataType
constexpr std::string_view kDomain = "actsearch";

ProtobufMessage opset(std::string_view domain, int version) {
  return ProtobufMessage().bytes(1, domain).integer(2, static_cast<std::uint64_t>(version));
}

/// The nodes of one function. Each is named SCOPE/OPERATOR_NUMBER.
class Nodes {
 public:
  Nodes(const ExportedActivation& activation, std::string scope, const std::vector<std::uint32_t>& results)
      : graph_(activation.graph), scope_(std::move(scope)), names_(graph_.nodes.size()) {
    const std::vector<std::string> betas = activation.parameter_names();
    const Layout layout(graph_, results);
    for (std::uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      const IntrinsicNode& node = graph_.nodes[i];
      if (node.kind == IntrinsicNode::Kind::kInput) names_[i] = "x";
      if (node.kind == IntrinsicNode::Kind::kParameter) names_[i] = betas.at(static_cast<std::size_t>(node.parameter));
      if (layout.names(i)) names_[i] = value(i);
    }
  }
  /// The name of a value of the graph. One that has none yet is computed here, and again wherever else it is asked for.
  std::string value(std::uint32_t place) {
    if (!names_[place].empty()) return names_[place];
    const IntrinsicNode& node = graph_.nodes[place];
    if (node.kind == IntrinsicNode::Kind::kNumber) return constant(static_cast<float>(node.number));
    std::string_view word = word_of(language_, node.intrinsic);
    return computed(node, word);
  }
  /// A node: OP(inputs) under a new name, or the one given.
  std::string call(std::string_view op, const std::vector<std::string>& inputs, std::string output = {}) {
    if (output.empty()) output = "v" + std::to_string(next_++);
    ProtobufMessage node;
    for (const std::string& input : inputs) node.bytes(1, input);
    node.bytes(2, output).bytes(3, node_name(op)).bytes(4, op);
    nodes_.push_back(std::move(node));
    return output;
  }
  const std::vector<ProtobufMessage>& all() const { return nodes_; }

 private:
  /// A node's intrinsic as its row in the table has it: operators within each other, numbers, and #1 and #2 for the arguments.
  std::string computed(const IntrinsicNode& node, std::string_view& word) {
    const std::size_t end = word.find_first_of("(),");
    const std::string_view token = word.substr(0, end);
    word.remove_prefix(token.size());
    if (token == "#1") return value(node.a);
    if (token == "#2") return value(node.b);
    const auto take = [&](std::string_view expected) {
      const bool there = word.starts_with(expected);
      if (there) word.remove_prefix(expected.size());
      return there;
    };
    if (!take("(")) {
      double number = 0;
      const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), number);
      if (error != std::errc() || stop != token.data() + token.size()) throw std::logic_error("onnx: no value " + std::string(token));
      return constant(static_cast<float>(number));
    }
    std::vector<std::string> arguments{computed(node, word)};
    while (take(", ")) arguments.push_back(computed(node, word));
    if (!take(")")) throw std::logic_error("onnx: a call of " + std::string(token) + " does not end");
    // A cast of a truth value would name the type; a choice of 1 or 0 is of whatever type a converter gives the constants.
    if (token == "Cast") return call("Where", {arguments.front(), constant(1), constant(0)});
    return call(token, arguments);
  }
  std::string constant(float number) {
    const auto bits = std::bit_cast<std::uint32_t>(number);
    const auto [known, is_new] = constants_.try_emplace(bits, "c" + std::to_string(constants_.size()));
    if (!is_new) return known->second;
    std::string raw;
    for (unsigned shift = 0; shift < 32; shift += 8) raw += static_cast<char>(bits >> shift & 0xffU);
    const ProtobufMessage tensor = ProtobufMessage().integer(2, kFloat).bytes(9, raw);
    const ProtobufMessage attribute = ProtobufMessage().bytes(1, "value").message(5, tensor).integer(20, 4);  // AttributeProto.TENSOR
    nodes_.push_back(ProtobufMessage().bytes(2, known->second).bytes(3, node_name("Constant")).bytes(4, "Constant").message(5, attribute));
    return known->second;
  }

  std::string node_name(std::string_view op) const { return scope_ + "/" + std::string(op) + "_" + std::to_string(nodes_.size()); }

  const IntrinsicGraph& graph_;
  const Language language_ = onnx_language();
  std::string scope_;
  std::vector<std::string> names_;  ///< of the graph's values; empty without
  std::vector<ProtobufMessage> nodes_;
  std::map<std::uint32_t, std::string> constants_;
  int next_ = 0;
};

/// The nodes that compute `results`, each in the shape of x, under the names `outputs`.
std::vector<ProtobufMessage> computing(const ExportedActivation& activation, const std::string& scope,
                                       const std::vector<std::uint32_t>& results, const std::vector<std::string>& outputs) {
  Nodes nodes(activation, scope, results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string value = nodes.value(results[i]);
    if (Reach(activation.graph, {results[i]}).needs_input()) {
      nodes.call("Identity", {value}, outputs[i]);
    } else {
      nodes.call("Expand", {value, nodes.call("Shape", {"x"})}, outputs[i]);
    }
  }
  return nodes.all();
}

/// A FunctionProto of them.
ProtobufMessage function(const ExportedActivation& activation, const std::string& name, const std::vector<std::uint32_t>& results,
                         const std::vector<std::string>& outputs) {
  ProtobufMessage message;
  message.bytes(1, name).bytes(4, "x");
  for (const std::string& beta : activation.parameter_names()) message.bytes(4, beta);
  for (const std::string& output : outputs) message.bytes(5, output);
  for (const ProtobufMessage& node : computing(activation, name, results, outputs)) message.message(7, node);
  return message.message(9, opset("", kOpset)).bytes(10, kDomain);
}

/// A ValueInfoProto: fp32, with named dimensions.
ProtobufMessage tensor(const std::string& name, const std::vector<std::string>& dimensions) {
  ProtobufMessage shape;
  for (const std::string& dimension : dimensions) shape.message(1, ProtobufMessage().bytes(2, dimension));
  const ProtobufMessage type = ProtobufMessage().message(1, ProtobufMessage().integer(1, kFloat).message(2, shape));
  return ProtobufMessage().bytes(1, name).message(2, type);
}

std::vector<std::string> slope_names(const ExportedActivation& activation) {
  std::vector<std::string> names{"dydx"};
  for (std::size_t k = 0; k < activation.parameter_count(); ++k) names.push_back("dydbeta" + std::to_string(k));
  return names;
}

/// A GraphProto of the nodes, from x and betas to y and its slopes.
ProtobufMessage graph_of(const ExportedActivation& activation, const std::vector<ProtobufMessage>& nodes) {
  ProtobufMessage graph;
  for (const ProtobufMessage& node : nodes) graph.message(1, node);
  graph.bytes(2, activation.name).message(11, tensor("x", {"rows", "channels"}));
  for (const std::string& beta : activation.parameter_names()) graph.message(11, tensor(beta, {"channels"}));
  graph.message(12, tensor("y", {"rows", "channels"}));
  for (const std::string& slope : slope_names(activation)) graph.message(12, tensor(slope, {"rows", "channels"}));
  return graph;
}

ProtobufMessage model_of(const ExportedActivation& activation, const ProtobufMessage& graph) {
  ProtobufMessage model;
  model.integer(1, kIrVersion).bytes(2, "actsearch").bytes(4, kDomain).integer(5, 1).bytes(6, header(activation, "")).message(7, graph);
  return model.message(8, opset("", kOpset));
}

/// A node that calls a function of the model.
ProtobufMessage call_of(const ExportedActivation& activation, const std::string& name, const std::vector<std::string>& outputs) {
  ProtobufMessage call;
  call.bytes(1, "x");
  for (const std::string& beta : activation.parameter_names()) call.bytes(1, beta);
  for (const std::string& output : outputs) call.bytes(2, output);
  return call.bytes(3, name).bytes(4, name).bytes(7, kDomain);
}

}  // namespace

std::string to_onnx(const ExportedActivation& activation) {
  require_single_precision(activation, "onnx");
  const std::vector<std::string> slopes = slope_names(activation);
  const std::string derivative = activation.name + "_derivative";
  ProtobufMessage model =
      model_of(activation, graph_of(activation, {call_of(activation, activation.name, {"y"}), call_of(activation, derivative, slopes)}));
  model.message(8, opset(kDomain, 1));
  model.message(25, function(activation, activation.name, {activation.graph.y}, {"y"}));
  model.message(25, function(activation, derivative, activation.slopes(), slopes));
  return model.serialized();
}

std::string to_inlined_onnx(const ExportedActivation& activation) {
  require_single_precision(activation, "onnx");
  std::vector<std::uint32_t> results{activation.graph.y};
  std::vector<std::string> outputs{"y"};
  for (const std::uint32_t slope : activation.slopes()) results.push_back(slope);
  for (const std::string& name : slope_names(activation)) outputs.push_back(name);
  return model_of(activation, graph_of(activation, computing(activation, activation.name, results, outputs))).serialized();
}

}  // namespace actsearch
