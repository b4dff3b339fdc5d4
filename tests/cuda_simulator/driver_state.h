/// What the simulated driver knows: contexts, handles, captures. One mutex guards all of it; device work runs without it.
#pragma once

#include <cuda.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/cuda_simulator/memory.h"
#include "tests/cuda_simulator/module_interface.h"
#include "tests/cuda_simulator/simulator.h"

namespace cuda_simulator {

/// A call's answer that is not success; without words if it has been said before.
struct Refusal {
  CUresult result;
  std::string what;
};
[[noreturn]] inline void refuse(CUresult result, std::string what) { throw Refusal{result, std::move(what)}; }
inline void require(bool holds, CUresult otherwise, const char* what) {
  if (!holds) throw Refusal{otherwise, what};
}

struct Work {
  std::string name;
  SimulatorWork run;
};

/// The streams that belong to one capture, and their work in the order of the calls.
struct Capture {
  CUstream origin;
  CUstreamCaptureMode mode;
  std::thread::id thread;
  bool valid = true;
  std::vector<Work> work;
  std::map<CUstream, std::size_t> calls;   // of each stream that is not the origin
  std::map<CUstream, std::size_t> joined;  // how many of them another stream has waited for
};

/// A loaded image. A graph may keep it for longer than its handle lives.
class Image {
 public:
  explicit Image(const void* bytes);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image();
  const Module& module() const { return *module_; }
  /// Null if there is no such kernel, or not under that name.
  const Kernel* kernel(const std::string& name) const;
  bool loaded = true;

 private:
  void* library_ = nullptr;
  const Module* module_ = nullptr;
};

}  // namespace cuda_simulator

// cuda.h leaves these types to the driver.
struct CUctx_st {
  int ordinal;
  int retained = 0;
  CUresult state = CUDA_SUCCESS;  // what every call is answered with
  std::size_t capacity = 0, launches = 0;
  std::optional<std::size_t> lost_after;
  cuda_simulator::Memory memory;
};
struct CUstream_st {
  CUcontext context;
  bool blocking;  // waits for the default stream
  std::shared_ptr<cuda_simulator::Capture> capture;
};
struct CUevent_st {
  CUcontext context;
  bool timed;
  std::optional<std::chrono::steady_clock::time_point> recorded;
  bool captured = false;
  std::weak_ptr<cuda_simulator::Capture> capture;
  CUstream stream = nullptr;  // of the capture
  std::size_t calls = 0;      // of that stream before it
};
struct CUfunc_st {
  CUcontext context;
  std::shared_ptr<cuda_simulator::Image> image;
  const cuda_simulator::Kernel* kernel;
  std::string name;
  int dynamic_shared = 48 * 1024;
};
struct CUmod_st {
  CUcontext context;
  std::shared_ptr<cuda_simulator::Image> image;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
};
struct CUgraph_st {
  CUcontext context;
  std::vector<cuda_simulator::Work> work;
};
struct CUgraphExec_st {
  CUcontext context;
  std::vector<cuda_simulator::Work> work;
};

namespace cuda_simulator {

/// The live handles of a kind, and their owners.
template <class T>
class Handles {
 public:
  T* add(T value) {
    auto owner = std::make_unique<T>(std::move(value));
    T* const handle = owner.get();
    live_.emplace(handle, std::move(owner));
    return handle;
  }
  bool has(T* handle) const { return live_.find(handle) != live_.end(); }
  T& get(T* handle, CUcontext context, const char* what) const {
    if (!has(handle)) refuse(CUDA_ERROR_INVALID_HANDLE, std::string("no live ") + what);
    if (handle->context != context) refuse(CUDA_ERROR_INVALID_HANDLE, std::string("a ") + what + " of another context");
    return *handle;
  }
  void erase(T* handle) { live_.erase(handle); }
  std::size_t erase_of(CUcontext context) {
    return std::erase_if(live_, [&](const auto& entry) { return entry.first->context == context; });
  }
  const auto& all() const { return live_; }

 private:
  std::map<T*, std::unique_ptr<T>> live_;
};

struct HostMemory {
  CUcontext context;
  std::size_t bytes;
  std::unique_ptr<unsigned char[]> data;
};

struct State {
  std::mutex mutex;
  bool initialized = false;
  std::vector<std::unique_ptr<CUctx_st>> devices;
  Handles<CUstream_st> streams;
  Handles<CUevent_st> events;
  Handles<CUmod_st> modules;
  Handles<CUgraph_st> graphs;
  Handles<CUgraphExec_st> executables;
  std::map<std::uintptr_t, HostMemory> host;
};
State& state();
/// Is the range within one allocation of cuMemAllocHost? The mutex is the caller's.
bool is_pinned(const void* pointer, std::size_t bytes);
/// Of the calling thread; may be null.
CUcontext& current_context();

/// Holds the mutex; the context is current, retained and well.
class Call {
 public:
  Call();
  State& all() const { return all_; }
  CUctx_st& context() const { return *context_; }
  /// A null handle is the default stream, for which this is null.
  CUstream_st* stream(CUstream handle) const;
  bool inside(CUdeviceptr pointer, std::size_t bytes) const {
    return context_->memory.inside(reinterpret_cast<const void*>(pointer), bytes);
  }
  /// Is it memory of a device, which the host may not touch?
  bool on_device(const void* pointer) const;

  /// Refused while a capture forbids calls that may wait for a device.
  void unsafe() const;
  /// A call that waits for the default stream, or for all of them.
  void wait_for_all(bool default_stream) const;
  /// Records the work or does it.
  void submit(CUstream stream, Work work);
  void run(const Work& work);
  /// Counts towards ACTSEARCH_SIMULATOR_LOST_AFTER.
  void count_launch();
  /// Throws if a red zone was written to.
  void look_for_damage(const std::string& after);

 private:
  State& all_;
  std::unique_lock<std::mutex> lock_;
  CUctx_st* context_ = nullptr;
};

/// The entry point's answer; what was wrong is said once, on stderr.
template <class F>
CUresult answer(const char* call, F&& f) noexcept {
  try {
    f();
    return CUDA_SUCCESS;
  } catch (const Refusal& refusal) {
    if (!refusal.what.empty()) simulator_say(std::string(call) + ": " + refusal.what);
    return refusal.result;
  } catch (const std::exception& error) {
    simulator_say(std::string(call) + ": " + error.what());
    return CUDA_ERROR_UNKNOWN;
  }
}

/// A whole number from the environment.
std::optional<std::size_t> number_from(const char* variable);

}  // namespace cuda_simulator
