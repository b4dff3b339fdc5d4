/// The CUDA words that the emitted kernels use, for the CPU: a block's threads are threads, its barrier a barrier.
#pragma once

#include <barrier>
#include <bit>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#define KERNEL inline
#define __device__
#define __forceinline__ inline
#define __shared__
#define __expf(x) expf(x)
#define __fdividef(a, b) ((a) / (b))

namespace cuda_shim {
struct Index {
  unsigned int x = 0, y = 0;
};
inline std::barrier<>* block_barrier = nullptr;
}  // namespace cuda_shim

inline thread_local cuda_shim::Index threadIdx, blockIdx;
inline cuda_shim::Index blockDim, gridDim;
inline void __syncthreads() { cuda_shim::block_barrier->arrive_and_wait(); }
inline float __uint_as_float(unsigned int bits) { return std::bit_cast<float>(bits); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline unsigned int __float_as_uint(float x) { return std::bit_cast<unsigned int>(x); }

namespace cuda_shim {
/// Runs kernel() once for every thread of every block, block after block.
template <class Kernel>
void launch(Index grid, Index block, Kernel&& kernel) {
  gridDim = grid;
  blockDim = block;
  std::barrier<> barrier(block.x * block.y);
  block_barrier = &barrier;
  std::vector<std::jthread> threads;
  for (unsigned int y = 0; y < block.y; ++y) {
    for (unsigned int x = 0; x < block.x; ++x) {
      threads.emplace_back([&, x, y] {
        threadIdx = {x, y};
        for (unsigned int by = 0; by < grid.y; ++by) {
          for (unsigned int bx = 0; bx < grid.x; ++bx) {
            blockIdx = {bx, by};
            kernel();
            __syncthreads();  // shared memory is the next block's now
          }
        }
      });
    }
  }
}

/// One formula's kernels, over tensors of whatever storage they were written for.
struct Kernels {
  void (*forward)(const void* z, const float* scale, const float* shift, const float* beta, void* y, unsigned long long rows,
                  unsigned int channels);
  void (*sums)(const void* z, const void* dy, const float* scale, const float* shift, const float* beta, float* sums,
               unsigned long long rows, unsigned int channels);
  void (*apply)(const void* z, const void* dy, const float* scale, const float* shift, const float* beta, const float* a, const float* b,
                const float* d, void* dz, unsigned long long rows, unsigned int channels);
};
}  // namespace cuda_shim
