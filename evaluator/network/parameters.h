/// All trainable values of a network in one array, with their gradients and momenta beside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace actsearch {

enum class ParameterKind : std::uint8_t {
  kWeight,           ///< of a convolution or dense layer
  kBias,             ///< of a dense layer
  kConvolutionBias,  ///< cancels in the batch norm after it: its gradient is 0, so it stays at its start, 0, and is never read
  kNormScale,        ///< batch norm's gamma
  kNormShift,        ///< batch norm's delta
  kBeta              ///< the activation's own, started at 1
};

/// A run of parameters of one kind and layer.
struct ParameterSegment {
  ParameterKind kind;
  std::size_t offset = 0;
  std::size_t size = 0;
};

/// Whether weight decay holds for parameters of the kind: for weights, with `decay_all` also for biases and batch norm's scale and
/// shift; never for beta.
bool decays(ParameterKind kind, bool decay_all);

class Parameters {
 public:
  enum class Kept : std::uint8_t { kValues, kSizes };
  /// With kSizes there are segments and no arrays: for counting.
  explicit Parameters(Kept kept = Kept::kValues) : kept_(kept) {}

  /// Appends a segment of `size` values and returns its offset. Pointers into the arrays are invalid afterwards.
  std::size_t add(ParameterKind kind, std::size_t size, float start);

  float* value(std::size_t offset) { return values_.data() + offset; }
  const float* value(std::size_t offset) const { return values_.data() + offset; }
  float* gradient(std::size_t offset) { return gradients_.data() + offset; }
  float* momentum(std::size_t offset) { return momenta_.data() + offset; }
  const std::vector<ParameterSegment>& segments() const { return segments_; }
  std::size_t size() const { return segments_.empty() ? 0 : segments_.back().offset + segments_.back().size; }
  /// For checkpoints.
  std::vector<float>& values() { return values_; }
  std::vector<float>& momenta() { return momenta_; }

 private:
  Kept kept_;
  std::vector<ParameterSegment> segments_;
  std::vector<float> values_, gradients_, momenta_;
};

}  // namespace actsearch
