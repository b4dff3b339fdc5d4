/// libcuda.so.1 for machines without a GPU: the entry points. Work is done at once, on the calling thread; a capture records it.

#include <algorithm>
#include <cstring>

#include "tests/cuda_simulator/driver_state.h"
#include "tests/cuda_simulator/fibers.h"

namespace cuda_simulator {
namespace {

constexpr std::size_t kDefaultMemory = std::size_t{2} << 30;
constexpr int kSharedOptIn = 232448, kShared = 48 * 1024;
constexpr unsigned int kMaxThreads = 1024;

void* pointer(CUdeviceptr device) { return reinterpret_cast<void*>(device); }

/// The device of an ordinal, once the driver is initialized; the lock is the caller's.
CUctx_st& device(CUdevice ordinal) {
  require(state().initialized, CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
  require(ordinal >= 0 && static_cast<std::size_t>(ordinal) < state().devices.size(), CUDA_ERROR_INVALID_DEVICE, "no such device");
  return *state().devices[static_cast<std::size_t>(ordinal)];
}

void require_not_null(const void* given) { require(given != nullptr, CUDA_ERROR_INVALID_VALUE, "a null pointer"); }

void require_inside(const Call& call, CUdeviceptr at, std::size_t bytes, const char* which) {
  if (!call.inside(at, bytes)) {
    refuse(CUDA_ERROR_INVALID_VALUE, std::string(which) + ": " + std::to_string(bytes) + " bytes that are not within one allocation");
  }
}
void require_host(const Call& call, const void* at) {
  require_not_null(at);
  require(!call.on_device(at), CUDA_ERROR_INVALID_VALUE, "the host side of the copy is device memory");
}

/// A copy between device and host as a graph does it again, when the memory may have gone.
SimulatorWork copy_work(void* to, const void* from, std::size_t bytes, const void* on_device, const void* pinned_host) {
  return [=]() -> std::string {
    if (!simulator_inside(on_device, bytes)) return "the device memory is not there any more";
    if (pinned_host) {
      const std::lock_guard lock(state().mutex);
      if (!is_pinned(pinned_host, bytes)) return "the host memory is not there any more";
    }
    std::memcpy(to, from, bytes);
    return {};
  };
}

/// A kernel's arguments as they were at the launch.
struct Launch {
  std::shared_ptr<Image> image;
  const Kernel* kernel;
  Index grid, block;
  unsigned int shared_bytes;
  std::vector<std::vector<unsigned char>> arguments;

  std::string run() const;
};

bool reachable(const void* given) {
  if (!given || simulator_inside(given, 0)) return true;
  const std::lock_guard lock(state().mutex);
  return is_pinned(given, 0);
}

std::string Launch::run() const {
  if (!image->loaded) return "its module has been unloaded";
  std::vector<void*> pointers;
  // One more keeps data() from being null for a kernel without parameters.
  std::vector<std::vector<unsigned char>> copies = arguments;
  copies.emplace_back(1);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    pointers.push_back(copies[i].data());
    if (!kernel->pointers[i]) continue;
    const void* given = nullptr;
    std::memcpy(&given, arguments[i].data(), sizeof given);
    if (!reachable(given)) return "argument " + std::to_string(i) + " points to no memory of this device";
  }
  pointers.push_back(copies.back().data());
  Fibers& fibers = Fibers::of_this_thread();
  const Module& module = image->module();
  for (unsigned int z = 0; z < grid.z; ++z) {
    for (unsigned int y = 0; y < grid.y; ++y) {
      for (unsigned int x = 0; x < grid.x; ++x) {
        const Index at{x, y, z};
        module.begin_block(&grid, &block, &at, shared_bytes);
        std::string wrong = fibers.run(module, *kernel, pointers.data(), block.x * block.y * block.z);
        if (wrong.empty()) {
          const char* const found = module.end_block(shared_bytes);
          if (found) wrong = found;
        }
        if (!wrong.empty()) return wrong + ", block (" + std::to_string(x) + ", " + std::to_string(y) + ", " + std::to_string(z) + ")";
      }
    }
  }
  return {};
}

void check_launch(const CUfunc_st& function, const Index& grid, const Index& block, unsigned int shared_bytes) {
  require(grid.x && grid.y && grid.z && block.x && block.y && block.z, CUDA_ERROR_INVALID_VALUE, "a dimension of the launch is 0");
  require(grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535, CUDA_ERROR_INVALID_VALUE, "the grid is too large");
  require(block.x <= 1024 && block.y <= 1024 && block.z <= 64 && std::size_t{block.x} * block.y * block.z <= kMaxThreads,
          CUDA_ERROR_INVALID_VALUE, "the block has more than 1024 threads");
  require(block.x * block.y * block.z <= function.kernel->max_threads, CUDA_ERROR_INVALID_VALUE,
          "the block has more threads than the kernel's launch bounds");
  require(shared_bytes <= static_cast<unsigned int>(function.dynamic_shared), CUDA_ERROR_INVALID_VALUE,
          "more dynamic shared memory than the function was allowed by cuFuncSetAttribute");
}

/// A function whose handle is live, of the current context.
CUfunc_st& function_of(const Call& call, CUfunction handle) {
  for (const auto& [key, module] : call.all().modules.all()) {
    for (const auto& [name, function] : module->functions) {
      if (function.get() != handle) continue;
      require(function->context == &call.context(), CUDA_ERROR_INVALID_HANDLE, "a function of another context");
      return *function;
    }
  }
  refuse(CUDA_ERROR_INVALID_HANDLE, "no function of a loaded module");
}

void run_all(Call& call, const std::vector<Work>& work) {
  for (const Work& one : work) call.run(one);
}

/// What the last owner of a context has left in it.
void tear_down(CUctx_st& context) {
  State& all = state();
  if (const std::string late = context.memory.late_write(); !late.empty()) simulator_say(late);
  if (const std::string damage = context.memory.damage(); !damage.empty()) simulator_say(damage);
  std::string left;
  const auto count = [&](std::size_t number, const char* what) {
    if (number > 0) left += (left.empty() ? "" : ", ") + std::to_string(number) + " " + what;
  };
  count(context.memory.count(), "allocations");
  count(std::erase_if(all.host, [&](const auto& entry) { return entry.second.context == &context; }), "host allocations");
  for (const auto& [handle, module] : all.modules.all()) {
    if (module->context == &context) module->image->loaded = false;
  }
  count(all.executables.erase_of(&context), "executable graphs");
  count(all.graphs.erase_of(&context), "graphs");
  count(all.modules.erase_of(&context), "modules");
  count(all.events.erase_of(&context), "events");
  count(all.streams.erase_of(&context), "streams");
  if (!left.empty()) simulator_say("device " + std::to_string(context.ordinal) + " was released with " + left + " left");
  context.memory.clear();
}

struct ErrorName {
  CUresult result;
  const char* name;
  const char* words;
};
#define SIMULATOR_ERROR(error, words) \
  { error, #error, words }
constexpr ErrorName kErrors[] = {
    SIMULATOR_ERROR(CUDA_SUCCESS, "no error"),
    SIMULATOR_ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    SIMULATOR_ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    SIMULATOR_ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    SIMULATOR_ERROR(CUDA_ERROR_DEINITIALIZED, "driver shutting down"),
    SIMULATOR_ERROR(CUDA_ERROR_STUB_LIBRARY, "CUDA driver is a stub library"),
    SIMULATOR_ERROR(CUDA_ERROR_DEVICE_UNAVAILABLE, "CUDA-capable device(s) is/are busy or unavailable"),
    SIMULATOR_ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    SIMULATOR_ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    SIMULATOR_ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    SIMULATOR_ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    SIMULATOR_ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
    SIMULATOR_ERROR(CUDA_ERROR_ECC_UNCORRECTABLE, "uncorrectable ECC error encountered"),
    SIMULATOR_ERROR(CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS"),
    SIMULATOR_ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    SIMULATOR_ERROR(CUDA_ERROR_ILLEGAL_STATE, "the operation cannot be performed in the present state"),
    SIMULATOR_ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    SIMULATOR_ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    SIMULATOR_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    SIMULATOR_ERROR(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
    SIMULATOR_ERROR(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
    SIMULATOR_ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    SIMULATOR_ERROR(CUDA_ERROR_ASSERT, "device-side assert triggered"),
    SIMULATOR_ERROR(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    SIMULATOR_ERROR(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    SIMULATOR_ERROR(CUDA_ERROR_NOT_PERMITTED, "operation not permitted"),
    SIMULATOR_ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    SIMULATOR_ERROR(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "system has unsupported display driver / cuda driver combination"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_MERGE, "operation would result in a merge of separate capture sequences"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "capture was not ended in the same stream as it began"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "dependency created on uncaptured work in another stream"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "operation would make the legacy stream depend on a capturing blocking stream"),
    SIMULATOR_ERROR(CUDA_ERROR_CAPTURED_EVENT, "operation not permitted on an event last recorded in a capturing stream"),
    SIMULATOR_ERROR(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "attempt to terminate a thread-local capture sequence from another thread"),
    SIMULATOR_ERROR(CUDA_ERROR_TIMEOUT, "wait operation timed out"),
    SIMULATOR_ERROR(CUDA_ERROR_UNKNOWN, "unknown error"),
};
#undef SIMULATOR_ERROR

const ErrorName* find_error(CUresult result) {
  const auto* const at = std::find_if(std::begin(kErrors), std::end(kErrors), [&](const ErrorName& row) { return row.result == result; });
  return at == std::end(kErrors) ? nullptr : at;
}

int attribute(CUdevice_attribute which, int ordinal) {
  // A table of the header's names, of which only these are simulated.
  static const std::map<CUdevice_attribute, int> values = {
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
      {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
      {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
      {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
      {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 0x7fffffff},
      {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
      {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, kShared},
      {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
      {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
      {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
      {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1980000},
      {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 2},
      {CU_DEVICE_ATTRIBUTE_INTEGRATED, 0},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_MODE, CU_COMPUTEMODE_DEFAULT},
      {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
      {CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 1},
      {CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, 0},
      {CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0},
      {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 2619000},
      {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120},
      {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 50 << 20},
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
      {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 3},
      {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 233472},
      {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
      {CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, kSharedOptIn},
      {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
      {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024},
      {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1},
  };
  if (which == CU_DEVICE_ATTRIBUTE_PCI_BUS_ID) return ordinal + 1;
  const auto at = values.find(which);
  if (at == values.end()) refuse(CUDA_ERROR_INVALID_VALUE, "attribute " + std::to_string(which) + " is not simulated");
  return at->second;
}

/// Where a stream that captures stands among the capture's calls.
std::size_t calls_of(const Capture& capture, CUstream stream) {
  const auto at = capture.calls.find(stream);
  return at == capture.calls.end() ? 0 : at->second;
}

void wait_for_captured(CUstream stream, CUstream_st& waiting, CUevent_st& event) {
  const std::shared_ptr<Capture> capture = event.capture.lock();
  require(capture != nullptr, CUDA_ERROR_CAPTURED_EVENT, "the event was last recorded in a capture that has ended");
  if (!waiting.capture) {
    waiting.capture = capture;
    capture->calls[stream];
  }
  if (waiting.capture != capture) {
    waiting.capture->valid = capture->valid = false;
    refuse(CUDA_ERROR_STREAM_CAPTURE_MERGE, "the event is of another capture");
  }
  if (event.stream != capture->origin) capture->joined[event.stream] = std::max(capture->joined[event.stream], event.calls + 1);
}

}  // namespace
}  // namespace cuda_simulator

using namespace cuda_simulator;

extern "C" {

CUresult cuInit(unsigned int flags) {
  return answer("cuInit", [&] {
    require(flags == 0, CUDA_ERROR_INVALID_VALUE, "flags are 0");
    const std::lock_guard lock(state().mutex);
    if (state().initialized) return;
    const std::size_t count = number_from("ACTSEARCH_SIMULATOR_DEVICES").value_or(1);
    if (count == 0) refuse(CUDA_ERROR_NO_DEVICE, "");
    for (std::size_t i = 0; i < count; ++i) {
      auto made = std::make_unique<CUctx_st>();
      made->ordinal = static_cast<int>(i);
      made->capacity = number_from("ACTSEARCH_SIMULATOR_MEMORY").value_or(kDefaultMemory);
      state().devices.push_back(std::move(made));
    }
    state().initialized = true;
  });
}

CUresult cuDriverGetVersion(int* version) {
  return answer("cuDriverGetVersion", [&] {
    require_not_null(version);
    *version = 13000;
  });
}

CUresult cuGetErrorName(CUresult error, const char** text) {
  if (!text) return CUDA_ERROR_INVALID_VALUE;
  const ErrorName* const row = find_error(error);
  *text = row ? row->name : nullptr;
  return row ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
  if (!text) return CUDA_ERROR_INVALID_VALUE;
  const ErrorName* const row = find_error(error);
  *text = row ? row->words : nullptr;
  return row ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// Devices and contexts

CUresult cuDeviceGetCount(int* count) {
  return answer("cuDeviceGetCount", [&] {
    require_not_null(count);
    const std::lock_guard lock(state().mutex);
    require(state().initialized, CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
    *count = static_cast<int>(state().devices.size());
  });
}

CUresult cuDeviceGet(CUdevice* handle, int ordinal) {
  return answer("cuDeviceGet", [&] {
    require_not_null(handle);
    const std::lock_guard lock(state().mutex);
    *handle = device(ordinal).ordinal;
  });
}

CUresult cuDeviceGetName(char* name, int length, CUdevice handle) {
  return answer("cuDeviceGetName", [&] {
    require(name && length > 0, CUDA_ERROR_INVALID_VALUE, "no room for the name");
    const std::lock_guard lock(state().mutex);
    std::snprintf(name, static_cast<std::size_t>(length), "simulated device %d", device(handle).ordinal);
  });
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute which, CUdevice handle) {
  return answer("cuDeviceGetAttribute", [&] {
    require_not_null(value);
    const std::lock_guard lock(state().mutex);
    *value = attribute(which, device(handle).ordinal);
  });
}

CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice handle) {
  return answer("cuDeviceTotalMem", [&] {
    require_not_null(bytes);
    const std::lock_guard lock(state().mutex);
    *bytes = device(handle).capacity;
  });
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice handle) {
  return answer("cuDevicePrimaryCtxRetain", [&] {
    require_not_null(context);
    const std::lock_guard lock(state().mutex);
    CUctx_st& retained = device(handle);
    if (retained.retained == 0 && retained.state == CUDA_SUCCESS) {
      const bool loses = number_from("ACTSEARCH_SIMULATOR_LOST_DEVICE").value_or(handle) == static_cast<std::size_t>(handle);
      if (loses) retained.lost_after = number_from("ACTSEARCH_SIMULATOR_LOST_AFTER");
      if (retained.lost_after == 0) retained.state = CUDA_ERROR_DEVICE_UNAVAILABLE;
    }
    if (retained.state != CUDA_SUCCESS) refuse(retained.state, "");
    ++retained.retained;
    *context = &retained;
  });
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice handle, unsigned int flags) {
  return answer("cuDevicePrimaryCtxSetFlags", [&] {
    const std::lock_guard lock(state().mutex);
    device(handle);
    require((flags & ~CU_CTX_FLAGS_MASK) == 0, CUDA_ERROR_INVALID_VALUE, "unknown flags");
  });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice handle) {
  return answer("cuDevicePrimaryCtxRelease", [&] {
    const std::lock_guard lock(state().mutex);
    CUctx_st& released = device(handle);
    require(released.retained > 0, CUDA_ERROR_INVALID_CONTEXT, "the context has not been retained");
    const CUresult was = released.state;
    if (--released.retained == 0) {
      tear_down(released);
      // A new context is well again, unless there is no device.
      if (was != CUDA_ERROR_DEVICE_UNAVAILABLE) released.state = CUDA_SUCCESS;
    }
    if (was != CUDA_SUCCESS) refuse(was, "");
  });
}

CUresult cuCtxSetCurrent(CUcontext context) {
  return answer("cuCtxSetCurrent", [&] {
    const std::lock_guard lock(state().mutex);
    require(state().initialized, CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
    const auto& all = state().devices;
    const bool known = std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.get() == context && one->retained > 0; });
    require(!context || known, CUDA_ERROR_INVALID_CONTEXT, "no live context");
    current_context() = context;
  });
}

CUresult cuCtxGetCurrent(CUcontext* context) {
  return answer("cuCtxGetCurrent", [&] {
    require_not_null(context);
    const std::lock_guard lock(state().mutex);
    require(state().initialized, CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
    *context = current_context();
  });
}

CUresult cuCtxSynchronize() {
  return answer("cuCtxSynchronize", [&] {
    Call call;
    call.wait_for_all(false);
    call.look_for_damage("cuCtxSynchronize");
    if (const std::string late = call.context().memory.late_write(); !late.empty()) {
      call.context().state = CUDA_ERROR_ILLEGAL_ADDRESS;
      refuse(CUDA_ERROR_ILLEGAL_ADDRESS, late);
    }
  });
}

// Memory

CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  return answer("cuMemGetInfo", [&] {
    Call call;
    require(free && total, CUDA_ERROR_INVALID_VALUE, "a null pointer");
    *total = call.context().capacity;
    *free = *total - call.context().memory.used();
  });
}

CUresult cuMemAlloc_v2(CUdeviceptr* result, std::size_t bytes) {
  return answer("cuMemAlloc", [&] {
    Call call;
    require_not_null(result);
    require(bytes > 0, CUDA_ERROR_INVALID_VALUE, "an allocation of no bytes");
    call.unsafe();
    void* const data = call.context().memory.allocate(bytes, call.context().capacity);
    if (!data) refuse(CUDA_ERROR_OUT_OF_MEMORY, "no room for " + std::to_string(bytes) + " bytes");
    *result = reinterpret_cast<CUdeviceptr>(data);
  });
}

CUresult cuMemFree_v2(CUdeviceptr given) {
  return answer("cuMemFree", [&] {
    Call call;
    call.unsafe();
    const std::size_t before = call.context().memory.count();
    const std::string wrong = call.context().memory.release(pointer(given));
    if (wrong.empty()) return;
    if (call.context().memory.count() == before) refuse(CUDA_ERROR_INVALID_VALUE, wrong);
    call.context().state = CUDA_ERROR_ILLEGAL_ADDRESS;
    refuse(CUDA_ERROR_ILLEGAL_ADDRESS, wrong);
  });
}

CUresult cuMemAllocHost_v2(void** result, std::size_t bytes) {
  return answer("cuMemAllocHost", [&] {
    Call call;
    require_not_null(result);
    require(bytes > 0, CUDA_ERROR_INVALID_VALUE, "an allocation of no bytes");
    call.unsafe();
    HostMemory memory{&call.context(), bytes, std::make_unique<unsigned char[]>(bytes)};
    std::memset(memory.data.get(), 0xff, bytes);
    *result = memory.data.get();
    call.all().host.emplace(reinterpret_cast<std::uintptr_t>(*result), std::move(memory));
  });
}

CUresult cuMemFreeHost(void* given) {
  return answer("cuMemFreeHost", [&] {
    Call call;
    call.unsafe();
    require(call.all().host.erase(reinterpret_cast<std::uintptr_t>(given)) == 1, CUDA_ERROR_INVALID_VALUE,
            "not memory of cuMemAllocHost, or freed before");
  });
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, std::size_t bytes) {
  return answer("cuMemcpyHtoD", [&] {
    Call call;
    call.unsafe();
    call.wait_for_all(true);
    require_inside(call, to, bytes, "the destination");
    require_host(call, from);
    std::memcpy(pointer(to), from, bytes);
    call.look_for_damage("cuMemcpyHtoD");
  });
}

CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, std::size_t bytes) {
  return answer("cuMemcpyDtoH", [&] {
    Call call;
    call.unsafe();
    call.wait_for_all(true);
    require_inside(call, from, bytes, "the source");
    require_host(call, to);
    std::memcpy(to, pointer(from), bytes);
    call.look_for_damage("cuMemcpyDtoH");
  });
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream) {
  return answer("cuMemcpyHtoDAsync", [&] {
    Call call;
    require_inside(call, to, bytes, "the destination");
    require_host(call, from);
    const void* const pinned = is_pinned(from, bytes) ? from : nullptr;
    call.submit(stream, {"cuMemcpyHtoDAsync", copy_work(pointer(to), from, bytes, pointer(to), pinned)});
  });
}

CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return answer("cuMemcpyDtoHAsync", [&] {
    Call call;
    require_inside(call, from, bytes, "the source");
    require_host(call, to);
    const void* const pinned = is_pinned(to, bytes) ? to : nullptr;
    call.submit(stream, {"cuMemcpyDtoHAsync", copy_work(to, pointer(from), bytes, pointer(from), pinned)});
  });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return answer("cuMemcpyDtoDAsync", [&] {
    Call call;
    require_inside(call, to, bytes, "the destination");
    require_inside(call, from, bytes, "the source");
    require(bytes == 0 || to + bytes <= from || from + bytes <= to, CUDA_ERROR_INVALID_VALUE, "source and destination overlap");
    call.submit(stream, {"cuMemcpyDtoDAsync", [=]() -> std::string {
                           if (!simulator_inside(pointer(to), bytes) || !simulator_inside(pointer(from), bytes)) {
                             return "the memory is not there any more";
                           }
                           std::memcpy(pointer(to), pointer(from), bytes);
                           return {};
                         }});
  });
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t bytes, CUstream stream) {
  return answer("cuMemsetD8Async", [&] {
    Call call;
    require_inside(call, to, bytes, "the destination");
    call.submit(stream, {"cuMemsetD8Async", [=]() -> std::string {
                           if (!simulator_inside(pointer(to), bytes)) return "the memory is not there any more";
                           std::memset(pointer(to), value, bytes);
                           return {};
                         }});
  });
}

// Modules and launches

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return answer("cuModuleLoadData", [&] {
    Call call;
    require(module && image, CUDA_ERROR_INVALID_VALUE, "a null pointer");
    call.unsafe();
    *module = call.all().modules.add({&call.context(), std::make_shared<Image>(image), {}});
  });
}

CUresult cuModuleUnload(CUmodule handle) {
  return answer("cuModuleUnload", [&] {
    Call call;
    call.unsafe();
    call.all().modules.get(handle, &call.context(), "module").image->loaded = false;
    call.all().modules.erase(handle);
  });
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule handle, const char* name) {
  return answer("cuModuleGetFunction", [&] {
    Call call;
    require(function && name, CUDA_ERROR_INVALID_VALUE, "a null pointer");
    CUmod_st& module = call.all().modules.get(handle, &call.context(), "module");
    auto& entry = module.functions[name];
    if (!entry) {
      const Kernel* const kernel = module.image->kernel(name);
      if (!kernel) module.functions.erase(name);
      if (!kernel) refuse(CUDA_ERROR_NOT_FOUND, std::string("no kernel ") + name);
      entry = std::make_unique<CUfunc_st>(CUfunc_st{&call.context(), module.image, kernel, name});
    }
    *function = entry.get();
  });
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute which, CUfunction handle) {
  return answer("cuFuncGetAttribute", [&] {
    Call call;
    require_not_null(value);
    const CUfunc_st& function = function_of(call, handle);
    const std::map<CUfunction_attribute, int> values = {
        {CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, static_cast<int>(function.kernel->max_threads)},
        {CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, 0},
        {CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES, 0},
        {CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, 0},
        {CU_FUNC_ATTRIBUTE_NUM_REGS, 32},
        {CU_FUNC_ATTRIBUTE_PTX_VERSION, 90},
        {CU_FUNC_ATTRIBUTE_BINARY_VERSION, 90},
        {CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function.dynamic_shared},
    };
    const auto at = values.find(which);
    require(at != values.end(), CUDA_ERROR_INVALID_VALUE, "the attribute is not simulated");
    *value = at->second;
  });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction handle, int threads, std::size_t shared_bytes) {
  return answer("cuOccupancyMaxActiveBlocksPerMultiprocessor", [&] {
    Call call;
    require_not_null(blocks);
    function_of(call, handle);
    constexpr int kThreads = 2048;
    constexpr std::size_t kShared = 228 << 10;
    require(threads > 0 && threads <= 1024, CUDA_ERROR_INVALID_VALUE, "1 to 1024 threads");
    *blocks = std::min(kThreads / threads, shared_bytes > 0 ? static_cast<int>(kShared / shared_bytes) : kThreads);
  });
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute which, int value) {
  return answer("cuFuncSetAttribute", [&] {
    Call call;
    CUfunc_st& function = function_of(call, handle);
    if (which == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) {
      require(value >= -1 && value <= 100, CUDA_ERROR_INVALID_VALUE, "a carveout is -1, or 0 to 100 percent");
      return;
    }
    require(which == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, CUDA_ERROR_INVALID_VALUE, "the attribute cannot be set");
    require(value >= 0 && value <= kSharedOptIn, CUDA_ERROR_INVALID_VALUE, "more shared memory than a block can have");
    function.dynamic_shared = value;
  });
}

CUresult cuLaunchKernel(CUfunction handle, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
                        unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, CUstream stream, void** parameters,
                        void** extra) {
  return answer("cuLaunchKernel", [&] {
    Call call;
    const CUfunc_st& function = function_of(call, handle);
    Launch launch{function.image, function.kernel, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, {}};
    check_launch(function, launch.grid, launch.block, shared_bytes);
    require(!extra, CUDA_ERROR_INVALID_VALUE, "arguments are taken from kernelParams only");
    require(parameters || function.kernel->parameters == 0, CUDA_ERROR_INVALID_VALUE, "the kernel has parameters");
    for (unsigned int i = 0; i < function.kernel->parameters; ++i) {
      require(parameters[i] != nullptr, CUDA_ERROR_INVALID_VALUE, "an argument is a null pointer");
      const auto* const bytes = static_cast<const unsigned char*>(parameters[i]);
      launch.arguments.emplace_back(bytes, bytes + function.kernel->sizes[i]);
    }
    const CUstream_st* const on = call.stream(stream);
    const bool recorded = on && on->capture;
    call.submit(stream, {"kernel " + function.name, [launch] { return launch.run(); }});
    if (!recorded) call.count_launch();
  });
}

// Streams and graphs

CUresult cuStreamCreate(CUstream* stream, unsigned int flags) {
  return answer("cuStreamCreate", [&] {
    Call call;
    require_not_null(stream);
    require(flags == CU_STREAM_DEFAULT || flags == CU_STREAM_NON_BLOCKING, CUDA_ERROR_INVALID_VALUE, "unknown flags");
    *stream = call.all().streams.add({&call.context(), flags == CU_STREAM_DEFAULT, nullptr});
  });
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  return answer("cuStreamDestroy", [&] {
    Call call;
    CUstream_st& stream = call.all().streams.get(handle, &call.context(), "stream");
    if (stream.capture) {
      stream.capture->valid = false;
      simulator_say("cuStreamDestroy: the stream is capturing");
    }
    call.all().streams.erase(handle);
  });
}

CUresult cuStreamSynchronize(CUstream handle) {
  return answer("cuStreamSynchronize", [&] {
    Call call;
    CUstream_st* const stream = call.stream(handle);
    if (!stream) call.wait_for_all(true);
    if (stream && stream->capture) {
      stream->capture->valid = false;
      refuse(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the stream is capturing");
    }
    call.look_for_damage("cuStreamSynchronize");
  });
}

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
  return answer("cuStreamBeginCapture", [&] {
    Call call;
    CUstream_st* const stream = call.stream(handle);
    require(stream != nullptr, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the default stream cannot capture");
    require(!stream->capture, CUDA_ERROR_ILLEGAL_STATE, "the stream is capturing");
    require(mode == CU_STREAM_CAPTURE_MODE_GLOBAL || mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL || mode == CU_STREAM_CAPTURE_MODE_RELAXED,
            CUDA_ERROR_INVALID_VALUE, "unknown mode");
    stream->capture = std::make_shared<Capture>(Capture{handle, mode, std::this_thread::get_id(), true, {}, {}, {}});
  });
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph* graph) {
  return answer("cuStreamEndCapture", [&] {
    Call call;
    require_not_null(graph);
    *graph = nullptr;
    CUstream_st* const stream = call.stream(handle);
    require(stream && stream->capture, CUDA_ERROR_ILLEGAL_STATE, "the stream is not capturing");
    const std::shared_ptr<Capture> capture = stream->capture;
    require(capture->origin == handle, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture began in another stream");
    require(capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED || capture->thread == std::this_thread::get_id(),
            CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "the capture began on another thread");
    for (const auto& [other, owner] : call.all().streams.all()) {
      if (owner->capture == capture) owner->capture = nullptr;
    }
    require(capture->valid, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture has been invalidated");
    for (const auto& [other, calls] : capture->calls) {
      require(capture->joined.count(other) && capture->joined[other] == calls + 1, CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
              "a stream of the capture has work that no other stream waits for");
    }
    *graph = call.all().graphs.add({&call.context(), std::move(capture->work)});
  });
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* status) {
  return answer("cuStreamIsCapturing", [&] {
    Call call;
    require_not_null(status);
    const CUstream_st* const stream = call.stream(handle);
    *status = CU_STREAM_CAPTURE_STATUS_NONE;
    if (stream && stream->capture) {
      *status = stream->capture->valid ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_INVALIDATED;
    }
  });
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned int flags) {
  return answer("cuStreamWaitEvent", [&] {
    Call call;
    require(flags == CU_EVENT_WAIT_DEFAULT || flags == CU_EVENT_WAIT_EXTERNAL, CUDA_ERROR_INVALID_VALUE, "unknown flags");
    require(call.all().events.has(event), CUDA_ERROR_INVALID_HANDLE, "no live event");
    CUstream_st* const stream = call.stream(handle);
    if (event->captured) {
      require(stream != nullptr, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the default stream cannot wait within a capture");
      require(event->context == &call.context(), CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "the simulation captures one device at a time");
      wait_for_captured(handle, *stream, *event);
    } else if (stream && stream->capture && event->recorded && flags != CU_EVENT_WAIT_EXTERNAL) {
      stream->capture->valid = false;
      refuse(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "the event was recorded outside of the capture");
    }
  });
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph handle, unsigned long long flags) {
  return answer("cuGraphInstantiateWithFlags", [&] {
    Call call;
    require_not_null(executable);
    require(flags == 0 || flags == CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH, CUDA_ERROR_INVALID_VALUE, "flags are not simulated");
    const CUgraph_st& graph = call.all().graphs.get(handle, &call.context(), "graph");
    *executable = call.all().executables.add({graph.context, graph.work});
  });
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream) {
  return answer("cuGraphLaunch", [&] {
    Call call;
    // A copy: another thread may destroy the graph while its work runs.
    const std::vector<Work> work = call.all().executables.get(handle, &call.context(), "executable graph").work;
    const CUstream_st* const on = call.stream(stream);
    if (on && on->capture) {
      for (const Work& one : work) call.submit(stream, one);
      return;
    }
    if (!on) call.wait_for_all(true);
    run_all(call, work);
    call.count_launch();
  });
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
  return answer("cuGraphExecDestroy", [&] {
    Call call;
    call.all().executables.get(handle, &call.context(), "executable graph");
    call.all().executables.erase(handle);
  });
}

CUresult cuGraphDestroy(CUgraph handle) {
  return answer("cuGraphDestroy", [&] {
    Call call;
    call.all().graphs.get(handle, &call.context(), "graph");
    call.all().graphs.erase(handle);
  });
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode* nodes, std::size_t* count) {
  return answer("cuGraphGetNodes", [&] {
    Call call;
    require_not_null(count);
    CUgraph_st& graph = call.all().graphs.get(handle, &call.context(), "graph");
    for (std::size_t i = 0; nodes && i < *count; ++i) {
      nodes[i] = i < graph.work.size() ? reinterpret_cast<CUgraphNode>(&graph.work[i]) : nullptr;
    }
    *count = nodes ? std::min(*count, graph.work.size()) : graph.work.size();
  });
}

// Events

CUresult cuEventCreate(CUevent* event, unsigned int flags) {
  return answer("cuEventCreate", [&] {
    Call call;
    require_not_null(event);
    require((flags & ~static_cast<unsigned int>(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING)) == 0, CUDA_ERROR_INVALID_VALUE,
            "unknown flags");
    CUevent_st made{};
    made.context = &call.context();
    made.timed = (flags & CU_EVENT_DISABLE_TIMING) == 0;
    *event = call.all().events.add(std::move(made));
  });
}

CUresult cuEventRecord(CUevent handle, CUstream stream) {
  return answer("cuEventRecord", [&] {
    Call call;
    CUevent_st& event = call.all().events.get(handle, &call.context(), "event");
    const CUstream_st* const on = call.stream(stream);
    if (!on) call.wait_for_all(true);
    event.captured = on && on->capture;
    event.recorded.reset();
    if (!event.captured) {
      event.recorded = std::chrono::steady_clock::now();
      return;
    }
    require(on->capture->valid, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the stream's capture has been invalidated");
    event.capture = on->capture;
    event.stream = stream;
    event.calls = calls_of(*on->capture, stream);
  });
}

CUresult cuEventSynchronize(CUevent handle) {
  return answer("cuEventSynchronize", [&] {
    Call call;
    const CUevent_st& event = call.all().events.get(handle, &call.context(), "event");
    if (event.captured) {
      if (const auto capture = event.capture.lock()) capture->valid = false;
      refuse(CUDA_ERROR_CAPTURED_EVENT, "the event was last recorded in a capture");
    }
    call.look_for_damage("cuEventSynchronize");
  });
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
  return answer("cuEventElapsedTime", [&] {
    Call call;
    require_not_null(milliseconds);
    const CUevent_st& a = call.all().events.get(start, &call.context(), "event");
    const CUevent_st& b = call.all().events.get(end, &call.context(), "event");
    require(a.timed && b.timed, CUDA_ERROR_INVALID_HANDLE, "an event without timing");
    require(a.recorded && b.recorded, CUDA_ERROR_INVALID_HANDLE, "an event that has not been recorded");
    *milliseconds = std::chrono::duration<float, std::milli>(*b.recorded - *a.recorded).count();
  });
}

// The header knows the first version by the second one's name only.
#undef cuEventElapsedTime
CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) { return cuEventElapsedTime_v2(milliseconds, start, end); }

CUresult cuEventDestroy_v2(CUevent handle) {
  return answer("cuEventDestroy", [&] {
    Call call;
    call.all().events.get(handle, &call.context(), "event");
    call.all().events.erase(handle);
  });
}

}  // extern "C"
