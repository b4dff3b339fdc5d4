#include "search/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string_view>

#include "search/budget.h"

namespace actsearch {
namespace {

constexpr auto kLivePeriod = std::chrono::milliseconds(200);
constexpr auto kLogPeriod = std::chrono::seconds(15);

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

bool environment_has(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string progress_text(const ProgressState& state, std::size_t width) {
  std::string text = std::to_string(state.done) + (state.planned ? "/" + std::to_string(*state.planned) : "") +
                     (state.done == 1 && !state.planned ? " trial" : " trials");
  const std::string failed = state.failed > 0 ? std::to_string(state.failed) + " failed" : "";
  const std::string paused = state.paused > 0 ? std::to_string(state.paused) + (state.paused == 1 ? " pause" : " pauses") : "";
  if (state.failed + state.paused > 0) text += " (" + failed + (failed.empty() || paused.empty() ? "" : ", ") + paused + ")";
  if (state.done > 0 && state.elapsed.count() > 0) {
    text += "  " + fixed(60 * static_cast<double>(state.done) / state.elapsed.count(), 1) + " trials/min";
  }
  text += "  " + (state.left ? format_duration(*state.left) + " left" : format_duration(state.elapsed));
  if (state.best) text += "  best " + fixed(*state.best, 4) + " " + state.best_label;
  if (width > 0 && text.size() > width) text.resize(width);
  return text;
}

Progress::Style Progress::standard_error_style() {
  Style style;
  const char* term = std::getenv("TERM");
  style.terminal = isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  style.colour = style.terminal && !environment_has("NO_COLOR");
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) style.width = size.ws_col;
  return style;
}

void Progress::erase() {
  if (live_) out_ << "\r\x1b[K";
  live_ = false;
}

void Progress::say(const std::string& line) {
  const std::lock_guard lock(mutex_);
  erase();
  out_ << line << '\n' << std::flush;
}

void Progress::update(const ProgressState& state, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (!style_.terminal) {
    if (!last_) last_ = now;  // the first line comes when there is something to tell
    if (now - *last_ < kLogPeriod) return;
    out_ << progress_text(state, 0) << '\n' << std::flush;
  } else {
    if (last_ && now - *last_ < kLivePeriod) return;
    const std::string text = progress_text(state, style_.width - 1);  // a full line would wrap
    out_ << "\r\x1b[K" << (style_.colour ? "\x1b[36m" + text + "\x1b[0m" : text) << std::flush;
    live_ = true;
  }
  last_ = now;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  erase();
  out_ << std::flush;
}

}  // namespace actsearch
