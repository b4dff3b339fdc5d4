#include "kernels/cuda/shared_library.h"

#include <dlfcn.h>

namespace actsearch {

SharedLibrary::SharedLibrary(std::string title, const std::vector<std::string>& files) : title_(std::move(title)) {
  std::string tried;
  for (const std::string& file : files) {
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) return;
    tried += (tried.empty() ? "" : ", ") + file;
  }
  throw CudaMissing(title_ + " is missing: tried " + tried);
}

void* SharedLibrary::symbol(const char* name) const {
  void* const found = dlsym(handle_, name);
  if (!found) throw CudaMissing(title_ + ": the library has no " + name);
  return found;
}

}  // namespace actsearch
