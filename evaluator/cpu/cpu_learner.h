/// A network trained on the processor's cores.
#pragma once

#include "evaluator/cpu/model.h"
#include "evaluator/data/dataset.h"
#include "evaluator/train/learner.h"
#include "evaluator/train/trainer.h"

namespace actsearch {

class CpuLearner : public Learner {
 public:
  /// Recipe, data set and activation outlive the learner, which belongs to the thread that made it.
  CpuLearner(const EigenKernel& activation, const Recipe& recipe, const Dataset& dataset, Precision precision, int threads,
             std::uint64_t seed);

  void begin_epoch(const EpochPlan& plan) override { plan_ = &plan; }
  std::span<const BatchResult> train(std::int64_t first, std::int64_t count) override;
  std::int64_t steps_at_once() const override { return 1; }
  BatchResult evaluate(ImageRole role, std::span<const std::uint32_t> indices) override;
  std::vector<std::span<float>> state() override;
  void restore() override { static_cast<void>(model_.parameters()); }  // says that values have changed
  std::vector<float> beta(int k) override { return model_.beta(k); }

 private:
  BatchResult step(std::int64_t step);
  void write_input(const ImageTransform& transform, std::span<const std::uint8_t> image, std::size_t place);

  const Recipe& recipe_;
  const Dataset& dataset_;
  int threads_;
  Model model_;
  ImageWriter writer_;
  const EpochPlan* plan_ = nullptr;
  std::vector<Label> labels_;  ///< of the batch at hand
  std::vector<BatchResult> results_;
};

/// train() with a CpuLearner. The same arguments on the same machine give the same outcome, bit for bit. std::runtime_error if oneDNN
/// fails.
TrialOutcome train(const Program& activation, const Recipe& recipe, const Dataset& dataset, const TrialOptions& options);

}  // namespace actsearch
