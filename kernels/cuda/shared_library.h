/// A library that is loaded when first wanted, so that the program starts where it is missing. It stays until the program ends: CUDA's keep
/// threads and exit handlers of their own.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace actsearch {

/// A library is missing or of another kind; what() says which, and the files tried.
class CudaMissing : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class SharedLibrary {
 public:
  /// The first of `files` that loads. CudaMissing, beginning with `title`, if none does.
  SharedLibrary(std::string title, const std::vector<std::string>& files);
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  /// CudaMissing if the library has no such function.
  template <class Function>
  void find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;
  std::string title_;
  void* handle_ = nullptr;
};

}  // namespace actsearch
