#include "evaluator/external/external_trainer.h"

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "evaluator/data/file_advice.h"
#include "evaluator/external/answers.h"
#include "evaluator/external/command_template.h"
#include "evaluator/external/process.h"
#include "grammar/notation.h"
#include "kernels/export/export.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr double kUntold = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kFirstFailures = 3;  ///< functions that fail before the script is held to be at fault

const ExportTarget& target_named(const std::string& name) {
  std::string known;
  for (const ExportTarget& target : export_targets()) {
    if (target.name == name) return target;
    known.append(known.empty() ? "" : ", ").append(target.name);
  }
  throw std::invalid_argument("there is no export target '" + name + "': there are " + known);
}

void write_whole(const fs::path& file, const std::string& bytes) {
  const fs::path part = file.string() + ".part";
  std::ofstream out(part, std::ios::binary);
  out << bytes;
  out.close();
  std::error_code error;
  if (out) fs::rename(part, file, error);
  if (!out || error) {
    const int number = error ? error.value() : errno;
    throw std::runtime_error(file.string() + ": cannot be written: " + std::strerror(number) + file_advice(number));
  }
}

/// ACTSEARCH_SEED for {seed}.
std::string variable_of(std::string_view placeholder) {
  std::string variable = "ACTSEARCH_";
  for (const char c : placeholder) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
double number(const Json& json) { return json.is_number() ? json.get<double>() : kUntold; }

/// "exit code 1: ModuleNotFoundError: …"
std::string with_error(std::string what, const std::string& error) { return error.empty() ? what : what.append(": ").append(error); }

}  // namespace

/// Hands out the devices evenly.
class ExternalTrainer::Gpus {
 public:
  explicit Gpus(std::vector<std::string> names) : names_(std::move(names)), users_(names_.size(), 0) {}

  class Lease {
   public:
    explicit Lease(Gpus& gpus) : gpus_(gpus) {
      const std::lock_guard lock(gpus_.mutex_);
      const auto least = std::min_element(gpus_.users_.begin(), gpus_.users_.end());
      if (least == gpus_.users_.end()) return;
      ++*least;
      place_ = static_cast<std::size_t>(least - gpus_.users_.begin());
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      const std::lock_guard lock(gpus_.mutex_);
      if (place_) --gpus_.users_[*place_];
    }
    std::string name() const { return place_ ? gpus_.names_[*place_] : ""; }
    bool any() const { return place_.has_value(); }

   private:
    Gpus& gpus_;
    std::optional<std::size_t> place_;
  };

 private:
  const std::vector<std::string> names_;
  std::mutex mutex_;
  std::vector<int> users_;
};

/// What all trials of one trainer share.
struct ExternalTrainer::Shared {
  Shared(ExternalConditions what, ExternalSettings how)
      : conditions(std::move(what)),
        settings(std::move(how)),
        command(conditions.command),
        target(target_named(conditions.target)),
        gpus(settings.gpus) {
    if (command.uses("gpu") && settings.gpus.empty())
      throw std::invalid_argument("the evaluator's command has {gpu}: --gpus 0,1 says which there are");
  }
  const ExternalConditions conditions;
  const ExternalSettings settings;
  const CommandTemplate command;
  const ExportTarget& target;
  Gpus gpus;

  std::mutex mutex;  ///< around what follows
  bool trusted = settings.trusted;
  bool restart_said = false;
  std::set<std::string> failed;  ///< fingerprints
  bool relu_failed = false;
};

/// One call of the command for one trial.
class ExternalTrainer::Trial {
 public:
  Trial(Shared& shared, const Candidate& candidate, const TrialOptions& options)
      : shared_(shared), candidate_(candidate), options_(options), directory_(options.checkpoint) {
    const TrainingPoint until = options.pause_after.value_or(TrainingPoint{shared.conditions.epochs, 0});
    if (directory_.empty()) throw std::invalid_argument("an evaluator command needs a directory for its trials");
    if (until.steps != 0) throw std::invalid_argument("an evaluator command pauses after whole epochs alone");
    until_ = until.epochs;
  }

  TrialOutcome operator()() {
    go_on();
    if (told_score_) {  // its result waited for a store that could not be reached, until its process ended
      outcome_.seconds = outcome_.seconds_before;
      outcome_.score = shared_.conditions.stored(*told_score_);
      return std::move(outcome_);
    }
    if (outcome_.begun.epochs >= until_ && until_ < shared_.conditions.epochs) {  // it waits there already
      outcome_.paused = true;
      return std::move(outcome_);
    }
    call_and_conclude();
    if (cut_off_before_ && could_not_go_on()) {
      begin_anew();
      call_and_conclude();
    }
    return std::move(outcome_);
  }

 private:
  fs::path file(const std::string& name) const { return directory_ / name; }

  static double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

  void call_and_conclude() {
    const ProcessEnd end = call();
    outcome_.seconds = outcome_.seconds_before + seconds_since(begun_);
    save();
    conclude(end);
  }

  /// What a script may come to that was cut off while it wrote its state, or between that and what it told of it.
  bool could_not_go_on() const {
    return outcome_.failure == Failure::kExitCode || outcome_.failure == Failure::kNoScore || outcome_.failure == Failure::kNonFiniteLoss;
  }

  void begin_anew() {
    shared_.settings.say(long_label() + ": its script was cut off before and could not go on, so the trial begins anew (" +
                         outcome_.detail + ")");
    fs::remove_all(file("state"));
    fs::create_directories(file("state"));
    const double seconds = outcome_.seconds_before;
    outcome_ = {};
    outcome_.seconds_before = seconds;
    score_.reset();
    foreign_.clear();
    wrong_.clear();
    save();
  }

  /// The directory with its module, and what earlier calls were told.
  void go_on() {
    std::error_code error;
    if (fs::exists(directory_, error) && !fs::is_directory(directory_, error)) {
      throw CheckpointError(directory_.string() + ": this is no directory of an evaluator command");
    }
    fs::create_directories(file("state"), error);
    if (error) throw std::runtime_error(directory_.string() + ": cannot be created: " + error.message() + file_advice(error.value()));
    if (fs::exists(file("told.json"), error)) read_told();
    cut_off_before_ = fs::exists(file("process"), error);
    end_left_behind();
    const ExportedActivation exported(parse(candidate_.formula), "activation", {"Trial of a search with an evaluator command."});
    write_whole(module(), shared_.target.write(exported));
    begun_ = epoch_begun_ = Clock::now();
    if (options_.on_progress) options_.on_progress(outcome_.begun, 1);
  }

  /// {state}, which is of this trial alone.
  std::string state() const { return fs::absolute(file("state")).string(); }

  /// Of the same names for every formula: the class Activation, the function activation.
  fs::path module() const { return file("activation" + std::string(shared_.target.extension)); }

  void read_told() {
    std::ifstream in(file("told.json"));
    const Json told = Json::parse(in, nullptr, /*allow_exceptions=*/false);
    try {
      if (told.at("formula") != candidate_.formula || told.at("seed") != options_.seed ||
          told.at("conditions") != to_text(shared_.conditions))
        throw CheckpointError(directory_.string() + ": this is the directory of another trial");
      outcome_.seconds_before = told.at("seconds").get<double>();
      for (const Json& epoch : told.at("epochs")) {
        EpochMetrics metrics;
        metrics.epoch = epoch.at("epoch").get<int>();
        metrics.train_loss = number(epoch.at("train_loss"));
        metrics.train_accuracy = number(epoch.at("train_accuracy"));
        metrics.validation_loss = number(epoch.at("validation_loss"));
        metrics.validation_accuracy = number(epoch.at("accuracy"));
        metrics.seconds = epoch.at("seconds").get<double>();
        outcome_.epochs.push_back(metrics);
      }
      if (told.contains("score")) told_score_ = told.at("score").get<double>();
    } catch (const Json::exception&) {
      throw CheckpointError(file("told.json").string() + ": the file is damaged");
    }
    if (!outcome_.epochs.empty()) outcome_.begun.epochs = outcome_.epochs.back().epoch + 1;
  }

  void save() const {
    if (options_.may_save && !options_.may_save()) return;
    Json epochs = Json::array();
    for (const EpochMetrics& metrics : outcome_.epochs) {
      epochs.push_back({{"epoch", metrics.epoch},
                        {"train_loss", number(metrics.train_loss)},
                        {"train_accuracy", number(metrics.train_accuracy)},
                        {"validation_loss", number(metrics.validation_loss)},
                        {"accuracy", number(metrics.validation_accuracy)},
                        {"seconds", metrics.seconds}});
    }
    Json told = {{"formula", candidate_.formula},
                 {"seed", options_.seed},
                 {"conditions", to_text(shared_.conditions)},
                 {"seconds", outcome_.seconds_before + seconds_since(begun_)},
                 {"epochs", epochs}};
    if (told_score_) told["score"] = *told_score_;
    write_whole(file("told.json"), told.dump(1) + "\n");
  }

  /// A process that was killed may have left its script running. Two of them must not train into one directory.
  void end_left_behind() const {
    std::ifstream in(file("process"));
    pid_t group = 0;
    std::uint64_t start = 0;
    if (in >> group >> start && actsearch::end_left_behind(group, start, variable_of("state") + "=" + state()))
      shared_.settings.say(long_label() + ": a script that was left running has been ended");
  }

  std::string long_label() const { return candidate_.formula + " seed " + std::to_string(options_.seed); }

  ProcessEnd call() {
    const Gpus::Lease gpu(shared_.gpus);
    PlaceholderValues values = {{"module", fs::absolute(module()).string()},
                                {"formula", candidate_.formula},
                                {"seed", std::to_string(options_.seed)},
                                {"epochs", std::to_string(until_)},
                                {"state", state()}};
    if (gpu.any()) values.emplace_back("gpu", gpu.name());
    ProcessCall call;
    call.command = shared_.command.filled(values);
    for (const auto& [name, value] : values) {
      call.environment.emplace_back(variable_of(name), value);
    }
    if (!shared_.settings.logs.empty()) {
      std::error_code ignored;  // without a log the trial goes on
      fs::create_directories(shared_.settings.logs, ignored);
      call.log = shared_.settings.logs / (directory_.stem().string() + ".log");
    }
    if (options_.time_limit) call.time_limit = *options_.time_limit - std::chrono::duration<double>(outcome_.seconds_before);
    call.grace = shared_.settings.grace;
    call.stop = options_.stop;
    call.started = [this](pid_t group) {
      if (const auto start = process_start(group))
        write_whole(file("process"), std::to_string(group) + " " + std::to_string(*start) + "\n");
    };
    ProcessEnd end = run_process(call, [this](std::string_view line) { return take(line); });
    std::error_code ignored;
    if (end.how == ProcessEnd::How::kExited) fs::remove(file("process"), ignored);
    return end;
  }

  /// One line of the script's. False where it is not for us.
  bool take(std::string_view line) {
    const auto answer = read_answer(line, shared_.conditions.metric);
    if (!answer) return false;
    if ((answer->seed && *answer->seed != static_cast<long long>(options_.seed)) ||
        (answer->formula && *answer->formula != candidate_.formula)) {
      foreign_ = std::string(line.substr(0, 200));
      return true;
    }
    if (answer->score) score_ = answer->score;
    if (answer->epoch) take_epoch(*answer);
    return true;
  }

  void take_epoch(const Answer& answer) {
    const int epoch = *answer.epoch - 1;
    if (epoch < 0 || epoch >= shared_.conditions.epochs) {
      if (wrong_.empty()) {
        wrong_ = "epoch " + std::to_string(*answer.epoch) + ": a trial has epochs 1 to " + std::to_string(shared_.conditions.epochs);
      }
      return;
    }
    if (epoch < outcome_.begun.epochs) say_restart();
    std::vector<EpochMetrics>& epochs = outcome_.epochs;
    epochs.erase(std::find_if(epochs.begin(), epochs.end(), [&](const EpochMetrics& known) { return known.epoch >= epoch; }), epochs.end());
    EpochMetrics metrics;
    metrics.epoch = epoch;
    metrics.learning_rate = kUntold;
    metrics.train_loss = answer.train_loss.value_or(kUntold);
    metrics.train_accuracy = answer.train_accuracy.value_or(kUntold);
    metrics.validation_loss = answer.validation_loss.value_or(kUntold);
    metrics.validation_accuracy = validation_score(answer);
    metrics.seconds = seconds_since(epoch_begun_);
    epoch_begun_ = Clock::now();
    epochs.push_back(metrics);
    save();
    if (options_.on_progress) options_.on_progress({epoch + 1, 0}, 1);
    if (options_.on_epoch) options_.on_epoch(metrics);
  }

  /// An epoch's score, in the scale of the trial's: the metric itself, or an accuracy where that is on the same scale.
  double validation_score(const Answer& answer) const {
    const ExternalConditions& conditions = shared_.conditions;
    if (answer.score) return conditions.stored(*answer.score);
    const bool share = !conditions.minimize && conditions.lowest == 0 && conditions.highest == 1;
    return share ? answer.accuracy.value_or(kUntold) : kUntold;
  }

  /// The script began anew though the trial had come further: it costs time and changes nothing else.
  void say_restart() {
    outcome_.begun = {};
    const std::lock_guard lock(shared_.mutex);
    if (std::exchange(shared_.restart_said, true)) return;
    shared_.settings.say("the evaluator's script begins paused trials anew, rather than going on from {state}: that costs time alone");
  }

  void fail(Failure failure, std::string detail) {
    outcome_.failure = failure;
    outcome_.detail = std::move(detail);
  }

  void fail_by_signal(int signal, const std::string& error) {
    fail(Failure::kSignal, with_error("signal " + std::to_string(signal) + " (" + strsignal(signal) + ")", error));
  }

  void conclude(const ProcessEnd& end) {
    using How = ProcessEnd::How;
    switch (end.how) {
      case How::kStopped:
        outcome_.interrupted = true;
        return;
      case How::kTimeOut:
        return fail(Failure::kTimeOut, with_error("longer than " + std::to_string(options_.time_limit->count()) + " s", end.error));
      case How::kSignal:
        return fail_by_signal(end.code, end.error);
      case How::kNoStart:
        throw std::runtime_error(end.error);
      case How::kExited:
        break;
    }
    constexpr int kShellSignal = 128;  // what a shell adds to the number of the signal that ended its command
    if (end.code > kShellSignal && end.code <= kShellSignal + SIGRTMAX) return fail_by_signal(end.code - kShellSignal, end.error);
    if (end.code != 0) return fail(Failure::kExitCode, with_error("exit code " + std::to_string(end.code), end.error));
    if (!foreign_.empty()) return fail(Failure::kForeignAnswer, "the script answered for another trial: " + foreign_);
    if (!wrong_.empty()) return fail(Failure::kNoScore, wrong_);
    if (until_ < shared_.conditions.epochs)
      pause(end);
    else
      score(end);
  }

  /// At a rung a race compares training losses.
  void pause(const ProcessEnd& end) {
    const EpochMetrics* const last = outcome_.epochs.empty() ? nullptr : &outcome_.epochs.back();
    if (!last || last->epoch + 1 < until_) {
      const std::string reached = last ? "epoch " + std::to_string(last->epoch + 1) : "no epoch";
      return fail(Failure::kNoScore,
                  with_error("asked for " + std::to_string(until_) + " epochs, the script ended and told " + reached, end.error));
    }
    if (!std::isfinite(last->train_loss)) {
      return fail(Failure::kNonFiniteLoss,
                  "epoch " + std::to_string(last->epoch + 1) + " has no finite train_loss, by which a race judges");
    }
    outcome_.paused = true;
  }

  void score(const ProcessEnd& end) {
    const std::string& metric = shared_.conditions.metric;
    if (!score_) return fail(Failure::kNoScore, with_error("the script ended without a line such as {\"" + metric + "\": 0.9}", end.error));
    if (!std::isfinite(*score_)) return fail(Failure::kNonFiniteScore, metric + " is no finite number");
    if (*score_ < shared_.conditions.lowest || *score_ > shared_.conditions.highest) {
      return fail(Failure::kScoreOutOfRange, metric + " is " + std::to_string(*score_) + ", outside of " +
                                                 std::to_string(shared_.conditions.lowest) + " to " +
                                                 std::to_string(shared_.conditions.highest) + " (--score-range)");
    }
    outcome_.score = shared_.conditions.stored(*score_);
    told_score_ = score_;
    save();
  }

  Shared& shared_;
  const Candidate& candidate_;
  const TrialOptions& options_;
  const fs::path directory_;
  int until_ = 1;
  bool cut_off_before_ = false;  ///< whether an earlier call did not end by itself
  TrialOutcome outcome_;
  std::optional<double> score_;
  std::optional<double> told_score_;  ///< of a call that has come to the trial's end; kept until the trial's directory is removed
  std::string foreign_, wrong_;
  Clock::time_point begun_, epoch_begun_;
};

ExternalTrainer::ExternalTrainer(ExternalConditions conditions, ExternalSettings settings)
    : shared_(std::make_unique<Shared>(std::move(conditions), std::move(settings))) {}
ExternalTrainer::~ExternalTrainer() = default;

TrialOutcome ExternalTrainer::train(const Candidate& candidate, const TrialOptions& options) {
  TrialOutcome outcome = Trial(*shared_, candidate, options)();
  if (!outcome.interrupted) judge(candidate, outcome);
  return outcome;
}

void ExternalTrainer::judge(const Candidate& candidate, const TrialOutcome& outcome) {
  const std::lock_guard lock(shared_->mutex);
  if (outcome.failure == Failure::kNone) shared_->trusted = true;
  if (shared_->trusted) return;
  shared_->failed.insert(candidate.fingerprint);
  shared_->relu_failed |= candidate.name == "relu";
  if (shared_->failed.size() < kFirstFailures || !shared_->relu_failed) return;
  throw std::runtime_error(
      "the first " + std::to_string(shared_->failed.size()) +
      " functions have failed, ReLU among them, so it is the script that fails.\n  the last one: " + std::string(to_text(outcome.failure)) +
      ": " + outcome.detail + "\n  --check-evaluator tries the command; --evaluator-version 2 begins anew with a mended script");
}

}  // namespace actsearch
