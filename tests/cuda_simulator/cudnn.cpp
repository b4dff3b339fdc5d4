/// libcudnn.so.9 for machines without a GPU: the backend interface, for graphs of one convolution.

#include <cudnn.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "tests/cuda_simulator/convolution.h"
#include "tests/cuda_simulator/simulator.h"

struct cudnnContext {
  CUcontext context;
  CUstream stream = nullptr;
};

namespace cuda_simulator {
namespace {

struct Refusal {
  cudnnStatus_t status;
  std::string what;
};
[[noreturn]] void refuse(cudnnStatus_t status, std::string what) { throw Refusal{status, std::move(what)}; }
void require(bool holds, cudnnStatus_t otherwise, const char* what) {
  if (!holds) throw Refusal{otherwise, what};
}

std::string& last_error() {
  static thread_local std::string message;
  return message;
}

template <class F>
cudnnStatus_t answer(const char* call, F&& f) noexcept {
  std::string what;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  try {
    f();
    return status;
  } catch (const Refusal& refusal) {
    status = refusal.status;
    what = refusal.what;
  } catch (const std::exception& error) {
    status = CUDNN_STATUS_INTERNAL_ERROR;
    what = error.what();
  }
  last_error() = std::string(call) + ": " + what;
  simulator_say(last_error());
  return status;
}

// What descriptors are made of.

struct Descriptor;
using Reference = std::shared_ptr<Descriptor>;

struct Value {
  std::int64_t count = 0;
  std::vector<unsigned char> bytes;
  std::vector<Reference> references;
};

struct Descriptor {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Value> values;

  bool has(cudnnBackendAttributeName_t name) const { return values.count(name) != 0; }
  template <class T>
  T get(cudnnBackendAttributeName_t name, std::size_t place = 0) const {
    T value;
    std::memcpy(&value, values.at(name).bytes.data() + place * sizeof value, sizeof value);
    return value;
  }
  const Reference& reference(cudnnBackendAttributeName_t name) const { return values.at(name).references.front(); }
  void set(cudnnBackendAttributeName_t name, std::int64_t value) {
    Value& stored = values[name];
    stored.count = 1;
    stored.bytes.resize(sizeof value);
    std::memcpy(stored.bytes.data(), &value, sizeof value);
  }
  void set(cudnnBackendAttributeName_t name, Reference value) { values[name] = {1, {}, {std::move(value)}}; }
};

/// What an attribute has to be. A descriptor of any type that is not among these rows is not simulated.
struct Rule {
  cudnnBackendDescriptorType_t of;
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  std::int64_t least, most;
  bool required;
  std::vector<cudnnBackendDescriptorType_t> refers_to = {};
};

constexpr std::int64_t kMany = 64;

const std::vector<Rule>& rules() {
  constexpr auto kTensor = CUDNN_BACKEND_TENSOR_DESCRIPTOR, kConvolution = CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
                 kForward = CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                 kData = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                 kFilter = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, kGraph = CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
                 kHeuristic = CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, kEngine = CUDNN_BACKEND_ENGINE_DESCRIPTOR,
                 kConfig = CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kPlan = CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
                 kPack = CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;
  constexpr auto kRefers = CUDNN_TYPE_BACKEND_DESCRIPTOR;
  static const std::vector<Rule> table = {
      {kTensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, 1, true},
      {kTensor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
      {kTensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, 4, true},
      {kTensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, 4, true},
      {kTensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, 1, true},
      {kTensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, 1, false},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, 1, true},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, 2, true},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, 2, true},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, 2, true},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, 2, true},
      {kConvolution, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, 1, true},
      {kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, 1, true},
      {kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, 1, true},
      {kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, kRefers, 1, 1, true, {kConvolution}},
      {kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, kRefers, 1, 1, true, {kTensor}},
      {kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, kRefers, 1, 1, true, {kTensor}},
      {kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, kRefers, 1, 1, true, {kTensor}},
      {kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, 1, 1, true},
      {kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, 1, 1, true},
      {kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, kRefers, 1, 1, true, {kConvolution}},
      {kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, kRefers, 1, 1, true, {kTensor}},
      {kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, kRefers, 1, 1, true, {kTensor}},
      {kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, kRefers, 1, 1, true, {kTensor}},
      {kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_TYPE_FLOAT, 1, 1, true},
      {kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_TYPE_FLOAT, 1, 1, true},
      {kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, kRefers, 1, 1, true, {kConvolution}},
      {kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, kRefers, 1, 1, true, {kTensor}},
      {kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, kRefers, 1, 1, true, {kTensor}},
      {kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, kRefers, 1, 1, true, {kTensor}},
      {kGraph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, 1, true},
      {kGraph, CUDNN_ATTR_OPERATIONGRAPH_OPS, kRefers, 1, 1, true, {kForward, kData, kFilter}},
      {kHeuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, 1, true},
      {kHeuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, kRefers, 1, 1, true, {kGraph}},
      {kEngine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, 1, true},
      {kEngine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, kRefers, 1, 1, true, {kGraph}},
      {kConfig, CUDNN_ATTR_ENGINECFG_ENGINE, kRefers, 1, 1, true, {kEngine}},
      {kPlan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, 1, true},
      {kPlan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, kRefers, 1, 1, true, {kConfig}},
      {kPack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 1, kMany, true},
      {kPack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 1, kMany, true},
      {kPack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, 1, false},
  };
  return table;
}

const Rule* find_rule(cudnnBackendDescriptorType_t of, cudnnBackendAttributeName_t name) {
  const auto at = std::find_if(rules().begin(), rules().end(), [&](const Rule& rule) { return rule.of == of && rule.name == name; });
  return at == rules().end() ? nullptr : &*at;
}

/// Of one element; 0 for types that no rule has.
std::size_t size_of(cudnnBackendAttributeType_t type) {
  static const std::map<cudnnBackendAttributeType_t, std::size_t> sizes = {
      {CUDNN_TYPE_HANDLE, sizeof(cudnnHandle_t)},
      {CUDNN_TYPE_DATA_TYPE, sizeof(cudnnDataType_t)},
      {CUDNN_TYPE_BOOLEAN, sizeof(bool)},
      {CUDNN_TYPE_INT64, sizeof(std::int64_t)},
      {CUDNN_TYPE_FLOAT, sizeof(float)},
      {CUDNN_TYPE_DOUBLE, sizeof(double)},
      {CUDNN_TYPE_VOID_PTR, sizeof(void*)},
      {CUDNN_TYPE_CONVOLUTION_MODE, sizeof(cudnnConvolutionMode_t)},
      {CUDNN_TYPE_HEUR_MODE, sizeof(cudnnBackendHeurMode_t)},
      {CUDNN_TYPE_BACKEND_DESCRIPTOR, sizeof(cudnnBackendDescriptor_t)},
      {CUDNN_TYPE_NUMERICAL_NOTE, sizeof(cudnnBackendNumericalNote_t)},
      {CUDNN_TYPE_BEHAVIOR_NOTE, sizeof(cudnnBackendBehaviorNote_t)},
  };
  const auto at = sizes.find(type);
  return at == sizes.end() ? 0 : at->second;
}

struct Library {
  std::mutex mutex;
  std::map<cudnnHandle_t, std::unique_ptr<cudnnContext>> handles;
  std::map<cudnnBackendDescriptor_t, Reference> descriptors;
};
Library& library() {
  // Never destroyed: owners that live to the end of the process still give back what they hold.
  static Library& all = *std::make_unique<Library>().release();
  return all;
}

cudnnContext& context_of(cudnnHandle_t handle) {
  const auto at = library().handles.find(handle);
  require(at != library().handles.end(), CUDNN_STATUS_NOT_INITIALIZED, "no live handle");
  CUcontext current = nullptr;
  cuCtxGetCurrent(&current);
  require(current == at->second->context, CUDNN_STATUS_BAD_PARAM, "the handle is of another context than the current one");
  return *at->second;
}
const Reference& find(cudnnBackendDescriptor_t descriptor) {
  const auto at = library().descriptors.find(descriptor);
  require(at != library().descriptors.end(), CUDNN_STATUS_BAD_PARAM, "no live descriptor");
  return at->second;
}

// What finalized descriptors mean.

Tensor tensor_of(const Descriptor& descriptor) {
  Tensor tensor{};
  for (std::size_t i = 0; i < 4; ++i) {
    tensor.dims[i] = descriptor.get<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, i);
    tensor.strides[i] = descriptor.get<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES, i);
  }
  tensor.type = descriptor.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_FLOAT ? Number::kFloat : Number::kBf16;
  tensor.alignment = descriptor.get<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  tensor.uid = descriptor.get<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
  return tensor;
}

/// The attributes of the three operations, by role.
struct OperationNames {
  cudnnBackendDescriptorType_t type;
  Pass pass;
  cudnnBackendAttributeName_t alpha, beta, convolution, x, w, y;
};
const OperationNames* find_operation(cudnnBackendDescriptorType_t type) {
  static constexpr OperationNames table[] = {
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, Pass::kForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, Pass::kData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, Pass::kFilter, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
  };
  for (const OperationNames& row : table) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

Convolution convolution_of(const Descriptor& operation) {
  const OperationNames& names = *find_operation(operation.type);
  const Descriptor& described = *operation.reference(names.convolution);
  Convolution convolution{};
  convolution.pass = names.pass;
  for (std::size_t i = 0; i < 2; ++i) {
    convolution.pre[i] = described.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i);
    convolution.post[i] = described.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, i);
    convolution.stride[i] = described.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, i);
    convolution.dilation[i] = described.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, i);
  }
  convolution.x = tensor_of(*operation.reference(names.x));
  convolution.w = tensor_of(*operation.reference(names.w));
  convolution.y = tensor_of(*operation.reference(names.y));
  convolution.alpha = operation.get<float>(names.alpha);
  convolution.beta = operation.get<float>(names.beta);
  return convolution;
}

/// Of an engine, engine configuration or execution plan.
const Descriptor& engine_of(const Descriptor& descriptor) {
  if (descriptor.type == CUDNN_BACKEND_ENGINE_DESCRIPTOR) return descriptor;
  if (descriptor.type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) return *descriptor.reference(CUDNN_ATTR_ENGINECFG_ENGINE);
  return engine_of(*descriptor.reference(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG));
}
const Descriptor& graph_of(const Descriptor& engine) { return *engine.reference(CUDNN_ATTR_ENGINE_OPERATION_GRAPH); }
const Descriptor& operation_of(const Descriptor& graph) { return *graph.reference(CUDNN_ATTR_OPERATIONGRAPH_OPS); }

// The two engines: the first is what a caller that wants the same result twice must not take, the second needs a workspace.
constexpr std::int64_t kEngines = 2, kNondeterministic = 0;
std::int64_t index_of(const Descriptor& engine) { return engine.get<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX); }
std::size_t workspace_of(const Descriptor& engine) { return index_of(engine) == kNondeterministic ? 0 : 1024; }

std::vector<cudnnBackendNumericalNote_t> numerical_notes(const Descriptor& engine) {
  if (index_of(engine) == kNondeterministic) return {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
  if (convolution_of(operation_of(graph_of(engine))).x.type == Number::kBf16) return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
  return {};
}
std::vector<cudnnBackendBehaviorNote_t> behavior_notes(const Descriptor& engine) {
  if (index_of(engine) == kNondeterministic) return {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION};
  return {};
}

// What Finalize checks, beyond the table.

void check_tensor(const Descriptor& descriptor) {
  const auto type = descriptor.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  require(type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_BFLOAT16, CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "a tensor is float or bfloat16");
  if (descriptor.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL)) {
    require(!descriptor.get<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL), CUDNN_STATUS_NOT_SUPPORTED, "virtual tensors are not simulated");
  }
  const Tensor tensor = tensor_of(descriptor);
  for (std::size_t i = 0; i < 4; ++i) {
    require(tensor.dims[i] > 0 && tensor.strides[i] > 0, CUDNN_STATUS_BAD_PARAM, "a dimension or stride is not positive");
  }
  require(tensor.injective(), CUDNN_STATUS_BAD_PARAM, "two elements of the tensor share a place");
  const bool power_of_two = tensor.alignment > 0 && (tensor.alignment & (tensor.alignment - 1)) == 0;
  require(power_of_two && tensor.alignment % static_cast<std::int64_t>(bytes_of(tensor.type)) == 0, CUDNN_STATUS_BAD_PARAM,
          "the alignment is no power of two, or less than an element");
}

void check_convolution(const Descriptor& descriptor) {
  require(descriptor.get<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) == CUDNN_DATA_FLOAT, CUDNN_STATUS_NOT_SUPPORTED,
          "a convolution is computed in float");
  require(descriptor.get<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION, CUDNN_STATUS_NOT_SUPPORTED,
          "only cross-correlation is simulated");
  require(descriptor.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) == 2, CUDNN_STATUS_NOT_SUPPORTED, "not two spatial dimensions");
  for (std::size_t i = 0; i < 2; ++i) {
    require(descriptor.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i) >= 0 &&
                descriptor.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, i) >= 0,
            CUDNN_STATUS_BAD_PARAM, "a padding is negative");
    require(descriptor.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, i) > 0 &&
                descriptor.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, i) > 0,
            CUDNN_STATUS_BAD_PARAM, "a stride or dilation is not positive");
  }
}

void check_operation(const Descriptor& descriptor) {
  const Convolution convolution = convolution_of(descriptor);
  if (const std::string wrong = convolution.mismatch(); !wrong.empty()) refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, wrong);
  const Tensor &x = convolution.x, &w = convolution.w, &y = convolution.y;
  require(x.uid != w.uid && x.uid != y.uid && w.uid != y.uid, CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "two tensors have one unique id");
  const Number inputs = convolution.pass == Pass::kForward ? x.type : y.type;
  require(convolution.pass == Pass::kData     ? w.type == inputs
          : convolution.pass == Pass::kFilter ? x.type == inputs
                                              : w.type == inputs,
          CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "the inputs have different types");
  require(convolution.output().type == inputs || convolution.output().type == Number::kFloat, CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE,
          "the output is narrower than the inputs");
}

/// The handle that an attribute holds has to live, and its context to be current.
void check_handle(const Descriptor& descriptor, cudnnBackendAttributeName_t name) { context_of(descriptor.get<cudnnHandle_t>(name)); }

void check_plan(const Descriptor& descriptor) {
  check_handle(descriptor, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
  const Descriptor& graph = graph_of(engine_of(descriptor));
  require(descriptor.get<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) == graph.get<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE),
          CUDNN_STATUS_BAD_PARAM, "the plan and its operation graph have different handles");
}

void check_pack(const Descriptor& descriptor) {
  const Value& ids = descriptor.values.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const Value& pointers = descriptor.values.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  require(ids.count == pointers.count, CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "not as many pointers as unique ids");
  std::set<std::int64_t> seen;
  for (std::int64_t i = 0; i < ids.count; ++i) {
    const auto place = static_cast<std::size_t>(i);
    require(seen.insert(descriptor.get<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, place)).second,
            CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "a unique id comes twice");
    require(descriptor.get<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, place) != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
            "a data pointer is null");
  }
}

void check(const Descriptor& descriptor) {
  for (const Rule& rule : rules()) {
    if (rule.of == descriptor.type && rule.required && !descriptor.has(rule.name)) {
      refuse(CUDNN_STATUS_BAD_PARAM, "attribute " + std::to_string(rule.name) + " has not been set");
    }
  }
  if (find_operation(descriptor.type)) return check_operation(descriptor);
  if (descriptor.type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) check_tensor(descriptor);
  if (descriptor.type == CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR) check_convolution(descriptor);
  if (descriptor.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) check_handle(descriptor, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
  if (descriptor.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    const auto mode = descriptor.get<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE);
    require(mode == CUDNN_HEUR_MODE_A || mode == CUDNN_HEUR_MODE_B || mode == CUDNN_HEUR_MODE_FALLBACK || mode == CUDNN_HEUR_MODE_INSTANT,
            CUDNN_STATUS_BAD_PARAM, "no such mode of the heuristic");
  }
  if (descriptor.type == CUDNN_BACKEND_ENGINE_DESCRIPTOR) {
    require(index_of(descriptor) >= 0 && index_of(descriptor) < kEngines, CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "no such engine");
  }
  if (descriptor.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) check_plan(descriptor);
  if (descriptor.type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR) check_pack(descriptor);
}

// What can be read from finalized descriptors, beyond what was set.

/// Writes as many as were asked for, and says how many there are.
template <class T>
void give(const std::vector<T>& all, std::int64_t requested, std::int64_t* count, void* elements) {
  if (count) *count = static_cast<std::int64_t>(all.size());
  const std::size_t bytes = std::min(all.size(), static_cast<std::size_t>(requested)) * sizeof(T);
  require(bytes == 0 || elements, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no room for the elements");
  if (bytes > 0) std::memcpy(elements, all.data(), bytes);
}

/// The caller's descriptor of that type, not finalized, at a place of an array.
Descriptor& receiver(void* elements, std::int64_t place, cudnnBackendDescriptorType_t type) {
  const Reference& given = find(static_cast<cudnnBackendDescriptor_t*>(elements)[place]);
  require(given->type == type, CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "the descriptor that receives has another type");
  require(!given->finalized, CUDNN_STATUS_BAD_PARAM, "the descriptor that receives is finalized");
  return *given;
}

void give_results(const Descriptor& heuristic, std::int64_t requested, std::int64_t* count, void* elements) {
  if (count) *count = kEngines;
  for (std::int64_t i = 0; i < std::min(requested, kEngines); ++i) {
    require(elements != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptors to receive the results");
    Descriptor& config = receiver(elements, i, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    auto engine = std::make_shared<Descriptor>(Descriptor{CUDNN_BACKEND_ENGINE_DESCRIPTOR, true, {}});
    engine->set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, i);
    engine->set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, heuristic.reference(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
    config.set(CUDNN_ATTR_ENGINECFG_ENGINE, std::move(engine));
    config.finalized = true;
  }
}

struct Request {
  cudnnBackendAttributeType_t type;
  std::int64_t requested;
  std::int64_t* count;
  void* elements;
};

/// False if the attribute is none that is derived.
bool give_derived(const Descriptor& descriptor, cudnnBackendAttributeName_t name, const Request& request) {
  const auto require_type = [&](cudnnBackendAttributeType_t type) {
    require(request.type == type, CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "the attribute has another type");
  };
  const auto is = [&](cudnnBackendDescriptorType_t type, cudnnBackendAttributeName_t attribute) {
    return descriptor.type == type && name == attribute;
  };
  if (is(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_RESULTS)) {
    require_type(CUDNN_TYPE_BACKEND_DESCRIPTOR);
    give_results(descriptor, request.requested, request.count, request.elements);
  } else if (is(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE)) {
    require_type(CUDNN_TYPE_NUMERICAL_NOTE);
    give(numerical_notes(descriptor), request.requested, request.count, request.elements);
  } else if (is(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE)) {
    require_type(CUDNN_TYPE_BEHAVIOR_NOTE);
    give(behavior_notes(descriptor), request.requested, request.count, request.elements);
  } else if (is(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) ||
             is(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE)) {
    require_type(CUDNN_TYPE_INT64);
    give<std::int64_t>({static_cast<std::int64_t>(workspace_of(engine_of(descriptor)))}, request.requested, request.count,
                       request.elements);
  } else if (is(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT)) {
    require_type(CUDNN_TYPE_INT64);
    give<std::int64_t>({kEngines}, request.requested, request.count, request.elements);
  } else {
    return false;
  }
  return true;
}

void give_set(const Descriptor& descriptor, cudnnBackendAttributeName_t name, const Request& request) {
  const Rule* const rule = find_rule(descriptor.type, name);
  if (!rule) refuse(CUDNN_STATUS_NOT_SUPPORTED, "attribute " + std::to_string(name) + " is not simulated for this descriptor");
  require(request.type == rule->type, CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "the attribute has another type");
  if (!descriptor.has(name)) refuse(CUDNN_STATUS_BAD_PARAM, "attribute " + std::to_string(name) + " has not been set");
  const Value& value = descriptor.values.at(name);
  if (request.count) *request.count = value.count;
  const std::int64_t number = std::min(request.requested, value.count);
  require(number == 0 || request.elements, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no room for the elements");
  if (rule->type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    for (std::int64_t i = 0; i < number; ++i) {
      const Descriptor& from = *value.references[static_cast<std::size_t>(i)];
      Descriptor& to = receiver(request.elements, i, from.type);
      to = from;
    }
  } else if (number > 0) {
    std::memcpy(request.elements, value.bytes.data(), static_cast<std::size_t>(number) * size_of(rule->type));
  }
}

// Execution

struct Execution {
  Convolution convolution;
  void *x, *w, *y, *workspace;
  std::size_t workspace_bytes;
  bool nondeterministic;

  /// What is wrong with the memory now; empty if nothing is.
  std::string wrong() const;
  std::string run() const;
};

std::string Execution::wrong() const {
  struct Range {
    const char* name;
    void* data;
    std::size_t bytes;
    std::int64_t alignment;
  };
  std::vector<Range> ranges = {{"x", x, convolution.x.bytes(), convolution.x.alignment},
                               {"w", w, convolution.w.bytes(), convolution.w.alignment},
                               {"y", y, convolution.y.bytes(), convolution.y.alignment}};
  if (workspace_bytes > 0) ranges.push_back({"the workspace", workspace, workspace_bytes, 16});
  const std::size_t output = convolution.pass == Pass::kForward ? 2 : convolution.pass == Pass::kData ? 0 : 1;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto first = reinterpret_cast<std::uintptr_t>(ranges[i].data);
    if (!simulator_inside(ranges[i].data, ranges[i].bytes)) return std::string(ranges[i].name) + " is not within one device allocation";
    if (first % static_cast<std::uintptr_t>(ranges[i].alignment) != 0) return std::string(ranges[i].name) + " is not aligned as described";
    for (std::size_t j = 0; j < i; ++j) {
      const auto other = reinterpret_cast<std::uintptr_t>(ranges[j].data);
      const bool apart = first + ranges[i].bytes <= other || other + ranges[j].bytes <= first;
      if (!apart && (i == output || j == output || i == 3)) return std::string(ranges[i].name) + " overlaps " + ranges[j].name;
    }
  }
  return {};
}

std::string Execution::run() const {
  if (std::string what = wrong(); !what.empty()) return what;
  // Whoever keeps something in a workspace loses it.
  if (workspace_bytes > 0) std::memset(workspace, 0xff, workspace_bytes);
  convolution.run(x, w, y);
  static std::atomic<unsigned int> runs{0};
  if (nondeterministic && runs++ % 2 == 1) {
    const Tensor& to = convolution.output();
    void* const data = convolution.pass == Pass::kForward ? y : convolution.pass == Pass::kData ? x : w;
    store(data, to.type, 0, std::nextafter(load(data, to.type, 0), to.type == Number::kFloat ? 1e30f : 0.0f));
  }
  return {};
}

/// The pack's pointer for a tensor.
void* pointer_for(const Descriptor& pack, const Tensor& tensor) {
  const std::int64_t count = pack.values.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).count;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (pack.get<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, i) == tensor.uid) {
      return pack.get<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, i);
    }
  }
  refuse(CUDNN_STATUS_BAD_PARAM, "the variant pack has no pointer for unique id " + std::to_string(tensor.uid));
}

}  // namespace
}  // namespace cuda_simulator

using namespace cuda_simulator;

extern "C" {

size_t cudnnGetVersion() { return CUDNN_VERSION; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  static const std::map<int, const char*> names = {
      {CUDNN_STATUS_SUCCESS, "CUDNN_STATUS_SUCCESS"},
      {CUDNN_STATUS_NOT_INITIALIZED, "CUDNN_STATUS_NOT_INITIALIZED"},
      {CUDNN_STATUS_BAD_PARAM, "CUDNN_STATUS_BAD_PARAM"},
      {CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "CUDNN_STATUS_BAD_PARAM_NULL_POINTER"},
      {CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED"},
      {CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND"},
      {CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT"},
      {CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH, "CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH"},
      {CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH"},
      {CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES"},
      {CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE"},
      {CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE"},
      {CUDNN_STATUS_NOT_SUPPORTED, "CUDNN_STATUS_NOT_SUPPORTED"},
      {CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE"},
      {CUDNN_STATUS_INTERNAL_ERROR, "CUDNN_STATUS_INTERNAL_ERROR"},
      {CUDNN_STATUS_EXECUTION_FAILED, "CUDNN_STATUS_EXECUTION_FAILED"},
      {CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER, "CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER"},
  };
  const auto at = names.find(status);
  return at == names.end() ? "CUDNN_UNKNOWN_STATUS" : at->second;
}

void cudnnGetLastErrorString(char* message, size_t size) {
  if (message && size > 0) std::snprintf(message, size, "%s", last_error().c_str());
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  return answer("cudnnCreate", [&] {
    require(handle != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "a null pointer");
    require(simulator_unsafe_call("cudnnCreate") == CUDA_SUCCESS, CUDNN_STATUS_NOT_INITIALIZED, "the driver refuses");
    auto made = std::make_unique<cudnnContext>();
    cuCtxGetCurrent(&made->context);
    *handle = made.get();
    const std::lock_guard lock(library().mutex);
    library().handles[*handle] = std::move(made);
  });
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  return answer("cudnnDestroy", [&] {
    // It waits for the whole device, which spoils what any stream of it records.
    require(cuCtxSynchronize() == CUDA_SUCCESS, CUDNN_STATUS_INTERNAL_ERROR, "the device cannot be waited for");
    const std::lock_guard lock(library().mutex);
    require(library().handles.erase(handle) == 1, CUDNN_STATUS_NOT_INITIALIZED, "no live handle");
  });
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  return answer("cudnnSetStream", [&] {
    const std::lock_guard lock(library().mutex);
    cudnnContext& context = context_of(handle);
    require(simulator_check_stream(stream) == CUDA_SUCCESS, CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH, "not a stream of the current context");
    context.stream = stream;
  });
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  return answer("cudnnBackendCreateDescriptor", [&] {
    require(descriptor != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "a null pointer");
    const bool known = std::any_of(rules().begin(), rules().end(), [&](const Rule& rule) { return rule.of == type; });
    if (!known) refuse(CUDNN_STATUS_NOT_SUPPORTED, "descriptors of type " + std::to_string(type) + " are not simulated");
    auto made = std::make_shared<Descriptor>(Descriptor{type, false, {}});
    *descriptor = made.get();
    const std::lock_guard lock(library().mutex);
    library().descriptors[*descriptor] = std::move(made);
  });
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  return answer("cudnnBackendDestroyDescriptor", [&] {
    const std::lock_guard lock(library().mutex);
    require(library().descriptors.erase(descriptor) == 1, CUDNN_STATUS_BAD_PARAM, "no live descriptor");
  });
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
  return answer("cudnnBackendFinalize", [&] {
    const std::lock_guard lock(library().mutex);
    Descriptor& descriptor = *find(handle);
    require(!descriptor.finalized, CUDNN_STATUS_BAD_PARAM, "the descriptor is finalized");
    check(descriptor);
    descriptor.finalized = true;
  });
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                       int64_t count, const void* elements) {
  return answer("cudnnBackendSetAttribute", [&] {
    const std::lock_guard lock(library().mutex);
    Descriptor& descriptor = *find(handle);
    const std::string which = "attribute " + std::to_string(name) + ": ";
    require(!descriptor.finalized, CUDNN_STATUS_BAD_PARAM, "the descriptor is finalized");
    const Rule* const rule = find_rule(descriptor.type, name);
    if (!rule) refuse(CUDNN_STATUS_BAD_PARAM, which + "not of this descriptor, or not simulated");
    if (type != rule->type) refuse(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, which + "it has another type");
    if (count < rule->least || count > rule->most) refuse(CUDNN_STATUS_BAD_PARAM, which + "it has another number of elements");
    if (!elements) refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, which + "a null pointer");
    Value value{count, {}, {}};
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
      for (std::int64_t i = 0; i < count; ++i) {
        const Reference& referred = find(static_cast<const cudnnBackendDescriptor_t*>(elements)[i]);
        if (!referred->finalized) refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, which + "the descriptor is not finalized");
        const bool fits = std::find(rule->refers_to.begin(), rule->refers_to.end(), referred->type) != rule->refers_to.end();
        if (!fits) refuse(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, which + "a descriptor of another type");
        value.references.push_back(referred);
      }
    } else {
      const auto* const bytes = static_cast<const unsigned char*>(elements);
      value.bytes.assign(bytes, bytes + static_cast<std::size_t>(count) * size_of(type));
    }
    descriptor.values[name] = std::move(value);
  });
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t requested, int64_t* count, void* elements) {
  return answer("cudnnBackendGetAttribute", [&] {
    const std::lock_guard lock(library().mutex);
    const Descriptor& descriptor = *find(handle);
    require(descriptor.finalized, CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "the descriptor is not finalized");
    require(requested >= 0, CUDNN_STATUS_BAD_PARAM, "a negative number of elements");
    const Request request{type, requested, count, elements};
    if (!give_derived(descriptor, name, request)) give_set(descriptor, name, request);
  });
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_handle, cudnnBackendDescriptor_t pack_handle) {
  return answer("cudnnBackendExecute", [&] {
    Execution execution{};
    CUstream stream = nullptr;
    {
      const std::lock_guard lock(library().mutex);
      stream = context_of(handle).stream;
      const Descriptor &plan = *find(plan_handle), &pack = *find(pack_handle);
      require(plan.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && pack.type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
              CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "not a plan and a variant pack");
      require(plan.finalized && pack.finalized, CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "the plan or the variant pack is not finalized");
      require(plan.get<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) == handle, CUDNN_STATUS_BAD_PARAM, "the plan is of another handle");
      const Descriptor& engine = engine_of(plan);
      execution.convolution = convolution_of(operation_of(graph_of(engine)));
      execution.x = pointer_for(pack, execution.convolution.x);
      execution.w = pointer_for(pack, execution.convolution.w);
      execution.y = pointer_for(pack, execution.convolution.y);
      execution.workspace_bytes = workspace_of(engine);
      const bool given = pack.has(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
      execution.workspace = given ? pack.get<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE) : nullptr;
      execution.nondeterministic = index_of(engine) == kNondeterministic;
    }
    if (const std::string wrong = execution.wrong(); !wrong.empty()) refuse(CUDNN_STATUS_BAD_PARAM, wrong);
    const CUresult result = simulator_run(stream, "cudnnBackendExecute", [execution] { return execution.run(); });
    require(result == CUDA_SUCCESS, CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER, "the driver refuses");
  });
}

}  // extern "C"
