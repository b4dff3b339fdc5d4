/// How activations lie in memory between the first convolution and the last. evaluator/cpu/convolution.h says how many images form a
/// group.
///
/// The pixels of `group` images take turns: batch/group × side × side × group × channels. A row of such an image is `group` times as
/// long, which fills the matrix tiles of the library's convolutions. The gradient of the weights adds up products along a row, 32 bf16
/// pixels at a time (docs/performance.md). Elementwise work does not see the order of pixels, and pooling sees batch/group images with
/// group · channels channels.
#pragma once

#include <cstddef>

namespace actsearch {

/// batch × pixels × pixel_bytes to batch/group × pixels × group × pixel_bytes. `group` divides `batch`; the buffers do not overlap.
void interleave(const void* images, std::size_t batch, std::size_t pixels, std::size_t pixel_bytes, std::size_t group, void* interleaved);
/// The way back.
void deinterleave(const void* interleaved, std::size_t batch, std::size_t pixels, std::size_t pixel_bytes, std::size_t group, void* images);

}  // namespace actsearch
