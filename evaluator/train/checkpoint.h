/// A training run between two steps, on disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/train/trainer.h"

namespace actsearch {

/// What a run has been through.
struct TrainingHistory {
  std::vector<EpochMetrics> epochs;  ///< whole ones
  std::vector<BatchResult> steps;    ///< of the epoch after them; empty between two epochs
  double steps_seconds = 0;          ///< that these took
};

/// Replaces `file` by a learner's state (Learner::state) and its history. It is written beside it, flushed to disk, then renamed: a kill
/// leaves the old one or the new one. The name beside it (FILE.….part) is of this process and call alone. `identity` says what run
/// this is. std::runtime_error naming the file, and what to do, if it cannot be written; nothing is left beside it then.
void write_checkpoint(const std::filesystem::path& file, const std::string& identity, const std::vector<std::span<float>>& state,
                      const TrainingHistory& history);

/// Reads what was written into `state`, of the same sizes, and returns the history. CheckpointError if the file cannot be read, is damaged
/// or of another run.
TrainingHistory read_checkpoint(const std::filesystem::path& file, const std::string& identity, const std::vector<std::span<float>>& state);

/// The hash at the end of a checkpoint, of the bytes before it: a torn or altered file does not match.
std::uint64_t checkpoint_hash(std::string_view bytes);

}  // namespace actsearch
