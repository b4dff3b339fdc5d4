#include "search/serve/http.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <limits>

namespace actsearch {
namespace {

namespace http = boost::beast::http;

/// The value of a header, whose views are of another type.
std::string text_of(const HttpParser& parser, http::field field) {
  const auto value = parser.get()[field];
  return {value.data(), value.size()};
}

}  // namespace

void bound(HttpParser& parser) {
  parser.header_limit(kMostRequestBytes);
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // it is not read
}

std::variant<HttpRequest, HttpRefusal> understood(const HttpParser& parser, const boost::system::error_code& error) {
  if (error == http::error::header_limit) return HttpRefusal{431, "the request's headers are too long"};
  if (error || !parser.is_header_done()) return HttpRefusal{400, "not a request of HTTP"};
  const auto& request = parser.get();
  if (request.target().size() > kMostTargetBytes) return HttpRefusal{414, "the address is too long"};
  if (request.count(http::field::host) > 1) return HttpRefusal{400, "two Host headers"};
  const std::string target(request.target().data(), request.target().size());
  return HttpRequest{std::string(request.method_string().data(), request.method_string().size()), target.substr(0, target.find('?')),
                     text_of(parser, http::field::host), text_of(parser, http::field::range), [&] {
                       const auto value = request["Sec-Fetch-Site"];
                       return std::string(value.data(), value.size());
                     }()};
}

std::variant<HttpRequest, HttpRefusal> read_request(std::string_view text) {
  HttpParser parser;
  bound(parser);
  boost::system::error_code error;
  while (!text.empty() && !error && !parser.is_header_done()) {
    const std::size_t taken = parser.put(boost::asio::buffer(text.data(), text.size()), error);
    text.remove_prefix(taken);
    if (taken == 0) break;
  }
  if (error == http::error::need_more) error = {};  // without its end it is no request
  return understood(parser, error);
}

}  // namespace actsearch
