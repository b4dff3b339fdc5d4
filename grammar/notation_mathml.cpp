#include <stdexcept>
#include <string>
#include <string_view>

#include "grammar/notation.h"

namespace actsearch {
namespace {

std::string element(std::string_view tag, std::string_view content) {
  return std::string("<").append(tag).append(">").append(content).append("</").append(tag).append(">");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// A character as XML has it.
std::string escaped(char c) {
  switch (c) {
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '&':
      return "&amp;";
    case '-':
      return "−";
    default:  // text: every character that XML gives no meaning
      return std::string(1, c);
  }
}

/// Reads the LaTeX that the printer writes, which is that of the functions' templates, and writes it as MathML: so what a function looks
/// like is said once, in its `latex`. A word of LaTeX that is not known here is our bug, and a test meets every template.
class MathMl {
 public:
  explicit MathMl(std::string_view latex) : latex_(latex) {}

  std::string formula() {
    const std::string content = row("");
    if (at_ != latex_.size()) broken();
    return element("math", content);
  }

 private:
  /// One thing that a superscript can stand at. `name`: of a function, whose argument follows it.
  struct Atom {
    std::string text;
    bool name = false;
  };

  [[noreturn]] void broken() const { throw std::logic_error("no MathML for the LaTeX '" + std::string(latex_.substr(at_, 20)) + "'"); }

  bool take(std::string_view expected) {
    if (!latex_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  void skip_spaces() {
    while (take(" ")) {
    }
  }

  /// Everything up to `end`, which is taken too; up to the end of the text where it is empty.
  std::string row(std::string_view end) {
    std::string content;
    int elements = 0;
    for (;;) {
      skip_spaces();
      if (end.empty() ? at_ == latex_.size() : take(end)) return elements == 1 ? content : element("mrow", content);
      if (at_ == latex_.size()) broken();
      const Atom atom = scripted();
      content += atom.text + (atom.name ? element("mo", "\u2061") : "");  // the name is applied to what follows
      elements += atom.name ? 2 : 1;
    }
  }

  /// An atom with its scripts.
  Atom scripted() {
    Atom atom = next_atom();
    if (take("_")) atom.text = element("msub", atom.text + script());
    if (take("'")) atom.text = element("msup", atom.text + element("mo", "′"));
    if (take("^")) atom.text = element("msup", atom.text + script());
    return atom;
  }

  std::string script() { return take("{") ? row("}") : next_atom().text; }

  std::string fenced(std::string_view open, std::string_view end, std::string_view close) {
    std::string content = row(end);
    return element("mrow", element("mo", open) + content + element("mo", close));
  }

  Atom next_atom() {
    if (take("\\")) return command();
    if (take("(")) return {fenced("(", ")", ")")};
    if (take("[")) return {fenced("[", "]", "]")};
    if (is_digit(latex_[at_])) {
      const std::size_t first = at_;
      while (at_ < latex_.size() && (is_digit(latex_[at_]) || latex_[at_] == '.')) ++at_;
      return {element("mn", latex_.substr(first, at_ - first))};
    }
    if (is_letter(latex_[at_])) return {element("mi", letters())};
    constexpr std::string_view kOperators = "+-<>,";
    if (kOperators.find(latex_[at_]) == std::string_view::npos) broken();
    return {element("mo", escaped(latex_[at_++]))};
  }

  std::string_view letters() {
    const std::size_t first = at_;
    while (at_ < latex_.size() && is_letter(latex_[at_])) ++at_;
    return latex_.substr(first, at_ - first);
  }

  Atom command() {
    if (take(",")) {  // a product: a thin space, except before a number
      skip_spaces();
      return {at_ < latex_.size() && is_digit(latex_[at_]) ? element("mo", "⋅") : "<mo rspace=\"0.1667em\">\u2062</mo>"};
    }
    const std::string_view word = letters();
    if (word == "beta") return {element("mi", "β")};
    if (word == "cdot") return {element("mo", "⋅")};
    if (word == "sigma") return {element("mi", "σ"), true};
    if (word == "frac") {
      const std::string numerator = group();
      return {element("mfrac", numerator + group())};
    }
    if (word == "sqrt") return {element("msqrt", group())};
    if (word == "lvert") return {fenced("|", "\\rvert", "|")};
    if (word == "operatorname") {
      if (!take("{")) broken();
      const std::string name = element("mi", letters());
      if (!take("}")) broken();
      return {name, true};
    }
    for (const std::string_view name : {"max", "min", "log", "exp", "sin", "cos", "arctan", "sinh", "cosh", "tanh"}) {
      if (word == name) return {element("mi", name), true};
    }
    broken();
  }

  std::string group() {
    if (!take("{")) broken();
    return row("}");
  }

  std::string_view latex_;
  std::size_t at_ = 0;
};

void require_shallow(const Expression& y) {
  constexpr std::size_t kMaxShownDepth = 500;
  if (y.depth() > kMaxShownDepth) throw std::invalid_argument("the formula is nested too deep to show");
}

}  // namespace

std::string to_mathml(const Expression& y) { return require_shallow(y), MathMl(to_latex(y)).formula(); }
std::string to_mathml(const Expression& y, const std::vector<std::string>& parameter_names) {
  return require_shallow(y), MathMl(to_latex(y, parameter_names)).formula();
}

}  // namespace actsearch
