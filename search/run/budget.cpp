#include "search/run/budget.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace actsearch {
namespace {

struct Unit {
  char letter;
  double seconds;
};
constexpr std::array<Unit, 4> kUnits{{{'d', 86'400}, {'h', 3'600}, {'m', 60}, {'s', 1}}};
constexpr double kLongest = 1'000 * 86'400.0;

}  // namespace

std::chrono::duration<double> parse_duration(std::string_view text) {
  const auto refuse = [&](const char* why) {
    throw std::invalid_argument("'" + std::string(text.substr(0, 24)) + "' is not a duration such as 45s, 30m or 1h30m: " + why);
  };
  double seconds = 0;
  auto unit = kUnits.begin();
  const char* place = text.data();
  const char* const end = place + text.size();
  if (place == end) refuse("it is empty");
  while (place != end) {
    double number = 0;
    const auto [after, error] = std::from_chars(place, end, number, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(number) || number < 0) refuse("a positive number is expected");
    if (after == end) refuse("a unit (d, h, m or s) is missing");
    unit = std::find_if(unit, kUnits.end(), [&](const Unit& u) { return u.letter == *after; });
    if (unit == kUnits.end()) refuse("units are d, h, m and s, largest first, each once");
    seconds += number * unit->seconds;
    ++unit;
    place = after + 1;
  }
  if (seconds <= 0) refuse("it must be more than nothing");
  if (seconds > kLongest) refuse("it is longer than 1,000 days");
  return std::chrono::duration<double>(seconds);
}

std::string format_duration(std::chrono::duration<double> duration) {
  char text[48];
  const double exact = std::max(duration.count(), 0.0);
  if (exact < 9.95) {
    std::snprintf(text, sizeof text, "%.1fs", exact);
    return text;
  }
  const auto seconds = static_cast<long long>(std::llround(exact));
  if (seconds < 60) {
    std::snprintf(text, sizeof text, "%llds", seconds);
  } else if (seconds < 3'600) {
    std::snprintf(text, sizeof text, "%lldm%02llds", seconds / 60, seconds % 60);
  } else if (seconds < 86'400) {
    std::snprintf(text, sizeof text, "%lldh%02lldm", seconds / 3'600, seconds % 3'600 / 60);
  } else {
    std::snprintf(text, sizeof text, "%lldd%02lldh", seconds / 86'400, seconds % 86'400 / 3'600);
  }
  return text;
}

}  // namespace actsearch
