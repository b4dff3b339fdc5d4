#include "evaluator/network/parameters.h"

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
  const std::size_t offset = this->size();
  segments_.push_back({kind, offset, size});
  if (kept_ == Kept::kSizes) return offset;
  values_.resize(offset + size, start);
  gradients_.resize(offset + size, 0.0f);
  momenta_.resize(offset + size, 0.0f);
  return offset;
}

}  // namespace actsearch
