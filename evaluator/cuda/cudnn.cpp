#include "evaluator/cuda/cudnn.h"

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "kernels/cuda/shared_library.h"

namespace actsearch {
namespace {

/// The functions used.
struct Functions {
  decltype(&::cudnnGetVersion) version;
  decltype(&::cudnnGetErrorString) error_string;
  decltype(&::cudnnGetLastErrorString) last_error;
  decltype(&::cudnnCreate) create;
  decltype(&::cudnnDestroy) destroy;
  decltype(&::cudnnSetStream) set_stream;
  decltype(&::cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&::cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&::cudnnBackendSetAttribute) set;
  decltype(&::cudnnBackendGetAttribute) get;
  decltype(&::cudnnBackendFinalize) finalize;
  decltype(&::cudnnBackendExecute) execute;
};

/// Loaded once and kept.
const Functions& functions() {
  static const Functions loaded = [] {
    static const SharedLibrary library("cuDNN 9", {"libcudnn.so.9"});
    Functions found{};
    library.find("cudnnGetVersion", found.version);
    library.find("cudnnGetErrorString", found.error_string);
    library.find("cudnnGetLastErrorString", found.last_error);
    library.find("cudnnCreate", found.create);
    library.find("cudnnDestroy", found.destroy);
    library.find("cudnnSetStream", found.set_stream);
    library.find("cudnnBackendCreateDescriptor", found.create_descriptor);
    library.find("cudnnBackendDestroyDescriptor", found.destroy_descriptor);
    library.find("cudnnBackendSetAttribute", found.set);
    library.find("cudnnBackendGetAttribute", found.get);
    library.find("cudnnBackendFinalize", found.finalize);
    library.find("cudnnBackendExecute", found.execute);
    return found;
  }();
  return loaded;
}

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> detail{};
  functions().last_error(detail.data(), detail.size());
  const std::string message = std::string("cuDNN: ") + what + ": " + functions().error_string(status) + " " + detail.data();
  if (status == CUDNN_STATUS_ALLOC_FAILED || status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED) throw CudaOutOfMemory(message);
  throw CudaError(message);
}

/// The type by which cuDNN knows a C++ type's values.
template <class T>
constexpr cudnnBackendAttributeType_t kTypeOf = CUDNN_TYPE_INT64;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<float> = CUDNN_TYPE_FLOAT;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<void*> = CUDNN_TYPE_VOID_PTR;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<cudnnConvolutionMode_t> = CUDNN_TYPE_CONVOLUTION_MODE;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
constexpr cudnnBackendAttributeType_t kTypeOf<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;

/// A descriptor of cuDNN's graph interface, with its owner.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t made = nullptr;
    check(functions().create_descriptor(type, &made), "create a descriptor");
    handle_.reset(made);
  }
  cudnnBackendDescriptor_t handle() const { return static_cast<cudnnBackendDescriptor_t>(handle_.get()); }

  template <class T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    check(functions().set(handle(), name, kTypeOf<T>, 1, &value), "describe a convolution");
  }
  template <class T, std::size_t N>
  void set(cudnnBackendAttributeName_t name, const std::array<T, N>& values) {
    check(functions().set(handle(), name, kTypeOf<T>, N, values.data()), "describe a convolution");
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    const cudnnBackendDescriptor_t other = value.handle();
    check(functions().set(handle(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &other), "describe a convolution");
  }
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, std::size_t room) const {
    std::vector<T> values(room);
    std::int64_t count = 0;
    check(functions().get(handle(), name, kTypeOf<T>, static_cast<std::int64_t>(room), &count, values.data()), "ask about an engine");
    values.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, static_cast<std::int64_t>(room))));
    return values;
  }
  /// False where cuDNN refuses, which for engines is an answer and no error.
  bool try_finalize() { return functions().finalize(handle()) == CUDNN_STATUS_SUCCESS; }
  void finalize() { check(functions().finalize(handle()), "describe a convolution"); }

 private:
  struct Destroy {
    void operator()(void* handle) const { functions().destroy_descriptor(static_cast<cudnnBackendDescriptor_t>(handle)); }
  };
  std::unique_ptr<void, Destroy> handle_;
};

constexpr std::int64_t kX = 1, kW = 2, kY = 3;  // the tensors' names in a graph

/// dims are n, c, h, w; in memory c is innermost.
Descriptor tensor(std::int64_t id, Storage storage, const std::array<std::int64_t, 4>& dims) {
  Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const auto [n, c, h, w] = dims;
  static_cast<void>(n);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, storage == Storage::kBf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT);
  made.set(CUDNN_ATTR_TENSOR_DIMENSIONS, dims);
  made.set(CUDNN_ATTR_TENSOR_STRIDES, std::array<std::int64_t, 4>{h * w * c, 1, w * c, c});
  made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  made.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
  made.finalize();
  return made;
}

Descriptor convolution(const CudaConvolutionShape& shape) {
  using Two = std::array<std::int64_t, 2>;
  Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  made.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  made.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Two{shape.padding, shape.padding});
  made.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Two{shape.padding, shape.padding});
  made.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Two{1, 1});
  made.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Two{shape.stride, shape.stride});
  made.finalize();
  return made;
}

/// The attributes of one kind of operation.
struct OperationWords {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};
OperationWords words(ConvolutionPass pass) {
  switch (pass) {
    case ConvolutionPass::kForward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvolutionPass::kInputGradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvolutionPass::kWeightGradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  }
  throw std::logic_error("cudnn: no such pass");
}

std::string key(ConvolutionPass pass, const CudaConvolutionShape& shape) {
  std::string text = std::to_string(static_cast<int>(pass)) + (shape.storage == Storage::kBf16 ? "b" : "f");
  for (const int number :
       {shape.batch, shape.in_channels, shape.out_channels, shape.side, shape.kernel, shape.stride, shape.padding, shape.groups}) {
    text += " " + std::to_string(number);
  }
  return text;
}

}  // namespace

struct Cudnn::Impl {
  explicit Impl(CudaStream& stream) {
    check(functions().create(&handle), "start");
    check(functions().set_stream(handle, static_cast<cudaStream_t>(stream.handle())), "take the stream");
  }
  ~Impl() { functions().destroy(handle); }
  cudnnHandle_t handle = nullptr;
};

Cudnn::Cudnn(CudaStream& stream) : stream_(stream), impl_(std::make_unique<Impl>(stream)) {}
Cudnn::~Cudnn() = default;

std::string Cudnn::version() {
  const std::size_t number = functions().version();
  return std::to_string(number / 10'000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

/// The graph of one convolution and the plan that runs it.
struct CudnnConvolution::Impl {
  Impl(Cudnn& cudnn_, ConvolutionPass pass, const CudaConvolutionShape& shape)
      : cudnn(cudnn_),
        storage(shape.storage),
        x(tensor(kX, storage, {shape.batch, shape.in_channels, shape.side, shape.side})),
        w(tensor(kW, storage, {shape.out_channels, shape.in_channels / shape.groups, shape.kernel, shape.kernel})),
        y(tensor(kY, storage, {shape.batch, shape.out_channels, shape.output_side(), shape.output_side()})),
        window(convolution(shape)),
        operation(words(pass).type),
        graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    const OperationWords named = words(pass);
    operation.set(named.x, x);
    operation.set(named.w, w);
    operation.set(named.y, y);
    operation.set(named.convolution, window);
    operation.set(named.alpha, 1.0f);
    operation.set(named.beta, 0.0f);
    operation.finalize();
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, cudnn.impl().handle);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    graph.finalize();
    const auto size = [&](int channels, int side) {
      return static_cast<std::size_t>(channels) * static_cast<std::size_t>(side * side) * storage_bytes(storage);
    };
    const auto batch = static_cast<std::size_t>(shape.batch);
    bytes = {batch * size(shape.in_channels, shape.side),
             static_cast<std::size_t>(shape.out_channels) * size(shape.in_channels / shape.groups, shape.kernel),
             batch * size(shape.out_channels, shape.output_side())};
  }

  /// Engines in the order of cuDNN's own guess; the last mode is the one that always has some.
  std::vector<Descriptor> proposals() const {
    std::vector<Descriptor> all;
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
      Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
      heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
      heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
      if (!heuristics.try_finalize()) continue;
      constexpr std::int64_t kRoom = 64;  // in fp32 the engines that round nothing come late: from place 25 on
      std::vector<Descriptor> found;
      std::vector<cudnnBackendDescriptor_t> handles;
      for (std::int64_t i = 0; i < kRoom; ++i) handles.push_back(found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).handle());
      std::int64_t count = 0;
      check(
          functions().get(heuristics.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, kRoom, &count, handles.data()),
          "list engines");
      for (std::int64_t i = 0; i < std::min(count, kRoom); ++i) all.push_back(std::move(found[static_cast<std::size_t>(i)]));
    }
    return all;
  }

  bool acceptable(const Descriptor& config) const {
    Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t handle = engine.handle();
    std::int64_t count = 0;
    check(functions().get(config.handle(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &handle),
          "ask about an engine");
    const auto notes = engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    const auto has = [&](cudnnBackendNumericalNote_t note) { return std::find(notes.begin(), notes.end(), note) != notes.end(); };
    if (has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
    // Fourier engines want 100 to 200 MB of memory for each network, and their errors spread over an image.
    if (has(CUDNN_NUMERICAL_NOTE_FFT)) return false;
    const bool shortened = has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
    return storage == Storage::kBf16 || !shortened;
  }

  /// False where cuDNN does not support the engine here or it wants too much memory.
  bool take(const Descriptor& config) {
    if (!acceptable(config)) return false;
    auto made = std::make_unique<Descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    made->set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, cudnn.impl().handle);
    made->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (!made->try_finalize()) return false;
    const auto needed = made->get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 1);
    constexpr std::int64_t kMostWorkspace = 256 << 20;
    if (needed.empty() || needed[0] > kMostWorkspace) return false;
    plan = std::move(made);
    workspace = static_cast<std::size_t>(std::max<std::int64_t>(needed[0], 0));
    return true;
  }

  void run(CudaAddress x_at, CudaAddress w_at, CudaAddress y_at, CudaAddress workspace_at) const {
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    const auto pointer = [](CudaAddress address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); };
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::array<std::int64_t, 3>{kX, kW, kY});
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::array<void*, 3>{pointer(x_at), pointer(w_at), pointer(y_at)});
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, pointer(workspace_at));
    pack.finalize();
    check(functions().execute(cudnn.impl().handle, plan->handle(), pack.handle()), "run a convolution");
  }

  /// Seconds of the plan at hand over zeroed tensors: the fastest of a few graphs of several calls, as a single one of some microseconds
  /// would be timed as its submission. Infinity for an engine that cannot run after all.
  double measure(const std::array<CudaMemory, 3>& tensors) const {
    constexpr int kCalls = 20, kRepetitions = 3;
    const CudaMemory room(workspace);
    const auto once = [&] { run(tensors[0].address(), tensors[1].address(), tensors[2].address(), room.address()); };
    double best = std::numeric_limits<double>::infinity();
    try {
      once();  // loads its code, which a recording does not allow
      const CudaGraph calls = cudnn.stream().record([&] {
        for (int i = 0; i < kCalls; ++i) once();
      });
      CudaTimer timer;
      for (int i = 0; i < kRepetitions; ++i) {
        timer.start(cudnn.stream());
        cudnn.stream().launch(calls);
        best = std::min(best, timer.stop_seconds(cudnn.stream()) / kCalls);
      }
    } catch (const CudaOutOfMemory&) {
      throw;
    } catch (const CudaError&) {
      return std::numeric_limits<double>::infinity();
    }
    return best;
  }

  int fastest(const std::vector<Descriptor>& configs) {
    std::array<CudaMemory, 3> tensors{CudaMemory(bytes[0]), CudaMemory(bytes[1]), CudaMemory(bytes[2])};
    for (const CudaMemory& memory : tensors) cudnn.stream().set_zero(memory.address(), memory.size());
    constexpr int kMost = 10;  // of the guesses, best first
    int chosen = -1, tried = 0;
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < configs.size() && tried < kMost; ++i) {
      if (!take(configs[i])) continue;
      ++tried;
      const double seconds = measure(tensors);
      if (seconds >= best) continue;
      best = seconds;
      chosen = static_cast<int>(i);
    }
    return chosen;
  }

  Cudnn& cudnn;
  Storage storage;
  Descriptor x, w, y, window, operation, graph;
  std::array<std::size_t, 3> bytes{};  ///< of x, w and y
  std::unique_ptr<Descriptor> plan;
  std::size_t workspace = 0;
};

CudnnConvolution::CudnnConvolution(Cudnn& cudnn, ConvolutionPass pass, const CudaConvolutionShape& shape, EngineChoices& choices)
    : impl_(std::make_unique<Impl>(cudnn, pass, shape)) {
  const std::vector<Descriptor> configs = impl_->proposals();
  const std::string name = key(pass, shape);
  const std::lock_guard lock(choices.mutex_);  // also keeps two measurements apart
  const auto known = choices.places_.find(name);
  if (known != choices.places_.end() && static_cast<std::size_t>(known->second) < configs.size() &&
      impl_->take(configs[static_cast<std::size_t>(known->second)])) {
    return;
  }
  const auto none = static_cast<int>(configs.size());
  int chosen = none;
  if (choices.deterministic_) {
    for (chosen = 0; chosen < none && !impl_->take(configs[static_cast<std::size_t>(chosen)]); ++chosen) {
    }
  } else if (const int found = impl_->fastest(configs); found >= 0 && impl_->take(configs[static_cast<std::size_t>(found)])) {
    chosen = found;
  }
  if (chosen == none) throw CudaError("cuDNN has no engine for the convolution " + name);
  choices.places_[name] = chosen;
}
CudnnConvolution::~CudnnConvolution() = default;
CudnnConvolution::CudnnConvolution(CudnnConvolution&&) noexcept = default;

std::size_t CudnnConvolution::workspace_bytes() const { return impl_->workspace; }
void CudnnConvolution::run(CudaAddress x, CudaAddress w, CudaAddress y, CudaAddress workspace) { impl_->run(x, w, y, workspace); }

}  // namespace actsearch
