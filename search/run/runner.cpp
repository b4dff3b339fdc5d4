#include "search/run/runner.h"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "db/reads.h"
#include "search/run/context.h"
#include "search/run/dispatcher.h"
#include "search/run/heartbeat.h"
#include "search/run/worker.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr auto kBeat = std::chrono::milliseconds(100);
/// How often the database learns how far trials have come: what `serve` shows.
constexpr auto kTold = std::chrono::seconds(5);

/// The threads of a run: the pipeline's, one that shows progress and ends the run, and one that renews claims.
class Runner {
 public:
  explicit Runner(RunContext& run) : run_(run), dispatcher_(run), worker_(run) {}

  RunReport operator()() {
    sweep();
    {
      const Heartbeat heartbeat(kBeat, [this] { beat(); });
      const Heartbeat renewal(kBeat, [this] { guarded([this] { renew(); }); });  // apart: it may wait for the database
      run_pipeline();
      bodies_ended_.load(std::memory_order_acquire);
    }
    run_.progress.clear();
    if (error_) std::rethrow_exception(error_);
    return run_.account.report(run_.interrupt);
  }

 private:
  /// One task comes out of the source for each that a worker is free to take, so claims are taken in order and never early.
  void run_pipeline() {
    using Item = std::shared_ptr<const Task>;
    tbb::task_arena arena(run_.plan.jobs);
    arena.execute([&] {
      tbb::parallel_pipeline(
          static_cast<std::size_t>(run_.plan.jobs),
          tbb::make_filter<void, Item>(tbb::filter_mode::serial_in_order, [this](tbb::flow_control& flow) -> Item {
            Item task;
            guarded([&] {
              bodies_ended_.load(std::memory_order_acquire);
              task = dispatcher_.next();
            });
            if (!task) flow.stop();
            return task;
          }) & tbb::make_filter<Item, void>(tbb::filter_mode::parallel, [this](const Item& task) { guarded([&] { worker_(*task); }); }));
    });
  }

  /// The first exception ends the run; it is thrown on when all workers have stopped.
  template <class Body>
  void guarded(Body&& body) {
    try {
      body();
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
      run_.account.stop_all();
    }
    bodies_ended_.fetch_add(1, std::memory_order_release);
  }

  void beat() {
    guarded([this] {
      const bool out_of_time = run_.account.out_of_time();
      if ((run_.interrupt || out_of_time) && !run_.account.stopped()) run_.account.stop_all();
      run_.progress.update(run_.account.state());
    });
  }

  /// Prolongs the claims of the trials at work, tells how far they have come, and stops those that another process has taken over.
  void renew() {
    if (Clock::now() - renewed_ < std::min<Seconds>(run_.plan.lease / 4, kTold)) return;
    const Account::Reached reached = run_.account.reached();
    try {
      if (!reached.progress.empty()) {
        for (const Id trial : run_.database.renew(run_.plan.lease, reached.progress))
          run_.account.note_lost(trial, reached.stops.at(trial));
      }
      renewed_ = Clock::now();
    } catch (const DatabaseError& error) {
      if (!error.busy()) throw;
      run_.patience.say();  // and the next beat tries again
    }
  }

  /// Checkpoints of trials that have ended go: their process may have been killed before it removed them.
  void sweep() {
    std::map<std::string, std::set<std::uint64_t>> found;
    run_.files.sweep([&](const std::string& fingerprint, std::uint64_t seed) {
      found[fingerprint].insert(seed);
      return false;
    });
    std::set<std::pair<std::string, std::uint64_t>> ended;
    for (const auto& [fingerprint, seeds] : found) {
      for (const std::uint64_t seed : run_.database.reads().ended_seeds(fingerprint, run_.recipe)) ended.emplace(fingerprint, seed);
    }
    if (!ended.empty()) {
      run_.files.sweep([&](const std::string& fingerprint, std::uint64_t seed) { return ended.contains({fingerprint, seed}); });
    }
  }

  RunContext& run_;
  Dispatcher dispatcher_;  ///< of the pipeline's first filter, one thread at a time
  Worker worker_;
  Clock::time_point renewed_ = Clock::now();    // of the renewal
  std::atomic<std::uint64_t> bodies_ended_{0};  ///< tells ThreadSanitizer of the order that oneTBB keeps, unseen by it
  std::mutex mutex_;                            ///< around what follows
  std::exception_ptr error_;
};

}  // namespace

std::optional<Candidate> ListedCandidates::next() {
  if (next_ == candidates_.size()) return std::nullopt;
  return candidates_[next_++];
}

void CandidateSource::observe(const Candidate& /*candidate*/, std::optional<double> /*accuracy*/) {}

std::string CandidateSource::expected(const Candidate& /*candidate*/) const { return ""; }

void remove_if_empty(const std::filesystem::path& checkpoints) {
  std::error_code not_empty;  // other runs' checkpoints stay
  std::filesystem::remove(checkpoints, not_empty);
}

RunReport run_trials(Store& database, Id study, const RunPlan& plan, CandidateSource& source, const Evaluator& evaluator,
                     Progress& progress, const std::atomic<bool>& interrupt) {
  Patience patience(database, progress, interrupt);
  RunContext run(database, patience, study, plan, source, evaluator, progress, interrupt);
  return Runner(run)();
}

}  // namespace actsearch
