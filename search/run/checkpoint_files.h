/// Where the checkpoints of a run's trials lie, one file for each claim of a trial, or one directory where the user's command trains. Two
/// processes that both believe to have claimed a trial never write, rename or remove the same one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "db/store.h"

namespace actsearch {

class CheckpointFiles {
 public:
  /// Of the trials under a recipe. Without a directory there are no checkpoints: every path is empty, and nothing is done.
  CheckpointFiles(std::filesystem::path directory, Id recipe) : directory_(std::move(directory)), recipe_(recipe) {}

  struct Trial {
    std::string fingerprint;
    std::uint64_t seed = 0;
    int attempt = 1;          ///< Claim::attempt, by which the claims of one trial differ
    std::string former = {};  ///< Store::former_fingerprint: older files are named after it
  };
  std::filesystem::path of(const Trial& trial) const;
  /// What an earlier claim left, also under the former fingerprint, becomes this claim's, where that has none yet.
  void adopt(const Trial& trial) const;
  /// Removes the claim's checkpoint: the next training begins anew.
  void drop(const Trial& trial) const;
  /// Removes whatever this claim and earlier ones have left of a trial that has ended.
  void remove_all(const Trial& trial) const;
  /// The same for the trials that `ended` says have ended: what a process left that was killed before it could remove it.
  void sweep(const std::function<bool(const std::string& fingerprint, std::uint64_t seed)>& ended) const;

 private:
  std::filesystem::path directory_;
  Id recipe_;
};

}  // namespace actsearch
