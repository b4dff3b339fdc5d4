#include "search/run/patience.h"

namespace actsearch {
namespace {

/// How often it is said that the database is busy.
constexpr auto kSaidAgain = std::chrono::minutes(1);

}  // namespace

Patience::Patience(Store& database, Progress& progress, const std::atomic<bool>& interrupt) : database_(database), progress_(progress) {
  database_.when_busy([this, &interrupt] {
    say();
    return !interrupt;
  });
}

void Patience::say() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (said_ && now - *said_ < kSaidAgain) return;
  said_ = now;
  progress_.say(
      "the database is busy: another process keeps its file locked, or its server is away. Training goes on, and results wait until it is "
      "free");
}

}  // namespace actsearch
