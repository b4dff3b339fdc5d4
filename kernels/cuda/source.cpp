#include "kernels/cuda/source.h"

#include <stdexcept>

#include "kernels/codegen/print.h"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/nvrtc.h"

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
__device__ __forceinline__ void write(Stored* tensor, unsigned long long row, unsigned int channels, unsigned int channel, const Vector& v) {
  *reinterpret_cast<Vector*>(tensor + row * channels + channel) = v;
}
)";

/// ", word0, word1, …" for all parameters.
std::string arguments(const std::string& word, std::size_t parameters) {
  std::string list;
  for (std::size_t k = 0; k < parameters; ++k) list += ", " + word + std::to_string(k);
  return list;
}

}  // namespace

int cuda_vector_width(Storage storage, int channels) {
  const int width = storage == Storage::kBf16 ? 8 : 4;
  return channels % width == 0 ? width : 1;
}

std::string cuda_tensor_words(Storage storage, int width) {
  if (width != 1 && width != 4 && width != 8) throw std::invalid_argument("cuda_tensor_words: a thread works on 1, 4 or 8 channels");
  return "#define WIDTH " + std::to_string(width) + "\n" + cuda_storage_words(storage) + kTensorWords;
}

std::string cuda_source(const Program& program, Storage storage, int width) {
  if (width != 1 && width != 4 && width != 8) throw std::invalid_argument("cuda_source: a thread works on 1, 4 or 8 channels");
  const auto parameters = static_cast<std::size_t>(program.parameter_count());
  const IntrinsicGraph graph = trace(program);
  const Language language = kernel_language();
  Leaves leaves{"x", {}};
  for (std::size_t k = 0; k < parameters; ++k) leaves.beta.push_back("beta" + std::to_string(k));
  std::vector<std::uint32_t> slopes{graph.dydx};
  slopes.insert(slopes.end(), graph.dydbeta.begin(), graph.dydbeta.end());
  const Code forward = print(graph, {graph.y}, language, leaves), backward = print(graph, slopes, language, leaves);
  const std::string betas = arguments("float beta", parameters);

  std::string text(Nvrtc::kStraightLine);
  text += "#define WIDTH " + std::to_string(width) + "\n#define PARAMETERS " + std::to_string(parameters) + "\n";
  text += cuda_storage_words(storage) + kHelpers;
  text += "\n// f(x; beta)\n__device__ __forceinline__ float activation(float x" + betas + ") {\n";
  text += forward.lines + "  return " + forward.results[0] + ";\n}\n";
  text += "\n// f'(x; beta), and the derivatives by beta\n";
  text += "__device__ __forceinline__ float derivative(float x" + betas + arguments("float& slope", parameters) + ") {\n" + backward.lines;
  for (std::size_t k = 0; k < parameters; ++k) text += "  slope" + std::to_string(k) + " = " + backward.results[k + 1] + ";\n";
  text += "  return " + backward.results[0] + ";\n}\n\n";
  return text + cuda_lane_kernels(storage, width, parameters);
}

}  // namespace actsearch
