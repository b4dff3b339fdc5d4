#include "kernels/eigen_kernel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "kernels/block_program.h"
#include "kernels/pack_memory.h"

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

/// What a pass over a block of a tensor does for whole packs, and element by element for the rest: body(i, tag) with a tag of type
/// Pack or float.
template <class Body>
void for_each_pack(std::size_t n, Body&& body) {
  std::size_t i = 0;
  for (; i + Pack::kLanes <= n; i += Pack::kLanes) body(i, Pack());
  for (; i < n; ++i) body(i, 0.0f);
}

// The same operations on a pack and on one float, so that a pass is written once.
template <class Value, class Stored>
Value get(const Stored* from) {
  if constexpr (std::is_same_v<Value, Pack>) {
    return load_pack(from);
  } else {
    return static_cast<float>(*from);
  }
}
template <class Stored>
void put(const Pack& value, Stored* to) {
  store_pack(value, to);
}
template <class Stored>
void put(float value, Stored* to) {
  *to = Stored(value);
}
float multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
template <class Value>
void add_to(float* sum, const Value& value) {
  put(get<Value>(sum) + value, sum);
}
template <class Value>
void add_product_to(float* sum, const Value& a, const Value& b) {
  put(multiply_add(a, b, get<Value>(sum)), sum);
}

/// u = scale·z + shift over a block.
template <class Stored>
void load_affine(const Stored* z, const float* scale, const float* shift, float* u, std::size_t n) {
  for_each_pack(n, [&]<class Value>(std::size_t i, Value) {
    put(multiply_add(get<Value>(z + i), get<Value>(scale + i), get<Value>(shift + i)), u + i);
  });
}

void fill(float* block, float value) { std::fill_n(block, padded(kBlockFloats), value); }

/// scale and shift of a strip; without any, 1 and 0.
void tile_affine(const float* scale, const float* shift, const Strip& strip, float* scale_block, float* shift_block) {
  if (!scale) {
    fill(scale_block, 1.0f);
    fill(shift_block, 0.0f);
    return;
  }
  tile(scale, strip, scale_block);
  tile(shift, strip, shift_block);
}

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
      tile_affine(scale, shift, strip, scale_block, shift_block);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        load_affine(z + offset, scale_block, shift_block, u, n);
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
    Frame frame(backward, 2);
    float* const u = frame.slots[0];
    float* const scale_block = frame.slots[slots];
    float* const shift_block = frame.slots[slots + 1];
    Blocks accumulators(2 + parameters, kBlockFloats);
    std::vector<BlockOperand> results;
    for (std::size_t k = 0; k <= parameters; ++k) results.push_back(backward.result(k, frame.slots.data()));
    for (const Strip& strip : strips(channels)) {
      tile_parameters(strip, channels, beta, frame);
      tile_affine(scale, shift, strip, scale_block, shift_block);
      for (std::size_t k = 0; k < 2 + parameters; ++k) fill(accumulators[k], 0.0f);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        load_affine(z + offset, scale_block, shift_block, u, n);
        backward.run(frame.slots.data(), n);
        if (strip.width % Pack::kLanes == 0 && parameters <= kMaxBetasInRegisters) {
          switch (parameters) {
            case 0:
              accumulate_columns<0>(results, z + offset, dL_dy + offset, g + offset, accumulators, strip.width, n);
              break;
            case 1:
              accumulate_columns<1>(results, z + offset, dL_dy + offset, g + offset, accumulators, strip.width, n);
              break;
            default:
              accumulate_columns<2>(results, z + offset, dL_dy + offset, g + offset, accumulators, strip.width, n);
          }
        } else {
          accumulate(results, z + offset, dL_dy + offset, g + offset, accumulators, n);
        }
      });
      if (sums.g) untile_sum(accumulators[0], strip, sums.g);
      if (sums.gz) untile_sum(accumulators[1], strip, sums.gz);
      for (std::size_t k = 0; k < parameters; ++k) untile_sum(accumulators[2 + k], strip, sums.beta + k * channels);
    }
  }

  /// g = dL_dy·f' over a block; adds g, g·z and dL_dy·∂f/∂beta_k to the accumulators. g may be dL_dy.
  template <class Stored>
  void accumulate(const std::vector<BlockOperand>& results, const Stored* z, const Stored* dL_dy, Stored* g, Blocks& accumulators,
                  std::size_t n) const {
    float* const sum_g = accumulators[0];
    float* const sum_gz = accumulators[1];
    for_each_pack(n, [&]<class Value>(std::size_t i, Value) {
      const Value dy = get<Value>(dL_dy + i);
      const Value product = dy * get<Value>(at(results[0], i));
      put(product, g + i);
      add_to(sum_g + i, product);
      add_product_to(sum_gz + i, product, get<Value>(z + i));
      for (std::size_t k = 0; k < parameters; ++k) add_product_to(accumulators[2 + k] + i, dy, get<Value>(at(results[1 + k], i)));
    });
  }

  static constexpr std::size_t kMaxBetasInRegisters = 2;

  /// The same for whole packs of channels: a pack's sums over the block's rows stay in registers.
  template <std::size_t betas, class Stored>
  void accumulate_columns(const std::vector<BlockOperand>& results, const Stored* z, const Stored* dL_dy, Stored* g, Blocks& accumulators,
                          std::size_t width, std::size_t n) const {
    for (std::size_t c = 0; c < width; c += Pack::kLanes) {
      Pack sum_g(0.0), sum_gz(0.0);
      std::array<Pack, betas> sum_beta;
      for (Pack& sum : sum_beta) sum = Pack(0.0);
      for (std::size_t i = c; i < n; i += width) {
        const Pack dy = load_pack(dL_dy + i), product = dy * load_pack(at(results[0], i));
        store_pack(product, g + i);
        sum_g = sum_g + product;
        sum_gz = multiply_add(product, load_pack(z + i), sum_gz);
        for (std::size_t k = 0; k < betas; ++k) sum_beta[k] = multiply_add(dy, load_pack(at(results[1 + k], i)), sum_beta[k]);
      }
      add_to(accumulators[0] + c, sum_g);
      add_to(accumulators[1] + c, sum_gz);
      for (std::size_t k = 0; k < betas; ++k) add_to(accumulators[2 + k] + c, sum_beta[k]);
    }
  }

  /// Float i of a result; whole packs of equal lanes serve every i.
  static const float* at(const BlockOperand& operand, std::size_t i) { return operand.stride == 0 ? operand.first : operand.first + i; }

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
  Blocks blocks(3, kBlockFloats);
  float* const a_block = blocks[0];
  float* const b_block = blocks[1];
  float* const d_block = blocks[2];
  with_storage(storage, [&]<class Stored>(Stored*) {
    const auto* const g_in = static_cast<const Stored*>(g);
    const auto* const z_in = static_cast<const Stored*>(z);
    auto* const out = static_cast<Stored*>(dz);
    for (const Strip& strip : strips(channels)) {
      tile(a, strip, a_block);
      tile(b, strip, b_block);
      tile(d, strip, d_block);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        for_each_pack(n, [&]<class Value>(std::size_t i, Value) {
          const Value rest = multiply_add(get<Value>(z_in + offset + i), get<Value>(b_block + i), get<Value>(d_block + i));
          put(multiply_add(get<Value>(g_in + offset + i), get<Value>(a_block + i), rest), out + offset + i);
        });
      });
    }
  });
}

namespace {
/// Sums and sums of squares about `centre` for whole packs of channels, in registers over the block's rows.
template <class Stored>
void add_moments_of_columns(const Stored* z, const float* centre, std::size_t width, std::size_t n, float* sum, float* squares) {
  for (std::size_t c = 0; c < width; c += Pack::kLanes) {
    const Pack middle = load_pack(centre + c);
    Pack s(0.0), q(0.0);
    for (std::size_t i = c; i < n; i += width) {
      const Pack distance = load_pack(z + i) - middle;
      s = s + distance;
      q = multiply_add(distance, distance, q);
    }
    add_to(sum + c, s);
    add_to(squares + c, q);
  }
}
}  // namespace

void channel_moments(Storage storage, const void* z, std::size_t rows, std::size_t channels, float* mean, float* variance) {
  if (rows == 0) throw std::invalid_argument("channel_moments: no rows");
  Blocks blocks(3, kBlockFloats);
  float* const centre = blocks[0];
  float* const sum = blocks[1];
  float* const squares = blocks[2];
  std::vector<float> pivot(channels);
  with_storage(storage, [&]<class Stored>(Stored*) {
    const auto* const in = static_cast<const Stored*>(z);
    for (std::size_t c = 0; c < channels; ++c) pivot[c] = static_cast<float>(in[c]);
    for (const Strip& strip : strips(channels)) {
      tile(pivot.data(), strip, centre);
      fill(sum, 0.0f);
      fill(squares, 0.0f);
      for_each_block(strip, rows, channels, [&](std::size_t offset, std::size_t n) {
        if (strip.width % Pack::kLanes == 0) {
          add_moments_of_columns(in + offset, centre, strip.width, n, sum, squares);
          return;
        }
        for_each_pack(n, [&]<class Value>(std::size_t i, Value) {
          const Value distance = get<Value>(in + offset + i) - get<Value>(centre + i);
          add_to(sum + i, distance);
          add_product_to(squares + i, distance, distance);
        });
      });
      untile_sum(sum, strip, mean);
      untile_sum(squares, strip, variance);
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
