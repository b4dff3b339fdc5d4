/// A Python for tests that compare with its frameworks.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/kernels/export/folder.h"

namespace actsearch::testing {

/// A Python that can import the modules, or empty.
inline std::string python_with(const std::string& modules) {
  std::vector<std::string> interpreters;
  if (const char* const chosen = std::getenv("ACTSEARCH_PYTHON"); chosen != nullptr && *chosen != '\0') interpreters.emplace_back(chosen);
  for (const char* const usual : {ACTSEARCH_SOURCE_DIR "/build/frameworks/bin/python", ACTSEARCH_SOURCE_DIR "/build/torch/bin/python",
                                  "/usr/bin/python3", "python3"}) {
    interpreters.emplace_back(usual);
  }
  for (const std::string& interpreter : interpreters) {
    if (shell("KERAS_BACKEND=jax " + interpreter + " -c 'import " + modules + "'").code == 0) return interpreter;
  }
  return {};
}

}  // namespace actsearch::testing
