// Bytes as a client may send them to `serve`.

#include <algorithm>

#include "search/serve/http.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto result = read_request(fuzz::text_of(data, size));
  if (const auto* request = std::get_if<HttpRequest>(&result)) {
    fuzz::require(request->path.size() <= kMostTargetBytes, "a path is bounded");
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
