#include "evaluator/unfold.h"

#include <cstring>

namespace actsearch {

void unfold(const void* image, int batch, int side, int channels, std::size_t element_bytes, bool mirrored, void* matrix) {
  const auto pixel_bytes = static_cast<std::size_t>(channels) * element_bytes;
  const auto* const in = static_cast<const unsigned char*>(image);
  auto* out = static_cast<unsigned char*>(matrix);
  for (int n = 0; n < batch; ++n) {
    for (int h = 0; h < side; ++h) {
      for (int w = 0; w < side; ++w) {
        for (int kh = 0; kh < 3; ++kh) {
          for (int kw = 0; kw < 3; ++kw, out += pixel_bytes) {
            const int y = mirrored ? h + 1 - kh : h + kh - 1;
            const int x = mirrored ? w + 1 - kw : w + kw - 1;
            if (y < 0 || y >= side || x < 0 || x >= side) {
              std::memset(out, 0, pixel_bytes);
            } else {
              std::memcpy(out, in + static_cast<std::size_t>((n * side + y) * side + x) * pixel_bytes, pixel_bytes);
            }
          }
        }
      }
    }
  }
}

}  // namespace actsearch
