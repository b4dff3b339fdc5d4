/// The three kernels of kernels/cuda/source.h as text, every lane written out: named scalars, no arrays and no loops over lanes. NVRTC
/// compiles such text without the passes that take arrays apart, which are most of its work.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/storage.h"

namespace actsearch {

/// What tensors are made of: Stored, load() and store().
std::string cuda_storage_words(Storage storage);

/// The kernels over `width` neighbouring channels a thread. They call
///     float activation(float x, float beta0, …)
///     float derivative(float x, float beta0, …, float& dydbeta0, …)
/// which stand before them in the text.
std::string cuda_lane_kernels(Storage storage, int width, std::size_t parameters);

}  // namespace actsearch
