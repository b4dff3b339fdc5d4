#include "evaluator/cuda/backend.h"

#include <tbb/global_control.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <set>

#include "evaluator/cuda/ahead.h"
#include "evaluator/cuda/compiler.h"
#include "evaluator/cuda/cublas_lt.h"
#include "evaluator/cuda/network.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/nvrtc.h"

namespace actsearch {
namespace {

Storage storage_of(Precision precision) { return precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32; }

/// A network and the recipe it was made for.
struct Kept {
  std::string recipe;
  std::unique_ptr<CudaNetwork> network;
};

/// One device with what its networks share.
struct Worker {
  Worker(int ordinal, const Dataset& dataset, bool deterministic, int jobs) : most(jobs), device(ordinal), choices(deterministic) {
    device.make_current();
    images = std::make_unique<CudaDataset>(dataset);
  }
  ~Worker() {
    try {
      device.make_current();
    } catch (const CudaError&) {  // the device is lost, and its memory with it
    }
    idle.clear();
    ahead.clear();
    images.reset();
  }
  int most;  ///< networks at once
  CudaDevice device;
  CudaAhead ahead{device, 2 * static_cast<std::size_t>(most)};
  std::unique_ptr<CudaDataset> images;
  EngineChoices choices;
  int in_use = 0;  ///< networks at work, or being made
  std::vector<Kept> idle;
};

std::vector<int> chosen(const std::vector<int>& devices) {
  if (!devices.empty()) return devices;
  std::vector<int> all(cuda_devices().size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

struct CudaBackend::Impl {
  Impl(const Dataset& dataset_, CudaOptions options_)
      : dataset(dataset_),
        options(std::move(options_)),
        devices(chosen(options.devices)),
        threads(tbb::global_control::max_allowed_parallelism,
                static_cast<std::size_t>(options.jobs) * devices.size() + static_cast<std::size_t>(options.compile_threads) + 2),
        compiler(options.cache.empty() ? CubinCache::default_folder() : options.cache, options.compile_threads) {
    for (const int device : devices) workers.push_back(std::make_unique<Worker>(device, dataset, options.deterministic, options.jobs));
    for (const auto& worker : workers) architectures.insert(worker->device.architecture());
  }

  /// A network that this thread may use.
  struct Lease {
    Worker* worker;
    Kept kept;
  };

  /// Waits for a place on the device that has the most free ones.
  Lease acquire(const std::string& recipe) {
    std::unique_lock lock(mutex);
    Worker* best = nullptr;
    const auto find = [&] {
      best = nullptr;
      for (const auto& worker : workers) {
        const int free = worker->most - worker->in_use;
        if (free > 0 && (!best || free > best->most - best->in_use)) best = worker.get();
      }
      return best != nullptr;
    };
    changed.wait(lock, find);
    ++best->in_use;
    Lease lease{best, {}};
    auto& idle = best->idle;
    auto place = std::find_if(idle.begin(), idle.end(), [&](const Kept& kept) { return kept.recipe == recipe; });
    if (place == idle.end() && !idle.empty()) place = idle.begin();  // to be replaced
    if (place != idle.end()) {
      lease.kept = std::move(*place);
      idle.erase(place);
    }
    return lease;
  }

  void release(Lease lease) {
    const std::lock_guard lock(mutex);
    --lease.worker->in_use;
    if (lease.kept.network) lease.worker->idle.push_back(std::move(lease.kept));
    changed.notify_all();
  }

  /// After a lack of memory: one job fewer on the device. Throws `error` on if that leaves none.
  void shrink(Lease lease, const CudaOutOfMemory& error) {
    lease.kept.network.reset();
    const std::lock_guard lock(mutex);
    Worker& worker = *lease.worker;
    --worker.in_use;
    worker.idle.clear();
    changed.notify_all();
    if (worker.in_use == 0) {
      throw CudaOutOfMemory(std::string(error.what()) + ": " + worker.device.name() + " has " +
                            std::to_string(worker.device.free_memory() >> 20) + " MiB free, too little for one network of this recipe");
    }
    worker.most = std::min(worker.most, worker.in_use);
    if (options.say) {
      options.say("out of memory on CUDA device " + std::to_string(worker.device.ordinal()) + ": going on with " +
                  std::to_string(worker.most) + (worker.most == 1 ? " job" : " jobs") + " there");
    }
  }

  void make_network(Lease& lease, const Recipe& recipe, Precision precision, const std::string& name) {
    lease.kept.network.reset();
    lease.kept.recipe = name;
    const CudaDevice& device = lease.worker->device;
    device.make_current();
    const Storage storage = storage_of(precision);
    const CudaNetworkCubins cubins{compiler.cubin(cuda_layers_source(storage, dataset.shape), device.architecture()),
                                   compiler.cubin(cuda_identity_source(storage), device.architecture())};
    lease.kept.network = std::make_unique<CudaNetwork>(device, *lease.worker->images, recipe, precision, lease.worker->choices, cubins);
  }

  const Dataset& dataset;
  const CudaOptions options;
  const std::vector<int> devices;
  tbb::global_control threads;  ///< they wait more than they compute, so there may be more than cores
  std::vector<std::unique_ptr<Worker>> workers;
  CudaCompiler compiler;  ///< ends before the workers, on whose devices it loads
  std::set<std::string> architectures;
  std::mutex mutex;  ///< of the workers' networks
  std::condition_variable changed;
};

std::vector<std::string> cuda_devices() {
  std::vector<std::string> names;
  const int count = CudaDevice::count();
  const Nvrtc nvrtc;
  if (const auto [major, minor] = CudaDevice::driver_version(); nvrtc.major_version() > major) {
    throw CudaMissing("the NVIDIA driver runs programs of CUDA " + std::to_string(major) + "." + std::to_string(minor) +
                      " and NVRTC is of CUDA " + nvrtc.version() + ": update the driver, or install NVRTC of CUDA " +
                      std::to_string(major));
  }
  Cudnn::version();
  CublasLt::require();
  for (int i = 0; i < count; ++i) names.push_back(CudaDevice::name_of(i));
  return names;
}

void require_cuda_device(int ordinal) { const CudaDevice opened(ordinal); }

CudaBackend::CudaBackend(const Dataset& dataset, CudaOptions options) : impl_(std::make_unique<Impl>(dataset, std::move(options))) {}
CudaBackend::~CudaBackend() = default;

void CudaBackend::prepare(const Program& activation, Precision precision) {
  const Storage storage = storage_of(precision);
  for (const std::string& architecture : impl_->architectures) {
    impl_->compiler.prepare(CudaActivation::source(activation, storage), architecture, [=, impl = impl_.get()](const std::string& cubin) {
      for (const auto& worker : impl->workers) {
        if (worker->device.architecture() == architecture) worker->ahead.load(activation, storage, cubin);
      }
    });
  }
}

TrialOutcome CudaBackend::train(const Program& activation, const Recipe& recipe, const TrialOptions& options) {
  const std::string name = to_text(recipe, options.precision);
  const std::string source = CudaActivation::source(activation, storage_of(options.precision));
  for (;;) {
    Impl::Lease lease = impl_->acquire(name);
    try {
      std::string cubin;
      try {
        cubin = impl_->compiler.cubin(source, lease.worker->device.architecture());
      } catch (const CudaCompileError& error) {
        impl_->release(std::move(lease));
        TrialOutcome outcome;
        outcome.failure = Failure::kCompilation;
        outcome.detail = error.what();
        return outcome;
      }
      if (!lease.kept.network || lease.kept.recipe != name) impl_->make_network(lease, recipe, options.precision, name);
      lease.worker->device.make_current();
      lease.kept.network->begin_trial(activation, lease.worker->ahead.take(activation, storage_of(options.precision), cubin), options.seed);
      TrialOutcome outcome = actsearch::train(*lease.kept.network, activation, recipe, impl_->dataset, options);
      impl_->release(std::move(lease));
      return outcome;
    } catch (const CudaOutOfMemory& error) {
      impl_->shrink(std::move(lease), error);
    } catch (...) {
      lease.kept.network.reset();
      impl_->release(std::move(lease));
      throw;
    }
  }
}

}  // namespace actsearch
