// Bytes as a client may send them to `serve`.

#include <algorithm>

#include "search/http.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view received = fuzz::text_of(data, size);
  const auto end = end_of_headers(received);
  if (!end) {
    const HttpRefusal refusal = refuse_long(received);
    fuzz::require(refusal.status == 414 || refusal.status == 431, "what is too long is refused as that");
    return 0;
  }
  fuzz::require(*end <= size && *end >= 2 && received[*end - 1] == '\n', "headers end within what was received");
  for (const std::size_t before : {*end - 1, *end / 2}) {
    const auto earlier = end_of_headers(received.substr(0, before));
    fuzz::require(!earlier, "the end that is found is the first");
  }
  const auto result = read_request(received.substr(0, *end));
  if (const auto* request = std::get_if<HttpRequest>(&result)) {
    fuzz::require(request->path.starts_with('/') && request->path.size() <= kMostTargetBytes, "a path is one");
    for (const std::string* text : {&request->method, &request->path, &request->host, &request->range, &request->sec_fetch_site}) {
      fuzz::require(std::none_of(text->begin(), text->end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }),
                    "a value is one line");
    }
    return 0;
  }
  const auto& refusal = std::get<HttpRefusal>(result);
  fuzz::require(refusal.status >= 400 && refusal.status < 500 && !refusal.why.empty(), "a refusal is the client's fault, and says why");
  return 0;
}
