/// What the page's server takes from a request. Boost.Beast reads it, within bounds.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace actsearch {

/// Bounds of a request: what is longer is refused before more of it is read.
inline constexpr std::size_t kMostRequestBytes = 16 << 10;  ///< of line and headers together
inline constexpr std::size_t kMostTargetBytes = 8 << 10;

struct HttpRequest {
  std::string method, path;                 ///< the path without what follows a '?', as it was sent
  std::string host, range, sec_fetch_site;  ///< headers; empty where there is none
};

/// Why a request is refused: HTTP's status code and a line for people.
struct HttpRefusal {
  int status = 400;
  std::string why;
};

/// Reads line and headers; a body is left alone.
using HttpParser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
/// With the bounds set, before anything is read.
void bound(HttpParser& parser);
/// What the parser has read, `error` being how that ended.
std::variant<HttpRequest, HttpRefusal> understood(const HttpParser& parser, const boost::system::error_code& error);

/// Reads a whole text as the server would. Never throws, whatever somebody sent.
std::variant<HttpRequest, HttpRefusal> read_request(std::string_view text);

}  // namespace actsearch
