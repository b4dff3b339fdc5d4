/// How functions look on a page: typeset, and as a small curve, in texts short enough for ten thousand of them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace actsearch {

/// Numbers as printable ASCII without the quote, the backslash and '<': 92 characters, kDigits[v] for v.
inline constexpr std::string_view kDigits = " !#$%&'()*+,-./0123456789:;=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";
inline constexpr int kShapePoints = 49;       ///< of x in [-5, 5], evenly spaced: 0 is one of them
inline constexpr int kShapeLevels = 92 * 91;  ///< two digits of base 92 a point: 0 is `low`, kShapeLevels - 1 `high`, "~~" a gap
inline constexpr std::size_t kOneDigit =
    80;  ///< places in the list of tags below this are one digit, others three: kDigits[80] and two of base 92

/// One function.
struct Form {
  std::string mathml;  ///< its MathML as places in Forms::tags(); empty where the formula cannot be shown so
  std::string shape;   ///< 2 kShapePoints digits, every parameter being 1 where it starts; empty where the formula cannot be computed
  double low = 0, high = 0;
  int operations = 0;  ///< calls of functions that its value takes, common ones once; 0 where it cannot be computed
};

/// The forms of formulas, each made once. Not thread-safe.
class Forms {
 public:
  /// A text that is no formula has an empty form. The reference stays valid.
  const Form& of(const std::string& formula);
  /// The pieces of MathML: "mrow" opens an element, "/" closes one, "mi:x" is a whole one with its text. Attributes stand as in XML.
  const std::vector<std::string>& tags() const { return tags_; }

 private:
  std::string packed(std::string_view mathml);
  bool append(std::string& text, std::string tag);

  std::unordered_map<std::string, Form> forms_;
  std::vector<std::string> tags_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

}  // namespace actsearch
