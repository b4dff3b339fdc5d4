/// Whether a text is well-formed XML, as far as the documents that the program writes go: no processing instructions, comments or DTD.
#pragma once

#include <algorithm>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace actsearch::testing {

/// What is wrong with the document, or empty. Elements are closed in order, attributes quoted and not repeated, & begins one of the five
/// entities, < no text; `elements` gets the names in their order, if given.
inline std::string xml_fault(const std::string& document, std::vector<std::string>* elements = nullptr) {
  static const std::regex tag(R"re(<(/?)([a-z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(/?)>)re");
  static const std::regex entity("&(?!(amp|lt|gt|quot|apos);)");
  for (const char c : document) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') return "a control character";
  }
  if (std::regex_search(document, entity)) return "an & that begins no entity";
  std::vector<std::string> open;
  std::size_t place = 0;
  for (std::sregex_iterator at(document.begin(), document.end(), tag), end; at != end; ++at) {
    const std::smatch& match = *at;
    const auto begin = static_cast<std::size_t>(match.position());
    if (document.find_first_of("<>", place) < begin) return "a < or > in the text before " + match.str();
    place = begin + static_cast<std::size_t>(match.length());
    if (match[1].length() > 0) {
      if (open.empty() || open.back() != match[2]) return "an unexpected " + match.str();
      open.pop_back();
    } else {
      if (elements != nullptr) elements->push_back(match[2]);
      if (match[4].length() == 0) open.push_back(match[2]);
    }
    if (open.empty() && document.find_first_not_of('\n', place) != std::string::npos) return "something after the end";
  }
  if (document.find_first_of("<>", place) != std::string::npos) return "a < or > at the end";
  return open.empty() ? "" : "nobody closes " + open.back();
}

}  // namespace actsearch::testing
