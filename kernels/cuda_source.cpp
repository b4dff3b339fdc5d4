#include "kernels/cuda_source.h"

#include <stdexcept>

#include "kernels/export/print.h"

namespace actsearch {
namespace {

/// CUDA's words, but for those that kHelpers has for kernels.
Language kernel_language() {
  Language language = cuda_language("");
  language.word(Intrinsic::kSin) = "sine(#1)";
  language.word(Intrinsic::kCos) = "cosine(#1)";
  return language;
}

constexpr const char* kHelpers = R"(
// The hardware's exponential and reciprocal: good to 2 + |x| units in the last place, four instructions. Between 2^126 and infinity the
// reciprocal is 0, which the logistic function nearly is.
__device__ __forceinline__ float logistic(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
// Both are NaN where an argument is: fmaxf and fminf are not.
__device__ __forceinline__ float maximum(float a, float b) { return a > b ? a : (a <= b ? b : a + b); }
__device__ __forceinline__ float minimum(float a, float b) { return a < b ? a : (a >= b ? b : a + b); }

__device__ __forceinline__ float softplus(float x) { return maximum(x, 0.0f) + log1pf(expf(-fabsf(x))); }
// A little less than the logarithms of the largest finite number and of twice that: what the exponential functions have room for.
__device__ __forceinline__ float exp_limit(float x) { return x > 88.72283f ? 88.72283f : x; }
__device__ __forceinline__ float sinh_limit(float x) { return x > 89.41597f ? 89.41597f : (x < -89.41597f ? -89.41597f : x); }
__device__ __forceinline__ float finite(float x) { return x > 3.4028235e38f ? 3.4028235e38f : (x < -3.4028235e38f ? -3.4028235e38f : x); }

// sin(a + turn·pi/2): Cody and Waite's reduction, in double beyond its reach, and the polynomials of Cephes (sinf.c, S. Moshier). The
// library's keeps a table in local memory for arguments that no activation has use for; beyond 1e9 this one loses digits.
__device__ __forceinline__ float sine_of_turn(float a, int turn) {
  float n = rintf(a * 0.63661977f), r = fmaf(n, -1.5707964f, a);
  r = fmaf(n, 4.371139e-08f, r);
  r = fmaf(n, 1.7151245e-15f, r);
  if (a > 1e5f) {
    const double whole = rint(a * 0.63661977236758134);
    r = (float)fma(whole, -6.1232339957367660e-17, fma(whole, -1.5707963267948966, (double)a));
    n = (float)(whole - 4.0 * rint(0.25 * whole));
    r = fabsf(r) > 0.8f ? 0.0f : r;
  }
  const float s = r * r;
  const int quarter = (int)n + turn;
  float v;
  if (quarter & 1) {
    v = fmaf(s * s, fmaf(s, fmaf(s, 2.4433157e-5f, -1.3887316e-3f), 4.1666646e-2f), fmaf(s, -0.5f, 1.0f));
  } else {
    v = fmaf(r * s, fmaf(s, fmaf(s, -1.9515296e-4f, 8.3321609e-3f), -1.6666655e-1f), r);
  }
  return quarter & 2 ? -v : v;
}
__device__ __forceinline__ float sine(float x) { return copysignf(1.0f, x) * sine_of_turn(fabsf(x), 0); }
__device__ __forceinline__ float cosine(float x) { return sine_of_turn(fabsf(x), 1); }
)";

constexpr const char* kFp32Storage = R"(
typedef float Stored;
__device__ __forceinline__ float load(Stored s) { return s; }
__device__ __forceinline__ Stored store(float x) { return x; }
)";

// The instruction rounds to nearest even and keeps NaN, as the arithmetic for other machines does.
constexpr const char* kBf16Storage = R"(
typedef unsigned short Stored;
__device__ __forceinline__ float load(Stored s) { return __uint_as_float((unsigned int)s << 16); }
__device__ __forceinline__ Stored store(float x) {
#ifdef __CUDA_ARCH__
  Stored s;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(s) : "f"(x));
  return s;
#else
  const unsigned int bits = __float_as_uint(x);
  return (Stored)(x != x ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#endif
}
)";

constexpr const char* kTensorWords = R"(
#ifndef KERNEL
#define KERNEL extern "C" __global__
#endif

struct alignas(WIDTH * sizeof(Stored)) Vector {
  Stored lane[WIDTH];
};

__device__ __forceinline__ Vector read(const Stored* tensor, unsigned long long row, unsigned int channels, unsigned int channel) {
  return *reinterpret_cast<const Vector*>(tensor + row * channels + channel);
}
// WIDTH of a channel's constants, four at once where that is possible.
struct alignas(16) Four {
  float lane[4];
};
__device__ __forceinline__ void read_constants(const float* from, float* to) {
#if WIDTH % 4 == 0
#pragma unroll
  for (int i = 0; i < WIDTH; i += 4) {
    const Four four = *reinterpret_cast<const Four*>(from + i);
    to[i] = four.lane[0];
    to[i + 1] = four.lane[1];
    to[i + 2] = four.lane[2];
    to[i + 3] = four.lane[3];
  }
#else
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) to[i] = from[i];
#endif
}
__device__ __forceinline__ void write(Stored* tensor, unsigned long long row, unsigned int channels, unsigned int channel, const Vector& v) {
  *reinterpret_cast<Vector*>(tensor + row * channels + channel) = v;
}
)";

constexpr const char* kKernels = R"(
// The channels of one thread and their constants.
struct Channels {
  unsigned int first;
  float scale[WIDTH], shift[WIDTH], beta[WIDTH][PARAMETERS + 1];
  bool inside;
  __device__ __forceinline__ Channels(const float* scales, const float* shifts, const float* betas, unsigned int channels) {
    first = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    inside = first < channels;
    if (!inside) return;
    read_constants(scales + first, scale);
    read_constants(shifts + first, shift);
#pragma unroll
    for (int k = 0; k < PARAMETERS; ++k) {
      float betas_here[WIDTH];
      read_constants(betas + k * channels + first, betas_here);
#pragma unroll
      for (int i = 0; i < WIDTH; ++i) beta[i][k] = betas_here[i];
    }
  }
};

// The rows of one thread. Each is read while the one before it is worked on: memory is slow, and the compiler may not move a read over a
// write that could be to the same place.
struct Rows {
  unsigned long long first, step, rows;
  __device__ __forceinline__ explicit Rows(unsigned long long count) {
    first = (unsigned long long)blockIdx.x * blockDim.y + threadIdx.y;
    step = (unsigned long long)gridDim.x * blockDim.y;
    rows = count;
  }
  __device__ __forceinline__ Vector read_first(const Stored* tensor, unsigned int channels, unsigned int channel) const {
    return first < rows ? read(tensor, first, channels, channel) : Vector();
  }
  __device__ __forceinline__ Vector read_after(const Stored* tensor, unsigned long long row, unsigned int channels, unsigned int channel) const {
    return row + step < rows ? read(tensor, row + step, channels, channel) : Vector();
  }
};

KERNEL void activation_forward(const Stored* z, const float* scale, const float* shift, const float* beta, Stored* y,
                                              unsigned long long rows, unsigned int channels) {
  const Channels c(scale, shift, beta, channels);
  if (!c.inside) return;
  const Rows mine(rows);
  Vector next = mine.read_first(z, channels, c.first);
  for (unsigned long long row = mine.first; row < rows; row += mine.step) {
    Vector v = next;
    next = mine.read_after(z, row, channels, c.first);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) v.lane[i] = store(activation(c.scale[i] * load(v.lane[i]) + c.shift[i], c.beta[i]));
    write(y, row, channels, c.first, v);
  }
}

KERNEL void activation_sums(const Stored* z, const Stored* dy, const float* scale, const float* shift, const float* beta,
                                           float* sums, unsigned long long rows, unsigned int channels) {
  const Channels c(scale, shift, beta, channels);
  float sum[2 + PARAMETERS][WIDTH];
#pragma unroll
  for (int k = 0; k < 2 + PARAMETERS; ++k) {
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) sum[k][i] = 0.0f;
  }
  if (c.inside) {
    const Rows mine(rows);
    Vector next_z = mine.read_first(z, channels, c.first), next_dy = mine.read_first(dy, channels, c.first);
    for (unsigned long long row = mine.first; row < rows; row += mine.step) {
      const Vector v = next_z, w = next_dy;
      next_z = mine.read_after(z, row, channels, c.first);
      next_dy = mine.read_after(dy, row, channels, c.first);
#pragma unroll
      for (int i = 0; i < WIDTH; ++i) {
        const float zi = load(v.lane[i]), dyi = load(w.lane[i]);
        float dydbeta[PARAMETERS + 1];
        const float g = dyi * derivative(c.scale[i] * zi + c.shift[i], c.beta[i], dydbeta);
        sum[0][i] += g;
        sum[1][i] += g * zi;
#pragma unroll
        for (int k = 0; k < PARAMETERS; ++k) sum[2 + k][i] += dyi * dydbeta[k];
      }
    }
  }
  // Over the block's lines, in order.
  extern __shared__ float lines[];
  const unsigned int width = blockDim.x * WIDTH, size = (2 + PARAMETERS) * width;
  float* mine = lines + threadIdx.y * size + threadIdx.x * WIDTH;
#pragma unroll
  for (int k = 0; k < 2 + PARAMETERS; ++k) {
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) mine[k * width + i] = sum[k][i];
  }
  __syncthreads();
  for (unsigned int at = threadIdx.y * blockDim.x + threadIdx.x; at < size; at += blockDim.x * blockDim.y) {
    const unsigned int k = at / width, channel = blockIdx.y * width + at % width;
    if (channel >= channels) continue;
    float total = 0.0f;
#pragma unroll 1
    for (unsigned int line = 0; line < blockDim.y; ++line) total += lines[line * size + at];
    sums[((unsigned long long)blockIdx.x * (2 + PARAMETERS) + k) * channels + channel] = total;
  }
}

KERNEL void activation_apply(const Stored* z, const Stored* dy, const float* scale, const float* shift, const float* beta,
                                            const float* a, const float* b, const float* d, Stored* dz, unsigned long long rows,
                                            unsigned int channels) {
  const Channels c(scale, shift, beta, channels);
  if (!c.inside) return;
  float ca[WIDTH], cb[WIDTH], cd[WIDTH];
  read_constants(a + c.first, ca);
  read_constants(b + c.first, cb);
  read_constants(d + c.first, cd);
  const Rows mine(rows);
  Vector next_z = mine.read_first(z, channels, c.first), next_dy = mine.read_first(dy, channels, c.first);
  for (unsigned long long row = mine.first; row < rows; row += mine.step) {
    const Vector v = next_z;
    Vector w = next_dy;
    next_z = mine.read_after(z, row, channels, c.first);
    next_dy = mine.read_after(dy, row, channels, c.first);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) {
      const float zi = load(v.lane[i]);
      float dydbeta[PARAMETERS + 1];
      const float g = load(w.lane[i]) * derivative(c.scale[i] * zi + c.shift[i], c.beta[i], dydbeta);
      w.lane[i] = store(ca[i] * g + cb[i] * zi + cd[i]);
    }
    write(dz, row, channels, c.first, w);
  }
}
)";

}  // namespace

int cuda_vector_width(Storage storage, int channels) {
  const int width = storage == Storage::kBf16 ? 8 : 4;
  return channels % width == 0 ? width : 1;
}

std::string cuda_tensor_words(Storage storage, int width) {
  if (width != 1 && width != 4 && width != 8) throw std::invalid_argument("cuda_tensor_words: a thread works on 1, 4 or 8 channels");
  return "#define WIDTH " + std::to_string(width) + "\n" + (storage == Storage::kBf16 ? kBf16Storage : kFp32Storage) + kTensorWords;
}

std::string cuda_source(const Program& program, Storage storage, int width) {
  const auto parameters = static_cast<std::size_t>(program.parameter_count());
  const IntrinsicGraph graph = trace(program);
  const Language language = kernel_language();
  Leaves leaves{"x", {}};
  for (std::size_t k = 0; k < parameters; ++k) leaves.beta.push_back("beta[" + std::to_string(k) + "]");
  std::vector<std::uint32_t> slopes{graph.dydx};
  slopes.insert(slopes.end(), graph.dydbeta.begin(), graph.dydbeta.end());
  const Code forward = print(graph, {graph.y}, language, leaves), backward = print(graph, slopes, language, leaves);

  std::string text = cuda_tensor_words(storage, width);
  text += "\n#define PARAMETERS " + std::to_string(parameters) + "\n";
  text += kHelpers;
  text += "\n// f(x; beta)\n__device__ __forceinline__ float activation(float x, const float* beta) {\n";
  text += forward.lines + "  return " + forward.results[0] + ";\n}\n";
  text += "\n// f'(x; beta), and the derivatives by beta\n";
  text += "__device__ __forceinline__ float derivative(float x, const float* beta, float* dydbeta) {\n" + backward.lines;
  for (std::size_t k = 0; k < parameters; ++k) text += "  dydbeta[" + std::to_string(k) + "] = " + backward.results[k + 1] + ";\n";
  text += "  return " + backward.results[0] + ";\n}\n";
  return text + kKernels;
}

}  // namespace actsearch
