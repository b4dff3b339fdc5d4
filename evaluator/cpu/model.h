/// A network being trained: a recipe's layers, their parameters and buffers for one batch size.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evaluator/cpu/layers.h"
#include "evaluator/network/parameters.h"
#include "evaluator/network/recipe.h"
#include "kernels/cpu/eigen_kernel.h"

namespace actsearch {

/// Made and used on one thread; `threads` of them work inside it. The activation outlives the model.
class Model {
 public:
  /// Initial weights are a function of (network, seed), whatever the activation.
  Model(const Network& network, const EigenKernel& activation, int batch, Precision precision, int threads, std::uint64_t seed);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  int batch() const;
  Storage storage() const;
  /// The batch to be filled before a call: batch × image_side × image_side × channels in the storage type.
  void* images();

  /// Forward in training mode, loss, backward: leaves the gradients of the mean loss in parameters(). `labels` is a whole batch.
  /// `dropout_key` decides what is dropped.
  BatchResult train(std::span<const Label> labels, std::uint64_t dropout_key);
  /// Forward with running statistics and without dropout. Only the first labels.size() images of the batch count.
  BatchResult evaluate(std::span<const Label> labels);
  /// Logits of the last forward pass: batch × classes.
  const std::vector<float>& logits() const;

  /// For reading gradients and changing values; the next forward pass takes up what was changed.
  Parameters& parameters();
  /// The running means and variances of all batch norms, in order: state that is not trained.
  std::vector<std::vector<float>*> running_statistics();
  /// The activation's parameter k in every channel of every layer, in order.
  std::vector<float> beta(int k) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace actsearch
