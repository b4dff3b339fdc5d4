/// The page of a search: one HTML document with its style, script and data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace actsearch {

enum class PageKind : std::uint8_t {
  kFile,  ///< stands alone, and may reach nothing
  kLive   ///< is served, and asks its server for news
};

/// The page with a document of report_json in it.
std::string page(std::string_view json, PageKind kind);

/// What a browser may do for the page (Content-Security-Policy): run this script and this style, and nothing else. A page of kFile says so
/// itself; one that is served has it in a header too.
std::string content_security_policy(PageKind kind);

}  // namespace actsearch
