#include "kernels/codegen/print.h"

namespace actsearch {
namespace {

using Kind = IntrinsicNode::Kind;

/// Without the parentheses around the whole, for where nothing surrounds it.
std::string_view bare(std::string_view text) {
  if (text.front() != '(' || text.back() != ')') return text;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (depth == 0) return text;  // the first parenthesis ends before the last
  }
  return text.substr(1, text.size() - 2);
}

/// Whether the place in a word is a whole argument of a call.
bool is_argument(std::string_view word, std::size_t place) {
  const std::string_view before = word.substr(0, place), after = word.substr(place + 2);
  return (before.ends_with('(') || before.ends_with(", ")) && (after.starts_with(')') || after.starts_with(','));
}

std::string with_arguments(std::string_view word, std::string_view a, std::string_view b) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '#') {
      text += word[i];
      continue;
    }
    const std::string_view argument = word[i + 1] == '1' ? a : b;
    text += is_argument(word, i) ? bare(argument) : argument;
    ++i;
  }
  return text;
}

class Printer {
 public:
  Printer(const IntrinsicGraph& graph, const Language& language, const Leaves& leaves, std::vector<std::uint32_t> results)
      : graph_(graph),
        language_(language),
        leaves_(leaves),
        results_(std::move(results)),
        known_(leaves.y ? static_cast<std::int64_t>(graph.y) : -1),
        layout_(graph, results_, known_) {}

  Code print() {
    Code code;
    std::vector<std::string> texts(graph_.nodes.size());
    int next = 0;
    for (std::uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!layout_.needs(i)) continue;
      const IntrinsicNode& node = graph_.nodes[i];
      if (!layout_.computes(i)) {
        texts[i] = leaf(i);
        continue;
      }
      texts[i] = spelled(language_, node.intrinsic, texts[node.a], texts[node.b]);
      if (!layout_.names(i)) continue;
      const std::string name = "t" + std::to_string(next++);
      code.lines += with_arguments(language_.assignment, name, bare(texts[i]));
      texts[i] = name;
    }
    for (const std::uint32_t result : results_) code.results.push_back(texts[result]);
    return code;
  }

 private:
  std::string leaf(std::size_t i) const {
    const IntrinsicNode& node = graph_.nodes[i];
    if (static_cast<std::int64_t>(i) == known_) return *leaves_.y;
    switch (node.kind) {
      case Kind::kInput:
        return leaves_.x;
      case Kind::kParameter:
        return leaves_.beta.at(static_cast<std::size_t>(node.parameter));
      case Kind::kNumber:
        return language_.number(node.number);
      case Kind::kCall:
        break;
    }
    throw std::logic_error("print: a call is no leaf");
  }

  const IntrinsicGraph& graph_;
  const Language& language_;
  const Leaves& leaves_;
  std::vector<std::uint32_t> results_;
  std::int64_t known_;
  Layout layout_;
};

}  // namespace

Layout::Layout(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, std::int64_t known)
    : graph_(graph), known_(known), reach_(graph, results, known), uses_(graph.nodes.size(), 0) {
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    if (!computes(i)) continue;
    ++uses_[graph.nodes[i].a];
    if (intrinsic_arity(graph.nodes[i].intrinsic) == 2) ++uses_[graph.nodes[i].b];
  }
}

bool Layout::computes(std::uint32_t node) const {
  return reach_.needs(node) && graph_.nodes[node].kind == Kind::kCall && std::int64_t{node} != known_;
}

bool Layout::names(std::uint32_t node) const { return computes(node) && (graph_.nodes[node].is_instruction || uses_[node] > 1); }

const std::string& word_of(const Language& language, Intrinsic intrinsic) {
  const std::string& word = language.word(intrinsic);
  if (word.empty()) {
    throw InexpressibleError("the target " + language.name + " cannot express the formula: it has no '" +
                             std::string(intrinsic_name(intrinsic)) + "'");
  }
  return word;
}

std::string spelled(const Language& language, Intrinsic intrinsic, std::string_view a, std::string_view b) {
  return with_arguments(word_of(language, intrinsic), a, b);
}

Code print(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, const Language& language, const Leaves& leaves) {
  return Printer(graph, language, leaves, results).print();
}

std::string filled(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = text.find("{{"), close = text.find("}}", open);
    out += text.substr(0, open);
    if (open == std::string_view::npos) break;
    if (close == std::string_view::npos) throw std::logic_error("filled: {{ without }}");
    const std::string_view key = text.substr(open + 2, close - open - 2);
    bool known = false;
    for (const auto& [name, value] : values) {
      if (name == key) out += value, known = true;
    }
    if (!known) throw std::logic_error("filled: no value for " + std::string(key));
    text.remove_prefix(close + 2);
  }
  return out;
}

}  // namespace actsearch
