#include "tests/cuda_simulator/driver_state.h"

#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/cuda_simulator/fibers.h"

namespace cuda_simulator {
namespace {

/// Of the file that begins at `image`; 0 if it is no ELF file.
std::size_t size_of_image(const unsigned char* image) {
  if (std::memcmp(image, ELFMAG, SELFMAG) != 0 || image[EI_CLASS] != ELFCLASS64) return 0;
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof header);
  std::size_t end = header.e_shoff + std::size_t{header.e_shentsize} * header.e_shnum;
  for (unsigned int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, image + header.e_shoff + std::size_t{header.e_shentsize} * i, sizeof section);
    if (section.sh_type != SHT_NOBITS) end = std::max<std::size_t>(end, section.sh_offset + section.sh_size);
  }
  return end;
}

void invalidate(Capture& capture, CUresult result, const std::string& what) {
  capture.valid = false;
  refuse(result, what);
}

}  // namespace

Image::Image(const void* bytes) {
  const std::size_t size = size_of_image(static_cast<const unsigned char*>(bytes));
  require(size != 0, CUDA_ERROR_INVALID_IMAGE, "the image is no ELF file");
  std::string path = (std::filesystem::temp_directory_path() / "cuda-simulator-module-XXXXXX").string();
  const int file = mkstemp(path.data());
  require(file >= 0, CUDA_ERROR_OPERATING_SYSTEM, "cannot write a temporary file");
  close(file);
  std::ofstream(path, std::ios::binary).write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  // A file of its own for each load: its variables are not shared with another's.
  library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* const error = library_ ? "" : dlerror();
  std::filesystem::remove(path);
  if (!library_) refuse(CUDA_ERROR_INVALID_IMAGE, std::string("the image does not load: ") + error);
  module_ = static_cast<const Module*>(dlsym(library_, "simulator_module"));
  if (!module_ || module_->architecture / 10 != 9) {
    const bool other = module_ != nullptr;
    dlclose(library_);
    if (other) refuse(CUDA_ERROR_NO_BINARY_FOR_GPU, "the image was compiled for another architecture than sm_90");
    refuse(CUDA_ERROR_INVALID_IMAGE, "the image is not of the simulated NVRTC");
  }
  module_->attach(&Fibers::services());
}

Image::~Image() { dlclose(library_); }

const Kernel* Image::kernel(const std::string& name) const {
  // Without extern "C" a kernel's name is another one.
  if (!dlsym(library_, name.c_str())) return nullptr;
  return static_cast<const Kernel*>(dlsym(library_, ("simulator_kernel_" + name).c_str()));
}

State& state() {
  // Never destroyed: owners that live to the end of the process still give back what they hold.
  static State& all = *std::make_unique<State>().release();
  return all;
}

bool is_pinned(const void* pointer, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(pointer);
  auto at = state().host.upper_bound(first);
  if (at == state().host.begin()) return false;
  --at;
  const std::size_t offset = first - at->first;
  return offset <= at->second.bytes && bytes <= at->second.bytes - offset;
}

CUcontext& current_context() {
  static thread_local CUcontext current = nullptr;
  return current;
}

std::optional<std::size_t> number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (!text || !*text) return std::nullopt;
  char* end = nullptr;
  const unsigned long long number = std::strtoull(text, &end, 10);
  if (*end != '\0') refuse(CUDA_ERROR_UNKNOWN, std::string(variable) + "=" + text + " is no whole number");
  return number;
}

Call::Call() : all_(state()), lock_(all_.mutex) {
  require(all_.initialized, CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
  context_ = current_context();
  require(context_ != nullptr, CUDA_ERROR_INVALID_CONTEXT, "this thread has no current context");
  require(context_->retained > 0, CUDA_ERROR_CONTEXT_IS_DESTROYED, "the current context has been released");
  if (context_->state != CUDA_SUCCESS) refuse(context_->state, "");
}

CUstream_st* Call::stream(CUstream handle) const { return handle ? &all_.streams.get(handle, context_, "stream") : nullptr; }

bool Call::on_device(const void* pointer) const {
  return std::any_of(all_.devices.begin(), all_.devices.end(), [&](const auto& device) { return device->memory.inside(pointer, 1); });
}

void Call::unsafe() const {
  for (const auto& [handle, stream] : all_.streams.all()) {
    if (!stream->capture) continue;
    Capture& capture = *stream->capture;
    const bool here = capture.thread == std::this_thread::get_id();
    if (capture.mode == CU_STREAM_CAPTURE_MODE_GLOBAL || (here && capture.mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)) {
      invalidate(capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "not while a stream is capturing");
    }
  }
}

void Call::wait_for_all(bool default_stream) const {
  for (const auto& [handle, stream] : all_.streams.all()) {
    if (!stream->capture || stream->context != context_) continue;
    if (!default_stream) invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a stream of the context is capturing");
    if (stream->blocking) {
      invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the default stream waits for a stream that is capturing");
    }
  }
}

void Call::submit(CUstream handle, Work work) {
  CUstream_st* const on = stream(handle);
  if (!on) wait_for_all(true);
  if (!on || !on->capture) return run(work);
  Capture& capture = *on->capture;
  require(capture.valid, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the stream's capture has been invalidated");
  if (on != capture.origin) ++capture.calls[on];
  capture.work.push_back(std::move(work));
}

void Call::run(const Work& work) {
  lock_.unlock();
  const std::string wrong = work.run();
  lock_.lock();
  if (!wrong.empty()) {
    context_->state = CUDA_ERROR_ILLEGAL_ADDRESS;
    refuse(CUDA_ERROR_ILLEGAL_ADDRESS, work.name + ": " + wrong);
  }
  look_for_damage(work.name);
}

void Call::count_launch() {
  ++context_->launches;
  if (!context_->lost_after || context_->launches < *context_->lost_after) return;
  context_->state = CUDA_ERROR_DEVICE_UNAVAILABLE;
  simulator_say("device " + std::to_string(context_->ordinal) + " is lost from now on");
}

void Call::look_for_damage(const std::string& after) {
  const std::string damage = context_->memory.damage();
  if (damage.empty()) return;
  context_->state = CUDA_ERROR_ILLEGAL_ADDRESS;
  refuse(CUDA_ERROR_ILLEGAL_ADDRESS, damage + "; found after " + after);
}

}  // namespace cuda_simulator

using namespace cuda_simulator;

extern "C" bool simulator_inside(const void* pointer, std::size_t bytes) {
  const std::lock_guard lock(state().mutex);
  const CUcontext context = current_context();
  return context && context->retained > 0 && context->memory.inside(pointer, bytes);
}

CUresult simulator_run(CUstream stream, const std::string& name, const SimulatorWork& work) {
  return answer(name.c_str(), [&] { Call().submit(stream, {name, work}); });
}

CUresult simulator_check_stream(CUstream stream) {
  return answer("stream", [&] { Call().stream(stream); });
}

CUresult simulator_unsafe_call(const char* name) {
  return answer(name, [&] { Call().unsafe(); });
}
