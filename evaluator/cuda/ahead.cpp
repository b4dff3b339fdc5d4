#include "evaluator/cuda/ahead.h"

#include <utility>

namespace actsearch {

void CudaAhead::load(const Program& activation, Storage storage, const std::string& cubin) {
  {
    const std::lock_guard lock(mutex_);
    if (loaded_.size() >= most_ || loaded_.contains(cubin)) return;
  }
  try {
    device_.make_current();
    auto kernels = std::make_unique<CudaActivation>(device_, cubin, storage, activation.parameter_count());
    const std::lock_guard lock(mutex_);
    loaded_.emplace(cubin, std::move(kernels));
  } catch (const CudaError&) {  // whoever needs it is told
  }
}

std::unique_ptr<CudaActivation> CudaAhead::take(const Program& activation, Storage storage, const std::string& cubin) {
  {
    const std::lock_guard lock(mutex_);
    if (auto found = loaded_.extract(cubin)) return std::move(found.mapped());
  }
  return std::make_unique<CudaActivation>(device_, cubin, storage, activation.parameter_count());
}

void CudaAhead::clear() {
  const std::lock_guard lock(mutex_);
  loaded_.clear();
}

}  // namespace actsearch
