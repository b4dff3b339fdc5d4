#include "search/text/machine.h"

#include <sched.h>

#include <array>
#include <fstream>
#include <thread>

namespace actsearch {
namespace {

struct InstructionSet {
  const char* name;
  bool built;
  bool present;
};

#ifdef __AVX2__
constexpr bool kAvx2 = true;
#else
constexpr bool kAvx2 = false;
#endif
#ifdef __FMA__
constexpr bool kFma = true;
#else
constexpr bool kFma = false;
#endif
#ifdef __AVX512F__
constexpr bool kAvx512f = true;
#else
constexpr bool kAvx512f = false;
#endif
#ifdef __AVX512BF16__
constexpr bool kAvx512bf16 = true;
#else
constexpr bool kAvx512bf16 = false;
#endif
#ifdef __AMX_BF16__
constexpr bool kAmxBf16 = true;
#else
constexpr bool kAmxBf16 = false;
#endif

std::array<InstructionSet, 5> instruction_sets() {
#ifdef __x86_64__
  return {{{"AVX2", kAvx2, __builtin_cpu_supports("avx2") != 0},
           {"FMA", kFma, __builtin_cpu_supports("fma") != 0},
           {"AVX-512F", kAvx512f, __builtin_cpu_supports("avx512f") != 0},
           {"AVX-512-BF16", kAvx512bf16, __builtin_cpu_supports("avx512bf16") != 0},
           {"AMX-BF16", kAmxBf16, __builtin_cpu_supports("amx-bf16") != 0}}};
#else
  return {};
#endif
}

std::string names(bool InstructionSet::*chosen) {
  std::string text;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.name != nullptr && set.*chosen) text.append(text.empty() ? "" : " ").append(set.name);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  const unsigned count = std::thread::hardware_concurrency();  // more cores than cpu_set_t holds
  return count == 0 ? 1 : static_cast<int>(count);
}

std::string machine_text() {
  const int cores = available_cores();
  return processor_model() + ", " + std::to_string(cores) + (cores == 1 ? " core" : " cores");
}

std::string built_instruction_sets() { return names(&InstructionSet::built); }
std::string processor_instruction_sets() { return names(&InstructionSet::present); }

}  // namespace actsearch
