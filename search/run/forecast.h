/// What a run will come to on this machine, said before it begins: how long a trial takes, how many the budget allows.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "search/run/runner.h"

namespace actsearch {

using Seconds = std::chrono::duration<double>;

/// How long one step of a trial takes while all jobs of the plan are at work. It trains Swish-1 in every job at once for a few steps; the
/// first is not timed. That takes about two seconds, or longer where a step takes more than one. Nothing is stored. Absent where the
/// evaluator tells no progress or fails, and after an interrupt.
std::optional<Seconds> timed_step(const Evaluator& evaluator, const RunPlan& plan, const std::atomic<bool>& interrupt);

struct Forecast {
  Seconds trial{};                       ///< one job's, training and validation
  Seconds first_score{};                 ///< after the begin
  std::optional<double> scored, judged;  ///< by the budget of time: trials that end; those that end or come to a rung. Absent without one
  std::optional<Seconds> run;            ///< by a budget of trials, without one of time
};

/// By the arithmetic of the plan: expected numbers, not promises. `references`: how many functions go on in a race whatever their loss.
Forecast forecast(const RunPlan& plan, std::int64_t steps_per_epoch, Seconds step, int references);

/// The forecast for people. Where the budget scores too few to rank, also what would score more: a recipe of less work (by the table of
/// recipes, `training_images` of the data set), racing, a longer budget. `scored_before`: the file has scores under these conditions.
std::vector<std::string> forecast_lines(const RunPlan& plan, const Forecast& forecast, Seconds step, std::size_t training_images,
                                        int references, bool scored_before);

}  // namespace actsearch
