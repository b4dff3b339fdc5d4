#include "search/run/forecast.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "evaluator/network/plan.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTimedSteps = 2;
constexpr Seconds kLongestTiming{2};
/// An image that validates is one forward pass; one that trains is that and a backward pass of about twice the work.
constexpr double kValidationShare = 1.0 / 3;
/// What makes a leaderboard that means something.
constexpr double kEnough = 12;
/// A recipe is worth naming if it takes at most this share of the work.
constexpr double kMuchLess = 0.6;

/// The jobs' steps, as they come in.
class Timing {
 public:
  Timing(std::size_t jobs, const std::atomic<bool>& interrupt) : jobs_(jobs), interrupt_(interrupt) {}

  void step(std::size_t job, std::int64_t steps) {
    const std::lock_guard lock(mutex_);
    Job& mine = jobs_[job];
    const auto now = Clock::now();
    if (mine.calls == 0) mine.begun = now;
    if (mine.calls == 1) {
      mine.warm = now;
      mine.warm_steps = steps;
    }
    mine.last = now;
    mine.last_steps = steps;
    ++mine.calls;
    mine.enough = mine.calls >= 2 + kTimedSteps || (mine.calls >= 2 && now - mine.begun >= kLongestTiming);
    look();
  }
  void end(std::size_t job) {
    const std::lock_guard lock(mutex_);
    jobs_[job].enough = true;
    look();
  }
  const std::atomic<bool>& stop() const { return stop_; }

  std::optional<Seconds> mean() const {
    Seconds sum{0};
    int counted = 0;
    for (const Job& job : jobs_) {
      const bool timed = job.last_steps > job.warm_steps;
      const std::int64_t steps = timed ? job.last_steps - job.warm_steps : job.last_steps;
      if (job.calls < 2 || steps < 1) continue;
      sum += Seconds(job.last - (timed ? job.warm : job.begun)) / static_cast<double>(steps);
      ++counted;
    }
    return counted > 0 && !interrupt_ ? std::optional(sum / counted) : std::nullopt;
  }

 private:
  struct Job {
    int calls = 0;  ///< the first tells the begin, the second the step that is not timed
    Clock::time_point begun, warm, last;
    std::int64_t warm_steps = 0, last_steps = 0;
    bool enough = false;
  };
  void look() {
    if (interrupt_ || std::all_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.enough; })) stop_ = true;
  }

  std::vector<Job> jobs_;
  const std::atomic<bool>& interrupt_;
  std::mutex mutex_;
  std::atomic<bool> stop_{false};
};

/// Seconds of one job for an epoch of the recipe, with what validates.
Seconds epoch_time(const Recipe& recipe, std::int64_t steps_per_epoch, Seconds step) {
  return step * (static_cast<double>(steps_per_epoch) + kValidationShare * recipe.validation_size / recipe.batch);
}

/// Of a race: epochs that a function trains on average, and the share of those judged that come to the end.
struct RaceShares {
  double epochs = 0, to_the_end = 1;
};
RaceShares shares(const RunPlan& plan) {
  const auto epochs_of = [&](const TrainingPoint& point) {
    return point.epochs + static_cast<double>(point.steps) / static_cast<double>(plan.racing->steps_per_epoch);
  };
  RaceShares result;
  double before = 0;
  for (const TrainingPoint& rung : plan.racing->rungs) {
    result.epochs += result.to_the_end * (epochs_of(rung) - before);
    before = epochs_of(rung);
    result.to_the_end /= plan.racing->eta;
  }
  result.epochs += result.to_the_end * (plan.recipe.epochs - before);
  return result;
}

/// Operations of a trial's forward passes: in proportion to its time.
double work(const Recipe& recipe, std::size_t training_images) {
  const auto images =
      static_cast<double>(steps_per_epoch(recipe, training_images) * recipe.batch) + kValidationShare * recipe.validation_size;
  return static_cast<double>(forward_flop(recipe.network)) * images * recipe.epochs;
}

/// The recipe of a search with the least work, if that is much less than the plan's; of those whose networks take its images.
const Recipe* cheaper_recipe(const Recipe& planned, std::size_t training_images) {
  const Recipe* cheapest = nullptr;
  double least = kMuchLess * work(planned, training_images);
  for (const Recipe& known : recipes()) {
    if (known.validation_size == 0 ||
        static_cast<std::size_t>(known.validation_size) + static_cast<std::size_t>(known.batch) > training_images)
      continue;
    Recipe recipe = known;
    try {
      recipe.network = for_images(known.network, planned.network.images);
    } catch (const std::invalid_argument&) {  // its pools do not divide them
      continue;
    }
    if (const double here = work(recipe, training_images); here < least || (!cheapest && here == least)) {
      cheapest = &known;
      least = here;
    }
  }
  return cheapest;
}

/// A budget as people write it, at least so long: whole minutes, from an hour on half hours.
std::string rounded_up(Seconds time) {
  constexpr double kMinute = 60, kHour = 3'600;
  const double unit = time.count() < kHour ? kMinute : kHour / 2;
  const auto minutes = static_cast<long long>(std::llround(std::ceil(time.count() / unit) * unit / kMinute));
  if (minutes < 60) return std::to_string(minutes) + "m";
  return std::to_string(minutes / 60) + "h" + (minutes % 60 > 0 ? std::to_string(minutes % 60) + "m" : "");
}

std::string counted(double number, const std::string& one, const std::string& many) {
  const auto whole = static_cast<std::int64_t>(number);
  return std::to_string(whole) + " " + (whole == 1 ? one : many);
}

/// The budget of time that scores kEnough.
Seconds time_for_enough(const RunPlan& plan, const Forecast& forecast, int references) {
  if (!plan.racing) return forecast.trial * std::ceil(kEnough / plan.jobs);
  const RaceShares race = shares(plan);
  const double others = std::max(kEnough - references, 0.0) / race.to_the_end;
  return forecast.trial / plan.jobs * (references + others * race.epochs / plan.recipe.epochs);
}

}  // namespace

std::optional<Seconds> timed_step(const Evaluator& evaluator, const RunPlan& plan, const std::atomic<bool>& interrupt) {
  const Candidate candidate = candidate_of(kReferences[2]);
  const auto jobs = static_cast<std::size_t>(plan.jobs);
  Timing timing(jobs, interrupt);
  std::atomic<bool> failed{false};
  {
    std::vector<std::jthread> workers;
    for (std::size_t job = 0; job < jobs; ++job) {
      workers.emplace_back([&, job] {
        TrialOptions options;
        options.seed = plan.seed;
        options.precision = plan.precision;
        options.threads = plan.threads;
        options.stop = &timing.stop();
        options.on_progress = [&](const TrainingPoint& reached, std::int64_t epoch_steps) {
          timing.step(job, reached.epochs * epoch_steps + reached.steps);
        };
        try {
          evaluator(candidate, plan.recipe, options);
        } catch (const std::exception&) {
          failed = true;  // the run comes to the same, and says so
        }
        timing.end(job);
      });
    }
  }
  return failed ? std::nullopt : timing.mean();
}

Forecast forecast(const RunPlan& plan, std::int64_t steps_per_epoch, Seconds step, int references) {
  Forecast result;
  result.trial = epoch_time(plan.recipe, steps_per_epoch, step) * plan.recipe.epochs;
  result.first_score = result.trial;
  const Budget& budget = plan.budget;
  const RaceShares race = plan.racing ? shares(plan) : RaceShares{static_cast<double>(plan.recipe.epochs), 1};
  const Seconds judging = result.trial * (race.epochs / plan.recipe.epochs);  // of one function, on average
  if (plan.racing && references == 0) result.first_score = judging * std::ceil(1 / race.to_the_end) / plan.jobs;
  if (budget.time) {
    if (plan.racing) {
      // The references are trained one after the other.
      const Seconds on_references = std::min(result.trial * references, *budget.time);
      const double first = std::floor(on_references / result.trial + 1e-9);
      const double others = (*budget.time * plan.jobs - on_references) / judging;
      result.judged = std::floor(first + others);
      result.scored = std::floor(first + others * race.to_the_end);
    } else {
      result.judged = result.scored = std::floor(*budget.time / result.trial) * plan.jobs;
    }
    if (budget.trials) result.scored = std::min(*result.scored, static_cast<double>(*budget.trials));
  } else if (budget.trials) {
    const double each = plan.racing ? judging / race.to_the_end / result.trial : 1;  // what stops on the way costs too
    result.run = result.trial * each * std::ceil(static_cast<double>(*budget.trials) / plan.jobs);
  }
  return result;
}

std::vector<std::string> forecast_lines(const RunPlan& plan, const Forecast& forecast, Seconds step, std::size_t training_images,
                                        int references, bool scored_before) {
  std::vector<std::string> lines;
  lines.push_back("forecast: a trial takes about " + format_duration(forecast.trial) + " here (" + fixed(step.count(), 3) + "s a step" +
                  (plan.jobs > 1 ? ", " + std::to_string(plan.jobs) + " at once" : "") + ")" +
                  (scored_before ? "" : "; the first score is due in about " + format_duration(forecast.first_score)));
  if (forecast.run)
    lines.push_back("forecast: the " + std::to_string(*plan.budget.trials) + " trials take about " + format_duration(*forecast.run));
  if (!forecast.scored) return lines;
  const std::string time = format_duration(*plan.budget.time);
  if (plan.racing) {
    lines.push_back("forecast: " + time + " judges about " + counted(*forecast.judged, "function", "functions") + " and scores about " +
                    counted(*forecast.scored, "of them", "of them") + " to the end");
  } else {
    lines.push_back("forecast: " + time + " scores about " + counted(*forecast.scored, "trial", "trials"));
  }
  const bool enough = *forecast.scored >= kEnough || (plan.budget.trials && static_cast<double>(*plan.budget.trials) < kEnough);
  if (enough) return lines;
  std::string ways;
  const auto add = [&ways](const std::string& way) { ways += (ways.empty() ? "" : ", or ") + way; };
  if (const Recipe* recipe = cheaper_recipe(plan.recipe, training_images)) {
    const Seconds trial = forecast.trial * (work(*recipe, training_images) / work(plan.recipe, training_images));
    add("--recipe " + recipe->name + " (about " + format_duration(trial) + " a trial)");
  }
  if (!plan.racing && plan.seeds == 1) add("--racing (stops the worse ones early)");
  add("--budget-time " + rounded_up(time_for_enough(plan, forecast, references)) + " (about " + fixed(kEnough, 0) + " scores)");
  lines.push_back("that is few to rank; more come from " + ways + ". What is cut off goes on when the same command is run again.");
  return lines;
}

}  // namespace actsearch
