/// What a function's CPU kernel costs: measured on this machine, on one core.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/program.h"
#include "kernels/storage.h"

namespace actsearch {

struct KernelTime {
  double forward_ns = 0, backward_ns = 0;  ///< an element
};

/// Buffers that kernels are measured over, rows × channels of random normal values in `storage`.
class KernelBench {
 public:
  KernelBench(Storage storage, std::size_t rows, std::size_t channels);
  /// The fastest of `calls` calls of each pass. The kernels are those of training: fused with batch norm, every β at 1.
  KernelTime operator()(const Program& program, int repetitions);

 private:
  std::size_t elements() const { return rows_ * channels_; }

  Storage storage_;
  std::size_t rows_, channels_;
  std::vector<unsigned char> z_, dL_dy_, y_;
  std::vector<float> scale_, shift_;
};

/// The kernel times of formulas, each measured once and quickly: over 4,096 values in fp32, which stay in the nearest caches, the fastest
/// of several calls. Not thread-safe.
class KernelTimes {
 public:
  /// Measures for at most so long between two calls of begin(); with 0, never.
  explicit KernelTimes(std::chrono::duration<double> budget);
  /// The whole budget may be spent again.
  void begin() { spent_ = {}; }
  /// Absent where the text is no formula, or the budget is spent and it has not been measured before.
  std::optional<KernelTime> of(const std::string& formula);

 private:
  KernelBench bench_;
  std::chrono::duration<double> budget_, spent_{};
  std::unordered_map<std::string, std::optional<KernelTime>> times_;
};

}  // namespace actsearch
