/// A training run between two epochs, on disk.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "evaluator/trainer.h"

namespace actsearch {

/// Replaces `file` by a learner's state (Learner::state) and the epochs so far: written beside it, flushed to disk, then renamed, so that a
/// kill leaves the old one or the new one. `identity` says what run this is. std::runtime_error naming the file if it cannot be written.
void write_checkpoint(const std::filesystem::path& file, const std::string& identity, const std::vector<std::span<float>>& state,
                      const std::vector<EpochMetrics>& epochs);

/// Reads what was written into `state`, of the same sizes, and returns the epochs done. std::runtime_error if the file is damaged or of
/// another run.
std::vector<EpochMetrics> read_checkpoint(const std::filesystem::path& file, const std::string& identity,
                                          const std::vector<std::span<float>>& state);

}  // namespace actsearch
