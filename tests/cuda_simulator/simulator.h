/// What the simulated libcuda does for the other simulated libraries.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>

/// Does the range lie in one allocation of the current context?
extern "C" bool simulator_inside(const void* pointer, std::size_t bytes);

/// Device work: returns what was wrong, which the device then answers every call with, or an empty string.
using SimulatorWork = std::function<std::string()>;

/// Does the work on the stream: records it if the stream is capturing, otherwise does it at once and looks for damage. A null handle is
/// the default stream.
CUresult simulator_run(CUstream stream, const std::string& name, const SimulatorWork& work);

/// Success if the stream is one of the current context, and the context is well.
CUresult simulator_check_stream(CUstream stream);

/// As cuMemAlloc is: refused while a capture forbids it.
CUresult simulator_unsafe_call(const char* name);

inline void simulator_say(const std::string& what) { std::fprintf(stderr, "cuda simulator: %s\n", what.c_str()); }
