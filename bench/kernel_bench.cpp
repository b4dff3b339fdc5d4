// The blocked CPU kernel beside loops compiled for one function: what interpreting a candidate costs.
//
// Every comparison runs both in turn on the same tensors and reports nanoseconds per element and the ratio of the medians. The bars
// (docs/performance.md): 1.3 for Swish, 1.5 for the median over 100 random core1 candidates. One thread and its processor time, one layer
// of vgg-s. The random candidates are in the storage type that the processor trains in.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bench/fused_loops.h"
#include "grammar/operators.h"
#include "grammar/program.h"
#include "kernels/cpu/eigen_kernel.h"
#include "kernels/cpu/pack.h"
#include "kernels/storage.h"

namespace actsearch {
namespace {

constexpr std::size_t kRows = 128 * 16 * 16, kChannels = 64;  // vgg-s, second block, batch 128
constexpr double kElements = static_cast<double>(kRows * kChannels);
constexpr std::size_t kMaxParameters = 3;  // of a core1 candidate

/// One layer's tensors and per-channel arrays, filled from a fixed seed.
template <class Stored>
struct Layer {
  static constexpr Storage kStorage = std::is_same_v<Stored, Bf16> ? Storage::kBf16 : Storage::kFp32;
  std::vector<Stored> z, dL_dy, out, other_out;
  std::vector<float> scale, shift, beta, sums, other_sums;

  Layer()
      : z(kRows * kChannels),
        dL_dy(z.size()),
        out(z.size()),
        other_out(z.size()),
        sums((2 + kMaxParameters) * kChannels),
        other_sums(sums.size()) {
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    for (Stored& value : z) value = Stored(normal(random));
    for (Stored& value : dL_dy) value = Stored(normal(random));
    for (std::size_t c = 0; c < kChannels; ++c) {
      scale.push_back(1.0f + 0.1f * normal(random));
      shift.push_back(0.1f * normal(random));
    }
    for (std::size_t i = 0; i < kMaxParameters * kChannels; ++i) beta.push_back(1.0f + 0.1f * normal(random));
  }

  void forward(const EigenKernel& kernel) {
    kernel.forward(kStorage, z.data(), kRows, kChannels, scale.data(), shift.data(), beta.data(), out.data());
  }
  void backward(const EigenKernel& kernel) {
    kernel.backward(kStorage, z.data(), dL_dy.data(), kRows, kChannels, scale.data(), shift.data(), beta.data(), out.data(),
                    {sums.data(), sums.data() + kChannels, sums.data() + 2 * kChannels});
  }
};

template <class Operator>
Program program_of() {
  const Expression x = Expression::input();
  if constexpr (uses_beta<Operator>) {
    return lower(Operator::f(x, Expression::parameter(0)));
  } else {
    return lower(Operator::f(x));
  }
}

/// This thread's processor time, so that other work on the machine does not count.
double thread_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <class Body>
double seconds_of(Body&& body) {
  const double start = thread_seconds();
  body();
  return thread_seconds() - start;
}

#ifdef __AVX2__

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Runs both in turn; each iteration's time is the blocked kernel's.
template <class Blocked, class Fused>
void in_turn(benchmark::State& state, Blocked&& blocked, Fused&& fused) {
  std::vector<double> blocked_seconds, fused_seconds;
  for (auto _ : state) {
    blocked_seconds.push_back(seconds_of(blocked));
    fused_seconds.push_back(seconds_of(fused));
    state.SetIterationTime(blocked_seconds.back());
  }
  state.counters["blocked_ns"] = median(blocked_seconds) / kElements * 1e9;
  state.counters["fused_ns"] = median(fused_seconds) / kElements * 1e9;
  state.counters["ratio"] = median(blocked_seconds) / median(fused_seconds);
}

/// Whether both computed the same, up to the storage type's rounding.
template <class Stored>
bool agree(const std::vector<Stored>& a, const std::vector<Stored>& b) {
  constexpr float tolerance = std::is_same_v<Stored, Bf16> ? 0.01f : 1e-5f;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto p = static_cast<float>(a[i]), q = static_cast<float>(b[i]);
    if (!(std::fabs(p - q) <= 1e-5f + tolerance * std::fabs(q))) return false;
  }
  return true;
}

template <class Operator, class Hand, class Stored>
void forward_beside_hand_written(benchmark::State& state) {
  Layer<Stored> layer;
  const EigenKernel kernel(program_of<Operator>());
  in_turn(
      state, [&] { layer.forward(kernel); },
      [&] {
        bench::fused_forward<Hand>(layer.z.data(), kRows, kChannels, layer.scale.data(), layer.shift.data(), layer.beta.data(),
                                   layer.other_out.data());
      });
  if (!agree(layer.out, layer.other_out)) state.SkipWithError("the two loops do not compute the same");
}

template <class Operator, class Hand, class Stored>
void backward_beside_hand_written(benchmark::State& state) {
  Layer<Stored> layer;
  const EigenKernel kernel(program_of<Operator>());
  float* const sums = layer.other_sums.data();
  in_turn(
      state, [&] { layer.backward(kernel); },
      [&] {
        bench::fused_backward<Hand>(layer.z.data(), layer.dL_dy.data(), kRows, kChannels, layer.scale.data(), layer.shift.data(),
                                    layer.beta.data(), layer.other_out.data(), sums, sums + kChannels, sums + 2 * kChannels);
      });
  if (!agree(layer.out, layer.other_out)) state.SkipWithError("the two loops do not compute the same");
}

/// The storage type that this processor trains in.
#ifdef __AVX512BF16__
using Native = Bf16;
#else
using Native = float;
#endif

BENCHMARK(forward_beside_hand_written<Relu, bench::HandRelu, float>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(backward_beside_hand_written<Relu, bench::HandRelu, float>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(forward_beside_hand_written<Swish, bench::HandSwish, float>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(backward_beside_hand_written<Swish, bench::HandSwish, float>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(forward_beside_hand_written<Relu, bench::HandRelu, Bf16>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(backward_beside_hand_written<Relu, bench::HandRelu, Bf16>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(forward_beside_hand_written<Swish, bench::HandSwish, Bf16>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(backward_beside_hand_written<Swish, bench::HandSwish, Bf16>)->UseManualTime()->Unit(benchmark::kMillisecond);

// ---- 100 random core1 candidates: the operators' own formulas, compiled into one loop each. --------------------------

template <std::size_t I, class List>
struct TypeAt;
template <std::size_t I, class First, class... Rest>
struct TypeAt<I, TypeList<First, Rest...>> : TypeAt<I - 1, TypeList<Rest...>> {};
template <class First, class... Rest>
struct TypeAt<0, TypeList<First, Rest...>> {
  using type = First;
};

/// SplitMix64: the I-th number of a fixed random sequence.
constexpr std::uint64_t random_number(std::uint64_t i) {
  std::uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// The I-th random core unit b(u1(x), u2(x)).
template <std::size_t I>
struct RandomCandidate {
  using U1 = typename TypeAt<random_number(3 * I) % UnaryOperators::size, UnaryOperators>::type;
  using U2 = typename TypeAt<random_number(3 * I + 1) % UnaryOperators::size, UnaryOperators>::type;
  using B = typename TypeAt<random_number(3 * I + 2) % BinaryOperators::size, BinaryOperators>::type;
  static constexpr int kParameters = uses_beta<U1> + uses_beta<U2> + uses_beta<B>;

  /// The unit over values of type T; `beta(k)` is parameter k.
  template <class T, class BetaAt>
  static T f(const T& x, BetaAt&& beta) {
    int k = 0;
    const auto unary = [&]<class U>(U*) {
      if constexpr (uses_beta<U>) {
        return U::f(x, beta(k++));
      } else {
        return U::f(x);
      }
    };
    const T a = unary(static_cast<U1*>(nullptr));
    const T b = unary(static_cast<U2*>(nullptr));
    if constexpr (uses_beta<B>) {
      return B::f(a, b, beta(k));
    } else {
      return B::f(a, b);
    }
  }
  static bench::Vector value(bench::Vector u, const bench::Vector* beta) {
    return f(Pack(u), [&](int k) { return Pack(beta[k]); }).v;
  }
};

template <std::size_t I>
double ratio_of_candidate(Layer<Native>& layer, std::size_t repetitions) {
  using Candidate = RandomCandidate<I>;
  const EigenKernel kernel(
      lower(Candidate::f(Expression::input(), [](int k) { return Expression::parameter(k); }).with_parameters_in_order()));
  std::vector<double> blocked, fused;
  for (std::size_t r = 0; r < repetitions; ++r) {
    blocked.push_back(seconds_of([&] { layer.forward(kernel); }));
    fused.push_back(seconds_of([&] {
      bench::fused_forward<Candidate>(layer.z.data(), kRows, kChannels, layer.scale.data(), layer.shift.data(), layer.beta.data(),
                                      layer.other_out.data());
    }));
  }
  return median(blocked) / median(fused);
}

void random_core1_forward_beside_compiled(benchmark::State& state) {
  constexpr std::size_t kCandidates = 100, kRepetitions = 5;
  Layer<Native> layer;
  std::vector<double> ratios;
  for (auto _ : state) {
    ratios.clear();
    [&]<std::size_t... I>(std::index_sequence<I...>) { (ratios.push_back(ratio_of_candidate<I>(layer, kRepetitions)), ...); }
    (std::make_index_sequence<kCandidates>{});
  }
  std::sort(ratios.begin(), ratios.end());
  state.counters["ratio_median"] = ratios[kCandidates / 2];
  state.counters["ratio_90%"] = ratios[kCandidates * 9 / 10];
  state.counters["ratio_max"] = ratios.back();
}
BENCHMARK(random_core1_forward_beside_compiled)->Iterations(1)->Unit(benchmark::kMillisecond);

#else  // without AVX2 there is no loop to compare with

void per_element(benchmark::State& state) {
  state.counters["per_element"] =
      benchmark::Counter(kElements, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Operator, class Stored>
void blocked_forward(benchmark::State& state) {
  Layer<Stored> layer;
  const EigenKernel kernel(program_of<Operator>());
  for (auto _ : state) layer.forward(kernel);
  per_element(state);
}

template <class Operator, class Stored>
void blocked_backward(benchmark::State& state) {
  Layer<Stored> layer;
  const EigenKernel kernel(program_of<Operator>());
  for (auto _ : state) layer.backward(kernel);
  per_element(state);
}

BENCHMARK(blocked_forward<Relu, float>)->Unit(benchmark::kMillisecond);
BENCHMARK(blocked_backward<Relu, float>)->Unit(benchmark::kMillisecond);
BENCHMARK(blocked_forward<Swish, float>)->Unit(benchmark::kMillisecond);
BENCHMARK(blocked_backward<Swish, float>)->Unit(benchmark::kMillisecond);

#endif  // __AVX2__

}  // namespace
}  // namespace actsearch

BENCHMARK_MAIN();
