/// The text of evaluator/cuda/layers.cu, put into the program when it is built.
#pragma once

namespace actsearch {

extern const char* const kCudaLayersText;

}  // namespace actsearch
