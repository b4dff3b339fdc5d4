/// Products of a network's dense layers on a device: the one place that uses cuBLASLt, loaded at run time.
///
/// Matrices are row-major: x rows × inputs, weights outputs × inputs, y rows × outputs; fp32 or bf16, sums in fp32. Calls that fail throw
/// CudaError. Objects belong to one thread at a time, with the device current.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/cuda/driver.h"
#include "kernels/storage.h"

namespace actsearch {

class CublasLt {
 public:
  CublasLt();
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  /// CudaMissing if there is no cuBLASLt.
  static void require();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

enum class ProductPass : std::uint8_t {
  kForward,        ///< y = x · weightsᵀ
  kInputGradient,  ///< dL_dx = dL_dy · weights
  kWeightGradient  ///< dL_dweights = dL_dyᵀ · x
};

/// One pass of one product, ready to run.
class CudaProduct {
 public:
  /// `fp32_output` (forward only): y is fp32 whatever the storage.
  CudaProduct(CublasLt& library, ProductPass pass, int rows, int inputs, int outputs, Storage storage, bool fp32_output);
  ~CudaProduct();
  CudaProduct(CudaProduct&&) noexcept;

  /// What `workspace` must hold in run.
  static constexpr std::size_t kWorkspaceBytes = 8 << 20;
  /// The operands in the order of the formula above, the result last: (x, weights, y), (dL_dy, weights, dL_dx), (dL_dy, x, dL_dweights).
  void run(CudaStream& stream, CudaAddress left, CudaAddress right, CudaAddress result, CudaAddress workspace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
