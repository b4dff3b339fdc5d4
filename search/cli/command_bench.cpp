// actsearch bench: what this machine does with kernels and with training.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "evaluator/cpu/throughput.h"
#include "evaluator/cuda/throughput.h"
#include "evaluator/train/trainer.h"
#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/space.h"
#include "kernels/storage.h"
#include "search/cli/command.h"
#include "search/cli/device.h"
#include "search/cli/options.h"
#include "search/report/kernel_time.h"
#include "search/run/probe.h"
#include "search/text/format.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

using Json = nlohmann::ordered_json;

// The second activation of vgg-s at batch 32: 2 MB in bf16, beyond the nearest caches as in training.
constexpr std::size_t kRows = 32 * 32 * 32, kChannels = 32;
constexpr std::size_t kRandomCandidates = 100;

/// Distinct candidates of core1, always the same.
std::vector<Program> random_candidates() {
  const Space space("core1");
  std::mt19937_64 draw(1);
  std::vector<Program> programs;
  while (programs.size() < kRandomCandidates) {
    auto considered = consider(space.at(space.sample(draw())));
    if (auto* candidate = std::get_if<Candidate>(&considered)) programs.push_back(std::move(candidate->program));
  }
  return programs;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

Json kernel_results(Storage storage) {
  std::cerr << "measuring kernels: relu, swish and " << kRandomCandidates << " random candidates\n";
  KernelBench bench(storage, kRows, kChannels);
  Json rows = Json::array();
  const auto add = [&](const std::string& name, const KernelTime& time) {
    rows.push_back({{"function", name}, {"forward_ns", time.forward_ns}, {"backward_ns", time.backward_ns}});
  };
  constexpr int kRepetitions = 20, kFewer = 5;
  for (const char* name : {"relu", "swish"}) add(name, bench(lower(parse(name)), kRepetitions));
  std::vector<double> forward, backward;
  for (const Program& program : random_candidates()) {
    const KernelTime time = bench(program, kFewer);
    forward.push_back(time.forward_ns);
    backward.push_back(time.backward_ns);
  }
  add("core1 median of 100", {median(forward), median(backward)});
  return rows;
}

struct Throughput {
  double images_per_second = 0;
  ConvolutionThroughput convolutions;
};

/// `jobs` networks at once, each on its own thread, as a search trains them: the sum of their rates.
Throughput total_throughput(const Recipe& recipe, const Program& program, Precision precision, int threads, int jobs, double seconds) {
  std::vector<Throughput> each(static_cast<std::size_t>(jobs));
  {
    std::vector<std::jthread> workers;
    for (Throughput& one : each) {
      workers.emplace_back([&] {
        one.images_per_second = training_throughput(recipe, program, precision, threads, seconds);
        one.convolutions = convolution_throughput(recipe, precision, threads, seconds);
      });
    }
  }
  Throughput total;
  for (const Throughput& one : each) {
    total.images_per_second += one.images_per_second;
    total.convolutions.library += one.convolutions.library;
    total.convolutions.training += one.convolutions.training;
  }
  return total;
}

constexpr const char* kMeasuredNetworks = "vgg-s,vgg16-slim,vgg16-bn";
using RecipeNames = std::vector<std::string>;
constexpr const char* kMeasuredActivations[] = {"relu", "swish"};

/// As the commands use them: a search trains one network to a core, a rerun all cores in one.
int threads_of(const Recipe& recipe) { return recipe.validation_size == 0 ? available_cores() : 1; }

/// What training_results and kernel_results will take.
std::chrono::duration<double> expected_duration(const RecipeNames& networks, Precision precision, double seconds) {
  constexpr std::chrono::duration<double> kKernels{5};
  constexpr double kMeasurements = 3;  // training, and convolutions in two ways
  const SpeedProbe probe(precision);
  std::chrono::duration<double> all = kKernels;
  for (const std::string& network : networks) {
    const Recipe& recipe = find_recipe(network);
    all += kMeasurements * std::size(kMeasuredActivations) * probe.measurement(recipe, threads_of(recipe), seconds);
  }
  return all;
}

Json training_results(const RecipeNames& networks, Precision precision, double seconds) {
  Json rows = Json::array();
  for (const std::string& network : networks) {
    const Recipe& recipe = find_recipe(network);
    const int threads = threads_of(recipe), jobs = available_cores() / threads;
    for (const char* name : kMeasuredActivations) {
      std::cerr << "measuring " << recipe.name << " with " << name << '\n';
      const Throughput speed = total_throughput(recipe, lower(parse(name)), precision, threads, jobs, seconds);
      rows.push_back({{"network", recipe.name},
                      {"activation", name},
                      {"precision", to_text(precision)},
                      {"threads", threads},
                      {"jobs", jobs},
                      {"images_per_second", speed.images_per_second},
                      {"library_convolution_images_per_second", speed.convolutions.library},
                      {"convolution_images_per_second", speed.convolutions.training}});
    }
  }
  return rows;
}

Table to_table(const Json& rows) {
  Table table;
  for (const auto& [key, value] : rows.front().items()) {
    table.columns.push_back(key);
    table.numeric.push_back(value.is_number());
  }
  for (const Json& row : rows) {
    auto& cells = table.rows.emplace_back();
    for (const Json& cell : row)
      cells.push_back(cell.is_number() ? fixed(cell.get<double>(), cell.get<double>() < 100 ? 2 : 0) : cell.get<std::string>());
  }
  return table;
}

Json cuda_results(const Device& device, CudaMeasurement what, bool small) {
  what.activations = {"relu", "swish"};
  if (small) {
    constexpr int kFewImages = 16;
    constexpr std::size_t kSteps = 2, kFewRows = 1 << 10;
    what.recipes = {"vgg-s"};
    what.batch = kFewImages;
    what.images = kSteps * kFewImages;
    what.kernel_rows = kFewRows;
  }
  std::string counts;
  for (const int jobs : what.jobs) counts += (counts.empty() ? "" : ", ") + std::to_string(jobs);
  std::cerr << "measuring " << device.description << ": kernels, then training with so many networks at once: " << counts << '\n';
  const CudaThroughput speed = measure_cuda(device.cuda.front(), what);
  constexpr double kGiga = 1e9, kMilli = 1e-3;
  Json kernels = Json::array(), compilations = Json::array(), training = Json::array();
  kernels.push_back(
      {{"function", "(copy)"}, {"pass", "copy"}, {"gb_per_second", speed.copy_bytes_per_second / kGiga}, {"share_of_copy", 1.0}});
  for (const auto& kernel : speed.kernels) {
    kernels.push_back({{"function", kernel.activation},
                       {"pass", kernel.pass},
                       {"gb_per_second", kernel.bytes_per_second / kGiga},
                       {"share_of_copy", kernel.bytes_per_second / speed.copy_bytes_per_second}});
  }
  for (const auto& one : speed.compilations) compilations.push_back({{"function", one.activation}, {"nvrtc_ms", one.seconds / kMilli}});
  for (const auto& row : speed.training) {
    training.push_back({{"network", row.recipe},
                        {"activation", row.activation},
                        {"batch", row.batch},
                        {"jobs", row.jobs},
                        {"images_per_second", row.images_per_second},
                        {"floor_images_per_second", row.floor_images_per_second},
                        {"start_ms", row.start_seconds / kMilli},
                        {"nodes", row.nodes},
                        {"job_mib", static_cast<double>(row.memory_bytes) / (1 << 20)}});
  }
  return {{"kernels", kernels}, {"compilations", compilations}, {"training", training}};
}

Json cpu_results(const RecipeNames& networks, Precision precision, double seconds) {
  return {{"kernels", kernel_results(precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32)},
          {"training", training_results(networks, precision, seconds)}};
}

double seconds_of(const Options& options) {
  constexpr double kUsual = 2, kLeast = 0.1, kMost = 600;
  const auto given = options.numbers("seconds").value_or(std::vector{kUsual});
  if (given.size() != 1 || given[0] < kLeast || given[0] > kMost) throw UsageError("--seconds is a number from 0.1 to 600");
  return given[0];
}

RecipeNames networks_of(const Options& options) {
  std::vector<std::string_view> known;
  for (const Recipe& recipe : recipes()) known.push_back(recipe.name);
  RecipeNames networks;
  std::istringstream list(options.text("networks").value_or(kMeasuredNetworks));
  for (std::string name; std::getline(list, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw UsageError("--networks: no recipe is called '" + name + "'; `actsearch recipes` lists them");
    networks.push_back(std::move(name));
  }
  if (networks.empty()) throw UsageError("--networks is a list of recipes, such as " + std::string(kMeasuredNetworks));
  return networks;
}

std::vector<int> jobs_of(const Options& options, bool small) {
  constexpr double kMost = 64;
  std::vector<int> jobs;
  for (const double count : options.numbers("jobs").value_or(small ? std::vector<double>{1} : std::vector<double>{1, 2, 4, 8})) {
    if (count < 1 || count > kMost || count != std::floor(count)) throw UsageError("--jobs is a list of whole numbers from 1 to 64");
    jobs.push_back(static_cast<int>(count));
  }
  return jobs;
}

Options declared() {
  Options options("bench", "[flags]",
                  "Measures this machine. It says first how long it will take.\n"
                  "\n"
                  "On the CPU\n"
                  "  the kernels of activations on one core, in ns an element;\n"
                  "  training, a search's networks one to a core, full-length ones with all cores in one;\n"
                  "  beside it what the convolutions alone would allow.\n"
                  "\n"
                  "On a CUDA device\n"
                  "  the kernels, beside a copy of as many bytes, and their compilation;\n"
                  "  training of several networks at once, whose rates are added up;\n"
                  "  beside it the least time for one network: the library's calls, and the bytes of the rest.");
  declare_device(options);
  declare_precision(options);
  options.value("networks", "A,B,...", "the recipes whose networks train [" + std::string(kMeasuredNetworks) + "]", names_of(recipes()));
  options.value("seconds", "S", "measure each training for at least S seconds [2]");
  options.value("jobs", "LIST", "on a CUDA device: so many networks at once [1,2,4,8]");
  options.flag("small", "on a CUDA device: few numbers on small tensors, vgg-s alone, one network; shows that all runs, not how fast");
  declare_format(options, {"text", "json"});
  return options;
}

int run(const Options& options) {
  const Format format = options.format();
  const bool small = options.has("small");
  const Device device = chosen_device(options);
  const Precision precision = chosen_precision(options, device);
  const double seconds = seconds_of(options);
  const std::vector<int> jobs = jobs_of(options, small);
  const RecipeNames networks = networks_of(options);
  if (device.is_cuda()) {
    constexpr double kPreparation = 0.5, kRest = 10;                           // seconds: of each row, and of all else
    const double rows = small ? 2 : 2 * static_cast<double>(networks.size());  // of each number of jobs
    say_duration(std::chrono::duration<double>(rows * static_cast<double>(jobs.size()) * (seconds + kPreparation) + kRest));
  } else {
    if (options.has("jobs")) throw UsageError("--jobs is for CUDA devices; on the CPU each network has a core, or all of them");
    if (small) throw UsageError("--small is for CUDA devices");
    say_duration(expected_duration(networks, precision, seconds));
  }

  Json result = {{"machine", machine_text() + (device.is_cuda() ? ", " + device.description : "")},
                 {"commit", program_commit()},
                 {"built_for", built_instruction_sets()},
                 {"precision", to_text(precision)}};
  result.update(
      device.is_cuda()
          ? cuda_results(device, {.precision = precision, .activations = {}, .recipes = networks, .jobs = jobs, .seconds = seconds}, small)
          : cpu_results(networks, precision, seconds));
  if (format == Format::kJson) {
    std::cout << result.dump(2) << '\n';
    return 0;
  }
  std::cout << result["machine"].get<std::string>() << ", commit " << program_commit() << ", " << to_text(precision) << '\n';
  for (const char* const part : {"kernels", "compilations", "training"}) {
    if (!result.contains(part)) continue;
    std::cout << '\n';
    write_table(std::cout, to_table(result[part]));
  }
  return 0;
}

}  // namespace

Command bench_command() { return {"bench", "measures kernels and training on this machine", declared, run}; }

}  // namespace actsearch
