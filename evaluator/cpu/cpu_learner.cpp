#include "evaluator/cpu/cpu_learner.h"

#include <algorithm>

#include "evaluator/cpu/descend.h"
#include "evaluator/train/flush_denormals.h"

namespace actsearch {

CpuLearner::CpuLearner(const EigenKernel& activation, const Recipe& recipe, const Dataset& dataset, Precision precision, int threads,
                       std::uint64_t seed)
    : recipe_(recipe),
      dataset_(dataset),
      threads_(threads),
      model_(recipe.network, activation, recipe.batch, precision, threads, seed),
      writer_(recipe.augmentation, dataset.shape, recipe.network.image_side) {
  require_same_shape(recipe.network, dataset);
}

std::span<const BatchResult> CpuLearner::train(std::int64_t first, std::int64_t count) {
  results_.clear();
  for (std::int64_t i = first; i < first + count; ++i) results_.push_back(step(i));
  return results_;
}

BatchResult CpuLearner::step(std::int64_t step) {
  const auto place = static_cast<std::size_t>(step), batch = static_cast<std::size_t>(recipe_.batch);
  labels_.resize(batch);
  for (std::size_t i = 0; i < batch; ++i) {
    const EpochPlan::Image& image = plan_->images[place * batch + i];
    labels_[i] = dataset_.train.labels[image.index];
    write_input(image.transform, dataset_.train.image(image.index), i);
  }
  const BatchResult result = model_.train(labels_, plan_->dropout_keys[place]);
  descend(model_.parameters(), plan_->rates[place], recipe_.momentum, recipe_.weight_decay, recipe_.decay_all, threads_);
  return result;
}

BatchResult CpuLearner::evaluate(ImageRole role, std::span<const std::uint32_t> indices) {
  const ImageSet& images = role == ImageRole::kTraining ? dataset_.train : dataset_.test;
  BatchResult total;
  for (std::size_t first = 0; first < indices.size(); first += static_cast<std::size_t>(recipe_.batch)) {
    const auto batch = indices.subspan(first, std::min(static_cast<std::size_t>(recipe_.batch), indices.size() - first));
    labels_.clear();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      labels_.push_back(images.labels[batch[i]]);
      write_input(ImageTransform{}, images.image(batch[i]), i);
    }
    const BatchResult result = model_.evaluate(labels_);
    total.loss_sum += result.loss_sum;
    total.correct += result.correct;
  }
  return total;
}

void CpuLearner::write_input(const ImageTransform& transform, std::span<const std::uint8_t> image, std::size_t place) {
  const auto side = static_cast<std::size_t>(recipe_.network.image_side);
  const std::size_t offset = place * side * side * static_cast<std::size_t>(dataset_.shape.channels);
  switch (model_.storage()) {
    case Storage::kFp32:
      writer_(transform, image, static_cast<float*>(model_.images()) + offset);
      return;
    case Storage::kBf16:
      writer_(transform, image, static_cast<std::uint16_t*>(model_.images()) + offset);
      return;
  }
}

std::vector<std::span<float>> CpuLearner::state() {
  std::vector<std::span<float>> state{model_.parameters().values(), model_.parameters().momenta()};
  for (auto* const statistics : model_.running_statistics()) state.emplace_back(*statistics);
  return state;
}

TrialOutcome train(const Program& activation, const Recipe& recipe, const Dataset& dataset, const TrialOptions& options) {
  const FlushDenormals flush;
  const EigenKernel kernel(activation);
  CpuLearner learner(kernel, recipe, dataset, options.precision, options.threads, options.seed);
  return train(learner, activation, recipe, dataset, options);
}

}  // namespace actsearch
