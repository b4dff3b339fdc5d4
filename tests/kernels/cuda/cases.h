/// The formulas whose CUDA text is executed on the CPU: every operator and some random compositions.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "grammar/operators.h"
#include "grammar/space.h"
#include "kernels/storage.h"

namespace actsearch::testing {

struct CudaCase {
  Expression formula;
  Storage storage;
  int width;
};

/// The same list in the program that writes the texts and in the test that runs them.
inline std::vector<CudaCase> cuda_cases() {
  std::vector<Expression> formulas;
  for (const OperatorInfo& unary : unary_operators()) {
    formulas.push_back(Space("core1", {{std::string(unary.name)}}, {{"add"}}).at(0));
  }
  for (const OperatorInfo& binary : binary_operators()) {
    formulas.push_back(Space("core1", {{"beta_times", "sin"}}, {{std::string(binary.name)}}).at(1));
  }
  std::mt19937_64 random(31);
  const Space one("core1"), two("core2");
  for (int i = 0; i < 20; ++i) formulas.push_back(one.at(random() % one.size()));
  for (int i = 0; i < 10; ++i) formulas.push_back(two.at(random() % two.size()));

  std::vector<CudaCase> all;
  for (const Expression& formula : formulas) {
    switch (all.size() % 4) {
      case 0:
        all.push_back({formula, Storage::kFp32, 4});
        break;
      case 1:
        all.push_back({formula, Storage::kBf16, 8});
        break;
      case 2:
        all.push_back({formula, Storage::kFp32, 1});
        break;
      default:
        all.push_back({formula, Storage::kBf16, 1});
    }
  }
  return all;
}

}  // namespace actsearch::testing
