#include "kernels/cuda/driver.h"

#include <cuda.h>

#include <cstdlib>
#include <utility>

// The functions used, by their names in cuda.h, whose macros choose the version.
// clang-format off
#define ACTSEARCH_DRIVER_FUNCTIONS(X) \
  X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuGetErrorString) X(cuDeviceGetCount) X(cuDeviceGet) X(cuDeviceGetName) \
  X(cuDeviceGetAttribute) X(cuDeviceTotalMem) X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease) X(cuDevicePrimaryCtxSetFlags) \
  X(cuCtxSetCurrent) X(cuMemGetInfo) X(cuMemAlloc) X(cuMemFree) X(cuMemcpyHtoDAsync) X(cuMemcpyDtoHAsync) \
  X(cuMemcpyDtoDAsync) X(cuMemsetD8Async) X(cuModuleLoadData) X(cuModuleUnload) X(cuModuleGetFunction) X(cuFuncGetAttribute) \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor) \
  X(cuLaunchKernel) X(cuStreamCreate) X(cuStreamDestroy) X(cuStreamSynchronize) X(cuStreamBeginCapture) \
  X(cuStreamEndCapture) X(cuGraphInstantiateWithFlags) X(cuGraphGetNodes) X(cuGraphLaunch) X(cuGraphExecDestroy) \
  X(cuGraphDestroy) X(cuEventCreate) X(cuEventRecord) X(cuEventSynchronize) X(cuEventDestroy)
// clang-format on
#define ACTSEARCH_MEMBER(name) decltype(&::name) name;
#define ACTSEARCH_TEXT_OF(name) #name
#define ACTSEARCH_TEXT(name) ACTSEARCH_TEXT_OF(name)
#define ACTSEARCH_FIND(name) library.find(ACTSEARCH_TEXT(name), functions.name);

namespace actsearch {
namespace {

struct Driver {
  ACTSEARCH_DRIVER_FUNCTIONS(ACTSEARCH_MEMBER)
  decltype(&::cuEventElapsedTime) elapsed_time;
};

/// Loaded once and kept.
const Driver& driver() {
  static const Driver loaded = [] {
    static const SharedLibrary library("the NVIDIA driver", {"libcuda.so.1"});
    Driver functions{};
    ACTSEARCH_DRIVER_FUNCTIONS(ACTSEARCH_FIND)
    library.find("cuEventElapsedTime", functions.elapsed_time);  // the header's own name for it needs driver 570
    // As many streams side by side as the hardware has queues for; the driver reads this when it starts.
    constexpr int kKeepTheUsers = 0;
    setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", kKeepTheUsers);
    const CUresult result = functions.cuInit(0);
    if (result == CUDA_ERROR_NO_DEVICE) throw CudaMissing("the NVIDIA driver finds no GPU");
    if (result != CUDA_SUCCESS) {
      const char* text = nullptr;
      functions.cuGetErrorString(result, &text);
      throw CudaMissing(std::string("the NVIDIA driver does not start: ") + (text ? text : "unknown error"));
    }
    return functions;
  }();
  return loaded;
}

void check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  const char* name = nullptr;
  const char* text = nullptr;
  driver().cuGetErrorName(result, &name);
  driver().cuGetErrorString(result, &text);
  const std::string message = std::string("CUDA: ") + what + ": " + (text ? text : "unknown error") + " (" + (name ? name : "?") + ")";
  if (result == CUDA_ERROR_OUT_OF_MEMORY) throw CudaOutOfMemory(message);
  throw CudaError(message);
}

CUstream stream_of(void* handle) { return static_cast<CUstream>(handle); }

}  // namespace

int CudaDevice::count() {
  int count = 0;
  check(driver().cuDeviceGetCount(&count), "count devices");
  if (count == 0) throw CudaMissing("the NVIDIA driver finds no GPU");
  return count;
}

std::pair<int, int> CudaDevice::driver_version() {
  int version = 0;
  check(driver().cuDriverGetVersion(&version), "ask for the driver's version");
  return {version / 1000, version % 1000 / 10};
}

std::string CudaDevice::name_of(int ordinal) {
  const int devices = count();
  if (ordinal < 0 || ordinal >= devices) {
    throw std::out_of_range("there is no CUDA device " + std::to_string(ordinal) + ": " + std::to_string(devices) +
                            (devices == 1 ? " is" : " are") + " there, counted from 0");
  }
  CUdevice device = 0;
  check(driver().cuDeviceGet(&device, ordinal), "find the device");
  std::array<char, 256> text{};
  check(driver().cuDeviceGetName(text.data(), static_cast<int>(text.size()), device), "name the device");
  return text.data();
}

CudaDevice::CudaDevice(int ordinal) : ordinal_(ordinal), name_(name_of(ordinal)) {
  const Driver& cuda = driver();
  check(cuda.cuDeviceGet(&handle_, ordinal), "find the device");
  const auto attribute = [&](CUdevice_attribute wanted) {
    int value = 0;
    check(cuda.cuDeviceGetAttribute(&value, wanted, handle_), "ask the device");
    return value;
  };
  architecture_ = "sm_" + std::to_string(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)) +
                  std::to_string(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
  multiprocessors_ = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  check(cuda.cuDeviceTotalMem(&total_memory_, handle_), "ask for the memory");
  // Threads that wait for the device sleep. Another user of the context may have chosen otherwise: then it stays so.
  cuda.cuDevicePrimaryCtxSetFlags(handle_, CU_CTX_SCHED_BLOCKING_SYNC);
  CUcontext context = nullptr;
  const CUresult opened = cuda.cuDevicePrimaryCtxRetain(&context, handle_);
  if (opened == CUDA_ERROR_DEVICE_UNAVAILABLE) {
    throw CudaMissing("CUDA device " + std::to_string(ordinal) + ", " + name_ +
                      ", is busy or gone: another process may have it for itself");
  }
  check(opened, "open the device");
  context_ = context;
}

CudaDevice::~CudaDevice() { driver().cuDevicePrimaryCtxRelease(handle_); }

void CudaDevice::make_current() const { check(driver().cuCtxSetCurrent(static_cast<CUcontext>(context_)), "select the device"); }

std::size_t CudaDevice::free_memory() const {
  make_current();
  std::size_t free = 0, total = 0;
  check(driver().cuMemGetInfo(&free, &total), "ask for free memory");
  return free;
}

CudaMemory::CudaMemory(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  CUdeviceptr address = 0;
  check(driver().cuMemAlloc(&address, bytes), "allocate memory");
  address_ = address;
}
CudaMemory::CudaMemory(CudaMemory&& other) noexcept : address_(std::exchange(other.address_, 0)), size_(std::exchange(other.size_, 0)) {}
CudaMemory& CudaMemory::operator=(CudaMemory&& other) noexcept {
  if (this != &other) {
    free();
    address_ = std::exchange(other.address_, 0);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}
void CudaMemory::free() noexcept {
  if (address_) driver().cuMemFree(address_);
}

CudaModule::CudaModule(const std::string& cubin) {
  CUmodule module = nullptr;
  check(driver().cuModuleLoadData(&module, cubin.data()), "load kernels");
  handle_ = module;
}
CudaModule::~CudaModule() { driver().cuModuleUnload(static_cast<CUmodule>(handle_)); }
CudaFunction CudaModule::function(const char* name) const {
  CUfunction function = nullptr;
  check(driver().cuModuleGetFunction(&function, static_cast<CUmodule>(handle_), name), name);
  int registers = 0;  // asked for to have the code loaded: the driver otherwise loads it at the first launch
  check(driver().cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function), name);
  return {function};
}

unsigned blocks_at_once(CudaFunction function, unsigned threads, std::size_t shared_bytes) {
  int blocks = 0;
  check(driver().cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, static_cast<CUfunction>(function.handle), static_cast<int>(threads),
                                                             shared_bytes),
        "ask about a kernel");
  return static_cast<unsigned>(blocks);
}

CudaGraph::~CudaGraph() {
  if (executable_) driver().cuGraphExecDestroy(static_cast<CUgraphExec>(executable_));
}
CudaGraph::CudaGraph(CudaGraph&& other) noexcept
    : executable_(std::exchange(other.executable_, nullptr)), nodes_(std::exchange(other.nodes_, 0)) {}
CudaGraph& CudaGraph::operator=(CudaGraph&& other) noexcept {
  std::swap(executable_, other.executable_);
  std::swap(nodes_, other.nodes_);
  return *this;
}

CudaStream::CudaStream() {
  CUstream stream = nullptr;
  check(driver().cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "create a stream");
  handle_ = stream;
}
CudaStream::~CudaStream() { driver().cuStreamDestroy(stream_of(handle_)); }

void CudaStream::copy_to_device(CudaAddress to, const void* from, std::size_t bytes) {
  if (bytes > 0) check(driver().cuMemcpyHtoDAsync(to, from, bytes, stream_of(handle_)), "copy to the device");
}
void CudaStream::copy_to_host(void* to, CudaAddress from, std::size_t bytes) {
  if (bytes > 0) check(driver().cuMemcpyDtoHAsync(to, from, bytes, stream_of(handle_)), "copy from the device");
}
void CudaStream::copy(CudaAddress to, CudaAddress from, std::size_t bytes) {
  if (bytes > 0) check(driver().cuMemcpyDtoDAsync(to, from, bytes, stream_of(handle_)), "copy on the device");
}
void CudaStream::set_zero(CudaAddress to, std::size_t bytes) {
  if (bytes > 0) check(driver().cuMemsetD8Async(to, 0, bytes, stream_of(handle_)), "clear memory");
}
void CudaStream::synchronise() { check(driver().cuStreamSynchronize(stream_of(handle_)), "wait for the device"); }

void CudaStream::launch_places(CudaFunction function, CudaExtent grid, CudaExtent block, std::size_t shared_bytes, void** places) {
  check(driver().cuLaunchKernel(static_cast<CUfunction>(function.handle), grid.x, grid.y, 1, block.x, block.y, 1,
                                static_cast<unsigned>(shared_bytes), stream_of(handle_), places, nullptr),
        "launch a kernel");
}

void CudaStream::begin_capture() {
  check(driver().cuStreamBeginCapture(stream_of(handle_), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), "begin a graph");
}
CudaGraph CudaStream::end_capture() {
  const Driver& cuda = driver();
  CUgraph recorded = nullptr;
  check(cuda.cuStreamEndCapture(stream_of(handle_), &recorded), "end a graph");
  CudaGraph graph;
  CUgraphExec executable = nullptr;
  const CUresult counted = cuda.cuGraphGetNodes(recorded, nullptr, &graph.nodes_);
  const CUresult made = cuda.cuGraphInstantiateWithFlags(&executable, recorded, 0);
  cuda.cuGraphDestroy(recorded);
  graph.executable_ = executable;
  check(counted, "count a graph's nodes");
  check(made, "make a graph");
  return graph;
}
void CudaStream::give_up_capture() noexcept {
  CUgraph recorded = nullptr;
  driver().cuStreamEndCapture(stream_of(handle_), &recorded);
  if (recorded) driver().cuGraphDestroy(recorded);
}
void CudaStream::launch(const CudaGraph& graph) {
  check(driver().cuGraphLaunch(static_cast<CUgraphExec>(graph.executable_), stream_of(handle_)), "launch a graph");
}

CudaTimer::CudaTimer() {
  CUevent begin = nullptr, end = nullptr;
  check(driver().cuEventCreate(&begin, CU_EVENT_DEFAULT), "create an event");
  begin_ = begin;
  check(driver().cuEventCreate(&end, CU_EVENT_DEFAULT), "create an event");
  end_ = end;
}
CudaTimer::~CudaTimer() {
  driver().cuEventDestroy(static_cast<CUevent>(begin_));
  driver().cuEventDestroy(static_cast<CUevent>(end_));
}
void CudaTimer::start(const CudaStream& stream) {
  check(driver().cuEventRecord(static_cast<CUevent>(begin_), stream_of(stream.handle())), "record an event");
}
double CudaTimer::stop_seconds(const CudaStream& stream) {
  const Driver& cuda = driver();
  check(cuda.cuEventRecord(static_cast<CUevent>(end_), stream_of(stream.handle())), "record an event");
  check(cuda.cuEventSynchronize(static_cast<CUevent>(end_)), "wait for an event");
  float milliseconds = 0;
  check(cuda.elapsed_time(&milliseconds, static_cast<CUevent>(begin_), static_cast<CUevent>(end_)), "measure time");
  return static_cast<double>(milliseconds) * 1e-3;
}

}  // namespace actsearch
