/// NVIDIA's driver, loaded at run time: devices, their memory, streams, modules and graphs, each freed by its owner.
///
/// Calls that fail throw CudaError with the driver's own words. After an error other than a lack of memory the device is of no more use to
/// this process. Objects belong to one thread at a time, which has made the device current; they are destroyed before their CudaDevice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/cuda/shared_library.h"

namespace actsearch {

class CudaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
class CudaOutOfMemory : public CudaError {
 public:
  using CudaError::CudaError;
};

/// An address on a device.
using CudaAddress = std::uint64_t;

class CudaDevice {
 public:
  /// Devices that the driver shows. CudaMissing, naming what is missing, if there is no driver or no device.
  static int count();
  /// The driver's, for example {13, 0}: the newest CUDA whose programs it runs. CudaMissing as for count.
  static std::pair<int, int> driver_version();
  /// The name of a device, without opening it. Errors as the constructor's.
  static std::string name_of(int ordinal);

  /// Opens the device. CudaMissing as for count, and where the device is busy: another process may have it for itself.
  /// std::out_of_range if there is no such device.
  explicit CudaDevice(int ordinal);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  int ordinal() const { return ordinal_; }
  const std::string& name() const { return name_; }
  /// For example "sm_90".
  const std::string& architecture() const { return architecture_; }
  int multiprocessors() const { return multiprocessors_; }
  std::size_t total_memory() const { return total_memory_; }
  std::size_t free_memory() const;
  /// What the calling thread does from here on, it does on this device.
  void make_current() const;
  /// Held shared while a stream records. Held alone around calls that wait for the whole device, which would spoil the recording: making
  /// and destroying what the libraries keep on it.
  std::shared_mutex& recording() const { return recording_; }

 private:
  mutable std::shared_mutex recording_;
  int ordinal_;
  int handle_ = 0;
  void* context_ = nullptr;
  std::string name_, architecture_;
  int multiprocessors_ = 0;
  std::size_t total_memory_ = 0;
};

/// Memory of the current device. Its contents are undefined.
class CudaMemory {
 public:
  CudaMemory() = default;
  /// CudaOutOfMemory if there is not enough. Of size 0 it has no address.
  explicit CudaMemory(std::size_t bytes);
  ~CudaMemory() { free(); }
  CudaMemory(CudaMemory&& other) noexcept;
  CudaMemory& operator=(CudaMemory&& other) noexcept;

  CudaAddress address() const { return address_; }
  std::size_t size() const { return size_; }

 private:
  void free() noexcept;
  CudaAddress address_ = 0;
  std::size_t size_ = 0;
};

struct CudaFunction {
  void* handle = nullptr;
};
/// How many such blocks of the kernel a multiprocessor of the current device works on at once.
unsigned blocks_at_once(CudaFunction function, unsigned threads, std::size_t shared_bytes);

/// A loaded cubin.
class CudaModule {
 public:
  explicit CudaModule(const std::string& cubin);
  ~CudaModule();
  CudaModule(const CudaModule&) = delete;
  CudaModule& operator=(const CudaModule&) = delete;
  /// Loaded whole, so that a recording may launch it. CudaError if it has no such kernel.
  CudaFunction function(const char* name) const;

 private:
  void* handle_ = nullptr;
};

/// Recorded work, to be launched as one.
class CudaGraph {
 public:
  CudaGraph() = default;
  ~CudaGraph();
  CudaGraph(CudaGraph&& other) noexcept;
  CudaGraph& operator=(CudaGraph&& other) noexcept;
  std::size_t nodes() const { return nodes_; }

 private:
  friend class CudaStream;
  void* executable_ = nullptr;
  std::size_t nodes_ = 0;
};

/// Blocks of a launch, or threads of a block.
struct CudaExtent {
  unsigned x = 1, y = 1;
};

/// Work done in order. Host memory given to a copy stays as it is until synchronise.
class CudaStream {
 public:
  CudaStream();
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  /// For other libraries: a CUstream.
  void* handle() const { return handle_; }

  void copy_to_device(CudaAddress to, const void* from, std::size_t bytes);
  void copy_to_host(void* to, CudaAddress from, std::size_t bytes);
  void copy(CudaAddress to, CudaAddress from, std::size_t bytes);
  void set_zero(CudaAddress to, std::size_t bytes);
  void synchronise();

  /// Arguments are passed by value as they are: their types must be the kernel's, addresses as CudaAddress.
  template <class... Arguments>
  void launch(CudaFunction function, CudaExtent grid, CudaExtent block, std::size_t shared_bytes, Arguments... arguments) {
    static_assert((std::is_trivially_copyable_v<Arguments> && ...));
    std::array<void*, sizeof...(Arguments)> places{static_cast<void*>(&arguments)...};
    launch_places(function, grid, block, shared_bytes, places.data());
  }

  /// What `calls` asks of this stream is recorded, not done. If it throws, the recording is given up and the stream is as it was.
  template <class Calls>
  CudaGraph record(Calls&& calls) {
    begin_capture();
    try {
      std::forward<Calls>(calls)();
    } catch (...) {
      give_up_capture();
      throw;
    }
    return end_capture();
  }
  void launch(const CudaGraph& graph);

 private:
  void begin_capture();
  CudaGraph end_capture();
  void give_up_capture() noexcept;
  void launch_places(CudaFunction function, CudaExtent grid, CudaExtent block, std::size_t shared_bytes, void** places);
  void* handle_ = nullptr;
};

/// Time on the device between two points of a stream.
class CudaTimer {
 public:
  CudaTimer();
  ~CudaTimer();
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;
  void start(const CudaStream& stream);
  /// Waits for the work since start and says how long it took.
  double stop_seconds(const CudaStream& stream);

 private:
  void* begin_ = nullptr;
  void* end_ = nullptr;
};

}  // namespace actsearch
