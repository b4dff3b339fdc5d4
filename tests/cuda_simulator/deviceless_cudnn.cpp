// cuDNN itself on a machine without a GPU: every call goes on to the real library, which is told the properties of an H200 wherever a
// handle would have told it of a device (deviceless compilation, cuDNN 9.8 and later). Engines are found and plans made; nothing is run.

#include <cudnn.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

namespace {

constexpr const char* kH200 =
    R"({"deviceName":"NVIDIA H200","deviceVer":900,"driverVer":13000,"cudaDeviceId":0,"pciDeviceId":0,"multiProcessorCount":132,)"
    R"("warpSize":32,"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,"maxRegistersPerSM":65536,)"
    R"("maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,"maxCtasPerSM":32,)"
    R"("maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"isTccDriver":0,"supportCoopLaunch":1,"totalGlobalMem":151397597184,)"
    R"("smClockRateKHz":1980000,"memClockRateKHz":3201000,"l2CacheSize":62914560})";

void* library() {
  static void* const loaded = [] {
    void* const handle = dlopen(ACTSEARCH_REAL_CUDNN, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      std::fprintf(stderr, "deviceless cuDNN: %s\n", dlerror());
      std::abort();
    }
    return handle;
  }();
  return loaded;
}

/// The real function of this name and type.
template <class Function>
Function* real(const char* name, Function*) {
  return reinterpret_cast<Function*>(dlsym(library(), name));
}
#define REAL(name) real(#name, &::name)

cudnnBackendDescriptor_t properties() {
  static cudnnBackendDescriptor_t made = [] {
    cudnnBackendDescriptor_t descriptor = nullptr;
    const std::string text = kH200;
    if (REAL(cudnnBackendCreateDescriptor)(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &descriptor) != CUDNN_STATUS_SUCCESS ||
        REAL(cudnnBackendSetAttribute)(descriptor, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                       static_cast<std::int64_t>(text.size()), text.data()) != CUDNN_STATUS_SUCCESS ||
        REAL(cudnnBackendFinalize)(descriptor) != CUDNN_STATUS_SUCCESS) {
      std::fprintf(stderr, "deviceless cuDNN: the device's properties are refused\n");
      std::abort();
    }
    return descriptor;
  }();
  return made;
}

std::mutex mutex;
std::set<void*> heuristics;  ///< descriptors that want to know the device before they are finished
int handle_marker = 0;

/// A refusal is reported, as the test's caller may take it for an answer.
cudnnStatus_t told(cudnnStatus_t status, const char* what, int attribute) {
  if (status != CUDNN_STATUS_SUCCESS) std::fprintf(stderr, "deviceless cuDNN: %s refused, attribute %d: %d\n", what, attribute, status);
  return status;
}

}  // namespace

extern "C" {

std::size_t cudnnGetVersion() { return REAL(cudnnGetVersion)(); }
const char* cudnnGetErrorString(cudnnStatus_t status) { return REAL(cudnnGetErrorString)(status); }
void cudnnGetLastErrorString(char* message, std::size_t size) { REAL(cudnnGetLastErrorString)(message, size); }
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = reinterpret_cast<cudnnHandle_t>(&handle_marker);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t /*handle*/) { return CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t /*handle*/, cudaStream_t /*stream*/) { return CUDNN_STATUS_SUCCESS; }

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  const cudnnStatus_t status = REAL(cudnnBackendCreateDescriptor)(type, descriptor);
  if (status == CUDNN_STATUS_SUCCESS && type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    const std::lock_guard lock(mutex);
    heuristics.insert(*descriptor);
  }
  return told(status, "a descriptor", type);
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(mutex);
  heuristics.erase(descriptor);
  return REAL(cudnnBackendDestroyDescriptor)(descriptor);
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count, const void* values) {
  if (name == CUDNN_ATTR_OPERATIONGRAPH_HANDLE) return CUDNN_STATUS_SUCCESS;
  if (name == CUDNN_ATTR_EXECUTION_PLAN_HANDLE) {
    const cudnnBackendDescriptor_t device = properties();
    return told(REAL(cudnnBackendSetAttribute)(descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device),
                "a plan's device", name);
  }
  return told(REAL(cudnnBackendSetAttribute)(descriptor, name, type, count, values), "a value", name);
}
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t room, std::int64_t* count, void* values) {
  return told(REAL(cudnnBackendGetAttribute)(descriptor, name, type, room, count, values), "a question", name);
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  const bool asks = [&] {
    const std::lock_guard lock(mutex);
    return heuristics.contains(descriptor);
  }();
  if (asks) {
    const cudnnBackendDescriptor_t device = properties();
    told(REAL(cudnnBackendSetAttribute)(descriptor, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device),
         "the heuristics' device", CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
  }
  return REAL(cudnnBackendFinalize)(descriptor);
}
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t /*handle*/, cudnnBackendDescriptor_t /*plan*/, cudnnBackendDescriptor_t /*pack*/) {
  return CUDNN_STATUS_NOT_SUPPORTED;
}

}  // extern "C"
