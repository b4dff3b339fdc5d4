/// How fast a CUDA device runs the project's kernels and trains: short measurements on random images.
#pragma once

#include <string>
#include <vector>

#include "evaluator/network/recipe.h"

namespace actsearch {

struct CudaMeasurement {
  Precision precision = Precision::kBf16;
  std::vector<std::string> activations;  ///< formulas or names
  std::vector<std::string> recipes;      ///< names
  std::vector<int> jobs;                 ///< networks at once
  int batch = 0;                         ///< in place of the recipes' own; 0: theirs
  double seconds = 1;                    ///< at least, for each measurement of training
  std::size_t images = 4'096;            ///< in an epoch
  std::size_t kernel_rows = 1 << 20;     ///< of the tensors that the kernels are measured over, at 64 channels: far beyond any cache
};

struct CudaThroughput {
  std::string device;
  double copy_bytes_per_second = 0;  ///< device to device, bytes read and written
  struct Kernel {
    std::string activation, pass;  ///< forward, sums or apply
    double bytes_per_second = 0;   ///< read and written
  };
  std::vector<Kernel> kernels;
  struct Compilation {
    std::string activation;
    double seconds = 0;  ///< of its three kernels by NVRTC, not from the cache
  };
  std::vector<Compilation> compilations;
  struct Training {
    std::string recipe, activation;
    int batch = 0, jobs = 0;
    double images_per_second = 0;        ///< of all jobs together
    double floor_images_per_second = 0;  ///< one job: library calls alone, and the other bytes at the copy's rate
    double start_seconds = 0;            ///< of a candidate: weights, kernels loaded, graphs recorded
    std::size_t nodes = 0;               ///< of a step's graph
    std::size_t memory_bytes = 0;        ///< of one job
  };
  std::vector<Training> training;
};

/// CudaMissing, CudaError as of CudaBackend.
CudaThroughput measure_cuda(int ordinal, const CudaMeasurement& what);

}  // namespace actsearch
