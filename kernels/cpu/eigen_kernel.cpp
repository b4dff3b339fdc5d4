#include "kernels/cpu/eigen_kernel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "kernels/cpu/block_program.h"
#include "kernels/cpu/pack_memory.h"

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

/// n consecutive values of a tensor from value `first` on.
struct Range {
  std::size_t first, n;
};

/// Calls body(block, next) for every block of the strip; after the last there is none, and `next` is empty.
template <class Body>
void for_each_block(const Strip& strip, std::size_t rows, std::size_t channels, Body&& body) {
  const auto block_at = [&](std::size_t row) {
    return row < rows ? Range{row * channels + strip.first_channel, std::min(strip.rows, rows - row) * strip.width} : Range{0, 0};
  };
  for (std::size_t r = 0; r < rows; r += strip.rows) body(block_at(r), block_at(r + strip.rows));
}

/// What a pass over a block of a tensor does for whole packs, and element by element for the rest: body(i, tag) with a tag of type
/// Pack or float. The body captures pointers by value: a store of a pack may alias anything, so others are loaded anew after each.
template <class Body>
[[gnu::always_inline]] inline void for_each_pack(std::size_t n, const Body body) {
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
  for_each_pack(n, [=]<class Value>(std::size_t i, Value) {
    put(multiply_add(get<Value>(z + i), get<Value>(scale + i), get<Value>(shift + i)), u + i);
  });
}

/// Calls body(c, packs) for all whole packs of a strip's channels, two at a time and then perhaps one: c is the first channel, and packs a
/// constant. A sum of one pack would wait for its own last addition.
template <class Body>
[[gnu::always_inline]] inline void for_each_column(std::size_t width, const Body body) {
  std::size_t c = 0;
  for (; c + 2 * Pack::kLanes <= width; c += 2 * Pack::kLanes) body(c, std::integral_constant<std::size_t, 2>());
  if (c < width) body(c, std::integral_constant<std::size_t, 1>());
}

/// Asks for n values to be brought near while something else is computed.
template <class Stored>
void prefetch(const Stored* from, std::size_t n) {
  constexpr std::size_t kLine = 64 / sizeof(Stored);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < n; i += kLine) __builtin_prefetch(from + i);
}

void fill(float* block, float value) { std::fill_n(block, padded(kBlockFloats), value); }

/// The place of n values of an fp32 tensor as a block, where it can be one: aligned, and no more than BlockProgram::run writes.
inline float* block_in_place(float* values, std::size_t n) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(values) % kAlignment == 0;
  return aligned && n % (2 * Pack::kLanes) == 0 ? values : nullptr;
}
inline float* block_in_place(Bf16*, std::size_t) { return nullptr; }

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
        derivatives(factors_of(program)),
        forward(program, {program.y}),
        backward(program, flattened(derivatives)),
        all(program, all_results(program)) {}

  static std::vector<std::uint16_t> derivative_places(const Program& program) {
    std::vector<std::uint16_t> places{program.dydx};
    places.insert(places.end(), program.dydbeta.begin(), program.dydbeta.end());
    return places;
  }
  /// The derivatives' places in the program: of two factors, where a derivative is a product that nothing else needs. Their product is
  /// taken where it is used, which saves a pass.
  static std::vector<std::vector<std::uint16_t>> factors_of(const Program& program) {
    const auto places = derivative_places(program);
    std::vector<int> uses(program.instructions.size(), 0);
    for (const auto place : places) ++uses[place];
    for (const Instruction& instruction : program.instructions) {
      if (instruction.kind != Expression::Kind::kCall) continue;
      ++uses[instruction.a];
      if (function_arity(instruction.function) == 2) ++uses[instruction.b];
    }
    const auto is_number = [&](std::uint16_t place) { return program.instructions[place].kind == Expression::Kind::kNumber; };
    std::vector<std::vector<std::uint16_t>> factors;
    for (const auto place : places) {
      const Instruction& last = program.instructions[place];
      const bool product = last.kind == Expression::Kind::kCall && last.function == function_id<Multiply>;
      const bool split = product && uses[place] == 1 && !is_number(last.a) && !is_number(last.b);
      factors.push_back(split ? std::vector<std::uint16_t>{last.a, last.b} : std::vector<std::uint16_t>{place});
    }
    return factors;
  }
  static std::vector<std::uint16_t> flattened(const std::vector<std::vector<std::uint16_t>>& lists) {
    std::vector<std::uint16_t> all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
  }
  static std::vector<std::uint16_t> all_results(const Program& program) {
    auto places = derivative_places(program);
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

  /// A derivative over a block: `block`, or block·factor.
  struct Slope {
    const float* block;
    const float* factor;
  };
  template <class Value>
  [[gnu::always_inline]] static Value get_at(const Slope& slope, std::size_t i) {
    const auto value = get<Value>(slope.block + i);
    return slope.factor ? value * get<Value>(slope.factor + i) : value;
  }

  template <class Stored>
  void run_forward(const Stored* z, std::size_t rows, std::size_t channels, const float* scale, const float* shift, const float* beta,
                   Stored* y) const {
    Frame frame(forward, 2);
    float* const scale_block = frame.slots[forward.slot_count()];
    float* const shift_block = frame.slots[forward.slot_count() + 1];
    float* const u = frame.slots[0];
    const std::size_t slot = forward.temporary_of(0);
    float* const own_block = slot == BlockProgram::kNone ? nullptr : frame.slots[slot];
    for (const Strip& strip : strips(channels)) {
      tile_parameters(strip, channels, beta, frame);
      tile_affine(scale, shift, strip, scale_block, shift_block);
      for_each_block(strip, rows, channels, [&](const Range& at, const Range& next) {
        load_affine(z + at.first, scale_block, shift_block, u, at.n);
        prefetch(z + next.first, next.n);
        prefetch(y + at.first, at.n);
        float* const direct = own_block ? block_in_place(y + at.first, at.n) : nullptr;
        if (own_block) frame.slots[slot] = direct ? direct : own_block;
        forward.run(frame.slots.data(), at.n);
        if (direct) return;
        const BlockOperand result = forward.result(0, frame.slots.data());
        if (result.stride == 0) fill(u, *result.first);
        store_block(result.stride == 0 ? u : result.first, y + at.first, at.n);
      });
    }
  }

  static constexpr std::size_t kMaxBetasInRegisters = 2;

  template <class Stored>
  void run_backward(const Stored* z, const Stored* dL_dy, std::size_t rows, std::size_t channels, const float* scale, const float* shift,
                    const float* beta, Stored* g, const Sums& sums) const {
    const std::size_t slots = backward.slot_count();
    Frame frame(backward, 2 + backward.result_count());
    float* const u = frame.slots[0];
    float* const scale_block = frame.slots[slots];
    float* const shift_block = frame.slots[slots + 1];
    Blocks accumulators(2 + parameters, kBlockFloats);
    std::vector<Slope> slopes;
    std::size_t result = 0;
    const auto block_of_result = [&] {
      const BlockOperand operand = backward.result(result, frame.slots.data());
      float* const constant = frame.slots[slots + 2 + result++];
      if (operand.stride != 0) return operand.first;
      fill(constant, *operand.first);
      return static_cast<const float*>(constant);
    };
    for (const auto& factors : derivatives) {
      const float* const block = block_of_result();
      slopes.push_back({block, factors.size() == 2 ? block_of_result() : nullptr});
    }
    for (const Strip& strip : strips(channels)) {
      tile_parameters(strip, channels, beta, frame);
      tile_affine(scale, shift, strip, scale_block, shift_block);
      for (std::size_t k = 0; k < 2 + parameters; ++k) fill(accumulators[k], 0.0f);
      for_each_block(strip, rows, channels, [&](const Range& at, const Range& next) {
        const std::size_t offset = at.first, n = at.n;
        load_affine(z + offset, scale_block, shift_block, u, n);
        prefetch(z + next.first, next.n);
        prefetch(dL_dy + offset, n);
        if (g != dL_dy) prefetch(g + offset, n);
        backward.run(frame.slots.data(), n);
        if (strip.width % Pack::kLanes == 0 && parameters <= kMaxBetasInRegisters) {
          const auto columns = [&]<std::size_t betas>(std::integral_constant<std::size_t, betas>) {
            accumulate_columns<betas>(slopes, z + offset, dL_dy + offset, g + offset, accumulators, strip.width, n);
          };
          switch (parameters) {
            case 0:
              columns(std::integral_constant<std::size_t, 0>());
              break;
            case 1:
              columns(std::integral_constant<std::size_t, 1>());
              break;
            default:
              columns(std::integral_constant<std::size_t, kMaxBetasInRegisters>());
          }
        } else {
          accumulate(slopes, z + offset, dL_dy + offset, g + offset, accumulators, n);
        }
      });
      if (sums.g) untile_sum(accumulators[0], strip, sums.g);
      if (sums.gz) untile_sum(accumulators[1], strip, sums.gz);
      for (std::size_t k = 0; k < parameters; ++k) untile_sum(accumulators[2 + k], strip, sums.beta + k * channels);
    }
  }

  /// g = dL_dy·f' over a block; adds g, g·z and dL_dy·∂f/∂beta_k to the accumulators. g may be dL_dy.
  template <class Stored>
  void accumulate(const std::vector<Slope>& slopes, const Stored* z, const Stored* dL_dy, Stored* g, Blocks& accumulators,
                  std::size_t n) const {
    for (std::size_t k = 0; k < parameters; ++k) {
      float* const sum = accumulators[2 + k];
      const Slope slope = slopes[1 + k];
      for_each_pack(n, [=]<class Value>(std::size_t i, Value) { add_product_to(sum + i, get<Value>(dL_dy + i), get_at<Value>(slope, i)); });
    }
    float* const sum_g = accumulators[0];
    float* const sum_gz = accumulators[1];
    const Slope slope = slopes[0];
    for_each_pack(n, [=]<class Value>(std::size_t i, Value) {
      const Value product = get<Value>(dL_dy + i) * get_at<Value>(slope, i);
      put(product, g + i);
      add_to(sum_g + i, product);
      add_product_to(sum_gz + i, product, get<Value>(z + i));
    });
  }

  /// Where a block's derivatives are and where its sums go, and those of one pack of channels in registers.
  template <std::size_t betas>
  struct ColumnSums {
    Pack g{0.0}, gz{0.0};
    std::array<Pack, betas> beta;
    ColumnSums() { beta.fill(Pack(0.0)); }

    template <class Stored>
    [[gnu::always_inline]] void add(const std::array<Slope, 1 + betas>& slope, const Stored* z, const Stored* dL_dy, Stored* out,
                                    std::size_t i) {
      const Pack dy = load_pack(dL_dy + i), product = dy * get_at<Pack>(slope[0], i);
      store_pack(product, out + i);
      g = g + product;
      gz = multiply_add(product, load_pack(z + i), gz);
      for (std::size_t k = 0; k < betas; ++k) beta[k] = multiply_add(dy, get_at<Pack>(slope[1 + k], i), beta[k]);
    }
    [[gnu::always_inline]] void add_to_blocks(const std::array<float*, 2 + betas>& sums, std::size_t c) const {
      add_to(sums[0] + c, g);
      add_to(sums[1] + c, gz);
      for (std::size_t k = 0; k < betas; ++k) add_to(sums[2 + k] + c, beta[k]);
    }
  };

  /// The same for whole packs of channels: a pack's sums over the block's rows stay in registers. `betas` is the number of parameters.
  template <std::size_t betas, class Stored>
  void accumulate_columns(const std::vector<Slope>& slopes, const Stored* z, const Stored* dL_dy, Stored* g, Blocks& accumulators,
                          std::size_t width, std::size_t n) const {
    std::array<Slope, 1 + betas> slope;
    std::array<float*, 2 + betas> sums;
    std::copy_n(slopes.begin(), slope.size(), slope.begin());
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] = accumulators[k];
    for_each_column(width, [=]<std::size_t packs>(std::size_t c, std::integral_constant<std::size_t, packs>) {
      ColumnSums<betas> first, second;
      for (std::size_t i = c; i < n; i += width) {
        first.add(slope, z, dL_dy, g, i);
        if constexpr (packs == 2) second.add(slope, z, dL_dy, g, i + Pack::kLanes);
      }
      first.add_to_blocks(sums, c);
      if constexpr (packs == 2) second.add_to_blocks(sums, c + Pack::kLanes);
    });
  }

  void tile_parameters(const Strip& strip, std::size_t channels, const float* beta, Frame& frame) const {
    for (std::size_t k = 0; k < parameters; ++k) tile(beta + k * channels, strip, frame.slots[1 + k]);
  }

  std::size_t parameters;
  std::vector<std::vector<std::uint16_t>> derivatives;
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
      for_each_block(strip, rows, channels, [&](const Range& at, const Range&) {
        const std::size_t offset = at.first;
        for_each_pack(at.n, [=]<class Value>(std::size_t i, Value) {
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
void add_moments_of_columns(const Stored* z, const float* centre, std::size_t width, std::size_t stride, std::size_t n, float* sum,
                            float* squares) {
  for_each_column(width, [=]<std::size_t packs>(std::size_t c, std::integral_constant<std::size_t, packs>) {
    Pack middle[packs], s[packs], q[packs];
    for (std::size_t p = 0; p < packs; ++p) {
      middle[p] = load_pack(centre + c + p * Pack::kLanes);
      s[p] = q[p] = Pack(0.0);
    }
    for (std::size_t row = c; row < n; row += stride) {
      for (std::size_t p = 0; p < packs; ++p) {
        const Pack distance = load_pack(z + row + p * Pack::kLanes) - middle[p];
        s[p] = s[p] + distance;
        q[p] = multiply_add(distance, distance, q[p]);
      }
    }
    for (std::size_t p = 0; p < packs; ++p) {
      add_to(sum + c + p * Pack::kLanes, s[p]);
      add_to(squares + c + p * Pack::kLanes, q[p]);
    }
  });
}

/// Sums of distances from a channel's pivot, and of their squares, become its mean and variance.
void sums_to_moments(std::size_t rows, std::size_t first, std::size_t last, const float* pivot, float* mean, float* variance) {
  const float share = 1.0f / static_cast<float>(rows);
  for (std::size_t c = first; c < last; ++c) {
    const float offset = mean[c] * share;
    variance[c] = std::max(0.0f, variance[c] * share - offset * offset);
    mean[c] = pivot[c] + offset;
  }
}
}  // namespace

void add_tensors(Storage storage, const void* a, const void* b, std::size_t n, void* sum) {
  with_storage(storage, [&]<class Stored>(Stored*) {
    const auto* const first = static_cast<const Stored*>(a);
    const auto* const second = static_cast<const Stored*>(b);
    auto* const out = static_cast<Stored*>(sum);
    for_each_pack(n, [=]<class Value>(std::size_t i, Value) { put(get<Value>(first + i) + get<Value>(second + i), out + i); });
  });
}

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
      for_each_block(strip, rows, channels, [&](const Range& at, const Range& next) {
        const std::size_t offset = at.first, n = at.n;
        prefetch(in + next.first, next.n);
        if (strip.width % Pack::kLanes == 0) {
          add_moments_of_columns(in + offset, centre, strip.width, strip.width, n, sum, squares);
          return;
        }
        for_each_pack(n, [=]<class Value>(std::size_t i, Value) {
          const Value distance = get<Value>(in + offset + i) - get<Value>(centre + i);
          add_to(sum + i, distance);
          add_product_to(squares + i, distance, distance);
        });
      });
      untile_sum(sum, strip, mean);
      untile_sum(squares, strip, variance);
      sums_to_moments(rows, strip.first_channel, strip.first_channel + strip.width, pivot.data(), mean, variance);
    }
  });
}

void channel_moments(Storage storage, const void* z, std::size_t rows, std::size_t channels, std::size_t first, std::size_t last,
                     float* mean, float* variance) {
  if (rows == 0) throw std::invalid_argument("channel_moments: no rows");
  if (first % Pack::kLanes != 0 || last % Pack::kLanes != 0 || channels % Pack::kLanes != 0 || first > last || last > channels) {
    throw std::invalid_argument("channel_moments: channels from " + std::to_string(first) + " to " + std::to_string(last) + " of " +
                                std::to_string(channels));
  }
  if (first == last) return;
  const std::size_t width = last - first, rows_at_once = strips(channels).front().rows;  // as many as the whole adds up at a time
  std::vector<float> pivot(channels);
  std::fill(mean + first, mean + last, 0.0f);
  std::fill(variance + first, variance + last, 0.0f);
  with_storage(storage, [&]<class Stored>(Stored*) {
    const auto* const in = static_cast<const Stored*>(z);
    for (std::size_t c = first; c < last; ++c) pivot[c] = static_cast<float>(in[c]);
    for (std::size_t r = 0; r < rows; r += rows_at_once) {
      const std::size_t end = (std::min(rows_at_once, rows - r) - 1) * channels + width;
      add_moments_of_columns(in + r * channels + first, pivot.data() + first, width, channels, end, mean + first, variance + first);
    }
  });
  sums_to_moments(rows, first, last, pivot.data(), mean, variance);
}

std::size_t channel_group() { return Pack::kLanes; }

}  // namespace actsearch
