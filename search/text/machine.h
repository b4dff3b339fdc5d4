/// What this machine is, as every study records it.
#pragma once

#include <string>

namespace actsearch {

/// The processor's model name; "unknown processor" where the system does not tell.
std::string processor_model();
/// Cores (hardware threads) this process may run on, at least 1.
int available_cores();
/// "Intel(R) Xeon(R) …, 2 cores".
std::string machine_text();

/// The vector instruction sets that the program is built with, or that the processor has: "AVX2 FMA AVX-512F …"; "none" without.
std::string built_instruction_sets();
std::string processor_instruction_sets();

}  // namespace actsearch
