#include "search/report/kernel_time.h"

#include <algorithm>
#include <limits>
#include <random>
#include <stdexcept>

#include "grammar/notation.h"
#include "kernels/cpu/eigen_kernel.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRows = 128, kChannels = 32;
constexpr int kRepetitions = 7;

/// The fastest of `repetitions` calls, in ns.
template <class Call>
double best_ns(int repetitions, Call&& call) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repetitions; ++i) {
    const auto start = Clock::now();
    call();
    best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  return best;
}

/// Stores a value as element i; in bf16 its upper half, which is near enough for random ones.
void put(std::vector<unsigned char>& buffer, std::size_t i, std::size_t size, float value) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
  std::copy_n(bytes + (sizeof value - size), size, buffer.begin() + static_cast<std::ptrdiff_t>(i * size));
}

}  // namespace

KernelBench::KernelBench(Storage storage, std::size_t rows, std::size_t channels)
    : storage_(storage), rows_(rows), channels_(channels), scale_(channels, 1.f), shift_(channels, 0.f) {
  const std::size_t size = storage_bytes(storage_);
  for (auto* buffer : {&z_, &dL_dy_, &y_}) buffer->resize(elements() * size);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < elements(); ++i) {
    put(z_, i, size, normal(random));
    put(dL_dy_, i, size, normal(random));
  }
}

KernelTime KernelBench::operator()(const Program& program, int repetitions) {
  const EigenKernel kernel(program);
  const auto parameters = static_cast<std::size_t>(kernel.parameter_count());
  const std::vector<float> beta(parameters * channels_, 1.f);
  std::vector<float> g(channels_), gz(channels_), beta_sums(parameters * channels_);
  const EigenKernel::Sums sums{g.data(), gz.data(), beta_sums.data()};
  const auto forward = [&] { kernel.forward(storage_, z_.data(), rows_, channels_, scale_.data(), shift_.data(), beta.data(), y_.data()); };
  const auto backward = [&] {
    kernel.backward(storage_, z_.data(), dL_dy_.data(), rows_, channels_, scale_.data(), shift_.data(), beta.data(), y_.data(), sums);
  };
  const auto all = static_cast<double>(elements());
  const double forward_ns = best_ns(repetitions, forward) / all;
  return {forward_ns, best_ns(repetitions, backward) / all};
}

KernelTimes::KernelTimes(std::chrono::duration<double> budget) : bench_(Storage::kFp32, kRows, kChannels), budget_(budget) {}

std::optional<KernelTime> KernelTimes::of(const std::string& formula) {
  if (const auto known = times_.find(formula); known != times_.end()) return known->second;
  if (spent_ >= budget_) return std::nullopt;
  const auto begun = Clock::now();
  std::optional<KernelTime> time;
  try {
    time = bench_(lower(parse(formula).with_parameters_in_order()), kRepetitions);
  } catch (const std::invalid_argument&) {
    // No formula, or one too large to compute: there is nothing to measure.
  }
  spent_ += Clock::now() - begun;
  return times_[formula] = time;
}

}  // namespace actsearch
