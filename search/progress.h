/// How a run tells people where it is: one live line on a terminal, log lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <optional>
#include <string>

namespace actsearch {

struct ProgressState {
  std::int64_t done = 0;  ///< trials finished in this run, failed ones too
  std::int64_t failed = 0;
  std::int64_t paused = 0;              ///< pauses at a rung in this run
  std::optional<std::int64_t> planned;  ///< trials this run may do, where that is known
  std::optional<double> best;           ///< accuracy of the best so far
  std::string best_label;               ///< its name or formula
  std::chrono::duration<double> elapsed{};
  std::optional<std::chrono::duration<double>> left;
};

/// "14/20 trials (1 failed)  best 0.7821 swish1  2.1 trials/min  3m10s left"; a race's has "(1 failed, 30 pauses)". `width` cuts the text;
/// 0 does not.
std::string progress_text(const ProgressState& state, std::size_t width);

/// Writes to a stream that outlives it. Safe to use from several threads.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  struct Style {
    bool terminal = false;  ///< a live line, redrawn in place
    bool colour = false;
    std::size_t width = 80;
  };
  Progress(std::ostream& out, const Style& style) : out_(out), style_(style) {}

  /// What suits standard error: a terminal or not, its width, NO_COLOR and TERM=dumb heeded.
  static Style standard_error_style();

  /// A line that stays.
  void say(const std::string& line);
  /// Shows the state: at most 5 times a second on a terminal, elsewhere as one line every 15 seconds.
  void update(const ProgressState& state, Clock::time_point now = Clock::now());
  /// Removes the live line.
  void clear();

 private:
  void erase();

  std::mutex mutex_;
  std::ostream& out_;
  Style style_;
  bool live_ = false;
  std::optional<Clock::time_point> last_;
};

}  // namespace actsearch
