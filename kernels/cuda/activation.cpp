#include "kernels/cuda/activation.h"

#include <algorithm>

namespace actsearch {

int cuda_width(Storage storage) { return cuda_vector_width(storage, kCudaChannelMultiple); }

namespace {
/// Blocks that add up leave something to be added up for each, so there are fewer of them.
constexpr unsigned kMostThatAddUp = 4, kMostThatDoNot = 8;
}  // namespace

CudaRowLaunch row_launch(const CudaDevice& device, CudaFunction kernel, Storage storage, std::size_t rows, std::size_t channels,
                         std::size_t sums) {
  constexpr std::size_t kThreads = 256, kMostAcross = 32, kMostShared = 48 << 10;
  const auto width = static_cast<std::size_t>(cuda_width(storage));
  const std::size_t vectors = channels / width, across = std::min(vectors, kMostAcross);
  std::size_t lines = kThreads / across;
  const auto shared = [&] { return lines * across * width * sums * sizeof(float); };
  while (lines > 1 && shared() > kMostShared) lines /= 2;
  const std::size_t columns = (vectors + across - 1) / across;
  const unsigned fitting = blocks_at_once(kernel, static_cast<unsigned>(across * lines), shared());
  const std::size_t at_once =
      static_cast<std::size_t>(device.multiprocessors()) * std::clamp(fitting, 1U, sums > 0 ? kMostThatAddUp : kMostThatDoNot);
  const std::size_t blocks = std::clamp<std::size_t>((rows + lines - 1) / lines, 1, std::max<std::size_t>(at_once / columns, 1));
  return {{static_cast<unsigned>(blocks), static_cast<unsigned>(columns)},
          {static_cast<unsigned>(across), static_cast<unsigned>(lines)},
          shared()};
}

std::size_t most_row_sums(const CudaDevice& device, std::size_t rows, std::size_t channels, std::size_t sums) {
  const std::size_t blocks = std::min<std::size_t>(rows, static_cast<std::size_t>(device.multiprocessors()) * kMostThatAddUp);
  return std::max<std::size_t>(blocks, 1) * sums * channels;
}

std::string CudaActivation::source(const Program& program, Storage storage) { return cuda_source(program, storage, cuda_width(storage)); }

CudaActivation::CudaActivation(const CudaDevice& device, const std::string& cubin, Storage storage, int parameters)
    : device_(device),
      module_(cubin),
      storage_(storage),
      parameters_(parameters),
      forward_(module_.function("activation_forward")),
      sums_(module_.function("activation_sums")),
      apply_(module_.function("activation_apply")) {}

void CudaActivation::forward(CudaStream& stream, CudaAddress z, CudaAddress scale, CudaAddress shift, CudaAddress beta, CudaAddress y,
                             std::size_t rows, std::size_t channels) const {
  const CudaRowLaunch shape = row_launch(device_, forward_, storage_, rows, channels, 0);
  stream.launch(forward_, shape.grid, shape.block, 0, z, scale, shift, beta, y, static_cast<std::uint64_t>(rows),
                static_cast<std::uint32_t>(channels));
}

unsigned CudaActivation::sums(CudaStream& stream, CudaAddress z, CudaAddress dy, CudaAddress scale, CudaAddress shift, CudaAddress beta,
                              CudaAddress sums, std::size_t rows, std::size_t channels) const {
  const CudaRowLaunch shape = row_launch(device_, sums_, storage_, rows, channels, kinds());
  stream.launch(sums_, shape.grid, shape.block, shape.shared_bytes, z, dy, scale, shift, beta, sums, static_cast<std::uint64_t>(rows),
                static_cast<std::uint32_t>(channels));
  return shape.grid.x;
}

std::size_t CudaActivation::sum_count(std::size_t rows, std::size_t channels) const {
  return row_launch(device_, sums_, storage_, rows, channels, kinds()).grid.x * kinds() * channels;
}

void CudaActivation::apply(CudaStream& stream, CudaAddress z, CudaAddress dy, CudaAddress scale, CudaAddress shift, CudaAddress beta,
                           const Coefficients& coefficients, CudaAddress dz, std::size_t rows, std::size_t channels) const {
  const CudaRowLaunch shape = row_launch(device_, apply_, storage_, rows, channels, 0);
  stream.launch(apply_, shape.grid, shape.block, 0, z, dy, scale, shift, beta, coefficients.a, coefficients.b, coefficients.d, dz,
                static_cast<std::uint64_t>(rows), static_cast<std::uint32_t>(channels));
}

}  // namespace actsearch
