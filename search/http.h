/// What the page's server reads of a request, and how it writes an answer: HTTP/1.1 as far as a page needs it, one request a connection.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace actsearch {

/// Bounds of a request: what is longer is refused before more of it is read.
inline constexpr std::size_t kMostRequestBytes = 16 << 10;  ///< of line and headers together
inline constexpr std::size_t kMostTargetBytes = 8 << 10;
inline constexpr std::size_t kMostHeaders = 100;

struct HttpRequest {
  std::string method, path;                 ///< the path without what follows a '?', as it was sent
  std::string host, range, sec_fetch_site;  ///< headers; empty where there is none
};

/// Why a request is none, or none that is read: a status of HTTP and a line for people.
struct HttpRefusal {
  int status = 400;
  std::string why;
};

/// Where the headers of what has been received end; absent where more must be read.
std::optional<std::size_t> end_of_headers(std::string_view received);

/// Of all bytes up to end_of_headers. Never throws for what somebody sent.
std::variant<HttpRequest, HttpRefusal> read_request(std::string_view text);

/// What to answer to a request whose headers do not end within kMostRequestBytes.
HttpRefusal refuse_long(std::string_view received);

/// Status line and headers, with the blank line after them. Without a length the body goes on until the connection ends.
std::string write_head(int status, std::string_view type, std::optional<std::size_t> length,
                       const std::vector<std::pair<std::string, std::string>>& headers);

}  // namespace actsearch
