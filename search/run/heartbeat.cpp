#include "search/run/heartbeat.h"

#include <utility>

namespace actsearch {

Heartbeat::Heartbeat(std::chrono::milliseconds period, std::function<void()> beat)
    : thread_([this, period, beat = std::move(beat)](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, stop, period, [&] { return stop.stop_requested(); })) {
          lock.unlock();
          beat();
          lock.lock();
        }
      }) {}

}  // namespace actsearch
