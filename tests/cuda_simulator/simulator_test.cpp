// The simulated CUDA has to do what it is asked, and to refuse what a device would.

#include <cublasLt.h>
#include <cuda.h>
#include <cudnn.h>
#include <gtest/gtest.h>
#include <nvrtc.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cuda_simulator/load.h"

namespace actsearch {
namespace {

/// A function of the simulated libraries, by its name.
void* symbol(const char* name) {
  static const std::array<void*, 4> libraries = cuda_simulator::load(ACTSEARCH_CUDA_SIMULATOR);
  for (void* const library : libraries) {
    if (void* const found = dlsym(library, name)) return found;
  }
  throw std::runtime_error(std::string("the simulation has no ") + name);
}
#define SIMULATED(function) reinterpret_cast<decltype(&function)>(symbol(#function))

constexpr const char* kSource = R"(
// KERNEL void in_a_comment(int x) is not a kernel.
extern "C" __global__ void reversed_sums(const float* x, float* y, unsigned long long n, float scale) {
  extern __shared__ float line[];
  const unsigned int i = threadIdx.y * blockDim.x + threadIdx.x, size = blockDim.x * blockDim.y;
  const unsigned long long at = (unsigned long long)blockIdx.x * size + i;
  if (at >= n) return;  // never reaches the barrier
  line[i] = x[at];
  __syncthreads();
  const unsigned long long rest = n - (unsigned long long)blockIdx.x * size, live = rest < size ? rest : size;
  for (unsigned int step = 0; step < 3; ++step) {
    const float other = line[live - 1 - i];
    __syncthreads();
    line[i] += other;
    __syncthreads();
  }
  y[at] += scale * line[i];
}
extern "C" __global__ void write_at(float* y, long long place) { y[place] = 1.0f; }
extern "C" __global__ void past_shared(float* y) {
  extern __shared__ float line[];
  line[blockDim.x] = 1.0f;
  y[0] = line[blockDim.x];
}
extern "C" __global__ void count(unsigned int* counter) { atomicAdd(counter, 1u); }
extern "C" __global__ void __launch_bounds__(64, 2) narrow(float* y) { y[threadIdx.x] = 0.0f; }
extern "C" __global__ void copy_vector(const float* x, float* y) { *reinterpret_cast<float4*>(y) = *reinterpret_cast<const float4*>(x); }
__global__ void mangled(float* y) { y[0] = 0.0f; }
)";

/// Compiled once for all tests of the process.
const std::string& cubin() {
  static const std::string compiled = [] {
    nvrtcProgram program = nullptr;
    EXPECT_EQ(SIMULATED(nvrtcCreateProgram)(&program, kSource, "test.cu", 0, nullptr, nullptr), NVRTC_SUCCESS);
    const char* const options[] = {"--gpu-architecture=sm_90", "--std=c++17"};
    EXPECT_EQ(SIMULATED(nvrtcCompileProgram)(program, 2, options), NVRTC_SUCCESS);
    std::size_t size = 0;
    SIMULATED(nvrtcGetProgramLogSize)(program, &size);
    std::string log(size, '\0');
    SIMULATED(nvrtcGetProgramLog)(program, log.data());
    EXPECT_EQ(SIMULATED(nvrtcGetCUBINSize)(program, &size), NVRTC_SUCCESS) << log;
    std::string bytes(size, '\0');
    EXPECT_EQ(SIMULATED(nvrtcGetCUBIN)(program, bytes.data()), NVRTC_SUCCESS);
    SIMULATED(nvrtcDestroyProgram)(&program);
    return bytes;
  }();
  return compiled;
}

/// A device's context, current on the test's thread, and a stream.
class CudaSimulator : public ::testing::Test {
 protected:
  void SetUp() override {
    unsetenv("ACTSEARCH_SIMULATOR_LOST_AFTER");
    setenv("ACTSEARCH_SIMULATOR_MEMORY", "16777216", 1);
    setenv("ACTSEARCH_SIMULATOR_DEVICES", "2", 1);
    ASSERT_EQ(SIMULATED(cuInit)(0), CUDA_SUCCESS);
    retain();
  }
  void TearDown() override { release(); }

  void retain() {
    ASSERT_EQ(SIMULATED(cuDevicePrimaryCtxRetain)(&context_, 0), CUDA_SUCCESS);
    ASSERT_EQ(SIMULATED(cuCtxSetCurrent)(context_), CUDA_SUCCESS);
    ASSERT_EQ(SIMULATED(cuStreamCreate)(&stream_, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  }
  void release() {
    SIMULATED(cuCtxSetCurrent)(nullptr);
    SIMULATED(cuDevicePrimaryCtxRelease_v2)(0);
  }

  CUdeviceptr upload(const void* data, std::size_t bytes) {
    CUdeviceptr pointer = 0;
    EXPECT_EQ(SIMULATED(cuMemAlloc_v2)(&pointer, bytes), CUDA_SUCCESS);
    EXPECT_EQ(SIMULATED(cuMemcpyHtoD_v2)(pointer, data, bytes), CUDA_SUCCESS);
    return pointer;
  }
  CUdeviceptr upload(const std::vector<float>& values) { return upload(values.data(), values.size() * sizeof(float)); }
  std::vector<float> download(CUdeviceptr pointer, std::size_t count) {
    std::vector<float> values(count);
    EXPECT_EQ(SIMULATED(cuMemcpyDtoH_v2)(values.data(), pointer, count * sizeof(float)), CUDA_SUCCESS);
    return values;
  }
  void load() { EXPECT_EQ(SIMULATED(cuModuleLoadData)(&module_, cubin().data()), CUDA_SUCCESS); }
  CUfunction function(const char* name) {
    if (!module_) load();
    CUfunction found = nullptr;
    EXPECT_EQ(SIMULATED(cuModuleGetFunction)(&found, module_, name), CUDA_SUCCESS);
    return found;
  }
  CUresult launch(const char* name, unsigned int grid, unsigned int x, unsigned int y, unsigned int shared, std::vector<void*> arguments) {
    return SIMULATED(cuLaunchKernel)(function(name), grid, 1, 1, x, y, 1, shared, stream_, arguments.data(), nullptr);
  }

  CUcontext context_ = nullptr;
  CUstream stream_ = nullptr;
  CUmodule module_ = nullptr;
};

std::vector<float> ramp(std::size_t count, float step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = step * static_cast<float>((i * 7 + 3) % 11) - 1.0f;
  return values;
}

/// What reversed_sums adds to y.
std::vector<float> reversed_sums(const std::vector<float>& x, std::size_t size, float scale) {
  std::vector<float> y(x.size());
  for (std::size_t first = 0; first < x.size(); first += size) {
    const std::size_t live = std::min(size, x.size() - first);
    for (std::size_t i = 0; i < live; ++i) y[first + i] = scale * 4.0f * (x[first + i] + x[first + live - 1 - i]);
  }
  return y;
}

TEST_F(CudaSimulator, AKernelWithBarriersRunsAtOnceAndFromAGraph) {
  const std::vector<float> x = ramp(77, 0.25f);
  CUdeviceptr x_device = upload(x), y_device = upload(std::vector<float>(77, 0.0f));
  unsigned long long n = 77;
  float scale = 2.0f;
  ASSERT_EQ(launch("reversed_sums", 3, 8, 4, 32 * 4, {&x_device, &y_device, &n, &scale}), CUDA_SUCCESS);
  EXPECT_EQ(download(y_device, 77), reversed_sums(x, 32, 2.0f));

  ASSERT_EQ(SIMULATED(cuStreamBeginCapture_v2)(stream_, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  ASSERT_EQ(SIMULATED(cuMemsetD8Async)(y_device, 0, 77 * 4, stream_), CUDA_SUCCESS);
  ASSERT_EQ(launch("reversed_sums", 3, 8, 4, 32 * 4, {&x_device, &y_device, &n, &scale}), CUDA_SUCCESS);
  scale = 1000.0f;  // the graph has its own copy
  CUgraph graph = nullptr;
  ASSERT_EQ(SIMULATED(cuStreamEndCapture)(stream_, &graph), CUDA_SUCCESS);
  EXPECT_EQ(download(y_device, 77), reversed_sums(x, 32, 2.0f)) << "a capture does nothing yet";
  std::size_t nodes = 0;
  ASSERT_EQ(SIMULATED(cuGraphGetNodes)(graph, nullptr, &nodes), CUDA_SUCCESS);
  EXPECT_EQ(nodes, 2u);
  CUgraphExec executable = nullptr;
  ASSERT_EQ(SIMULATED(cuGraphInstantiateWithFlags)(&executable, graph, 0), CUDA_SUCCESS);
  ASSERT_EQ(SIMULATED(cuGraphDestroy)(graph), CUDA_SUCCESS);
  for (const float step : {0.5f, 0.75f}) {
    const std::vector<float> other = ramp(77, step);
    ASSERT_EQ(SIMULATED(cuMemcpyHtoD_v2)(x_device, other.data(), 77 * 4), CUDA_SUCCESS);
    ASSERT_EQ(SIMULATED(cuGraphLaunch)(executable, stream_), CUDA_SUCCESS);
    ASSERT_EQ(SIMULATED(cuStreamSynchronize)(stream_), CUDA_SUCCESS);
    EXPECT_EQ(download(y_device, 77), reversed_sums(other, 32, 2.0f));
  }
  ASSERT_EQ(SIMULATED(cuMemFree_v2)(x_device), CUDA_SUCCESS);
  EXPECT_EQ(SIMULATED(cuGraphLaunch)(executable, stream_), CUDA_ERROR_ILLEGAL_ADDRESS) << "its memory has gone";
}

TEST_F(CudaSimulator, SeveralThreadsLaunchAtOnce) {
  const std::vector<float> x = ramp(1024, 0.25f), expected = reversed_sums(x, 256, 1.0f);
  function("reversed_sums");
  std::vector<int> right(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < right.size(); ++t) {
      threads.emplace_back([&, t] {
        SIMULATED(cuCtxSetCurrent)(context_);
        CUdeviceptr x_device = upload(x);
        for (int i = 0; i < 10; ++i) {
          CUdeviceptr y_device = upload(std::vector<float>(1024, 0.0f));
          unsigned long long n = 1024;
          float scale = 1.0f;
          EXPECT_EQ(launch("reversed_sums", 4, 256, 1, 1024, {&x_device, &y_device, &n, &scale}), CUDA_SUCCESS);
          right[t] += download(y_device, 1024) == expected;
        }
      });
    }
  }
  EXPECT_EQ(right, std::vector<int>(4, 10));
}

TEST_F(CudaSimulator, AWriteBesideAnAllocationIsFoundAndStays) {
  for (const long long place : {16ll, -1ll, 40ll}) {
    CUdeviceptr y = upload(std::vector<float>(16, 0.0f));
    long long inside = 15, outside = place;
    EXPECT_EQ(launch("write_at", 1, 1, 1, 0, {&y, &inside}), CUDA_SUCCESS);
    EXPECT_EQ(launch("write_at", 1, 1, 1, 0, {&y, &outside}), CUDA_ERROR_ILLEGAL_ADDRESS) << place;
    EXPECT_EQ(SIMULATED(cuStreamSynchronize)(stream_), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT_EQ(SIMULATED(cuMemFree_v2)(y), CUDA_ERROR_ILLEGAL_ADDRESS);
    release();
    module_ = nullptr;
    retain();
  }
}

TEST_F(CudaSimulator, OtherAccessesThatADeviceRefusesAreRefused) {
  const auto refused = [&](const std::function<CUresult()>& run) {
    EXPECT_EQ(run(), CUDA_ERROR_ILLEGAL_ADDRESS);
    release();
    module_ = nullptr;
    retain();
  };
  refused([&] {
    CUdeviceptr y = upload({0.0f});
    return launch("past_shared", 1, 8, 1, 32, {&y});
  });
  refused([&] {
    CUdeviceptr x = upload(std::vector<float>(8, 1.0f)), y = upload(std::vector<float>(8, 0.0f));
    EXPECT_EQ(launch("copy_vector", 1, 1, 1, 0, {&x, &y}), CUDA_SUCCESS);
    x += 4;
    return launch("copy_vector", 1, 1, 1, 0, {&x, &y});
  });
  refused([&] {
    float host = 0.0f;
    float* pointer = &host;
    long long place = 0;
    return launch("write_at", 1, 1, 1, 0, {&pointer, &place});
  });
}

TEST_F(CudaSimulator, LaunchesThatCannotBeAreRefused) {
  CUdeviceptr y = upload(std::vector<float>(64, 0.0f));
  long long place = 0;
  EXPECT_EQ(launch("write_at", 0, 1, 1, 0, {&y, &place}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch("write_at", 1, 64, 17, 0, {&y, &place}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch("write_at", 1, 1, 1, 49153, {&y, &place}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(SIMULATED(cuFuncSetAttribute)(function("write_at"), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 232449),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(SIMULATED(cuFuncSetAttribute)(function("write_at"), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 65536), CUDA_SUCCESS);
  EXPECT_EQ(launch("write_at", 1, 1, 1, 65536, {&y, &place}), CUDA_SUCCESS);
  EXPECT_EQ(launch("narrow", 1, 64, 1, 0, {&y}), CUDA_SUCCESS);
  EXPECT_EQ(launch("narrow", 1, 65, 1, 0, {&y}), CUDA_ERROR_INVALID_VALUE);
  CUfunction found = nullptr;
  EXPECT_EQ(SIMULATED(cuModuleGetFunction)(&found, module_, "mangled"), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(SIMULATED(cuModuleGetFunction)(&found, module_, "in_a_comment"), CUDA_ERROR_NOT_FOUND);
}

TEST_F(CudaSimulator, MemoryHasAnEndAndAnOwner) {
  CUdeviceptr pointer = 0, second = 0;
  EXPECT_EQ(SIMULATED(cuMemAlloc_v2)(&pointer, std::size_t{17} << 20), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(SIMULATED(cuMemAlloc_v2)(&pointer, std::size_t{10} << 20), CUDA_SUCCESS);
  EXPECT_EQ(SIMULATED(cuMemAlloc_v2)(&second, std::size_t{10} << 20), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_TRUE(std::isnan(download(pointer, 1).front())) << "nothing has written there";
  float host[4] = {};
  EXPECT_EQ(SIMULATED(cuMemcpyHtoD_v2)(pointer + (10u << 20) - 8, host, 16), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(SIMULATED(cuMemcpyDtoHAsync_v2)(host, pointer - 4, 16, stream_), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(SIMULATED(cuMemFree_v2)(pointer + 256), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(SIMULATED(cuMemFree_v2)(pointer), CUDA_SUCCESS);
  EXPECT_EQ(SIMULATED(cuMemFree_v2)(pointer), CUDA_ERROR_INVALID_VALUE);
  std::size_t free = 0, total = 0;
  EXPECT_EQ(SIMULATED(cuMemGetInfo_v2)(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(free, total);
}

TEST_F(CudaSimulator, ACaptureForbidsWhatWaits) {
  CUdeviceptr y = upload({0.0f});
  float host = 0.0f;
  CUevent event = nullptr;
  ASSERT_EQ(SIMULATED(cuEventCreate)(&event, CU_EVENT_DEFAULT), CUDA_SUCCESS);
  ASSERT_EQ(SIMULATED(cuEventRecord)(event, stream_), CUDA_SUCCESS);
  CUdeviceptr other = 0;
  const std::vector<std::pair<std::function<CUresult()>, CUresult>> cases = {
      {[&] { return SIMULATED(cuStreamSynchronize)(stream_); }, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED},
      {[&] { return SIMULATED(cuMemcpyDtoH_v2)(&host, y, 4); }, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED},
      {[&] { return SIMULATED(cuMemAlloc_v2)(&other, 4); }, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED},
      {[&] { return SIMULATED(cuCtxSynchronize)(); }, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED},
      {[&] { return SIMULATED(cuStreamWaitEvent)(stream_, event, 0); }, CUDA_ERROR_STREAM_CAPTURE_ISOLATION},
  };
  for (const auto& [run, expected] : cases) {
    ASSERT_EQ(SIMULATED(cuStreamBeginCapture_v2)(stream_, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    EXPECT_EQ(run(), expected);
    EXPECT_EQ(SIMULATED(cuMemsetD8Async)(y, 0, 4, stream_), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    CUgraph graph = nullptr;
    EXPECT_EQ(SIMULATED(cuStreamEndCapture)(stream_, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
    EXPECT_EQ(SIMULATED(cuStreamIsCapturing)(stream_, &status), CUDA_SUCCESS);
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
  }
}

TEST_F(CudaSimulator, ADeviceIsLostAfterAsManyLaunchesAsItIsTold) {
  release();
  setenv("ACTSEARCH_SIMULATOR_LOST_AFTER", "2", 1);
  setenv("ACTSEARCH_SIMULATOR_LOST_DEVICE", "1", 1);
  CUcontext second = nullptr;
  ASSERT_EQ(SIMULATED(cuDevicePrimaryCtxRetain)(&second, 1), CUDA_SUCCESS);
  ASSERT_EQ(SIMULATED(cuCtxSetCurrent)(second), CUDA_SUCCESS);
  ASSERT_EQ(SIMULATED(cuStreamCreate)(&stream_, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  const std::vector<unsigned int> zero{0};
  CUdeviceptr counter = upload(zero.data(), 4);
  EXPECT_EQ(launch("count", 1, 32, 1, 0, {&counter}), CUDA_SUCCESS);
  EXPECT_EQ(launch("count", 1, 32, 1, 0, {&counter}), CUDA_SUCCESS);
  EXPECT_EQ(SIMULATED(cuStreamSynchronize)(stream_), CUDA_ERROR_DEVICE_UNAVAILABLE);
  EXPECT_EQ(SIMULATED(cuMemFree_v2)(counter), CUDA_ERROR_DEVICE_UNAVAILABLE);
  retain();
  counter = upload(zero.data(), 4);
  module_ = nullptr;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(launch("count", 1, 32, 1, 0, {&counter}), CUDA_SUCCESS) << "the first device is well";
  unsetenv("ACTSEARCH_SIMULATOR_LOST_DEVICE");
}

TEST_F(CudaSimulator, ACompilationFailsWithTheCompilersWords) {
  nvrtcProgram program = nullptr;
  ASSERT_EQ(SIMULATED(nvrtcCreateProgram)(&program, "int a = no_such_name;", "wrong.cu", 0, nullptr, nullptr), NVRTC_SUCCESS);
  const char* const good = "--gpu-architecture=sm_90";
  const char* const bad = "--gpu-architecture=sm_1";
  EXPECT_EQ(SIMULATED(nvrtcCompileProgram)(program, 1, &bad), NVRTC_ERROR_INVALID_OPTION);
  EXPECT_EQ(SIMULATED(nvrtcCompileProgram)(program, 1, &good), NVRTC_ERROR_COMPILATION);
  std::size_t size = 0;
  ASSERT_EQ(SIMULATED(nvrtcGetProgramLogSize)(program, &size), NVRTC_SUCCESS);
  std::string log(size, '\0');
  ASSERT_EQ(SIMULATED(nvrtcGetProgramLog)(program, log.data()), NVRTC_SUCCESS);
  EXPECT_NE(log.find("wrong.cu:1"), std::string::npos) << log;
  EXPECT_NE(log.find("no_such_name"), std::string::npos) << log;
  EXPECT_EQ(SIMULATED(nvrtcDestroyProgram)(&program), NVRTC_SUCCESS);
}

/// A backend descriptor and its owner.
class Backend {
 public:
  explicit Backend(cudnnBackendDescriptorType_t type) {
    EXPECT_EQ(SIMULATED(cudnnBackendCreateDescriptor)(type, &handle_), CUDNN_STATUS_SUCCESS);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  ~Backend() { SIMULATED(cudnnBackendDestroyDescriptor)(handle_); }
  template <class T>
  Backend& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::vector<T> values) {
    EXPECT_EQ(SIMULATED(cudnnBackendSetAttribute)(handle_, name, type, static_cast<std::int64_t>(values.size()), values.data()),
              CUDNN_STATUS_SUCCESS);
    return *this;
  }
  Backend& refer(cudnnBackendAttributeName_t name, const Backend& other) {
    return set<cudnnBackendDescriptor_t>(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, {other.handle_});
  }
  void finalize() { EXPECT_EQ(SIMULATED(cudnnBackendFinalize)(handle_), CUDNN_STATUS_SUCCESS); }
  cudnnBackendDescriptor_t get() const { return handle_; }

 private:
  cudnnBackendDescriptor_t handle_ = nullptr;
};

constexpr auto kDataType = CUDNN_TYPE_DATA_TYPE;
constexpr auto kInt64 = CUDNN_TYPE_INT64;

/// One convolution through the heuristic's deterministic engine.
class Convolver {
 public:
  /// The operation's attributes: alpha, beta, convolution, x, w, y.
  struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t alpha, beta, convolution, x, w, y;
  };
  Convolver(cudnnHandle_t handle, const Names& names, cudnnDataType_t type) : handle_(handle), workspace_(0) {
    tensor(x_, 1, {2, 3, 5, 5}, {75, 1, 15, 3}, type);  // N, H, W, C in memory
    tensor(w_, 2, {4, 3, 3, 3}, {27, 1, 9, 3}, type);
    tensor(y_, 3, {2, 4, 5, 5}, {100, 1, 20, 4}, type);
    const std::vector<std::int64_t> one{1, 1};
    convolution_.set<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, kDataType, {CUDNN_DATA_FLOAT})
        .set<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, {CUDNN_CROSS_CORRELATION})
        .set<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, kInt64, {2})
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, kInt64, one)
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, kInt64, one)
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, kInt64, one)
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, kInt64, one)
        .finalize();
    Backend operation(names.type);
    operation.set<float>(names.alpha, CUDNN_TYPE_FLOAT, {1.0f}).set<float>(names.beta, CUDNN_TYPE_FLOAT, {0.0f});
    operation.refer(names.convolution, convolution_).refer(names.x, x_).refer(names.w, w_).refer(names.y, y_).finalize();
    graph_.set<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, {handle});
    graph_.refer(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation).finalize();
    choose();
    plan_.set<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, {handle});
    plan_.refer(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config_).finalize();
    SIMULATED(cudnnBackendGetAttribute)
    (plan_.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, kInt64, 1, nullptr, &workspace_);
  }
  std::int64_t workspace() const { return workspace_; }
  std::size_t notes() const { return notes_; }

  cudnnStatus_t run(CUdeviceptr x, CUdeviceptr w, CUdeviceptr y, CUdeviceptr workspace) const {
    Backend pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, kInt64, {1, 2, 3});
    pack.set<CUdeviceptr>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, {x, w, y});
    pack.set<CUdeviceptr>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, {workspace}).finalize();
    return SIMULATED(cudnnBackendExecute)(handle_, plan_.get(), pack.get());
  }

 private:
  static void tensor(Backend& tensor, std::int64_t uid, std::vector<std::int64_t> dims, std::vector<std::int64_t> strides,
                     cudnnDataType_t type) {
    tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, kInt64, {uid})
        .set<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kInt64, {16})
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, kInt64, std::move(dims))
        .set(CUDNN_ATTR_TENSOR_STRIDES, kInt64, std::move(strides))
        .set<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE, kDataType, {type})
        .finalize();
  }
  /// The first engine that gives the same result twice.
  void choose() {
    Backend heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristic.set<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, {CUDNN_HEUR_MODE_A});
    heuristic.refer(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_).finalize();
    const auto get = SIMULATED(cudnnBackendGetAttribute);
    std::int64_t count = 0;
    EXPECT_EQ(get(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(count, 2);
    Backend first(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    cudnnBackendDescriptor_t configs[] = {first.get(), config_.get()};
    EXPECT_EQ(get(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 2, &count, configs), CUDNN_STATUS_SUCCESS);
    for (int i = 0; i < 2; ++i) {
      Backend engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
      cudnnBackendDescriptor_t handle = engine.get();
      EXPECT_EQ(get(configs[i], CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &handle), CUDNN_STATUS_SUCCESS);
      cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
      EXPECT_EQ(get(handle, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, notes),
                CUDNN_STATUS_SUCCESS);
      EXPECT_EQ(i == 0, count > 0 && notes[0] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
      if (i == 1) notes_ = static_cast<std::size_t>(count);
    }
  }

  cudnnHandle_t handle_;
  std::int64_t workspace_;
  std::size_t notes_ = 0;
  Backend x_{CUDNN_BACKEND_TENSOR_DESCRIPTOR}, w_{CUDNN_BACKEND_TENSOR_DESCRIPTOR}, y_{CUDNN_BACKEND_TENSOR_DESCRIPTOR};
  Backend convolution_{CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR}, graph_{CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR};
  Backend config_{CUDNN_BACKEND_ENGINECFG_DESCRIPTOR}, plan_{CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR};
};

const Convolver::Names kForward = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
const Convolver::Names kData = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
const Convolver::Names kFilter = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};

/// f(place in x, in w, in y) for every product that the convolution of 2×3×5×5 by 4×3×3×3 has.
template <class F>
void each_product(F&& f) {
  for (int n = 0; n < 2; ++n) {
    for (int k = 0; k < 4; ++k) {
      for (int i = 0; i < 25 * 27; ++i) {
        const int p = i / 135, q = i / 27 % 5, r = i / 9 % 3, s = i / 3 % 3, c = i % 3, h = p + r - 1, v = q + s - 1;
        if (h < 0 || h > 4 || v < 0 || v > 4) continue;
        f(static_cast<std::size_t>(n * 75 + h * 15 + v * 3 + c), static_cast<std::size_t>(k * 27 + r * 9 + s * 3 + c),
          static_cast<std::size_t>(n * 100 + p * 20 + q * 4 + k));
      }
    }
  }
}

// Multiples of 1/4 below 8: every sum is exact, in any order.
TEST_F(CudaSimulator, ConvolutionsAreThoseOfAPlainLoop) {
  cudnnHandle_t handle = nullptr;
  ASSERT_EQ(SIMULATED(cudnnCreate)(&handle), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(SIMULATED(cudnnSetStream)(handle, stream_), CUDNN_STATUS_SUCCESS);
  const std::vector<float> x = ramp(150, 0.25f), w = ramp(108, 0.5f), y = ramp(200, 0.75f);
  std::vector<float> dx(150), dw(108), out(200);
  each_product([&](std::size_t i, std::size_t j, std::size_t k) {
    out[k] += x[i] * w[j];
    dx[i] += y[k] * w[j];
    dw[j] += y[k] * x[i];
  });
  const std::vector<float> nothing(256, NAN);
  const CUdeviceptr work = upload(nothing);
  const CUdeviceptr x_device = upload(x), w_device = upload(w), y_device = upload(y);
  {
    const Convolver forward(handle, kForward, CUDNN_DATA_FLOAT), data(handle, kData, CUDNN_DATA_FLOAT),
        filter(handle, kFilter, CUDNN_DATA_FLOAT);
    EXPECT_EQ(forward.notes(), 0u);
    ASSERT_EQ(forward.workspace(), 1024);
    const CUdeviceptr out_device = upload(std::vector<float>(200, NAN)), dx_device = upload(std::vector<float>(150, NAN)),
                      dw_device = upload(std::vector<float>(108, NAN));
    EXPECT_EQ(forward.run(x_device, w_device, out_device, work), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(download(out_device, 200), out);
    EXPECT_EQ(data.run(dx_device, w_device, y_device, work), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(download(dx_device, 150), dx);
    EXPECT_EQ(filter.run(x_device, dw_device, y_device, work), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(download(dw_device, 108), dw);

    EXPECT_EQ(forward.run(x_device, w_device, w_device, work), CUDNN_STATUS_BAD_PARAM) << "too small for y";
    EXPECT_EQ(forward.run(x_device + 4, w_device, out_device, work), CUDNN_STATUS_BAD_PARAM) << "past the end of x";
    EXPECT_EQ(forward.run(x_device, w_device, out_device, work + 256), CUDNN_STATUS_BAD_PARAM) << "too small a workspace";
  }
  EXPECT_EQ(SIMULATED(cudnnDestroy)(handle), CUDNN_STATUS_SUCCESS);
}

TEST_F(CudaSimulator, AConvolutionOfBf16IsRecordedAndRounds) {
  cudnnHandle_t handle = nullptr;
  ASSERT_EQ(SIMULATED(cudnnCreate)(&handle), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(SIMULATED(cudnnSetStream)(handle, stream_), CUDNN_STATUS_SUCCESS);
  const auto narrow = [](const std::vector<float>& values) {
    std::vector<std::uint16_t> bits;
    for (const float value : values) bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
    return bits;
  };
  const std::vector<float> x = ramp(150, 0.25f), w = ramp(108, 0.5f);
  std::vector<float> out(200);
  each_product([&](std::size_t i, std::size_t j, std::size_t k) { out[k] += x[i] * w[j]; });
  const CUdeviceptr x_device = upload(narrow(x).data(), 300), w_device = upload(narrow(w).data(), 216),
                    y_device = upload(std::vector<float>(100, NAN)), work = upload(std::vector<float>(256, NAN));
  {
    const Convolver forward(handle, kForward, CUDNN_DATA_BFLOAT16);
    EXPECT_EQ(forward.notes(), 1u) << "the tensor cores'";
    ASSERT_EQ(SIMULATED(cuStreamBeginCapture_v2)(stream_, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
    ASSERT_EQ(forward.run(x_device, w_device, y_device, work), CUDNN_STATUS_SUCCESS);
  }
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  ASSERT_EQ(SIMULATED(cuStreamEndCapture)(stream_, &graph), CUDA_SUCCESS);
  ASSERT_EQ(SIMULATED(cuGraphInstantiateWithFlags)(&executable, graph, 0), CUDA_SUCCESS);
  EXPECT_TRUE(std::isnan(download(y_device, 1).front()));
  ASSERT_EQ(SIMULATED(cuGraphLaunch)(executable, stream_), CUDA_SUCCESS);
  std::vector<std::uint16_t> got(200);
  ASSERT_EQ(SIMULATED(cuMemcpyDtoH_v2)(got.data(), y_device, 400), CUDA_SUCCESS);
  for (std::size_t i = 0; i < 200; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(got[i]) << 16);
    EXPECT_LE(std::abs(value - out[i]), std::abs(out[i]) / 256) << i;  // half a unit of 8 bits
  }
  EXPECT_EQ(SIMULATED(cudnnDestroy)(handle), CUDNN_STATUS_SUCCESS);
}

TEST_F(CudaSimulator, DescriptorsAreCheckedAttributeByAttribute) {
  const auto set = SIMULATED(cudnnBackendSetAttribute);
  const auto finalize = SIMULATED(cudnnBackendFinalize);
  Backend tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const std::int64_t dims[] = {2, 3, 5, 5}, strides[] = {75, 1, 14, 3};
  EXPECT_EQ(set(tensor.get(), CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 3, dims), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(set(tensor.get(), CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_FLOAT, 4, dims), CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
  EXPECT_EQ(set(tensor.get(), CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dims), CUDNN_STATUS_BAD_PARAM);
  tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, kInt64, {dims, dims + 4});
  tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES, kInt64, {strides, strides + 4});
  tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, kInt64, {7});
  tensor.set<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE, kDataType, {CUDNN_DATA_FLOAT});
  EXPECT_EQ(finalize(tensor.get()), CUDNN_STATUS_BAD_PARAM) << "no alignment";
  tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kInt64, {16});
  EXPECT_EQ(finalize(tensor.get()), CUDNN_STATUS_BAD_PARAM) << "rows that overlap";
  cudnnBackendDescriptor_t handle = tensor.get();
  Backend operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  EXPECT_EQ(set(operation.get(), CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &handle),
            CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  tensor.set<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES, kInt64, {75, 1, 15, 3});
  EXPECT_EQ(finalize(tensor.get()), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(set(operation.get(), CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &handle),
            CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE);
  Backend plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  EXPECT_EQ(finalize(plan.get()), CUDNN_STATUS_BAD_PARAM) << "no handle";
  char message[256] = {};
  SIMULATED(cudnnGetLastErrorString)(message, sizeof message);
  EXPECT_NE(std::strlen(message), 0u);
}

TEST_F(CudaSimulator, AProductIsColumnMajor) {
  cublasLtHandle_t handle = nullptr;
  ASSERT_EQ(SIMULATED(cublasLtCreate)(&handle), CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulDesc_t operation = nullptr;
  ASSERT_EQ(SIMULATED(cublasLtMatmulDescCreate)(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
  const std::int32_t transpose = CUBLAS_OP_T;
  ASSERT_EQ(SIMULATED(cublasLtMatmulDescSetAttribute)(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, sizeof transpose),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(SIMULATED(cublasLtMatmulDescSetAttribute)(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, 8), CUBLAS_STATUS_INVALID_VALUE);
  // A: 5×3 in columns of 6, transposed; B: 5×4; C and D: 3×4.
  cublasLtMatrixLayout_t a_layout = nullptr, b_layout = nullptr, d_layout = nullptr;
  ASSERT_EQ(SIMULATED(cublasLtMatrixLayoutCreate)(&a_layout, CUDA_R_32F, 5, 3, 6), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(SIMULATED(cublasLtMatrixLayoutCreate)(&b_layout, CUDA_R_32F, 5, 4, 5), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(SIMULATED(cublasLtMatrixLayoutCreate)(&d_layout, CUDA_R_32F, 3, 4, 3), CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulPreference_t preference = nullptr;
  ASSERT_EQ(SIMULATED(cublasLtMatmulPreferenceCreate)(&preference), CUBLAS_STATUS_SUCCESS);
  const std::uint64_t most = 8192;
  ASSERT_EQ(SIMULATED(cublasLtMatmulPreferenceSetAttribute)(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most),
            CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulHeuristicResult_t result{};
  int count = 0;
  const auto choose = SIMULATED(cublasLtMatmulAlgoGetHeuristic);
  EXPECT_EQ(choose(handle, operation, b_layout, a_layout, d_layout, d_layout, preference, 1, &result, &count), CUBLAS_STATUS_INVALID_VALUE);
  ASSERT_EQ(choose(handle, operation, a_layout, b_layout, d_layout, d_layout, preference, 1, &result, &count), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(count, 1);

  const std::vector<float> a = ramp(18, 0.25f), b = ramp(20, 0.5f), c = ramp(12, 0.75f);
  std::vector<float> expected(12);
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < 5; ++k) expected[j * 3 + i] += 2.0f * a[i * 6 + k] * b[j * 5 + k];
      expected[j * 3 + i] += 0.5f * c[j * 3 + i];
    }
  }
  const CUdeviceptr a_device = upload(a), b_device = upload(b), c_device = upload(c), work = upload(std::vector<float>(2048, 0.0f));
  const float alpha = 2.0f, beta = 0.5f;
  const auto run = [&](CUdeviceptr left, std::size_t workspace) {
    const auto pointer = [](CUdeviceptr device) { return reinterpret_cast<void*>(device); };
    return SIMULATED(cublasLtMatmul)(handle, operation, &alpha, pointer(left), a_layout, pointer(b_device), b_layout, &beta,
                                     pointer(c_device), d_layout, pointer(c_device), d_layout, &result.algo, pointer(work), workspace,
                                     stream_);
  };
  EXPECT_EQ(run(a_device, 0), CUBLAS_STATUS_INVALID_VALUE) << "no workspace";
  EXPECT_EQ(run(a_device + 256, 8192), CUBLAS_STATUS_INVALID_VALUE) << "outside of A";
  ASSERT_EQ(run(a_device, 8192), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(download(c_device, 12), expected);
  for (const cublasLtMatrixLayout_t layout : {a_layout, b_layout, d_layout}) SIMULATED(cublasLtMatrixLayoutDestroy)(layout);
  EXPECT_EQ(SIMULATED(cublasLtMatmulPreferenceDestroy)(preference), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(SIMULATED(cublasLtMatmulDescDestroy)(operation), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(SIMULATED(cublasLtDestroy)(handle), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(SIMULATED(cublasLtDestroy)(handle), CUBLAS_STATUS_INVALID_VALUE);
}

}  // namespace
}  // namespace actsearch
