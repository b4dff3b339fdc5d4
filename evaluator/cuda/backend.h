/// Training on NVIDIA devices: all that the rest of the program knows of CUDA.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evaluator/data/dataset.h"
#include "evaluator/train/trainer.h"
#include "kernels/cuda/shared_library.h"

namespace actsearch {

/// The names of the devices that are there, by ordinal. CudaMissing if the driver, NVRTC, cuDNN, cuBLASLt or a device is not there, or
/// if this program was built without CUDA. It names what is missing.
std::vector<std::string> cuda_devices();
/// Opens the device for a moment. CudaMissing, naming why, if it cannot be used now.
void require_cuda_device(int ordinal);

struct CudaOptions {
  std::vector<int> devices;     ///< ordinals, counted from 0; empty for all
  int jobs = 1;                 ///< networks at once on each device
  int compile_threads = 1;      ///< that compile kernels ahead
  bool deterministic = false;   ///< cuDNN's engines as it proposes them instead of the fastest: every run of a seed gives the same bits
  std::filesystem::path cache;  ///< folder of compiled kernels; empty for the user's own (CubinCache::default_folder)
  std::function<void(const std::string&)> say;  ///< receives messages for people, on any thread
};

class CudaBackend {
 public:
  /// Opens the devices and puts the images there. CudaMissing as of cuda_devices. The data set outlives the backend.
  CudaBackend(const Dataset& dataset, CudaOptions options);
  ~CudaBackend();
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  /// Begins to compile an activation that will be trained soon.
  void prepare(const Program& activation, Precision precision);
  /// Trains as train() of evaluator/train/trainer.h does on the CPU; options.threads is ignored. Waits while all networks are in use. An
  /// activation that does not compile fails with the compiler's log. Where memory does not suffice for all jobs there are fewer, and `say`
  /// is told. CudaOutOfMemory if it does not suffice for one, CudaError if the device is lost. May be called from several threads at once.
  TrialOutcome train(const Program& activation, const Recipe& recipe, const TrialOptions& options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
