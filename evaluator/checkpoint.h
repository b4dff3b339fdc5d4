/// A training run between two steps, on disk.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "evaluator/trainer.h"

namespace actsearch {

/// What a run has been through.
struct TrainingHistory {
  std::vector<EpochMetrics> epochs;  ///< whole ones
  std::vector<BatchResult> steps;    ///< of the epoch after them; empty between two epochs
  double steps_seconds = 0;          ///< that these took
};

/// Replaces `file` by a learner's state (Learner::state) and its history: written beside it, flushed to disk, then renamed, so that a
/// kill leaves the old one or the new one. `identity` says what run this is. std::runtime_error naming the file if it cannot be written.
void write_checkpoint(const std::filesystem::path& file, const std::string& identity, const std::vector<std::span<float>>& state,
                      const TrainingHistory& history);

/// Reads what was written into `state`, of the same sizes, and returns the history. CheckpointError if the file cannot be read, is damaged
/// or of another run.
TrainingHistory read_checkpoint(const std::filesystem::path& file, const std::string& identity, const std::vector<std::span<float>>& state);

}  // namespace actsearch
