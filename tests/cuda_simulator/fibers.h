/// The threads of a simulated block, taking turns on the calling OS thread. Every OS thread has its own set.
#pragma once

#include <memory>
#include <string>

#include "tests/cuda_simulator/module_interface.h"

namespace cuda_simulator {

class Fibers {
 public:
  static Fibers& of_this_thread();
  ~Fibers();

  /// Runs every thread of one block to its end. What a thread has done wrong, after which the others are abandoned; empty if nothing.
  std::string run(const Module& module, const Kernel& kernel, void** arguments, unsigned int threads);

  /// What modules call from within run().
  static const Services& services();

 private:
  struct Block;
  struct Fiber;
  struct Pool;
  Fibers();
  static void barrier();
  static void fail(const char* what, unsigned int line);
  static void body();
  void resume(Fiber& fiber);
  [[noreturn]] void leave();

  std::unique_ptr<Pool> pool_;
};

}  // namespace cuda_simulator
