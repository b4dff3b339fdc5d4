#include "tests/cuda_simulator/memory.h"

#include <cstdio>
#include <cstring>

namespace cuda_simulator {
namespace {

constexpr std::size_t kZone = 256, kGranule = 512, kKept = std::size_t{32} << 20;
constexpr unsigned char kNothing = 0xff;
// As float and as bf16 these are NaN, so that reading outside shows as well; and no NaN that arithmetic makes.
constexpr unsigned char kPattern[2] = {0xd5, 0xff};

void paint(unsigned char* zone, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) zone[i] = kPattern[i % 2];
}
/// The first byte that is not as painted.
std::optional<std::size_t> scratch(const unsigned char* zone, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    if (zone[i] != kPattern[i % 2]) return i;
  }
  return std::nullopt;
}

std::string address(const void* pointer) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", pointer);
  return text;
}

}  // namespace

unsigned char* Memory::Allocation::data() const { return base.get() + kZone; }
std::size_t Memory::Allocation::padded() const { return (bytes + kGranule - 1) / kGranule * kGranule; }

void* Memory::allocate(std::size_t bytes, std::size_t capacity) {
  if (bytes > capacity) return nullptr;
  Allocation allocation{nullptr, bytes};
  if (used_ + allocation.padded() > capacity) return nullptr;
  // The second zone begins with the first byte that was not asked for.
  const std::size_t whole = kZone + allocation.padded() + kZone;
  allocation.base.reset(static_cast<unsigned char*>(std::aligned_alloc(kZone, whole)));
  if (!allocation.base) return nullptr;
  paint(allocation.base.get(), kZone);
  std::memset(allocation.data(), kNothing, bytes);
  paint(allocation.data() + bytes, whole - kZone - bytes);
  used_ += allocation.padded();
  void* const data = allocation.data();
  live_.emplace(reinterpret_cast<std::uintptr_t>(data), std::move(allocation));
  return data;
}

std::string Memory::release(const void* pointer) {
  const auto at = live_.find(reinterpret_cast<std::uintptr_t>(pointer));
  if (at == live_.end()) {
    for (const Allocation& old : released_) {
      if (old.data() == pointer) return address(pointer) + " has been freed before";
    }
    return address(pointer) + " is no allocation of this device";
  }
  Allocation allocation = std::move(at->second);
  live_.erase(at);
  used_ -= allocation.padded();
  std::string wrong = damage_of(allocation);
  std::memset(allocation.data(), kNothing, allocation.bytes);
  released_bytes_ += allocation.bytes;
  released_.push_back(std::move(allocation));
  while (released_bytes_ > kKept) {
    released_bytes_ -= released_.front().bytes;
    released_.pop_front();
  }
  return wrong;
}

bool Memory::inside(const void* pointer, std::size_t bytes) const {
  const auto first = reinterpret_cast<std::uintptr_t>(pointer);
  auto at = live_.upper_bound(first);
  if (at == live_.begin()) return false;
  --at;
  const std::size_t offset = first - at->first;
  return offset <= at->second.bytes && bytes <= at->second.bytes - offset;
}

std::string Memory::damage_of(const Allocation& allocation) const {
  const std::string which = "the allocation of " + std::to_string(allocation.bytes) + " bytes at " + address(allocation.data());
  if (const auto at = scratch(allocation.base.get(), kZone)) {
    return "something wrote " + std::to_string(kZone - *at) + " bytes before " + which;
  }
  const std::size_t behind = kZone + allocation.padded() - allocation.bytes;
  if (const auto at = scratch(allocation.data() + allocation.bytes, behind)) {
    return "something wrote " + std::to_string(*at) + " bytes past the end of " + which;
  }
  return {};
}

std::string Memory::damage() const {
  for (const auto& [data, allocation] : live_) {
    if (std::string wrong = damage_of(allocation); !wrong.empty()) return wrong;
  }
  return {};
}

std::string Memory::late_write() const {
  for (const Allocation& old : released_) {
    for (std::size_t i = 0; i < old.bytes; ++i) {
      if (old.data()[i] != kNothing) return "something wrote to " + address(old.data() + i) + " after it was freed";
    }
  }
  return {};
}

void Memory::clear() {
  live_.clear();
  released_.clear();
  used_ = released_bytes_ = 0;
}

}  // namespace cuda_simulator
