// In place of the CUDA files, where the toolkit's headers were missing when the program was built.

#include "evaluator/cuda/backend.h"
#include "evaluator/cuda/throughput.h"

namespace actsearch {

CudaThroughput measure_cuda(int /*ordinal*/, const CudaMeasurement& /*what*/) {
  cuda_devices();
  return {};
}

struct CudaBackend::Impl {};

std::vector<std::string> cuda_devices() {
  throw CudaMissing("this program was built without CUDA: the toolkit's headers, cuDNN's among them, were missing then");
}

void require_cuda_device(int /*ordinal*/) { cuda_devices(); }

CudaBackend::CudaBackend(const Dataset& /*dataset*/, CudaOptions /*options*/) { cuda_devices(); }
CudaBackend::~CudaBackend() = default;
void CudaBackend::prepare(const Program& /*activation*/, Precision /*precision*/) {}
TrialOutcome CudaBackend::train(const Program& /*activation*/, const Recipe& /*recipe*/, const TrialOptions& /*options*/) { return {}; }

}  // namespace actsearch
