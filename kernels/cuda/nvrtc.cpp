#include "kernels/cuda/nvrtc.h"

#include <iterator>
#include <memory>
#include <vector>

namespace actsearch {

/// What is used of nvrtc.h, whose interface has been stable since CUDA 11.1.
struct Nvrtc::Functions {
  struct Opaque;
  using Handle = Opaque*;
  int (*version)(int* major, int* minor);
  const char* (*error_string)(int result);
  int (*create)(Handle* program, const char* source, const char* name, int headers, const char* const* sources, const char* const* names);
  int (*destroy)(Handle* program);
  int (*compile)(Handle program, int options, const char* const* option);
  int (*log_size)(Handle program, std::size_t* size);
  int (*log)(Handle program, char* log);
  int (*cubin_size)(Handle program, std::size_t* size);
  int (*cubin)(Handle program, char* cubin);
};

namespace {

constexpr int kInvalidOption = 5;     // NVRTC_ERROR_INVALID_OPTION
constexpr int kCompilationError = 6;  // NVRTC_ERROR_COMPILATION

const std::vector<const char*>& fixed_options() {
  static const std::vector<const char*> options{"--std=c++17", "--prec-div=false", "--ftz=true", "--ptxas-options=--verbose"};
  return options;
}
constexpr const char* kQuick[] = {"--Ofast-compile=mid", "--minimal"};

std::string options_text(const std::vector<const char*>& options) {
  std::string line;
  for (const char* const option : options) line += (line.empty() ? "" : " ") + std::string(option);
  return line;
}

}  // namespace

Nvrtc::Nvrtc(const std::string& library)
    : library_("NVRTC, CUDA's run-time compiler,",
               library.empty() ? std::vector<std::string>{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"} : std::vector{library}),
      functions_(std::make_unique<Functions>()) {
  library_.find("nvrtcVersion", functions_->version);
  library_.find("nvrtcGetErrorString", functions_->error_string);
  library_.find("nvrtcCreateProgram", functions_->create);
  library_.find("nvrtcDestroyProgram", functions_->destroy);
  library_.find("nvrtcCompileProgram", functions_->compile);
  library_.find("nvrtcGetProgramLogSize", functions_->log_size);
  library_.find("nvrtcGetProgramLog", functions_->log);
  library_.find("nvrtcGetCUBINSize", functions_->cubin_size);
  library_.find("nvrtcGetCUBIN", functions_->cubin);
}

Nvrtc::~Nvrtc() = default;

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  functions_->version(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

int Nvrtc::major_version() const {
  int major = 0, minor = 0;
  functions_->version(&major, &minor);
  return major;
}

std::string Nvrtc::options() {
  std::vector<const char*> all = fixed_options();
  all.insert(all.end(), std::begin(kQuick), std::end(kQuick));
  return options_text(all);
}

Nvrtc::Compiled Nvrtc::compile(const std::string& source, const std::string& architecture) const {
  const std::string for_architecture = "--gpu-architecture=" + architecture;
  std::vector<const char*> options = fixed_options();
  options.push_back(for_architecture.c_str());
  if (source.starts_with(kStraightLine)) {
    std::vector<const char*> quick = options;
    quick.insert(quick.end(), std::begin(kQuick), std::end(kQuick));
    if (auto compiled = compile_with(source, quick)) return std::move(*compiled);
  }
  if (auto compiled = compile_with(source, options)) return std::move(*compiled);
  throw std::runtime_error("NVRTC " + version() + " refuses the options " + options_text(options));
}

std::optional<Nvrtc::Compiled> Nvrtc::compile_with(const std::string& source, const std::vector<const char*>& options) const {
  const Functions& nvrtc = *functions_;
  Functions::Handle program = nullptr;
  const auto check = [&](int result, const char* what) {
    if (result != 0) throw std::runtime_error(std::string("NVRTC: ") + what + ": " + nvrtc.error_string(result));
  };
  check(nvrtc.create(&program, source.c_str(), "activation.cu", 0, nullptr, nullptr), "create");
  const auto destroy = [&](Functions::Handle handle) { nvrtc.destroy(&handle); };
  const std::unique_ptr<Functions::Opaque, decltype(destroy)> owner(program, destroy);
  const int result = nvrtc.compile(program, static_cast<int>(options.size()), options.data());
  if (result == kInvalidOption) return std::nullopt;

  Compiled compiled;
  std::size_t size = 0;
  check(nvrtc.log_size(program, &size), "size of the log");
  compiled.log.resize(size);
  check(nvrtc.log(program, compiled.log.data()), "log");
  while (!compiled.log.empty() && (compiled.log.back() == '\0' || compiled.log.back() == '\n')) compiled.log.pop_back();
  if (result == kCompilationError) throw CudaCompileError(compiled.log);
  check(result, "compile");
  check(nvrtc.cubin_size(program, &size), "size of the cubin");
  compiled.cubin.resize(size);
  check(nvrtc.cubin(program, compiled.cubin.data()), "cubin");
  return compiled;
}

}  // namespace actsearch
