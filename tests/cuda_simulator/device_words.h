/// CUDA's words for kernels that run on the CPU: what the simulated NVRTC puts before a source.
#pragma once

#include <math.h>
#include <string.h>

#include "tests/cuda_simulator/module_interface.h"

#define __device__
#define __host__
#define __global__
#define __constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
#define __restrict__ __restrict
// A block's threads take turns on one OS thread: what is the OS thread's is the block's.
#define __shared__ thread_local

struct alignas(8) uint2 {
  unsigned int x, y;
};
struct alignas(16) uint4 {
  unsigned int x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline uint2 make_uint2(unsigned int x, unsigned int y) { return {x, y}; }
inline uint4 make_uint4(unsigned int x, unsigned int y, unsigned int z, unsigned int w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

static thread_local cuda_simulator::Index threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_simulator {
inline const Services*& services() {
  static const Services* attached = nullptr;
  return attached;
}

template <class To, class From>
To bits_of(From from) {
  static_assert(sizeof(To) == sizeof(From), "as many bits");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}
}  // namespace cuda_simulator

__attribute__((noinline)) static void __syncthreads() { cuda_simulator::services()->barrier(); }
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __threadfence(); }

inline float __uint_as_float(unsigned int bits) { return cuda_simulator::bits_of<float>(bits); }
inline float __int_as_float(int bits) { return cuda_simulator::bits_of<float>(bits); }
inline unsigned int __float_as_uint(float x) { return cuda_simulator::bits_of<unsigned int>(x); }
inline int __float_as_int(float x) { return cuda_simulator::bits_of<int>(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
template <class T>
T __ldg(const T* at) {
  return *at;
}

inline int max(int a, int b) { return a > b ? a : b; }
inline int min(int a, int b) { return a < b ? a : b; }
inline unsigned int max(unsigned int a, unsigned int b) { return a > b ? a : b; }
inline unsigned int min(unsigned int a, unsigned int b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
inline unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }

// Other OS threads may run kernels on the same memory: the operations are atomic here too.
inline unsigned int atomicAdd(unsigned int* at, unsigned int by) { return __atomic_fetch_add(at, by, __ATOMIC_RELAXED); }
inline int atomicAdd(int* at, int by) { return __atomic_fetch_add(at, by, __ATOMIC_RELAXED); }
inline unsigned long long atomicAdd(unsigned long long* at, unsigned long long by) { return __atomic_fetch_add(at, by, __ATOMIC_RELAXED); }
inline unsigned int atomicOr(unsigned int* at, unsigned int bits) { return __atomic_fetch_or(at, bits, __ATOMIC_RELAXED); }
inline unsigned int atomicExch(unsigned int* at, unsigned int value) { return __atomic_exchange_n(at, value, __ATOMIC_RELAXED); }
inline unsigned int atomicCAS(unsigned int* at, unsigned int expected, unsigned int value) {
  __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
/// Sets *at to f(*at); returns what it was.
template <class F>
unsigned int simulator_atomically(unsigned int* at, F&& f) {
  unsigned int old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(at, &old, f(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}
inline unsigned int atomicMax(unsigned int* at, unsigned int value) {
  return simulator_atomically(at, [=](unsigned int old) { return max(old, value); });
}
inline unsigned int atomicMin(unsigned int* at, unsigned int value) {
  return simulator_atomically(at, [=](unsigned int old) { return min(old, value); });
}
inline unsigned int atomicInc(unsigned int* at, unsigned int limit) {
  return simulator_atomically(at, [=](unsigned int old) { return old >= limit ? 0u : old + 1u; });
}
inline float atomicAdd(float* at, float by) {
  return __uint_as_float(simulator_atomically(reinterpret_cast<unsigned int*>(at),
                                              [=](unsigned int old) { return __float_as_uint(__uint_as_float(old) + by); }));
}

// The module is compiled with -fsanitize=alignment,bounds, whose findings come here: a GPU refuses a vector access that is not aligned.
namespace cuda_simulator {
struct Finding {
  const char* file;
  unsigned int line, column;
};
}  // namespace cuda_simulator
extern "C" {
__attribute__((visibility("hidden"), used)) void __ubsan_handle_type_mismatch_v1(cuda_simulator::Finding* found, void*) {
  cuda_simulator::services()->fail("an access that is not aligned to its type", found->line);
}
__attribute__((visibility("hidden"), used)) void __ubsan_handle_out_of_bounds(cuda_simulator::Finding* found, void*) {
  cuda_simulator::services()->fail("an index outside of its array", found->line);
}
}

namespace cuda_simulator {

// A GPU has no more for a block, and writing past what the launch asked for is found in the zone behind it.
constexpr unsigned int kSharedBytes = 232448, kSharedZone = 1024;
constexpr unsigned char kSharedPattern = 0xd5;
template <class T>
constexpr unsigned int shared_length = (kSharedBytes + kSharedZone) / sizeof(T);

/// The places in a parameter list.
template <unsigned int... I>
struct Places {};
template <unsigned int N, unsigned int... I>
struct CountTo : CountTo<N - 1, N - 1, I...> {};
template <unsigned int... I>
struct CountTo<0, I...> {
  using type = Places<I...>;
};

template <class T>
constexpr bool is_pointer = false;
template <class T>
constexpr bool is_pointer<T*> = true;
template <class T>
constexpr bool is_pointer<T* const> = true;
template <class T>
constexpr bool is_pointer<T* __restrict> = true;
template <class T>
struct Plain {
  using type = T;
};
template <class T>
struct Plain<const T> {
  using type = T;
};

template <class Function>
struct Signature;
template <class... P>
struct Signature<void (*)(P...)> {
  static constexpr unsigned int count = sizeof...(P);
  static constexpr unsigned int sizes[count + 1] = {sizeof(P)..., 0};
  static constexpr bool pointers[count + 1] = {is_pointer<P>..., false};
  template <unsigned int... I>
  static void call(void (*kernel)(P...), void** arguments, Places<I...>) {
    (void)arguments;
    kernel(*static_cast<typename Plain<P>::type*>(arguments[I])...);
  }
};

template <auto kernel>
void call(void** arguments) {
  using S = Signature<decltype(kernel)>;
  S::call(kernel, arguments, typename CountTo<S::count>::type{});
}
template <auto kernel>
constexpr Kernel kernel_of(unsigned int max_threads) {
  using S = Signature<decltype(kernel)>;
  return {S::count, S::sizes, S::pointers, max_threads, &call<kernel>};
}

static void attach(const Services* given) { services() = given; }
static void enter(unsigned int thread) {
  threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
}
static void begin(const Index* grid, const Index* block, const Index* at) {
  gridDim = *grid;
  blockDim = *block;
  blockIdx = *at;
}
/// What nothing has written is NaN.
static void prepare_shared(void* array, unsigned int bytes) {
  memset(array, 0xff, bytes);
  memset(static_cast<unsigned char*>(array) + bytes, kSharedPattern, kSharedZone);
}
static bool shared_is_intact(const void* array, unsigned int bytes) {
  const unsigned char* const zone = static_cast<const unsigned char*>(array) + bytes;
  for (unsigned int i = 0; i < kSharedZone; ++i) {
    if (zone[i] != kSharedPattern) return false;
  }
  return true;
}

}  // namespace cuda_simulator
