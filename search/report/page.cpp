#include "search/report/page.h"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "search/report/page_text.h"

namespace actsearch {
namespace {

/// Base 64 of what the hexadecimal digits say.
std::string base64(std::string_view hex) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  unsigned bits = 0;
  int held = 0;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bits = (bits << 8u) | byte;
    for (held += 8; held >= 6; held -= 6) text += kLetters[(bits >> static_cast<unsigned>(held - 6)) & 63u];
  }
  if (held > 0) text += kLetters[(bits << static_cast<unsigned>(6 - held)) & 63u];
  while (text.size() % 4 != 0) text += '=';
  return text;
}

}  // namespace

std::string content_security_policy(PageKind kind) {
  return "default-src 'none'; script-src 'sha256-" + base64(kPageScriptSha256) + "'; style-src 'sha256-" + base64(kPageStyleSha256) +
         "'; img-src data:; connect-src " + (kind == PageKind::kLive ? "'self'" : "'none'") +
         "; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";
}

std::string page(std::string_view json, PageKind kind) {
  const std::string policy = content_security_policy(kind);
  const std::array<std::pair<std::string_view, std::string_view>, 5> parts{{{"{{kind}}", kind == PageKind::kLive ? "live" : "file"},
                                                                            {"{{policy}}", policy},
                                                                            {"{{style}}", kPageStyle},
                                                                            {"{{data}}", json},
                                                                            {"{{script}}", kPageScript}}};
  std::string_view rest = kPageHtml;
  std::string text;
  text.reserve(rest.size() + json.size() + 200'000);
  for (const auto& [mark, part] : parts) {  // in the order of the page, so that nothing is looked for in what was put in
    const std::size_t at = rest.find(mark);
    if (at == std::string_view::npos) throw std::logic_error("page.html lacks " + std::string(mark));
    text.append(rest.substr(0, at)).append(part);
    rest.remove_prefix(at + mark.size());
  }
  return text.append(rest);
}

}  // namespace actsearch
