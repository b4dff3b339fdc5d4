/// The matrix form of a 3×3 convolution: each output pixel's neighbourhood as one row.
#pragma once

#include <cstddef>

namespace actsearch {

/// rows (batch·side·side) × (3·3·channels) from batch × side × side × channels: row (n, h, w) holds, for kh and kw in order, the
/// `element_bytes`-wide channels of pixel (h + kh - 1, w + kw - 1), zero outside. `mirrored` takes pixel (h + 1 - kh, w + 1 - kw)
/// instead, which turns the gradient with respect to the input into a product of the same form.
void unfold(const void* image, int batch, int side, int channels, std::size_t element_bytes, bool mirrored, void* matrix);

}  // namespace actsearch
