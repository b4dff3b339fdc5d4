#include "search/http.h"

#include <algorithm>

namespace actsearch {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); });
}

bool is_name(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// The next line of the text, without its end, which is taken from the text.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::variant<HttpRequest, HttpRefusal> read_line(std::string_view line) {
  const std::size_t method_end = line.find(' '), target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end) return HttpRefusal{400, "not a request of HTTP"};
  const std::string_view method = line.substr(0, method_end), target = line.substr(method_end + 1, target_end - method_end - 1),
                         version = line.substr(target_end + 1);
  if (!is_token(method) || (version != "HTTP/1.1" && version != "HTTP/1.0")) return HttpRefusal{400, "not a request of HTTP/1.1"};
  if (target.size() > kMostTargetBytes) return HttpRefusal{414, "the address is too long"};
  if (!target.starts_with('/') || target.find(' ') != std::string_view::npos || !is_printable(target)) {
    return HttpRefusal{400, "not an address of this server"};
  }
  HttpRequest request;
  request.method = method;
  request.path = target.substr(0, target.find_first_of("?#"));
  return request;
}

}  // namespace

std::optional<std::size_t> end_of_headers(std::string_view received) {
  for (std::size_t at = received.find('\n'); at != std::string_view::npos; at = received.find('\n', at + 1)) {
    const std::string_view rest = received.substr(at + 1);
    if (rest.starts_with('\n')) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return std::nullopt;
}

std::variant<HttpRequest, HttpRefusal> read_request(std::string_view text) {
  auto result = read_line(take_line(text));
  auto* const request = std::get_if<HttpRequest>(&result);
  if (!request) return result;
  bool has_host = false;
  std::size_t headers = 0;
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
    if (++headers > kMostHeaders) return HttpRefusal{431, "too many headers"};
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || !is_printable(line)) return HttpRefusal{400, "not a header"};
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (is_name(name, "host")) {
      if (has_host) return HttpRefusal{400, "more than one Host"};
      has_host = true;
      request->host = value;
    } else if (is_name(name, "range")) {
      request->range = value;
    } else if (is_name(name, "sec-fetch-site")) {
      request->sec_fetch_site = value;
    }
  }
  return result;
}

HttpRefusal refuse_long(std::string_view received) {
  const std::size_t line = received.find('\n');
  if (line == std::string_view::npos || line > kMostTargetBytes) return {414, "the address is too long"};
  return {431, "the headers are too long"};
}

std::string write_head(int status, std::string_view type, std::optional<std::size_t> length,
                       const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + (status < 300 ? " OK" : " Refused") + "\r\n";
  for (const auto& [name, value] : headers) head += name + ": " + value + "\r\n";
  if (!type.empty()) head += "Content-Type: " + std::string(type) + "\r\n";
  if (length) head += "Content-Length: " + std::to_string(*length) + "\r\n";
  return head + "Connection: close\r\n\r\n";
}

}  // namespace actsearch
