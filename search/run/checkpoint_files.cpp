#include "search/run/checkpoint_files.h"

#include <optional>
#include <regex>
#include <system_error>

namespace actsearch {
namespace {

namespace fs = std::filesystem;

/// The names of CheckpointFiles::of, and what write_checkpoint lays beside such a file.
std::optional<CheckpointFiles::Trial> read_name(const std::string& name, Id recipe) {
  static const std::regex form(R"(([0-9a-zA-Z]{1,64})-r([0-9]{1,18})-s([0-9]{1,20})(?:-a([0-9]{1,9}))?\.checkpoint(?:\..*)?)");
  std::smatch parts;
  if (!std::regex_match(name, parts, form) || parts[2] != std::to_string(recipe)) return std::nullopt;
  try {
    return CheckpointFiles::Trial{parts[1], std::stoull(parts[3]), parts[4].matched ? std::stoi(parts[4]) : 1, {}};
  } catch (const std::out_of_range&) {  // a seed above 2^64
    return std::nullopt;
  }
}

/// Removes every file of the directory whose trial is chosen. What cannot be removed stays, and costs a file's space alone.
template <class Chosen>
void remove_where(const fs::path& directory, Id recipe, const Chosen& chosen) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const auto trial = read_name(entry->path().filename().string(), recipe);
    std::error_code ignored;
    if (trial && chosen(*trial)) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

fs::path CheckpointFiles::of(const Trial& trial) const {
  if (directory_.empty()) return {};
  const std::string attempt = trial.attempt > 1 ? "-a" + std::to_string(trial.attempt) : "";
  return directory_ / (trial.fingerprint + "-r" + std::to_string(recipe_) + "-s" + std::to_string(trial.seed) + attempt + ".checkpoint");
}

void CheckpointFiles::adopt(const Trial& trial) const {
  if (directory_.empty()) return;
  std::error_code error;
  for (const std::string& fingerprint : {trial.fingerprint, trial.former}) {
    if (fingerprint.empty()) continue;
    for (Trial earlier{fingerprint, trial.seed, trial.attempt}; earlier.attempt > 0; --earlier.attempt) {
      if (!fs::exists(of(earlier), error)) continue;
      if (of(earlier) != of(trial)) fs::rename(of(earlier), of(trial), error);  // or the trial begins anew
      return;
    }
  }
}

void CheckpointFiles::drop(const Trial& trial) const {
  std::error_code error;
  fs::remove_all(of(trial), error);
}

void CheckpointFiles::remove_all(const Trial& trial) const {
  if (directory_.empty()) return;
  std::error_code error;
  fs::remove_all(of(trial), error);
  if (trial.attempt == 1) return;  // nobody had it before, so there is nothing else
  remove_where(directory_, recipe_, [&](const Trial& found) {
    return found.fingerprint == trial.fingerprint && found.seed == trial.seed && found.attempt <= trial.attempt;
  });
}

void CheckpointFiles::sweep(const std::function<bool(const std::string&, std::uint64_t)>& ended) const {
  if (directory_.empty()) return;
  remove_where(directory_, recipe_, [&](const Trial& found) { return ended(found.fingerprint, found.seed); });
}

}  // namespace actsearch
