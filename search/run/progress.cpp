#include "search/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string_view>

#include "search/run/budget.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

constexpr auto kLivePeriod = std::chrono::milliseconds(200);
constexpr auto kLogPeriod = std::chrono::seconds(15);

bool environment_has(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string progress_text(const ProgressState& state) {
  std::string text;
  if (state.planned) text = std::to_string(state.done) + "/" + std::to_string(*state.planned) + " trials: ";
  text += std::to_string(state.done - state.failed) + " scored";
  if (state.failed > 0) text += ", " + std::to_string(state.failed) + " failed";
  if (state.judged > state.done) text += ", " + std::to_string(state.judged) + " judged, " + std::to_string(state.paused) + " paused";
  if (state.best) {
    text += "  best " + state.scale.value(*state.best) + (state.scale.share ? " % " : " ") + state.best_label;
  } else if (state.first_score) {
    text += "  first score in " + format_duration(*state.first_score);
  }
  if (state.done > 0 && state.elapsed.count() > 0) {
    text += "  " + fixed(60 * static_cast<double>(state.done) / state.elapsed.count(), 1) + " trials/min";
  }
  return text + "  " + (state.left ? format_duration(*state.left) + " left" : format_duration(state.elapsed));
}

std::vector<std::string> job_texts(const ProgressState& state, std::size_t most) {
  const std::size_t all = state.jobs.size(), shown = all > most ? std::max<std::size_t>(most, 1) - 1 : all;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < shown; ++i) {
    char share[16];
    std::snprintf(share, sizeof share, "%3d", static_cast<int>(100 * state.jobs[i].share));  // 100 is for what has ended
    lines.push_back(std::string(share) + " %  " + state.jobs[i].label);
  }
  if (shown < all) lines.push_back("       and " + std::to_string(all - shown) + " more");
  return lines;
}

std::string cut(const std::string& text, std::size_t width) {
  std::size_t characters = 0, end = 0;
  for (; end < text.size(); ++end) {
    const bool begins_one = (static_cast<unsigned char>(text[end]) & 0xC0u) != 0x80u;
    if (begins_one && characters++ == width) break;
  }
  return text.substr(0, end);
}

Progress::Style Progress::standard_error_style() {
  Style style;
  const char* term = std::getenv("TERM");
  style.terminal = isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  style.colour = style.terminal && !environment_has("NO_COLOR");
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && size.ws_row > 1) {
    style.width = size.ws_col;
    style.height = size.ws_row;
  }
  return style;
}

void Progress::erase() {
  if (live_ > 0) out_ << '\r';
  if (live_ > 1) out_ << "\x1b[" << live_ - 1 << 'A';
  if (live_ > 0) out_ << "\x1b[J";
  live_ = 0;
}

void Progress::draw(const ProgressState& state) {
  std::vector<std::string> lines{progress_text(state)};
  for (std::string& line : job_texts(state, style_.height - 1)) lines.push_back(std::move(line));
  erase();
  for (const std::string& line : lines) {
    const std::string text = cut(line, style_.width - 1);  // a full line would wrap
    out_ << (live_ > 0 ? "\n" : "") << (style_.colour ? "\x1b[36m" + text + "\x1b[0m" : text);
    ++live_;
  }
  out_ << std::flush;
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
    constexpr std::size_t kMostJobs = 8;
    std::string now_training;
    for (const std::string& job : job_texts(state, kMostJobs)) {
      now_training += (now_training.empty() ? "  now: " : "; ") + job.substr(job.find_first_not_of(' '));
    }
    out_ << progress_text(state) << now_training << '\n' << std::flush;
  } else {
    if (last_ && now - *last_ < kLivePeriod) return;
    draw(state);
  }
  last_ = now;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  erase();
  out_ << std::flush;
}

}  // namespace actsearch
