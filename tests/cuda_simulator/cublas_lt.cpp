/// libcublasLt.so.13 for machines without a GPU: column-major products of float or bf16 matrices.

#include <cublasLt.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "tests/cuda_simulator/product.h"
#include "tests/cuda_simulator/simulator.h"

struct cublasLtContext {
  CUcontext context;
};

namespace cuda_simulator {
namespace {

struct Refusal {
  cublasStatus_t status;
  std::string what;
};
[[noreturn]] void refuse(cublasStatus_t status, std::string what) { throw Refusal{status, std::move(what)}; }
void require(bool holds, cublasStatus_t otherwise, const char* what) {
  if (!holds) throw Refusal{otherwise, what};
}

template <class F>
cublasStatus_t answer(const char* call, F&& f) noexcept {
  try {
    f();
    return CUBLAS_STATUS_SUCCESS;
  } catch (const Refusal& refusal) {
    simulator_say(std::string(call) + ": " + refusal.what);
    return refusal.status;
  } catch (const std::exception& error) {
    simulator_say(std::string(call) + ": " + error.what());
    return CUBLAS_STATUS_INTERNAL_ERROR;
  }
}

struct Operation {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
};
struct Layout {
  cudaDataType type;
  std::uint64_t rows, columns;
  std::int64_t leading;
};
struct Preference {
  std::uint64_t workspace = 0;
  // What pointers are aligned to unless the caller says less: A, B, C, D.
  std::array<std::uint32_t, 4> alignment{256, 256, 256, 256};
};

/// The live handles of a kind, and their owners.
template <class Handle, class T>
struct Handles {
  std::map<Handle, std::unique_ptr<T>> live;
  void add(Handle* handle, T value) {
    require(handle != nullptr, CUBLAS_STATUS_INVALID_VALUE, "a null pointer");
    auto owner = std::make_unique<T>(std::move(value));
    *handle = reinterpret_cast<Handle>(owner.get());
    live[*handle] = std::move(owner);
  }
  T& get(Handle handle, const char* what) const {
    const auto at = live.find(handle);
    if (at == live.end()) refuse(CUBLAS_STATUS_INVALID_VALUE, std::string("no live ") + what);
    return *at->second;
  }
  void erase(Handle handle, const char* what) {
    get(handle, what);
    live.erase(handle);
  }
};

struct Library {
  std::mutex mutex;
  Handles<cublasLtHandle_t, cublasLtContext> contexts;
  Handles<cublasLtMatmulDesc_t, Operation> operations;
  Handles<cublasLtMatrixLayout_t, Layout> layouts;
  Handles<cublasLtMatmulPreference_t, Preference> preferences;
};
Library& library() {
  // Never destroyed: owners that live to the end of the process still give back what they hold.
  static Library& all = *std::make_unique<Library>().release();
  return all;
}

void check_context(cublasLtHandle_t handle) {
  const auto at = library().contexts.live.find(handle);
  require(at != library().contexts.live.end(), CUBLAS_STATUS_NOT_INITIALIZED, "no live handle");
  CUcontext current = nullptr;
  cuCtxGetCurrent(&current);
  require(current == at->second->context, CUBLAS_STATUS_INVALID_VALUE, "the handle is of another context than the current one");
}

template <class T>
void set(T& to, const void* from, std::size_t bytes) {
  require(from != nullptr, CUBLAS_STATUS_INVALID_VALUE, "a null pointer");
  require(bytes == sizeof(T), CUBLAS_STATUS_INVALID_VALUE, "the attribute has another size");
  std::memcpy(&to, from, sizeof(T));
}

Number number_of(cudaDataType type) {
  require(type == CUDA_R_32F || type == CUDA_R_16BF, CUBLAS_STATUS_NOT_SUPPORTED, "a matrix is of float or bf16");
  return type == CUDA_R_32F ? Number::kFloat : Number::kBf16;
}
Matrix matrix_of(const Layout& layout) {
  return {static_cast<std::size_t>(layout.rows), static_cast<std::size_t>(layout.columns), static_cast<std::size_t>(layout.leading),
          number_of(layout.type)};
}

struct Layouts {
  cublasLtMatrixLayout_t a, b, c, d;
};

/// The product that the descriptors describe. The mutex is the caller's.
Product product_of(cublasLtMatmulDesc_t handle, const Layouts& layouts) {
  const Operation& operation = library().operations.get(handle, "operation");
  const std::set<cublasComputeType_t> in_float = {CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_PEDANTIC, CUBLAS_COMPUTE_32F_FAST_TF32};
  require(in_float.count(operation.compute) != 0, CUBLAS_STATUS_NOT_SUPPORTED, "the product is computed in float");
  require(operation.scale == CUDA_R_32F, CUBLAS_STATUS_NOT_SUPPORTED, "alpha and beta are float");
  Product product{};
  product.transpose_a = operation.transpose_a == CUBLAS_OP_T;
  product.transpose_b = operation.transpose_b == CUBLAS_OP_T;
  product.a = matrix_of(library().layouts.get(layouts.a, "layout of A"));
  product.b = matrix_of(library().layouts.get(layouts.b, "layout of B"));
  product.c = matrix_of(library().layouts.get(layouts.c, "layout of C"));
  product.d = matrix_of(library().layouts.get(layouts.d, "layout of D"));
  require(product.a.type == product.b.type, CUBLAS_STATUS_NOT_SUPPORTED, "A and B have different types");
  require(product.c.type == product.d.type, CUBLAS_STATUS_NOT_SUPPORTED, "C and D have different types");
  require(product.d.type == product.a.type || product.d.type == Number::kFloat, CUBLAS_STATUS_NOT_SUPPORTED, "D is narrower than A");
  if (const std::string wrong = product.mismatch(); !wrong.empty()) refuse(CUBLAS_STATUS_INVALID_VALUE, wrong);
  return product;
}

/// What this library keeps in cublasLtMatmulAlgo_t.
struct Algorithm {
  std::uint64_t mark, workspace;
  std::array<std::uint32_t, 4> alignment;
  std::uint64_t type;
};
constexpr std::uint64_t kMark = 0x61637473696d756cu, kWorkspace = 4096;
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

struct Execution {
  Product product;
  const void *a, *b, *c;
  void *d, *workspace;
  std::size_t workspace_bytes;

  std::string wrong() const;
  std::string run() const;
};

std::string Execution::wrong() const {
  if (!simulator_inside(a, product.a.bytes())) return "A is not within one device allocation";
  if (!simulator_inside(b, product.b.bytes())) return "B is not within one device allocation";
  if (!simulator_inside(d, product.d.bytes())) return "D is not within one device allocation";
  if (product.beta != 0.0f && !simulator_inside(c, product.c.bytes())) return "C is not within one device allocation";
  if (workspace_bytes > 0 && !simulator_inside(workspace, workspace_bytes)) return "the workspace is not within one device allocation";
  const auto overlap = [](const void* p, std::size_t p_bytes, const void* q, std::size_t q_bytes) {
    const auto i = reinterpret_cast<std::uintptr_t>(p), j = reinterpret_cast<std::uintptr_t>(q);
    return i < j + q_bytes && j < i + p_bytes;
  };
  if (overlap(a, product.a.bytes(), d, product.d.bytes()) || overlap(b, product.b.bytes(), d, product.d.bytes()))
    return "D overlaps A or B";
  if (product.beta != 0.0f && c != d && overlap(c, product.c.bytes(), d, product.d.bytes())) return "D overlaps C, and is not C";
  if (c == d && product.beta != 0.0f && product.c.leading != product.d.leading) return "C is D with another leading dimension";
  if (workspace_bytes > 0) {
    const bool apart = !overlap(a, product.a.bytes(), workspace, workspace_bytes) &&
                       !overlap(b, product.b.bytes(), workspace, workspace_bytes) &&
                       !overlap(d, product.d.bytes(), workspace, workspace_bytes);
    if (!apart) return "the workspace overlaps a matrix";
  }
  return {};
}

std::string Execution::run() const {
  if (std::string what = wrong(); !what.empty()) return what;
  // Whoever keeps something in a workspace loses it.
  if (workspace_bytes > 0) std::memset(workspace, 0xff, workspace_bytes);
  product.run(a, b, c, d);
  return {};
}

void check_alignment(const Algorithm& algorithm, const std::array<const void*, 4>& pointers) {
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    require(reinterpret_cast<std::uintptr_t>(pointers[i]) % algorithm.alignment[i] == 0, CUBLAS_STATUS_INVALID_VALUE,
            "a matrix is aligned to less than the preference for the heuristic said (256 bytes unless set)");
  }
}

}  // namespace
}  // namespace cuda_simulator

using namespace cuda_simulator;

extern "C" {

size_t cublasLtGetVersion() { return CUBLAS_VERSION; }

const char* cublasLtGetStatusString(cublasStatus_t status) {
  static const std::map<cublasStatus_t, const char*> words = {
      {CUBLAS_STATUS_SUCCESS, "the operation completed successfully"},
      {CUBLAS_STATUS_NOT_INITIALIZED, "the library was not initialized"},
      {CUBLAS_STATUS_ALLOC_FAILED, "the resource allocation failed"},
      {CUBLAS_STATUS_INVALID_VALUE, "an unsupported value or parameter was passed to the function"},
      {CUBLAS_STATUS_ARCH_MISMATCH, "the function requires an architectural feature absent from the current device"},
      {CUBLAS_STATUS_EXECUTION_FAILED, "the function failed to launch on the GPU"},
      {CUBLAS_STATUS_INTERNAL_ERROR, "an internal operation failed"},
      {CUBLAS_STATUS_NOT_SUPPORTED, "the functionality requested is not supported"},
  };
  const auto at = words.find(status);
  return at == words.end() ? "unknown status" : at->second;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return answer("cublasLtCreate", [&] {
    require(handle != nullptr, CUBLAS_STATUS_INVALID_VALUE, "a null pointer");
    require(simulator_unsafe_call("cublasLtCreate") == CUDA_SUCCESS, CUBLAS_STATUS_NOT_INITIALIZED, "the driver refuses");
    CUcontext current = nullptr;
    cuCtxGetCurrent(&current);
    const std::lock_guard lock(library().mutex);
    library().contexts.add(handle, {current});
  });
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return answer("cublasLtDestroy", [&] {
    const std::lock_guard lock(library().mutex);
    library().contexts.erase(handle, "handle");
  });
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute, cudaDataType_t scale) {
  return answer("cublasLtMatmulDescCreate", [&] {
    const std::lock_guard lock(library().mutex);
    library().operations.add(operation, {compute, scale});
  });
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  return answer("cublasLtMatmulDescDestroy", [&] {
    const std::lock_guard lock(library().mutex);
    library().operations.erase(operation, "operation");
  });
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t which, const void* value,
                                              size_t bytes) {
  return answer("cublasLtMatmulDescSetAttribute", [&] {
    const std::lock_guard lock(library().mutex);
    Operation& operation = library().operations.get(handle, "operation");
    const bool is_a = which == CUBLASLT_MATMUL_DESC_TRANSA;
    require(is_a || which == CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_STATUS_NOT_SUPPORTED, "the attribute is not simulated");
    std::int32_t transpose = 0;
    set(transpose, value, bytes);
    require(transpose == CUBLAS_OP_N || transpose == CUBLAS_OP_T, CUBLAS_STATUS_INVALID_VALUE, "neither CUBLAS_OP_N nor CUBLAS_OP_T");
    (is_a ? operation.transpose_a : operation.transpose_b) = transpose;
  });
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows, uint64_t columns,
                                          int64_t leading) {
  return answer("cublasLtMatrixLayoutCreate", [&] {
    number_of(type);
    const std::lock_guard lock(library().mutex);
    library().layouts.add(layout, {type, rows, columns, leading});
  });
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return answer("cublasLtMatrixLayoutDestroy", [&] {
    const std::lock_guard lock(library().mutex);
    library().layouts.erase(layout, "layout");
  });
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle, cublasLtMatrixLayoutAttribute_t which, const void* value,
                                                size_t bytes) {
  return answer("cublasLtMatrixLayoutSetAttribute", [&] {
    const std::lock_guard lock(library().mutex);
    Layout& layout = library().layouts.get(handle, "layout");
    std::int32_t number = 0;
    if (which == CUBLASLT_MATRIX_LAYOUT_ROWS) return set(layout.rows, value, bytes);
    if (which == CUBLASLT_MATRIX_LAYOUT_COLS) return set(layout.columns, value, bytes);
    if (which == CUBLASLT_MATRIX_LAYOUT_LD) return set(layout.leading, value, bytes);
    if (which == CUBLASLT_MATRIX_LAYOUT_ORDER) {
      set(number, value, bytes);
      require(number == CUBLASLT_ORDER_COL, CUBLAS_STATUS_NOT_SUPPORTED, "only column-major matrices are simulated");
      return;
    }
    require(which == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, CUBLAS_STATUS_NOT_SUPPORTED, "the attribute is not simulated");
    set(number, value, bytes);
    require(number == 1, CUBLAS_STATUS_NOT_SUPPORTED, "batches are not simulated");
  });
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return answer("cublasLtMatmulPreferenceCreate", [&] {
    const std::lock_guard lock(library().mutex);
    library().preferences.add(preference, {});
  });
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return answer("cublasLtMatmulPreferenceDestroy", [&] {
    const std::lock_guard lock(library().mutex);
    library().preferences.erase(preference, "preference");
  });
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle, cublasLtMatmulPreferenceAttributes_t which,
                                                    const void* value, size_t bytes) {
  return answer("cublasLtMatmulPreferenceSetAttribute", [&] {
    const std::lock_guard lock(library().mutex);
    Preference& preference = library().preferences.get(handle, "preference");
    if (which == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return set(preference.workspace, value, bytes);
    static const std::map<cublasLtMatmulPreferenceAttributes_t, std::size_t> alignments = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 0},
                                                                                           {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 1},
                                                                                           {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, 2},
                                                                                           {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 3}};
    const auto at = alignments.find(which);
    require(at != alignments.end(), CUBLAS_STATUS_NOT_SUPPORTED, "the attribute is not simulated");
    std::uint32_t alignment = 0;
    set(alignment, value, bytes);
    require(alignment > 0 && (alignment & (alignment - 1)) == 0, CUBLAS_STATUS_INVALID_VALUE, "an alignment is a power of two");
    preference.alignment[at->second] = alignment;
  });
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t wishes, int requested, cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  return answer("cublasLtMatmulAlgoGetHeuristic", [&] {
    const std::lock_guard lock(library().mutex);
    check_context(handle);
    require(requested > 0 && results && count, CUBLAS_STATUS_INVALID_VALUE, "no room for a result");
    const Product product = product_of(operation, {a, b, c, d});
    const Preference& preference = library().preferences.get(wishes, "preference");
    const Algorithm algorithm{kMark, preference.workspace >= kWorkspace ? kWorkspace : 0, preference.alignment,
                              static_cast<std::uint64_t>(product.a.type)};
    results[0] = {};
    std::memcpy(&results[0].algo, &algorithm, sizeof algorithm);
    results[0].workspaceSize = algorithm.workspace;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    results[0].wavesCount = 1.0f;
    *count = 1;
  });
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* chosen, void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  return answer("cublasLtMatmul", [&] {
    Execution execution{};
    {
      const std::lock_guard lock(library().mutex);
      check_context(handle);
      execution.product = product_of(operation, {a_layout, b_layout, c_layout, d_layout});
    }
    require(alpha && beta, CUBLAS_STATUS_INVALID_VALUE, "alpha or beta is null");
    require(!simulator_inside(alpha, 4) && !simulator_inside(beta, 4), CUBLAS_STATUS_INVALID_VALUE, "alpha and beta are on the host");
    std::memcpy(&execution.product.alpha, alpha, sizeof(float));
    std::memcpy(&execution.product.beta, beta, sizeof(float));
    execution.a = a, execution.b = b, execution.c = c, execution.d = d;
    execution.workspace = workspace;
    if (chosen) {
      Algorithm algorithm;
      std::memcpy(&algorithm, chosen, sizeof algorithm);
      require(algorithm.mark == kMark, CUBLAS_STATUS_INVALID_VALUE, "the algorithm is not of the heuristic");
      require(algorithm.type == static_cast<std::uint64_t>(execution.product.a.type), CUBLAS_STATUS_INVALID_VALUE,
              "the algorithm was chosen for another type");
      require(algorithm.workspace <= workspace_bytes, CUBLAS_STATUS_INVALID_VALUE, "the workspace is smaller than the algorithm needs");
      execution.workspace_bytes = algorithm.workspace;
      check_alignment(algorithm, {a, b, execution.product.beta == 0.0f ? nullptr : c, d});
    }
    require(execution.workspace_bytes == 0 || reinterpret_cast<std::uintptr_t>(workspace) % 16 == 0, CUBLAS_STATUS_INVALID_VALUE,
            "the workspace is not aligned to 16 bytes");
    if (const std::string wrong = execution.wrong(); !wrong.empty()) refuse(CUBLAS_STATUS_INVALID_VALUE, wrong);
    const CUresult result = simulator_run(stream, "cublasLtMatmul", [execution] { return execution.run(); });
    require(result == CUDA_SUCCESS, CUBLAS_STATUS_EXECUTION_FAILED, "the driver refuses");
  });
}

}  // extern "C"
