#include "evaluator/cpu/layers.h"

#include <algorithm>
#include <cmath>

#include "evaluator/cpu/parallel.h"
#include "evaluator/data/dataset.h"
#include "kernels/storage.h"

namespace actsearch {
namespace {

const void* at_row(Storage storage, const void* tensor, std::size_t row, std::size_t channels) {
  return static_cast<const unsigned char*>(tensor) + row * channels * storage_bytes(storage);
}
void* at_row(Storage storage, void* tensor, std::size_t row, std::size_t channels) {
  return static_cast<unsigned char*>(tensor) + row * channels * storage_bytes(storage);
}

/// The parts' arrays of n floats, one after the other, added up in order.
void add_parts(const float* parts, int count, std::size_t stride, std::size_t n, float* sum) {
  std::copy_n(parts, n, sum);
  for (int part = 1; part < count; ++part) {
    for (std::size_t i = 0; i < n; ++i) sum[i] += parts[static_cast<std::size_t>(part) * stride + i];
  }
}

/// A range per thread, but no empty ones: moments of no rows do not exist.
int parts_for(int threads, std::size_t rows) { return static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(threads), rows)); }

}  // namespace

NormalisedActivation::NormalisedActivation(const EigenKernel& activation, Storage storage, std::size_t channels, double momentum,
                                           double epsilon, int threads)
    : activation_(activation),
      storage_(storage),
      channels_(channels),
      momentum_(static_cast<float>(momentum)),
      epsilon_(static_cast<float>(epsilon)),
      threads_(threads),
      running_mean_(channels, 0.0f),
      running_variance_(channels, 1.0f),
      mean_(channels),
      inverse_deviation_(channels),
      scale_(channels),
      shift_(channels),
      partial_(static_cast<std::size_t>(threads) * channels * (2 + static_cast<std::size_t>(activation.parameter_count()))) {}

void NormalisedActivation::batch_statistics(const void* z, std::size_t rows) {
  const int parts = threads_ > 1 && rows % static_cast<std::size_t>(threads_) == 0 ? threads_ : 1;
  const std::size_t stride = 2 * channels_;
  if (parts < threads_ && channels_ % channel_group() == 0) {
    // Each thread sums all rows of some channels: what one thread alone would come to, bit for bit.
    parallel_ranges(threads_, channels_ / channel_group(), [&](int, std::size_t first, std::size_t last) {
      channel_moments(storage_, z, rows, channels_, first * channel_group(), last * channel_group(), partial_.data(),
                      partial_.data() + channels_);
    });
  } else {
    parallel_ranges(parts, rows, [&](int part, std::size_t first, std::size_t last) {
      float* const mean = partial_.data() + static_cast<std::size_t>(part) * stride;
      channel_moments(storage_, at_row(storage_, z, first, channels_), last - first, channels_, mean, mean + channels_);
    });
  }
  // Equal ranges: the mean of means, and the mean of variances plus the variance of means.
  const float share = 1.0f / static_cast<float>(parts);
  for (std::size_t c = 0; c < channels_; ++c) {
    float mean = 0, variance = 0;
    for (int part = 0; part < parts; ++part) mean += partial_[static_cast<std::size_t>(part) * stride + c] * share;
    for (int part = 0; part < parts; ++part) {
      const float distance = partial_[static_cast<std::size_t>(part) * stride + c] - mean;
      variance += (partial_[static_cast<std::size_t>(part) * stride + channels_ + c] + distance * distance) * share;
    }
    mean_[c] = mean;
    inverse_deviation_[c] = 1.0f / std::sqrt(variance + epsilon_);
    running_mean_[c] = momentum_ * running_mean_[c] + (1.0f - momentum_) * mean;
    running_variance_[c] = momentum_ * running_variance_[c] + (1.0f - momentum_) * variance;
  }
}

void NormalisedActivation::set_affine(const Values& values, const std::vector<float>& mean, const std::vector<float>& inverse_deviation) {
  for (std::size_t c = 0; c < channels_; ++c) {
    scale_[c] = values.gamma[c] * inverse_deviation[c];
    shift_[c] = values.delta[c] - mean[c] * scale_[c];
  }
}

void NormalisedActivation::apply(const Values& values, const void* z, std::size_t rows, void* y) const {
  parallel_ranges(threads_, rows, [&](int, std::size_t first, std::size_t last) {
    activation_.forward(storage_, at_row(storage_, z, first, channels_), last - first, channels_, scale_.data(), shift_.data(), values.beta,
                        at_row(storage_, y, first, channels_));
  });
}

void NormalisedActivation::forward_training(const Values& values, const void* z, std::size_t rows, void* y) {
  batch_statistics(z, rows);
  set_affine(values, mean_, inverse_deviation_);
  apply(values, z, rows, y);
}

void NormalisedActivation::forward_inference(const Values& values, const void* z, std::size_t rows, void* y) {
  std::vector<float> inverse_deviation(channels_);
  for (std::size_t c = 0; c < channels_; ++c) inverse_deviation[c] = 1.0f / std::sqrt(running_variance_[c] + epsilon_);
  set_affine(values, running_mean_, inverse_deviation);
  apply(values, z, rows, y);
}

void NormalisedActivation::backward(const Values& values, const void* z, std::size_t rows, void* dL_dy, const Gradients& gradients) {
  const auto parameters = static_cast<std::size_t>(activation_.parameter_count());
  const std::size_t stride = channels_ * (2 + parameters);
  const int parts = parts_for(threads_, rows);
  parallel_ranges(parts, rows, [&](int part, std::size_t first, std::size_t last) {
    float* const sums = partial_.data() + static_cast<std::size_t>(part) * stride;
    void* const g = at_row(storage_, dL_dy, first, channels_);
    activation_.backward(storage_, at_row(storage_, z, first, channels_), g, last - first, channels_, scale_.data(), shift_.data(),
                         values.beta, g, {sums, sums + channels_, sums + 2 * channels_});
  });
  std::vector<float> sums(stride), a(channels_), b(channels_), d(channels_);
  add_parts(partial_.data(), parts, stride, stride, sums.data());
  std::copy_n(sums.data() + 2 * channels_, parameters * channels_, gradients.beta);
  // With ẑ = (z - mean)·r: dL_dz = gamma·r·(g - Σg/m - ẑ·Σ(g·ẑ)/m), written as a·g + b·z + d.
  const float share = 1.0f / static_cast<float>(rows);
  for (std::size_t c = 0; c < channels_; ++c) {
    const float r = inverse_deviation_[c], sum_g = sums[c];
    const float sum_g_normalised = r * (sums[channels_ + c] - mean_[c] * sum_g);
    gradients.delta[c] = sum_g;
    gradients.gamma[c] = sum_g_normalised;
    a[c] = values.gamma[c] * r;
    b[c] = -a[c] * r * sum_g_normalised * share;
    d[c] = -a[c] * sum_g * share - b[c] * mean_[c];
  }
  parallel_ranges(threads_, rows, [&](int, std::size_t first, std::size_t last) {
    void* const g = at_row(storage_, dL_dy, first, channels_);
    batch_norm_apply(storage_, g, at_row(storage_, z, first, channels_), last - first, channels_, a.data(), b.data(), d.data(), g);
  });
}

BiasedActivation::BiasedActivation(const EigenKernel& activation, Storage storage, std::size_t units, int threads)
    : activation_(activation),
      storage_(storage),
      units_(units),
      threads_(threads),
      ones_(units, 1.0f),
      partial_(static_cast<std::size_t>(threads) * units * (1 + static_cast<std::size_t>(activation.parameter_count()))) {}

void BiasedActivation::forward(const float* bias, const float* beta, const void* z, std::size_t rows, void* y) const {
  parallel_ranges(threads_, rows, [&](int, std::size_t first, std::size_t last) {
    activation_.forward(storage_, at_row(storage_, z, first, units_), last - first, units_, ones_.data(), bias, beta,
                        at_row(storage_, y, first, units_));
  });
}

void BiasedActivation::backward(const float* bias, const float* beta, const void* z, std::size_t rows, void* dL_dy, float* dL_dbias,
                                float* dL_dbeta) {
  const auto parameters = static_cast<std::size_t>(activation_.parameter_count());
  const std::size_t stride = units_ * (1 + parameters);
  const int parts = parts_for(threads_, rows);
  parallel_ranges(parts, rows, [&](int part, std::size_t first, std::size_t last) {
    float* const sums = partial_.data() + static_cast<std::size_t>(part) * stride;
    void* const g = at_row(storage_, dL_dy, first, units_);
    activation_.backward(storage_, at_row(storage_, z, first, units_), g, last - first, units_, ones_.data(), bias, beta, g,
                         {sums, nullptr, sums + units_});
  });
  add_parts(partial_.data(), parts, stride, units_, dL_dbias);
  add_parts(partial_.data() + units_, parts, stride, parameters * units_, dL_dbeta);
}

namespace {
template <class Stored>
void dropout_range(Stored* x, std::size_t first, std::size_t last, double p, std::uint64_t key) {
  // Four decisions of 16 bits each from one draw.
  const auto threshold = static_cast<std::uint64_t>(p * 65536.0);
  const auto scale = static_cast<float>(1.0 / (1.0 - p));
  for (std::size_t i = first; i < last; ++i) {
    const std::uint64_t draw = hash(key, i / 4) >> (16 * (i % 4)) & 0xffffu;
    x[i] = Stored(draw < threshold ? 0.0f : static_cast<float>(x[i]) * scale);
  }
}
}  // namespace

void add(Storage storage, const void* a, const void* b, std::size_t n, void* sum, int threads) {
  parallel_ranges(threads, n, [&](int, std::size_t first, std::size_t last) {
    add_tensors(storage, at_row(storage, a, first, 1), at_row(storage, b, first, 1), last - first, at_row(storage, sum, first, 1));
  });
}

void dropout(Storage storage, void* x, std::size_t n, double p, std::uint64_t key, int threads) {
  parallel_ranges(threads, n, [&](int, std::size_t first, std::size_t last) {
    switch (storage) {
      case Storage::kFp32:
        dropout_range(static_cast<float*>(x), first, last, p, key);
        return;
      case Storage::kBf16:
        dropout_range(static_cast<Bf16*>(x), first, last, p, key);
        return;
    }
  });
}

BatchResult softmax_cross_entropy(const float* logits, std::size_t classes, std::span<const Label> labels, Storage storage,
                                  void* dL_dlogits) {
  BatchResult result;
  const float share = 1.0f / static_cast<float>(labels.size());
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const float* const row = logits + n * classes;
    const std::size_t label = labels[n];
    const float largest = *std::max_element(row, row + classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c] - largest));
    result.loss_sum += std::log(sum) - static_cast<double>(row[label] - largest);
    result.correct += std::max_element(row, row + classes) - row == static_cast<std::ptrdiff_t>(label) && !std::isnan(largest);
    if (!dL_dlogits) continue;
    for (std::size_t c = 0; c < classes; ++c) {
      const auto probability = static_cast<float>(std::exp(static_cast<double>(row[c] - largest)) / sum);
      const float gradient = (probability - (c == label ? 1.0f : 0.0f)) * share;
      const std::size_t place = n * classes + c;
      switch (storage) {
        case Storage::kFp32:
          static_cast<float*>(dL_dlogits)[place] = gradient;
          break;
        case Storage::kBf16:
          static_cast<Bf16*>(dL_dlogits)[place] = Bf16(gradient);
          break;
      }
    }
  }
  return result;
}

}  // namespace actsearch
