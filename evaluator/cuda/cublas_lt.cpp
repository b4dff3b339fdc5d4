#include "evaluator/cuda/cublas_lt.h"

#include <cublasLt.h>

#include <string>

#include "kernels/cuda/shared_library.h"

namespace actsearch {
namespace {

/// The functions used.
struct Functions {
  decltype(&::cublasLtCreate) create;
  decltype(&::cublasLtDestroy) destroy;
  decltype(&::cublasLtGetStatusString) status_string;
  decltype(&::cublasLtMatmulDescCreate) create_description;
  decltype(&::cublasLtMatmulDescDestroy) destroy_description;
  decltype(&::cublasLtMatmulDescSetAttribute) set_description;
  decltype(&::cublasLtMatrixLayoutCreate) create_layout;
  decltype(&::cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&::cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&::cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) choose;
  decltype(&::cublasLtMatmul) multiply;
};

/// Loaded once and kept.
const Functions& functions() {
  static const Functions loaded = [] {
    static const SharedLibrary library("cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"});
    Functions found{};
    library.find("cublasLtCreate", found.create);
    library.find("cublasLtDestroy", found.destroy);
    library.find("cublasLtGetStatusString", found.status_string);
    library.find("cublasLtMatmulDescCreate", found.create_description);
    library.find("cublasLtMatmulDescDestroy", found.destroy_description);
    library.find("cublasLtMatmulDescSetAttribute", found.set_description);
    library.find("cublasLtMatrixLayoutCreate", found.create_layout);
    library.find("cublasLtMatrixLayoutDestroy", found.destroy_layout);
    library.find("cublasLtMatmulPreferenceCreate", found.create_preference);
    library.find("cublasLtMatmulPreferenceDestroy", found.destroy_preference);
    library.find("cublasLtMatmulPreferenceSetAttribute", found.set_preference);
    library.find("cublasLtMatmulAlgoGetHeuristic", found.choose);
    library.find("cublasLtMatmul", found.multiply);
    return found;
  }();
  return loaded;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const std::string message = std::string("cuBLASLt: ") + what + ": " + functions().status_string(status);
  if (status == CUBLAS_STATUS_ALLOC_FAILED) throw CudaOutOfMemory(message);
  throw CudaError(message);
}

struct Destroy {
  void operator()(cublasLtMatmulDesc_t description) const { functions().destroy_description(description); }
  void operator()(cublasLtMatrixLayout_t layout) const { functions().destroy_layout(layout); }
  void operator()(cublasLtMatmulPreference_t preference) const { functions().destroy_preference(preference); }
};
template <class Handle>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
using Layout = Owner<cublasLtMatrixLayout_t>;

/// Column-major, as the library sees matrices; without gaps.
Layout layout(cudaDataType type, int rows, int columns) {
  cublasLtMatrixLayout_t made = nullptr;
  check(functions().create_layout(&made, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), rows),
        "describe a matrix");
  return Layout(made);
}

const void* pointer(CudaAddress address) { return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(address)); }
void* writable(CudaAddress address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); }

}  // namespace

struct CublasLt::Impl {
  Impl() { check(functions().create(&handle), "start"); }
  ~Impl() { functions().destroy(handle); }
  cublasLtHandle_t handle = nullptr;
};
CublasLt::CublasLt() : impl_(std::make_unique<Impl>()) {}
CublasLt::~CublasLt() = default;
void CublasLt::require() { functions(); }

struct CudaProduct::Impl {
  Impl(CublasLt& library_, ProductPass pass, int rows, int inputs, int outputs, Storage storage, bool fp32_output) : library(library_) {
    const cudaDataType stored = storage == Storage::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasLtMatmulDesc_t made = nullptr;
    check(functions().create_description(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describe a product");
    description.reset(made);
    // A row-major matrix is its transpose to the library. So resultᵀ is asked for, of the operands in the other order.
    switch (pass) {
      case ProductPass::kForward:  // yᵀ = weights · xᵀ
        transpose(CUBLASLT_MATMUL_DESC_TRANSA);
        a = layout(stored, inputs, outputs);
        b = layout(stored, inputs, rows);
        result = layout(fp32_output ? CUDA_R_32F : stored, outputs, rows);
        break;
      case ProductPass::kInputGradient:  // dL_dxᵀ = weightsᵀ · dL_dyᵀ
        a = layout(stored, inputs, outputs);
        b = layout(stored, outputs, rows);
        result = layout(stored, inputs, rows);
        break;
      case ProductPass::kWeightGradient:  // dL_dweightsᵀ = xᵀ · dL_dy
        transpose(CUBLASLT_MATMUL_DESC_TRANSB);
        a = layout(stored, inputs, rows);
        b = layout(stored, outputs, rows);
        result = layout(stored, inputs, outputs);
        break;
    }
    choose();
  }

  void transpose(cublasLtMatmulDescAttributes_t which) {
    const cublasOperation_t operation = CUBLAS_OP_T;
    check(functions().set_description(description.get(), which, &operation, sizeof operation), "describe a product");
  }

  void choose() {
    cublasLtMatmulPreference_t made = nullptr;
    check(functions().create_preference(&made), "choose an algorithm");
    const Owner<cublasLtMatmulPreference_t> preference(made);
    const std::size_t most = kWorkspaceBytes;
    check(functions().set_preference(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most), "choose an algorithm");
    const std::uint32_t alignment = 16;  // weights begin wherever the parameters before them end, at multiples of that
    for (const auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                             CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      check(functions().set_preference(made, which, &alignment, sizeof alignment), "choose an algorithm");
    }
    int found = 0;
    check(functions().choose(library.impl().handle, description.get(), a.get(), b.get(), result.get(), result.get(), made, 1, &choice,
                             &found),
          "choose an algorithm");
    if (found == 0) throw CudaError("cuBLASLt has no algorithm for a product");
  }

  CublasLt& library;
  Owner<cublasLtMatmulDesc_t> description;
  Layout a, b, result;
  cublasLtMatmulHeuristicResult_t choice{};
};

CudaProduct::CudaProduct(CublasLt& library, ProductPass pass, int rows, int inputs, int outputs, Storage storage, bool fp32_output)
    : impl_(std::make_unique<Impl>(library, pass, rows, inputs, outputs, storage, fp32_output)) {}
CudaProduct::~CudaProduct() = default;
CudaProduct::CudaProduct(CudaProduct&&) noexcept = default;

void CudaProduct::run(CudaStream& stream, CudaAddress left, CudaAddress right, CudaAddress result, CudaAddress workspace) {
  const float one = 1.0f, zero = 0.0f;
  check(functions().multiply(impl_->library.impl().handle, impl_->description.get(), &one, pointer(right), impl_->a.get(), pointer(left),
                             impl_->b.get(), &zero, pointer(result), impl_->result.get(), writable(result), impl_->result.get(),
                             &impl_->choice.algo, writable(workspace), kWorkspaceBytes, static_cast<cudaStream_t>(stream.handle())),
        "multiply");
}

}  // namespace actsearch
