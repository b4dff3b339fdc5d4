#include "evaluator/cpu/interleave.h"

#include <cstring>

namespace actsearch {
namespace {

/// Calls body(byte offset in the images, byte offset in the interleaved tensor) for each pixel, in the order of the latter.
template <class Body>
void for_each_pixel(std::size_t batch, std::size_t pixels, std::size_t pixel_bytes, std::size_t group, Body&& body) {
  std::size_t interleaved = 0;
  for (std::size_t first = 0; first < batch; first += group) {
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::size_t image = first; image < first + group; ++image, interleaved += pixel_bytes) {
        body((image * pixels + pixel) * pixel_bytes, interleaved);
      }
    }
  }
}

}  // namespace

void interleave(const void* images, std::size_t batch, std::size_t pixels, std::size_t pixel_bytes, std::size_t group, void* interleaved) {
  const auto* const from = static_cast<const unsigned char*>(images);
  auto* const to = static_cast<unsigned char*>(interleaved);
  for_each_pixel(batch, pixels, pixel_bytes, group,
                 [&](std::size_t plain, std::size_t turn) { std::memcpy(to + turn, from + plain, pixel_bytes); });
}

void deinterleave(const void* interleaved, std::size_t batch, std::size_t pixels, std::size_t pixel_bytes, std::size_t group,
                  void* images) {
  const auto* const from = static_cast<const unsigned char*>(interleaved);
  auto* const to = static_cast<unsigned char*>(images);
  for_each_pixel(batch, pixels, pixel_bytes, group,
                 [&](std::size_t plain, std::size_t turn) { std::memcpy(to + plain, from + turn, pixel_bytes); });
}

}  // namespace actsearch
