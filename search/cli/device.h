/// Where trials are trained: on the processor's cores, or on NVIDIA devices.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evaluator/data/dataset.h"
#include "search/cli/options.h"
#include "search/run/runner.h"

namespace actsearch {

/// What a run trains on. Without CUDA devices: the CPU.
struct Device {
  std::vector<int> cuda;    ///< ordinals of CUDA devices
  std::string description;  ///< for people and the record of a study: "2 cores" or "NVIDIA H200"
  std::string note;         ///< why the CPU is used where a CUDA device could have been; may be empty
  bool deterministic = false;
  bool is_cuda() const { return !cuda.empty(); }
};

/// Adds --device.
void declare_device(Options& options);
/// Adds --deterministic, for commands that train.
void declare_deterministic(Options& options);
/// Adds --jobs.
void declare_jobs(Options& options);
/// Trials at once, of all devices together. UsageError for more than the processor has cores.
int chosen_jobs(const Options& options, const Device& device);
/// UsageError for a text that is no device; CudaMissing, naming what is missing, for a CUDA device that cannot be used here.
Device chosen_device(const Options& options);
/// Of --precision: auto is bf16 on a CUDA device, and on the CPU where that has it natively.
Precision chosen_precision(const Options& options, const Device& device);

/// Puts training on the device into the plan's place: `plan.jobs` is the number of all trials at once, and the device prepares
/// candidates ahead. The data set outlives what is returned; `say` is told what a person should know.
Evaluator make_evaluator(const Device& device, const Dataset& dataset, RunPlan& plan, std::function<void(const std::string&)> say);

}  // namespace actsearch
