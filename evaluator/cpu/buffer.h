/// Memory for a tensor: aligned to cache lines, which tile loads want, and in huge pages where the system gives them on advice.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace actsearch {

/// Zeroed bytes with one owner; moves, does not copy.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    // No coarser than a cache line: tensors that all began at multiples of 2 MiB would compete for the same lines of the caches.
    const std::size_t rounded = (size + kCacheLine - 1) / kCacheLine * kCacheLine;
    bytes_.reset(static_cast<unsigned char*>(std::aligned_alloc(kCacheLine, rounded)));
    if (!bytes_) throw std::bad_alloc();
    advise_huge_pages(rounded);
    std::memset(bytes_.get(), 0, size);
  }
  unsigned char* data() { return bytes_.get(); }
  const unsigned char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  /// Tensors of megabytes then need fewer address translations. Only advice: where it is refused nothing changes.
  void advise_huge_pages(std::size_t size) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes_.get());
    const std::uintptr_t first = (begin + page - 1) / page * page, last = (begin + size) / page * page;
    if (last > first) static_cast<void>(madvise(bytes_.get() + (first - begin), last - first, MADV_HUGEPAGE));
  }

  static constexpr std::size_t kCacheLine = 64;
  struct Free {
    void operator()(unsigned char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<unsigned char, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace actsearch
