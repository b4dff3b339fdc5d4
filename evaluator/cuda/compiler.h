/// Kernels compiled on threads of their own, ahead of the training that needs them, and kept on disk.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "kernels/cuda/cubin_cache.h"

namespace actsearch {

/// Usable from several threads at once.
class CudaCompiler {
 public:
  /// CudaMissing if there is no NVRTC; std::runtime_error if the folder of the cache cannot be made.
  CudaCompiler(const std::filesystem::path& cache, int threads);
  /// Waits for what is being compiled.
  ~CudaCompiler();
  CudaCompiler(const CudaCompiler&) = delete;
  CudaCompiler& operator=(const CudaCompiler&) = delete;

  /// Begins to compile; a later cubin() finds it done, or waits for it. `then` receives the cubin on the thread that compiled it, and does
  /// not throw. It is not called where the source does not compile.
  void prepare(const std::string& source, const std::string& architecture, std::function<void(const std::string& cubin)> then = nullptr);
  /// The cubin, compiled now if it was not prepared. Throws what Nvrtc::compile does.
  std::string cubin(const std::string& source, const std::string& architecture);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
