/// Gives a test program the simulated CUDA libraries instead of real ones.
#pragma once

#include <dlfcn.h>

#include <array>
#include <stdexcept>
#include <string>

namespace cuda_simulator {

/// Loads them from `folder`: whoever asks for one of their names from then on, in this process, gets the loaded one. Child processes
/// need the folder in LD_LIBRARY_PATH.
inline std::array<void*, 4> load(const std::string& folder) {
  std::array<void*, 4> libraries{};
  std::size_t i = 0;
  for (const char* const name : {"libcuda.so.1", "libnvrtc.so.13", "libcudnn.so.9", "libcublasLt.so.13"}) {
    libraries[i] = dlopen((folder + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!libraries[i++]) throw std::runtime_error(std::string("no simulated CUDA: ") + dlerror());
  }
  return libraries;
}

}  // namespace cuda_simulator
