#include "evaluator/cuda/throughput.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <memory>
#include <random>
#include <thread>

#include "evaluator/cuda/network.h"
#include "evaluator/data/dataset.h"
#include "grammar/notation.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/nvrtc.h"
#include "kernels/storage.h"

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Seconds of one call on the device: the fastest of several runs of ten.
template <class Call>
double device_seconds(CudaStream& stream, Call&& call) {
  constexpr int kRuns = 7, kCalls = 10;
  call();
  CudaTimer timer;
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    timer.start(stream);
    for (int i = 0; i < kCalls; ++i) call();
    best = std::min(best, timer.stop_seconds(stream) / kCalls);
  }
  return best;
}

class Measurement {
 public:
  Measurement(int ordinal, const CudaMeasurement& what)
      : what_(what), storage_(what.precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32), device_(ordinal), choices_(false) {
    device_.make_current();
    result_.device = device_.name();
  }

  CudaThroughput operator()() {
    for (const std::string& activation : what_.activations) compile(activation);
    measure_kernels();
    constexpr std::size_t kTestImages = 16;
    const Dataset dataset = make_synthetic(1, what_.images, kTestImages);
    device_.make_current();
    const CudaDataset images(dataset);
    const CudaNetworkCubins cubins{nvrtc_.compile(cuda_layers_source(storage_), device_.architecture()).cubin,
                                   nvrtc_.compile(cuda_identity_source(storage_), device_.architecture()).cubin};
    for (const std::string& name : what_.recipes) {
      Recipe recipe = find_recipe(name);
      if (what_.batch > 0) recipe.batch = what_.batch;
      for (const int jobs : what_.jobs) {
        for (std::size_t i = 0; i < what_.activations.size(); ++i) train(recipe, i, jobs, images, cubins);
      }
    }
    return std::move(result_);
  }

 private:
  void compile(const std::string& activation) {
    programs_.push_back(lower(parse(activation)));
    const std::string source = CudaActivation::source(programs_.back(), storage_);
    const auto start = Clock::now();
    cubins_.push_back(nvrtc_.compile(source, device_.architecture()).cubin);
    result_.compilations.push_back({activation, seconds_since(start)});
  }

  /// Stored numbers that are drawn from N(0, 1): a processor may be faster on zeros. A million are drawn, and repeated.
  std::vector<std::uint8_t> normal_values(std::size_t count) const {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    const std::size_t size = storage_bytes(storage_), period = std::min(count, std::size_t{1} << 20U) * size;
    std::vector<std::uint8_t> bytes(count * size);
    for (std::size_t at = 0; at < period; at += size) {
      const float value = normal(random);
      const Bf16 half(value);
      std::memcpy(&bytes[at], storage_ == Storage::kBf16 ? static_cast<const void*>(&half) : &value, size);
    }
    for (std::size_t at = period; at < bytes.size(); ++at) bytes[at] = bytes[at - period];
    return bytes;
  }

  void measure_kernels() {
    constexpr std::size_t kChannels = 64;
    const std::size_t rows = what_.kernel_rows, bytes = rows * kChannels * storage_bytes(storage_);
    const CudaMemory z(bytes), dy(bytes), out(bytes);
    std::vector<float> numbers(kChannels * 8, 0.5f);
    const CudaMemory arrays(numbers.size() * sizeof(float));
    CudaStream stream;
    const std::vector<std::uint8_t> values = normal_values(rows * kChannels);
    stream.copy_to_device(z.address(), values.data(), bytes);
    stream.copy_to_device(dy.address(), values.data(), bytes);
    stream.copy_to_device(arrays.address(), numbers.data(), arrays.size());
    stream.synchronise();
    result_.copy_bytes_per_second =
        2 * static_cast<double>(bytes) / device_seconds(stream, [&] { stream.copy(out.address(), z.address(), bytes); });
    for (std::size_t i = 0; i < programs_.size(); ++i) {
      const CudaActivation kernels(device_, cubins_[i], storage_, programs_[i].parameter_count());
      const CudaMemory sums(kernels.sum_count(rows, kChannels) * sizeof(float));
      const CudaAddress a = arrays.address();
      const auto add = [&](const char* pass, double tensors, auto&& call) {
        result_.kernels.push_back({what_.activations[i], pass, tensors * static_cast<double>(bytes) / device_seconds(stream, call)});
      };
      add("forward", 2, [&] { kernels.forward(stream, z.address(), a, a, a, out.address(), rows, kChannels); });
      add("sums", 2, [&] { kernels.sums(stream, z.address(), dy.address(), a, a, a, sums.address(), rows, kChannels); });
      add("apply", 3, [&] { kernels.apply(stream, z.address(), dy.address(), a, a, a, {a, a, a}, out.address(), rows, kChannels); });
    }
  }

  /// work(0) … work(count - 1), all at once, each on a thread with the device current. What a thread throws is thrown on.
  template <class Work>
  void run_on_threads(std::size_t count, Work&& work) {
    std::vector<std::exception_ptr> errors(count);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
          try {
            device_.make_current();
            work(i);
          } catch (...) {
            errors[i] = std::current_exception();
          }
        });
      }
    }
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }

  std::unique_ptr<CudaActivation> kernels(std::size_t activation) const {
    const Storage storage = what_.precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32;
    return std::make_unique<CudaActivation>(device_, cubins_[activation], storage, programs_[activation].parameter_count());
  }

  /// Every job its own network and thread, all at once.
  void train(const Recipe& recipe, std::size_t activation, int jobs, const CudaDataset& images, const CudaNetworkCubins& cubins) {
    CudaThroughput::Training row{.recipe = recipe.name, .activation = what_.activations[activation], .batch = recipe.batch, .jobs = jobs};
    std::vector<std::unique_ptr<CudaNetwork>> networks(static_cast<std::size_t>(jobs));
    device_.make_current();
    run_on_threads(networks.size(), [&](std::size_t job) {
      networks[job] = std::make_unique<CudaNetwork>(device_, images, recipe, what_.precision, choices_, cubins);
      networks[job]->begin_trial(programs_[activation], kernels(activation), 1);
    });
    const auto start = Clock::now();
    networks[0]->begin_trial(programs_[activation], kernels(activation), 1);
    row.start_seconds = seconds_since(start);
    row.nodes = networks[0]->nodes_per_step();
    row.memory_bytes = networks[0]->memory_bytes();
    const double least =
        networks[0]->library_seconds() + static_cast<double>(networks[0]->elementwise_bytes()) / result_.copy_bytes_per_second;
    row.floor_images_per_second = recipe.batch / least;

    std::vector<double> rates(networks.size());
    run_on_threads(networks.size(),
                   [&](std::size_t job) { rates[job] = recipe.batch * steps_per_second(*networks[job], recipe, images.train.count); });
    for (const double rate : rates) row.images_per_second += rate;
    result_.training.push_back(row);
  }

  double steps_per_second(CudaNetwork& network, const Recipe& recipe, std::size_t images) const {
    const std::int64_t steps = static_cast<std::int64_t>(images) / recipe.batch;
    EpochPlan plan;
    for (std::int64_t i = 0; i < steps * recipe.batch; ++i) plan.images.push_back({static_cast<std::uint32_t>(i), {}});
    plan.rates.assign(static_cast<std::size_t>(steps), 0.0);  // values stay where they are
    plan.dropout_keys.assign(static_cast<std::size_t>(steps), 1);
    const auto epoch = [&] {
      network.begin_epoch(plan);
      for (std::int64_t step = 0; step < steps; step += network.steps_at_once()) {
        network.train(step, std::min(network.steps_at_once(), steps - step));
      }
    };
    epoch();
    std::int64_t done = 0;
    const auto start = Clock::now();
    do {
      epoch();
      done += steps;
    } while (seconds_since(start) < what_.seconds);
    return static_cast<double>(done) / seconds_since(start);
  }

  const CudaMeasurement& what_;
  Storage storage_;
  CudaDevice device_;
  EngineChoices choices_;
  Nvrtc nvrtc_;
  std::vector<Program> programs_;
  std::vector<std::string> cubins_;
  CudaThroughput result_;
};

}  // namespace

CudaThroughput measure_cuda(int ordinal, const CudaMeasurement& what) { return Measurement(ordinal, what)(); }

}  // namespace actsearch
