/// A simulated device's memory: aligned to 256 bytes, a red zone on both sides, NaN until something is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace cuda_simulator {

/// Not safe for several threads at once.
class Memory {
 public:
  /// Null if that is more than `capacity` leaves.
  void* allocate(std::size_t bytes, std::size_t capacity);
  /// What is wrong with the pointer; empty if it was freed.
  std::string release(const void* pointer);
  /// Does [pointer, pointer + bytes) lie in one allocation? Its end is inside for no bytes.
  bool inside(const void* pointer, std::size_t bytes) const;
  /// The first damage found in a red zone; empty if there is none.
  std::string damage() const;
  /// The first write to memory after its release; empty if there is none.
  std::string late_write() const;
  void clear();

  std::size_t used() const { return used_; }
  std::size_t count() const { return live_.size(); }

 private:
  struct Free {
    void operator()(unsigned char* bytes) const { std::free(bytes); }
  };
  struct Allocation {
    std::unique_ptr<unsigned char, Free> base;  // of the first red zone
    std::size_t bytes;
    unsigned char* data() const;
    std::size_t padded() const;
  };
  std::string damage_of(const Allocation& allocation) const;

  std::map<std::uintptr_t, Allocation> live_;
  std::deque<Allocation> released_;  // kept for a while, so that a late write is found and meets nothing of others
  std::size_t used_ = 0, released_bytes_ = 0;
};

}  // namespace cuda_simulator
