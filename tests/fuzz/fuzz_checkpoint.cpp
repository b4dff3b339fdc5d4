// Files in the place of a checkpoint: as they are, and with the hash that their bytes ought to have.

#include <cmath>
#include <fstream>
#include <vector>

#include "evaluator/train/checkpoint.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;

namespace {

void read(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::vector<float> weights(64), rest(3);
  try {
    const TrainingHistory history = read_checkpoint(file, "the run", {weights, rest});
    fuzz::require(history.epochs.size() * 60 + history.steps.size() * 12 <= bytes.size(), "no more is read than there is");
  } catch (const CheckpointError& error) {
    const std::string what = error.what();
    fuzz::require(what.size() < 1'000, "a message is short");
    fuzz::require(what.find(file.string()) != std::string::npos, "a message names the file");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Directory directory;
  const auto file = directory.path() / "x.checkpoint";
  std::string bytes(fuzz::text_of(data, size));
  read(file, bytes);
  const std::uint64_t sum = checkpoint_hash(bytes);
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  read(file, bytes);
  return 0;
}
