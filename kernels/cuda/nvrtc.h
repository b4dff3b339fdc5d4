/// NVIDIA's run-time compiler, loaded when first wanted: the program starts where it is missing, and needs no toolkit to be built.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cuda/shared_library.h"

namespace actsearch {

/// The source did not compile; what() is the compiler's whole log.
class CudaCompileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Usable from several threads at once.
class Nvrtc {
 public:
  /// Loads the library. CudaMissing if there is none. `library` replaces the names that are tried.
  explicit Nvrtc(const std::string& library = "");
  ~Nvrtc();
  Nvrtc(const Nvrtc&) = delete;
  Nvrtc& operator=(const Nvrtc&) = delete;

  std::string version() const;  ///< for example "13.0"
  int major_version() const;    ///< for example 13

  struct Compiled {
    std::string cubin;
    std::string log;  ///< warnings and, of the assembler, registers and spills of each kernel
  };
  /// A source that begins with this line has no arrays and no loops to unroll. It compiles with options that leave out the passes for
  /// these, where NVRTC has such options (13.0 has): in about 0.7 of the time. Other text would end up in local memory.
  static constexpr std::string_view kStraightLine = "// straight-line\n";

  /// A cubin for an architecture such as "sm_90". CudaCompileError if the source does not compile, std::runtime_error if anything
  /// else fails. Divisions are good to 2 ulp; denormals are taken for zero, as training on the CPU does.
  Compiled compile(const std::string& source, const std::string& architecture) const;
  /// The options that compile() passes beside the architecture, as one line: part of what a stored cubin depends on.
  static std::string options();

 private:
  struct Functions;
  /// Nothing where it does not have the options.
  std::optional<Compiled> compile_with(const std::string& source, const std::vector<const char*>& options) const;
  SharedLibrary library_;
  std::unique_ptr<Functions> functions_;
};

}  // namespace actsearch
