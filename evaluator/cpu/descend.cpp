#include "evaluator/cpu/descend.h"

#include "evaluator/cpu/parallel.h"

namespace actsearch {

void descend(Parameters& parameters, double rate, double momentum, double weight_decay, bool decay_all, int threads) {
  const auto step = static_cast<float>(rate), keep = static_cast<float>(momentum);
  for (const ParameterSegment& segment : parameters.segments()) {
    const float decay = decays(segment.kind, decay_all) ? static_cast<float>(weight_decay) : 0.0f;
    float* const w = parameters.value(segment.offset);
    float* const v = parameters.momentum(segment.offset);
    const float* const g = parameters.gradient(segment.offset);
    parallel_ranges(segment.size < 100'000 ? 1 : threads, segment.size, [&](int, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        v[i] = keep * v[i] + (g[i] + decay * w[i]);
        w[i] -= step * v[i];
      }
    });
  }
}

}  // namespace actsearch
