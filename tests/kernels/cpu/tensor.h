/// Random tensors in either storage type, readable as floats.
#pragma once

#include <random>
#include <vector>

#include "kernels/cpu/eigen_kernel.h"
#include "kernels/storage.h"

namespace actsearch::testing {

inline std::vector<float> random_floats(std::size_t n, std::uint64_t seed, float low = -1, float high = 1) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> all(n);
  for (float& value : all) value = uniform(random);
  return all;
}

class Tensor {
 public:
  Tensor(Storage storage, const std::vector<float>& values) : storage_(storage), bytes_(values.size() * storage_bytes(storage)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (storage_ == Storage::kFp32) {
        reinterpret_cast<float*>(bytes_.data())[i] = values[i];
      } else {
        reinterpret_cast<Bf16*>(bytes_.data())[i] = Bf16(values[i]);
      }
    }
  }
  float operator[](std::size_t i) const {
    return storage_ == Storage::kFp32 ? reinterpret_cast<const float*>(bytes_.data())[i]
                                      : static_cast<float>(reinterpret_cast<const Bf16*>(bytes_.data())[i]);
  }
  void* data() { return bytes_.data(); }
  const void* data() const { return bytes_.data(); }

 private:
  Storage storage_;
  std::vector<unsigned char> bytes_;
};

}  // namespace actsearch::testing
