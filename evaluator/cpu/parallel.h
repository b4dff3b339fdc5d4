/// Loops over the rows of a tensor inside one network. They run on OpenMP's threads because oneDNN's do: two pools of threads in
/// one network would spin against each other.
#pragma once

#include <algorithm>
#include <cstddef>

namespace actsearch {

/// Calls body(part, first, last) for `parts` equal ranges that cover [0, rows), on as many threads. The ranges depend on the arguments
/// alone, so sums taken range by range are the same in every run. body does not throw.
template <class Body>
void parallel_ranges(int parts, std::size_t rows, Body&& body) {
  const std::size_t share = (rows + static_cast<std::size_t>(parts) - 1) / static_cast<std::size_t>(parts);
#pragma omp parallel for schedule(static) num_threads(parts) if (parts > 1)
  for (int part = 0; part < parts; ++part) {
    const std::size_t first = std::min(rows, share * static_cast<std::size_t>(part));
    body(part, first, std::min(rows, first + share));
  }
}

}  // namespace actsearch
