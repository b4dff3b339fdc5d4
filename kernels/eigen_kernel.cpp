#include "kernels/eigen_kernel.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/block_program.h"
#include "kernels/pack.h"
#include "kernels/storage.h"

namespace actsearch {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t padded(std::size_t n) { return (n + Pack::kLanes - 1) / Pack::kLanes * Pack::kLanes; }

/// Zeroed, aligned blocks of floats, one after the other.
class Blocks {
 public:
  Blocks(std::size_t count, std::size_t floats)
      : stride_(padded(floats) + kAlignment / sizeof(float)), memory_(count * stride_ + kAlignment, 0.0f) {
    auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    first_ = memory_.data() + (kAlignment - address % kAlignment) % kAlignment / sizeof(float);
  }
  // A stride of a power of two would put all blocks into the same cache sets, hence the extra line above.
  float* operator[](std::size_t i) { return first_ + i * stride_; }

 private:
  std::size_t stride_;
  std::vector<float> memory_;
  float* first_;
};

/// How a tensor is walked: in strips of `width` channels from `first_channel`, `rows` rows at a time, each block contiguous.
struct Strip {
  std::size_t first_channel, width, rows;
};

std::vector<Strip> strips(std::size_t channels) {
  if (channels <= kBlockFloats) return {{0, channels, kBlockFloats / channels}};
  std::vector<Strip> all;
  for (std::size_t c = 0; c < channels; c += kBlockFloats) all.push_back({c, std::min(kBlockFloats, channels - c), 1});
  return all;
}

/// A per-channel array repeated over the rows of a block.
void tile(const float* per_channel, const Strip& strip, float* block) {
  for (std::size_t r = 0; r < strip.rows; ++r) std::copy_n(per_channel + strip.first_channel, strip.width, block + r * strip.width);
}

/// The rows of a block added up into per-channel sums.
void untile_sum(const float* block, const Strip& strip, float* per_channel) {
  for (std::size_t c = 0; c < strip.width; ++c) {
    float sum = 0;
    for (std::size_t r = 0; r < strip.rows; ++r) sum += block[r * strip.width + c];
    per_channel[strip.first_channel + c] = sum;
  }
}

/// Calls body(offset, n) for every block of the strip: n floats at `offset` from the tensor's start.
template <class Body>
void for_each_block(const Strip& strip, std::size_t rows, std::size_t channels, Body&& body) {
  for (std::size_t r = 0; r < rows; r += strip.rows) {
    body(r * channels + strip.first_channel, std::min(strip.rows, rows - r) * strip.width);
  }
}

/// out = a·b + c over a block.
void affine(const float* a, const float* b, const float* c, float* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += Pack::kLanes) {
    multiply_add(Pack::load(a + i), Pack::load(b + i), Pack::load(c + i)).store(out + i);
  }
}

void fill(float* block, float value) { std::fill_n(block, padded(kBlockFloats), value); }

}  // namespace

struct EigenKernel::Impl {
  explicit Impl(const Program& program)
      : parameters(static_cast<std::size_t>(program.parameter_count())),
        forward(program, {program.y}),
        backward(program, backward_results(program)),
        all(program, all_results(program)) {}

  static std::vector<std::uint16_t> backward_results(const Program& program) {
    std::vector<std::uint16_t> places{program.dydx};
    places.insert(places.end(), program.dydbeta.begin(), program.dydbeta.end());
    return places;
  }
  static std::vector<std::uint16_t> all_results(const Program& program) {
    auto places = backward_results(program);
    places.insert(places.begin(), program.y);
    return places;
  }

  /// The blocks a run needs: slot 0 is u, then betas tiled for the strip, temporaries, and `extra` more.
  struct Frame {
    Frame(const BlockProgram& program, std::size_t extra)
        : blocks(program.slot_count() + extra, kBlockFloats), slots(program.slot_count() + extra) {
      for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = blocks[i];
    }
    Blocks blocks;
    std::vector<float*> slots;
  };

  template <class Stored>
  void run_forward(const Stored* z, std::size_t rows, std::size_t channels, const float* scale, const float* shift, const float* beta,
                   Stored* y) const {
    Frame frame(forward, 2);
    float* const scale_block = frame.slots[forward.slot_count()];
    float* const shift_block = frame.slots[forward.slot_count() + 1];
    float* const u = frame.slots[0];
    const BlockOperand result = forward.result(0, frame.slots.data());
    for (const Strip& strip : strips(channels)) {
      tile_parameters(strip, channels, beta, frame);
      if (scale) {
        tile(scale, strip, scale_block);
        tile(shift, strip, shift_block);
      }
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        load_block(z + offset, u, n);
        if (scale) affine(u, scale_block, shift_block, u, n);
        forward.run(frame.slots.data(), n);
        if (result.stride == 0) fill(u, *result.first);
        store_block(result.stride == 0 ? u : result.first, y + offset, n);
      });
    }
  }

  template <class Stored>
  void run_backward(const Stored* z, const Stored* dL_dy, std::size_t rows, std::size_t channels, const float* scale, const float* shift,
                    const float* beta, Stored* g, const Sums& sums) const {
    const std::size_t slots = backward.slot_count();
    Frame frame(backward, 4);
    float* const u = frame.slots[0];
    float* const scale_block = frame.slots[slots];
    float* const shift_block = frame.slots[slots + 1];
    float* const z_block = frame.slots[slots + 2];
    float* const g_block = frame.slots[slots + 3];
    Blocks accumulators(2 + parameters, kBlockFloats);
    std::vector<BlockOperand> results;
    for (std::size_t k = 0; k <= parameters; ++k) results.push_back(backward.result(k, frame.slots.data()));
    for (const Strip& strip : strips(channels)) {
      tile_parameters(strip, channels, beta, frame);
      if (scale) {
        tile(scale, strip, scale_block);
        tile(shift, strip, shift_block);
      }
      for (std::size_t k = 0; k < 2 + parameters; ++k) fill(accumulators[k], 0.0f);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        load_block(z + offset, z_block, n);
        load_block(dL_dy + offset, g_block, n);
        if (scale) {
          affine(z_block, scale_block, shift_block, u, n);
        } else {
          std::copy_n(z_block, n, u);
        }
        backward.run(frame.slots.data(), n);
        accumulate(results, z_block, g_block, accumulators, n);
        store_block(g_block, g + offset, n);
      });
      if (sums.g) untile_sum(accumulators[0], strip, sums.g);
      if (sums.gz) untile_sum(accumulators[1], strip, sums.gz);
      for (std::size_t k = 0; k < parameters; ++k) untile_sum(accumulators[2 + k], strip, sums.beta + k * channels);
    }
  }

  /// g_block holds dL_dy and receives g; adds g, g·z and dL_dy·∂f/∂beta_k to the accumulators.
  void accumulate(const std::vector<BlockOperand>& results, const float* z_block, float* g_block, Blocks& accumulators,
                  std::size_t n) const {
    const std::size_t whole = n / Pack::kLanes * Pack::kLanes;
    for (std::size_t k = 0; k < parameters; ++k) {
      float* const sum = accumulators[2 + k];
      const BlockOperand slope = results[1 + k];
      for (std::size_t i = 0; i < whole; i += Pack::kLanes) {
        multiply_add(Pack::load(g_block + i), Pack::load(at(slope, i)), Pack::load(sum + i)).store(sum + i);
      }
      for (std::size_t i = whole; i < n; ++i) sum[i] += g_block[i] * at(slope, whole)[slope.stride == 0 ? 0 : i - whole];
    }
    float* const sum_g = accumulators[0];
    float* const sum_gz = accumulators[1];
    const BlockOperand slope = results[0];
    for (std::size_t i = 0; i < whole; i += Pack::kLanes) {
      const Pack product = Pack::load(g_block + i) * Pack::load(at(slope, i));
      product.store(g_block + i);
      (Pack::load(sum_g + i) + product).store(sum_g + i);
      multiply_add(product, Pack::load(z_block + i), Pack::load(sum_gz + i)).store(sum_gz + i);
    }
    for (std::size_t i = whole; i < n; ++i) {
      g_block[i] *= at(slope, whole)[slope.stride == 0 ? 0 : i - whole];
      sum_g[i] += g_block[i];
      sum_gz[i] += g_block[i] * z_block[i];
    }
  }

  /// The pack of an operand that belongs to floats i, i + 1, … of a block; i is a multiple of the pack's size.
  static const float* at(const BlockOperand& operand, std::size_t i) { return operand.first + i / Pack::kLanes * operand.stride; }

  void tile_parameters(const Strip& strip, std::size_t channels, const float* beta, Frame& frame) const {
    for (std::size_t k = 0; k < parameters; ++k) tile(beta + k * channels, strip, frame.slots[1 + k]);
  }

  std::size_t parameters;
  BlockProgram forward;
  BlockProgram backward;
  BlockProgram all;
};

EigenKernel::EigenKernel(const Program& program) : impl_(std::make_unique<Impl>(program)) {}
EigenKernel::~EigenKernel() = default;
EigenKernel::EigenKernel(EigenKernel&&) noexcept = default;

int EigenKernel::parameter_count() const { return static_cast<int>(impl_->parameters); }

namespace {
/// Calls body with pointers of the stored type.
template <class Body>
void with_storage(Storage storage, Body&& body) {
  switch (storage) {
    case Storage::kFp32:
      body(static_cast<float*>(nullptr));
      return;
    case Storage::kBf16:
      body(static_cast<Bf16*>(nullptr));
      return;
  }
  throw std::logic_error("with_storage: no such storage");
}
}  // namespace

void EigenKernel::forward(Storage storage, const void* z, std::size_t rows, std::size_t channels, const float* scale, const float* shift,
                          const float* beta, void* y) const {
  if (rows == 0 || channels == 0) return;
  with_storage(storage, [&]<class Stored>(Stored*) {
    impl_->run_forward(static_cast<const Stored*>(z), rows, channels, scale, shift, beta, static_cast<Stored*>(y));
  });
}

void EigenKernel::backward(Storage storage, const void* z, const void* dL_dy, std::size_t rows, std::size_t channels, const float* scale,
                           const float* shift, const float* beta, void* g, const Sums& sums) const {
  if (channels == 0) return;
  with_storage(storage, [&]<class Stored>(Stored*) {
    impl_->run_backward(static_cast<const Stored*>(z), static_cast<const Stored*>(dL_dy), rows, channels, scale, shift, beta,
                        static_cast<Stored*>(g), sums);
  });
}

void EigenKernel::evaluate(std::span<const float> x, std::span<const float> beta, float* y, float* dydx, float* dydbeta) const {
  if (beta.size() != impl_->parameters) throw std::invalid_argument("EigenKernel::evaluate: one beta for each parameter is needed");
  Impl::Frame frame(impl_->all, 0);
  for (std::size_t k = 0; k < impl_->parameters; ++k) fill(frame.slots[1 + k], beta[k]);
  for (std::size_t offset = 0; offset < x.size(); offset += kBlockFloats) {
    const std::size_t n = std::min(kBlockFloats, x.size() - offset);
    std::copy_n(x.data() + offset, n, frame.slots[0]);
    impl_->all.run(frame.slots.data(), n);
    for (std::size_t r = 0; r < impl_->all.result_count(); ++r) {
      const BlockOperand result = impl_->all.result(r, frame.slots.data());
      float* const out = (r == 0 ? y : r == 1 ? dydx : dydbeta + (r - 2) * x.size()) + offset;
      if (result.stride == 0) {
        std::fill_n(out, n, *result.first);
      } else {
        std::copy_n(result.first, n, out);
      }
    }
  }
}

void batch_norm_apply(Storage storage, const void* g, const void* z, std::size_t rows, std::size_t channels, const float* a, const float* b,
                      const float* d, void* dz) {
  if (rows == 0 || channels == 0) return;
  Blocks blocks(5, kBlockFloats);
  with_storage(storage, [&]<class Stored>(Stored*) {
    const auto* const g_in = static_cast<const Stored*>(g);
    const auto* const z_in = static_cast<const Stored*>(z);
    auto* const out = static_cast<Stored*>(dz);
    for (const Strip& strip : strips(channels)) {
      tile(a, strip, blocks[0]);
      tile(b, strip, blocks[1]);
      tile(d, strip, blocks[2]);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        load_block(g_in + offset, blocks[3], n);
        load_block(z_in + offset, blocks[4], n);
        affine(blocks[4], blocks[1], blocks[2], blocks[4], n);
        affine(blocks[3], blocks[0], blocks[4], blocks[3], n);
        store_block(blocks[3], out + offset, n);
      });
    }
  });
}

void channel_moments(Storage storage, const void* z, std::size_t rows, std::size_t channels, float* mean, float* variance) {
  if (rows == 0) throw std::invalid_argument("channel_moments: no rows");
  Blocks blocks(4, kBlockFloats);
  with_storage(storage, [&]<class Stored>(Stored*) {
    const auto* const in = static_cast<const Stored*>(z);
    for (const Strip& strip : strips(channels)) {
      std::vector<float> pivot(channels);
      load_block(in, pivot.data(), channels);
      tile(pivot.data(), strip, blocks[1]);
      fill(blocks[2], 0.0f);
      fill(blocks[3], 0.0f);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        float* const block = blocks[0];
        const float* const centre = blocks[1];
        float* const sum = blocks[2];
        float* const squares = blocks[3];
        load_block(in + offset, block, n);
        for (std::size_t i = 0; i < n; ++i) {
          const float distance = block[i] - centre[i];
          sum[i] += distance;
          squares[i] += distance * distance;
        }
      });
      untile_sum(blocks[2], strip, mean);
      untile_sum(blocks[3], strip, variance);
      const float share = 1.0f / static_cast<float>(rows);
      for (std::size_t c = strip.first_channel; c < strip.first_channel + strip.width; ++c) {
        const float offset = mean[c] * share;
        variance[c] = std::max(0.0f, variance[c] * share - offset * offset);
        mean[c] = pivot[c] + offset;
      }
    }
  });
}

}  // namespace actsearch
