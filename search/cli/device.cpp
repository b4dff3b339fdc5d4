#include "search/cli/device.h"

#include <algorithm>
#include <charconv>

#include "evaluator/cpu/cpu_learner.h"
#include "evaluator/cpu/dnn.h"
#include "evaluator/cuda/backend.h"
#include "search/text/machine.h"

namespace actsearch {
namespace {

std::string cores_text() {
  const int cores = available_cores();
  return std::to_string(cores) + (cores == 1 ? " core" : " cores");
}

Device cpu(const std::string& note) { return {.cuda = {}, .description = cores_text(), .note = note}; }

/// The devices of those ordinals; all of them for an empty list.
Device cuda(std::vector<int> ordinals) {
  const std::vector<std::string> names = cuda_devices();
  const auto count = static_cast<int>(names.size());
  if (ordinals.empty()) {
    for (int i = 0; i < count; ++i) ordinals.push_back(i);
  }
  Device device{.cuda = ordinals, .description = "", .note = ""};
  for (const int ordinal : ordinals) {
    if (ordinal >= count) {
      throw CudaMissing("there is no CUDA device " + std::to_string(ordinal) + ": there " + (count == 1 ? "is " : "are ") +
                        std::to_string(count) + ", counted from 0");
    }
    require_cuda_device(ordinal);
    device.description += (device.description.empty() ? "" : " + ") + names[static_cast<std::size_t>(ordinal)];
  }
  return device;
}

/// The first CUDA device that can be used, else the CPU with a note that says why not each of them.
Device first_usable() {
  std::string reasons;
  int count = 1;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    try {
      count = static_cast<int>(cuda_devices().size());
      return cuda({ordinal});
    } catch (const CudaMissing& missing) {
      reasons += (reasons.empty() ? "" : "; ") + std::string(missing.what());
    }
  }
  return cpu(reasons);
}

int ordinal_of(const std::string& text) {
  constexpr std::string_view kPrefix = "cuda:";
  int ordinal = -1;
  const char* const end = text.data() + text.size();
  if (text.starts_with(kPrefix) && text.size() > kPrefix.size()) {
    const auto [stop, error] = std::from_chars(text.data() + kPrefix.size(), end, ordinal);
    if (error != std::errc() || stop != end) ordinal = -1;
  }
  if (ordinal < 0) throw UsageError("--device is auto, cpu, cuda, cuda:N or all, not '" + text + "'");
  return ordinal;
}

}  // namespace

void declare_device(Options& options) {
  options.value(
      "device", "D",
      "auto, cpu, cuda (the first NVIDIA device), cuda:N or all (NVIDIA devices) [auto: the first NVIDIA device that can be used, "
      "else the CPU]",
      {"auto", "cpu", "cuda", "all"});
}

void declare_deterministic(Options& options) {
  options.flag("deterministic", "on CUDA: every run gives the same bits, at the price of speed");
}

void declare_jobs(Options& options) {
  options.value("jobs", "J", "trials at once: on the CPU one core each [all cores]; on each CUDA device [8]");
}

int chosen_jobs(const Options& options, const Device& device) {
  if (device.is_cuda()) {
    constexpr std::int64_t kUsual = 8, kMost = 128;
    return static_cast<int>(options.integer("jobs", 1, kMost).value_or(kUsual)) * static_cast<int>(device.cuda.size());
  }
  const int cores = available_cores();
  const auto jobs = options.integer("jobs", 1, 1'000'000).value_or(cores);
  if (jobs > cores) {
    throw UsageError("--jobs " + std::to_string(jobs) + " is more than the " + std::to_string(cores) +
                     " cores here: each trial takes one, so more would only slow each other down");
  }
  return static_cast<int>(jobs);
}

Device chosen_device(const Options& options) {
  const std::string text = options.text("device").value_or("auto");
  const auto chosen = [&]() -> Device {
    if (text == "cpu") return cpu("");
    if (text == "all") return cuda({});
    if (text == "cuda") return cuda({0});
    if (text != "auto") return cuda({ordinal_of(text)});
    return first_usable();
  };
  Device device = chosen();
  device.deterministic = options.has("deterministic");
  return device;
}

Precision chosen_precision(const Options& options, const Device& device) {
  const std::string name = options.choice("precision");
  if (name == "auto") return device.is_cuda() ? Precision::kBf16 : native_precision();
  return name == "bf16" ? Precision::kBf16 : Precision::kFp32;
}

Evaluator make_evaluator(const Device& device, const Dataset& dataset, RunPlan& plan, std::function<void(const std::string&)> say) {
  if (!device.is_cuda()) {
    return [&dataset](const Candidate& candidate, const Recipe& recipe, const TrialOptions& trial) {
      return train(candidate.program, recipe, dataset, trial);
    };
  }
  CudaOptions options;
  options.devices = device.cuda;
  options.jobs = plan.jobs / static_cast<int>(device.cuda.size());
  options.compile_threads = std::max(1, available_cores() - 1);
  options.deterministic = device.deterministic;
  options.say = std::move(say);
  const auto backend = std::make_shared<CudaBackend>(dataset, std::move(options));
  plan.ahead = plan.jobs;
  plan.upcoming = [backend, precision = plan.precision](const Candidate& candidate) { backend->prepare(candidate.program, precision); };
  return [backend](const Candidate& candidate, const Recipe& recipe, const TrialOptions& trial) {
    return backend->train(candidate.program, recipe, trial);
  };
}

}  // namespace actsearch
