/// What a simulated module and the simulated driver know of each other. A module is compiled as C++17, with as few headers as possible.
#pragma once

namespace cuda_simulator {

/// threadIdx, blockIdx, blockDim and gridDim.
struct Index {
  unsigned int x = 0, y = 0, z = 0;
};

/// What the driver does for the kernels of a module.
struct Services {
  /// Returns once every thread of the block has come here or ended.
  void (*barrier)();
  /// Ends the launch; does not return. `what` lives as long as the module.
  void (*fail)(const char* what, unsigned int line);
};

/// A module's symbol simulator_module. Blocks and threads are those of the calling OS thread, so several may run at once.
struct Module {
  int architecture;  // 90 for sm_90
  void (*attach)(const Services* services);
  void (*begin_block)(const Index* grid, const Index* block, const Index* at, unsigned int shared_bytes);
  void (*enter)(unsigned int thread);                   // the code that runs now is the block's thread of that number
  const char* (*end_block)(unsigned int shared_bytes);  // what the block has done wrong, or null
};

/// A kernel's symbol simulator_kernel_NAME.
struct Kernel {
  unsigned int parameters;
  const unsigned int* sizes;  // of each parameter, in bytes
  const bool* pointers;       // is it a pointer
  unsigned int max_threads;   // of a block
  void (*call)(void** arguments);
};

}  // namespace cuda_simulator
