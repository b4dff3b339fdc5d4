#include "kernels/cuda/lanes.h"

#include <functional>
#include <string_view>

namespace actsearch {
namespace {

// The instruction rounds to nearest even and keeps NaN, as the arithmetic for other machines does.
constexpr const char* kFp32Storage = R"(
typedef float Stored;
__device__ __forceinline__ float load(Stored s) { return s; }
__device__ __forceinline__ Stored store(float x) { return x; }
)";
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

// Two lanes of bf16 are a word: the first its lower half.
constexpr const char* kPairs = R"(
__device__ __forceinline__ float lower(unsigned int pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float upper(unsigned int pair) { return __uint_as_float(pair & 0xffff0000u); }
__device__ __forceinline__ unsigned int paired(float low, float high) {
#ifdef __CUDA_ARCH__
  unsigned int pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return (unsigned int)store(high) << 16 | store(low);
#endif
}
)";

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
  std::string result;
  for (std::size_t at = 0;;) {
    const std::size_t next = text.find(what, at);
    result += text.substr(at, next == std::string_view::npos ? next : next - at);
    if (next == std::string_view::npos) return result;
    result += by;
    at = next + what.size();
  }
}

/// The template language of the kernels below. A line that begins with "@" stands for one line a lane, where $ is the lane; one that begins
/// with "%" for one a parameter, where # is the parameter; with "@%" for one a lane and parameter. In any line $BETA$ and $SLOPE$ are the
/// arguments ", beta0_$" and ", slope0_$" of all parameters.
class Lanes {
 public:
  Lanes(std::size_t width, std::size_t parameters) : width_(width), parameters_(parameters) {}

  std::string operator()(std::string_view text) const {
    std::string result;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      result += line(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return result;
  }

 private:
  std::string line(std::string_view text) const {
    if (text.starts_with("@%")) return over(width_, "$", over(parameters_, "#", text.substr(2)));
    if (text.starts_with("%")) return over(parameters_, "#", text.substr(1));
    if (text.starts_with("@")) {
      const std::string with_betas = replaced(text.substr(1), "$BETA$", listed(", beta#_$"));
      return over(width_, "$", replaced(with_betas, "$SLOPE$", listed(", slope#_$")));
    }
    return std::string(text) + "\n";
  }
  /// The line once for each number below `count` in place of `mark`.
  static std::string over(std::size_t count, std::string_view mark, std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < count; ++i) {
      result += replaced(text, mark, std::to_string(i));
      if (!result.ends_with('\n')) result += '\n';
    }
    return result;
  }
  std::string listed(std::string_view item) const {
    std::string result;
    for (std::size_t k = 0; k < parameters_; ++k) result += replaced(item, "#", std::to_string(k));
    return result;
  }

  std::size_t width_, parameters_;
};

/// Vector, what a thread reads and writes of a tensor at once; lane<i>(v), and packed(x0, …).
std::string vector_words(Storage storage, std::size_t width) {
  const bool pairs = storage == Storage::kBf16 && width % 2 == 0;
  const std::size_t words = pairs ? width / 2 : width;
  const std::string word = pairs ? "unsigned int" : "Stored";
  std::string members, lanes, arguments, values;
  for (std::size_t i = 0; i < words; ++i) members += (i == 0 ? "" : ", ") + std::string("w") + std::to_string(i);
  for (std::size_t i = 0; i < width; ++i) {
    const std::string lane = std::to_string(i), at = "v.w" + std::to_string(pairs ? i / 2 : i);
    lanes += "__device__ __forceinline__ float lane" + lane + "(const Vector& v) { return " +
             (pairs ? (i % 2 == 0 ? "lower(" : "upper(") : "load(") + at + "); }\n";
    arguments += (i == 0 ? "float x" : ", float x") + lane;
    if (pairs && i % 2 == 1)
      values += (i == 1 ? "paired(x" : ", paired(x") + std::to_string(i - 1) + ", x" + lane + ")";
    else if (!pairs)
      values += (i == 0 ? "store(x" : ", store(x") + lane + ")";
  }
  return (pairs ? kPairs : "") + std::string("struct alignas(") + std::to_string(width) + " * sizeof(Stored)) Vector {\n  " + word + " " +
         members + ";\n};\n" + lanes + "__device__ __forceinline__ Vector packed(" + arguments + ") { return {" + values + "}; }\n";
}

/// Constants, `width` floats of a channel's; read four at once where that is possible.
std::string constant_words(std::size_t width) {
  std::string members, values;
  const bool fours = width % 4 == 0;
  for (std::size_t i = 0; i < width; ++i) {
    members += (i == 0 ? "" : ", ") + std::string("c") + std::to_string(i);
    const std::string four = "four" + std::to_string(i / 4) + "." + "xyzw"[i % 4];
    values += (i == 0 ? "" : ", ") + (fours ? four : "from[" + std::to_string(i) + "]");
  }
  std::string text = "struct Constants {\n  float " + members + ";\n};\n";
  if (fours) text += "struct alignas(16) Four {\n  float x, y, z, w;\n};\n";
  text += "__device__ __forceinline__ Constants constants(const float* from) {\n";
  for (std::size_t i = 0; fours && i < width / 4; ++i) {
    const std::string number = std::to_string(i);
    text += "  const Four four" + number + " = reinterpret_cast<const Four*>(from)[" + number + "];\n";
  }
  return text + "  return {" + values + "};\n}\n";
}

constexpr const char* kRows = R"(
#ifndef KERNEL
#define KERNEL extern "C" __global__
#endif

__device__ __forceinline__ Vector read(const Stored* tensor, unsigned long long row, unsigned int channels, unsigned int channel) {
  return *reinterpret_cast<const Vector*>(tensor + row * channels + channel);
}
__device__ __forceinline__ void write(Stored* tensor, unsigned long long row, unsigned int channels, unsigned int channel, const Vector& v) {
  *reinterpret_cast<Vector*>(tensor + row * channels + channel) = v;
}

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
)";

constexpr const char* kForward = R"(
KERNEL void activation_forward(const Stored* z, const float* scale, const float* shift, const float* beta, Stored* y,
                               unsigned long long rows, unsigned int channels) {
  const unsigned int first = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
  if (first >= channels) return;
  const Constants scales = constants(scale + first), shifts = constants(shift + first);
%  const Constants betas# = constants(beta + # * channels + first);
@%  const float beta#_$ = betas#.c$;
  const Rows mine(rows);
  Vector next = mine.read_first(z, channels, first);
  for (unsigned long long row = mine.first; row < rows; row += mine.step) {
    const Vector v = next;
    next = mine.read_after(z, row, channels, first);
@    const float y$ = activation(scales.c$ * lane$(v) + shifts.c$$BETA$);
    write(y, row, channels, first, PACKED(y));
  }
}
)";

constexpr const char* kSums = R"(
KERNEL void activation_sums(const Stored* z, const Stored* dy, const float* scale, const float* shift, const float* beta, float* sums,
                            unsigned long long rows, unsigned int channels) {
  const unsigned int first = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
@  float sum_g_$ = 0.0f, sum_gz_$ = 0.0f;
@%  float sum#_$ = 0.0f;
  if (first < channels) {
    const Constants scales = constants(scale + first), shifts = constants(shift + first);
%    const Constants betas# = constants(beta + # * channels + first);
@%    const float beta#_$ = betas#.c$;
    const Rows mine(rows);
    Vector next_z = mine.read_first(z, channels, first), next_dy = mine.read_first(dy, channels, first);
    for (unsigned long long row = mine.first; row < rows; row += mine.step) {
      const Vector v = next_z, w = next_dy;
      next_z = mine.read_after(z, row, channels, first);
      next_dy = mine.read_after(dy, row, channels, first);
@      const float z$ = lane$(v), dy$ = lane$(w);
@%      float slope#_$;
@      const float g$ = dy$ * derivative(scales.c$ * z$ + shifts.c$$BETA$$SLOPE$);
@      sum_g_$ += g$;
@      sum_gz_$ += g$ * z$;
@%      sum#_$ += dy$ * slope#_$;
    }
  }
  // Over the block's lines, in order.
  extern __shared__ float lines[];
  const unsigned int width = blockDim.x * WIDTH, size = (2 + PARAMETERS) * width;
  float* const line = lines + threadIdx.y * size + threadIdx.x * WIDTH;
@  line[$] = sum_g_$;
@  line[width + $] = sum_gz_$;
@%  line[(2 + #) * width + $] = sum#_$;
  __syncthreads();
  for (unsigned int at = threadIdx.y * blockDim.x + threadIdx.x; at < size; at += blockDim.x * blockDim.y) {
    const unsigned int k = at / width, channel = blockIdx.y * width + at % width;
    if (channel >= channels) continue;
    float total = 0.0f;
#pragma unroll 4
    for (unsigned int l = 0; l < blockDim.y; ++l) total += lines[l * size + at];
    sums[((unsigned long long)blockIdx.x * (2 + PARAMETERS) + k) * channels + channel] = total;
  }
}
)";

constexpr const char* kApply = R"(
KERNEL void activation_apply(const Stored* z, const Stored* dy, const float* scale, const float* shift, const float* beta, const float* a,
                             const float* b, const float* d, Stored* dz, unsigned long long rows, unsigned int channels) {
  const unsigned int first = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
  if (first >= channels) return;
  const Constants scales = constants(scale + first), shifts = constants(shift + first);
  const Constants as = constants(a + first), bs = constants(b + first), ds = constants(d + first);
%  const Constants betas# = constants(beta + # * channels + first);
@%  const float beta#_$ = betas#.c$;
  const Rows mine(rows);
  Vector next_z = mine.read_first(z, channels, first), next_dy = mine.read_first(dy, channels, first);
  for (unsigned long long row = mine.first; row < rows; row += mine.step) {
    const Vector v = next_z, w = next_dy;
    next_z = mine.read_after(z, row, channels, first);
    next_dy = mine.read_after(dy, row, channels, first);
@    const float z$ = lane$(v);
@%    float slope#_$;
@    const float g$ = lane$(w) * derivative(scales.c$ * z$ + shifts.c$$BETA$$SLOPE$);
@    const float dz$ = as.c$ * g$ + bs.c$ * z$ + ds.c$;
    write(dz, row, channels, first, PACKED(dz));
  }
}
)";

/// With PACKED(y) written out as packed(y0, y1, …).
std::string packing(const std::string& text, std::string_view name, std::size_t width) {
  std::string lanes;
  for (std::size_t i = 0; i < width; ++i) lanes += (i == 0 ? "" : ", ") + std::string(name) + std::to_string(i);
  return replaced(text, "PACKED(" + std::string(name) + ")", "packed(" + lanes + ")");
}

}  // namespace

std::string cuda_storage_words(Storage storage) { return storage == Storage::kBf16 ? kBf16Storage : kFp32Storage; }

std::string cuda_lane_kernels(Storage storage, int width, std::size_t parameters) {
  const auto count = static_cast<std::size_t>(width);
  const Lanes lanes(count, parameters);
  return vector_words(storage, count) + constant_words(count) + kRows + packing(lanes(kForward), "y", count) + lanes(kSums) +
         packing(lanes(kApply), "dz", count);
}

}  // namespace actsearch
