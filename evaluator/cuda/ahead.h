/// Activations loaded on a device before a network is free for them: loading may wait for work that the device has queued.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "grammar/program.h"
#include "kernels/cuda/activation.h"

namespace actsearch {

/// Usable from several threads at once. The device outlives it.
class CudaAhead {
 public:
  /// Keeps at most `most` activations that nobody has taken.
  CudaAhead(const CudaDevice& device, std::size_t most) : device_(device), most_(most) {}

  /// Loads the cubin of CudaActivation::source, on the calling thread. Does nothing where it is loaded, where there are `most` already,
  /// and where the device refuses. take() then loads it, or throws.
  void load(const Program& activation, Storage storage, const std::string& cubin);
  /// The activation that was loaded from this cubin; else it is loaded now. The calling thread has made the device current. CudaError if
  /// that fails.
  std::unique_ptr<CudaActivation> take(const Program& activation, Storage storage, const std::string& cubin);
  /// Unloads what nobody has taken. The calling thread has made the device current.
  void clear();

 private:
  const CudaDevice& device_;
  const std::size_t most_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<CudaActivation>> loaded_;  ///< by their cubins
};

}  // namespace actsearch
