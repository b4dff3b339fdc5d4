#include "evaluator/parameters.h"

#include "evaluator/parallel.h"

namespace actsearch {

bool decays(ParameterKind kind, bool decay_all) {
  switch (kind) {
    case ParameterKind::kWeight:
      return true;
    case ParameterKind::kBias:
    case ParameterKind::kConvolutionBias:
    case ParameterKind::kNormScale:
    case ParameterKind::kNormShift:
      return decay_all;
    case ParameterKind::kBeta:
      return false;
  }
  return false;
}

std::size_t Parameters::add(ParameterKind kind, std::size_t size, float start) {
  const std::size_t offset = values_.size();
  segments_.push_back({kind, offset, size});
  values_.resize(offset + size, start);
  gradients_.resize(offset + size, 0.0f);
  momenta_.resize(offset + size, 0.0f);
  return offset;
}

void Parameters::descend(double rate, double momentum, double weight_decay, bool decay_all, int threads) {
  const auto step = static_cast<float>(rate), keep = static_cast<float>(momentum);
  for (const ParameterSegment& segment : segments_) {
    const float decay = decays(segment.kind, decay_all) ? static_cast<float>(weight_decay) : 0.0f;
    float* const w = values_.data() + segment.offset;
    float* const v = momenta_.data() + segment.offset;
    const float* const g = gradients_.data() + segment.offset;
    parallel_ranges(segment.size < 100'000 ? 1 : threads, segment.size, [&](int, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        v[i] = keep * v[i] + (g[i] + decay * w[i]);
        w[i] -= step * v[i];
      }
    });
  }
}

}  // namespace actsearch
