/// The CUDA kernels of one activation as text: its Program printed as CUDA C++ into three kernels fused with batch norm.
///
/// Tensors are rows × channels, channels innermost (NHWC with rows = N·H·W), fp32 or bf16 in memory and fp32 in arithmetic; per-channel
/// arrays are fp32. The text needs no header, so NVRTC compiles it anywhere. With u = scale[c]·z[r, c] + shift[c]:
///
///     activation_forward(z, scale, shift, beta, y, rows, channels)          y = f(u; beta_k[c])
///     activation_sums(z, dy, scale, shift, beta, sums, rows, channels)      per block of rows and channel: Σg, Σg·z, Σdy·∂f/∂beta_k
///     activation_apply(z, dy, scale, shift, beta, a, b, d, dz, rows, channels)      dz = a[c]·g + b[c]·z + d[c]
///
/// with g = dy·f'(u), computed again in the last one rather than stored. beta: parameters × channels. sums: gridDim.x ×
/// (2 + parameters) × channels; each block adds its rows in a fixed order, so the same launch gives the same bits. y may be z, and dz
/// may be dy.
///
/// Launch: blockDim (vectors, lines) with vectors · lines <= 1024, gridDim (blocks, ⌈channels / (vectors · width)⌉) for any number of
/// blocks. A thread works on `width` neighbouring channels, which divides `channels`; pointers are aligned to `width` elements.
/// activation_sums needs lines · vectors · width · (2 + parameters) · 4 bytes of dynamic shared memory.
#pragma once

#include <string>

#include "grammar/program.h"
#include "kernels/storage.h"

namespace actsearch {

/// Channels a thread works on: what 16 bytes hold, or 1 where that does not divide the channels.
int cuda_vector_width(Storage storage, int channels);

/// What all kernels over tensors begin with. WIDTH; the type Stored with load() and store(); Vector with read() and write() of
/// `WIDTH` neighbouring channels; and KERNEL, which stands before a kernel. width as in cuda_source.
std::string cuda_tensor_words(Storage storage, int width);

/// The text; width is 1, 4 or 8 (std::invalid_argument otherwise).
std::string cuda_source(const Program& program, Storage storage, int width);

}  // namespace actsearch
