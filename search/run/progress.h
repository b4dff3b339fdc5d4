/// How a run tells people where it is: live lines on a terminal, log lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "search/text/score_scale.h"

namespace actsearch {

struct ProgressState {
  struct Job {
    std::string label;  ///< of the function in training: its name or formula
    double share = 0;   ///< of its whole trial that is trained, 0..1
  };

  std::int64_t done = 0;                ///< trials ended in this run, failed ones too
  std::int64_t failed = 0;              ///< of these
  std::int64_t judged = 0;              ///< trials that ended in this run, or that came to a rung of its race
  std::int64_t paused = 0;              ///< of these, those that wait at a rung now
  std::optional<std::int64_t> planned;  ///< trials this run may do, where that is known
  std::optional<double> best;           ///< stored score of the best so far
  ScoreScale scale;                     ///< how it is written
  std::string best_label;               ///< its name or formula
  std::chrono::duration<double> elapsed{};
  std::optional<std::chrono::duration<double>> left;         ///< of the run
  std::optional<std::chrono::duration<double>> first_score;  ///< until then, where there is none yet and it can be said
  std::vector<Job> jobs;                                     ///< at work now
};

/// "13/20 trials: 12 scored, 1 failed  best 78.21 % swish1  2.1 trials/min  3m10s left"; a race's counts also have "61 judged, 48 paused".
/// Before the first score: "0 scored  first score in 1m20s  8m40s left".
std::string progress_text(const ProgressState& state);

/// " 42 %  x * sigmoid(x)", a line for each job; of more than `most` jobs, how many more there are.
std::vector<std::string> job_texts(const ProgressState& state, std::size_t most);

/// The first `width` characters of a UTF-8 text.
std::string cut(const std::string& text, std::size_t width);

/// Writes to a stream that outlives it. Safe to use from several threads.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  struct Style {
    bool terminal = false;  ///< live lines, redrawn in place
    bool colour = false;
    std::size_t width = 80, height = 24;
  };
  Progress(std::ostream& out, const Style& style) : out_(out), style_(style) {}

  /// What suits standard error: a terminal or not, its size, NO_COLOR and TERM=dumb heeded.
  static Style standard_error_style();

  /// A line that stays.
  void say(const std::string& line);
  /// Shows the state: at most 5 times a second on a terminal, a line for the run and one for each job; elsewhere as one line every 15
  /// seconds.
  void update(const ProgressState& state, Clock::time_point now = Clock::now());
  /// Removes the live lines.
  void clear();

 private:
  void erase();
  void draw(const ProgressState& state);

  std::mutex mutex_;
  std::ostream& out_;
  Style style_;
  std::size_t live_ = 0;  ///< lines that the next thing written replaces
  std::optional<Clock::time_point> last_;
};

}  // namespace actsearch
