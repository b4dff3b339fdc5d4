#include "evaluator/cuda/compiler.h"

#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <future>
#include <map>
#include <mutex>
#include <utility>

#include "kernels/cuda/nvrtc.h"

namespace actsearch {

struct CudaCompiler::Impl {
  Impl(const std::filesystem::path& folder, int threads) : cache(folder), arena(threads, 0) {}
  ~Impl() {
    arena.execute([this] { group.wait(); });
  }

  using Key = std::pair<std::string, std::string>;  // architecture and source

  Nvrtc nvrtc;
  CubinCache cache;
  std::mutex mutex;
  std::map<Key, std::shared_future<std::string>> prepared;  ///< and not fetched yet
  tbb::task_arena arena;
  tbb::task_group group;
};

CudaCompiler::CudaCompiler(const std::filesystem::path& cache, int threads) : impl_(std::make_unique<Impl>(cache, threads)) {}
CudaCompiler::~CudaCompiler() = default;

void CudaCompiler::prepare(const std::string& source, const std::string& architecture, std::function<void(const std::string& cubin)> then) {
  auto task = std::make_shared<std::packaged_task<std::string()>>([this, source, architecture, then = std::move(then)] {
    std::string cubin = impl_->cache.get(impl_->nvrtc, source, architecture).cubin;
    if (then) then(cubin);
    return cubin;
  });
  {
    const std::lock_guard lock(impl_->mutex);
    const auto [place, added] = impl_->prepared.try_emplace({architecture, source});
    if (!added) return;
    place->second = task->get_future().share();
  }
  impl_->arena.execute([&] { impl_->group.run([task] { (*task)(); }); });
}

std::string CudaCompiler::cubin(const std::string& source, const std::string& architecture) {
  std::shared_future<std::string> ready;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto place = impl_->prepared.find({architecture, source});
    if (place != impl_->prepared.end()) {
      ready = std::move(place->second);
      impl_->prepared.erase(place);
    }
  }
  return ready.valid() ? ready.get() : impl_->cache.get(impl_->nvrtc, source, architecture).cubin;
}

}  // namespace actsearch
