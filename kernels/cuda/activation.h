/// The CUDA kernels of one activation on a device: cuda_source's text, loaded, with the launches that suit the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "grammar/program.h"
#include "kernels/cuda/driver.h"
#include "kernels/cuda/source.h"
#include "kernels/storage.h"

namespace actsearch {

/// Every tensor's channels must be a multiple of this: a thread reads 16 bytes of them.
inline constexpr int kCudaChannelMultiple = 8;
/// The WIDTH that goes with it.
int cuda_width(Storage storage);

/// A launch over rows × channels, as kernels/cuda/source.h states it.
struct CudaRowLaunch {
  CudaExtent grid, block;
  std::size_t shared_bytes = 0;
};
/// As many blocks as the device works on at once. For a kernel that adds up `sums` values a channel in shared memory (0: none).
CudaRowLaunch row_launch(const CudaDevice& device, CudaFunction kernel, Storage storage, std::size_t rows, std::size_t channels,
                         std::size_t sums);
/// The floats that any kernel so launched writes: `sums` of each block of rows and channel.
std::size_t most_row_sums(const CudaDevice& device, std::size_t rows, std::size_t channels, std::size_t sums);

/// Tensors, arrays and results are kernels/cuda/source.h's. The device outlives the object.
class CudaActivation {
 public:
  /// The text to be compiled for it.
  static std::string source(const Program& program, Storage storage);

  CudaActivation(const CudaDevice& device, const std::string& cubin, Storage storage, int parameters);

  int parameters() const { return parameters_; }

  void forward(CudaStream& stream, CudaAddress z, CudaAddress scale, CudaAddress shift, CudaAddress beta, CudaAddress y, std::size_t rows,
               std::size_t channels) const;
  /// Returns how many blocks of rows there are sums of.
  unsigned sums(CudaStream& stream, CudaAddress z, CudaAddress dy, CudaAddress scale, CudaAddress shift, CudaAddress beta, CudaAddress sums,
                std::size_t rows, std::size_t channels) const;
  /// Floats that `sums` writes.
  std::size_t sum_count(std::size_t rows, std::size_t channels) const;

  struct Coefficients {
    CudaAddress a, b, d;
  };
  void apply(CudaStream& stream, CudaAddress z, CudaAddress dy, CudaAddress scale, CudaAddress shift, CudaAddress beta,
             const Coefficients& coefficients, CudaAddress dz, std::size_t rows, std::size_t channels) const;

 private:
  std::size_t kinds() const { return 2 + static_cast<std::size_t>(parameters_); }
  const CudaDevice& device_;
  CudaModule module_;
  Storage storage_;
  int parameters_;
  CudaFunction forward_, sums_, apply_;
};

}  // namespace actsearch
