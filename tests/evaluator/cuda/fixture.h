/// What tests on CUDA devices share: they are skipped where there is none, and know the simulated ones.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "evaluator/cuda/backend.h"

namespace actsearch::testing {

/// Whether the devices are those of tests/cuda_simulator.
inline bool simulated() { return std::getenv("ACTSEARCH_SIMULATOR_DEVICES") != nullptr; }

class OnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      cuda_devices();
    } catch (const CudaMissing& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
};

}  // namespace actsearch::testing
