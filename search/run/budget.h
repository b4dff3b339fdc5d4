/// How much a run may spend, and durations as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace actsearch {

/// Limits of one run; an absent one does not limit. The run ends when the first is reached.
struct Budget {
  std::optional<std::chrono::duration<double>> time;
  std::optional<std::int64_t> trials;  ///< trained in this run
  std::optional<std::int64_t> epochs;  ///< trained in this run
};

/// "30m", "1h30m", "45s", "2d", "1.5h": numbers with the units d, h, m, s, largest first, each once. std::invalid_argument for
/// anything else, for zero and for more than 1,000 days.
std::chrono::duration<double> parse_duration(std::string_view text);
/// The two largest units: "1h30m", "2m05s", "45s"; below ten seconds "4.2s".
std::string format_duration(std::chrono::duration<double> duration);

}  // namespace actsearch
