// Writes the seeds that are no texts: fuzz_corpus DIRECTORY makes DIRECTORY/database, /checkpoint and /data.

#include <fstream>
#include <vector>

#include "db/sqlite/schema.h"
#include "db/sqlite/store.h"
#include "evaluator/formats/cifar10.h"
#include "evaluator/train/checkpoint.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

/// In pages of 512 bytes, so that a change of a byte often hits something.
void make_small(const fs::path& file) {
  sqlite::Connection(file, sqlite::Connection::Mode::kCreate, 1s).execute("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM");
}

void databases(const fs::path& directory) {
  fs::create_directories(directory);
  const fs::path file = directory / "filled";
  {
    SqliteStore db(file, Store::Access::kCreate);
    const Id study =
        db.study({"search", "core1", "random", 1, "vgg-s epochs=4", "d", R"({"seeds":1,"racing":{"rungs":[1],"eta":2}})", "c", "m"});
    const Id recipe = db.recipe("vgg-s", "vgg-s epochs=4");
    for (const char* formula : {"x", "exp(x)", "tanh(x)"}) {
      const Id candidate = db.candidate({std::string("fingerprint of ") + formula, formula, "", 0});
      for (const std::uint64_t seed : {0, 1, 2, 3}) {
        Claim claim;
        db.claim(study, candidate, recipe, seed, 60s, &claim, seed);
        EpochRecord epoch;
        epoch.train_loss = 1;
        TrialRecord result;
        result.validation_accuracy = 0.5 + 0.01 * static_cast<double>(seed);
        result.beta = R"([{"mean":1.5}])";
        if (seed == 2) result.failure = "diverged";
        if (seed == 3)
          db.pause(claim.trial, {epoch}, PauseRecord{1, 5, 10, 1.5, 0.2, 1});
        else
          db.finish(claim.trial, result, {epoch});
      }
      HandedOut out;
      db.tickets().hand_out(candidate, recipe, 4, {.study = study, .lease = 60s, .judged = true}, 4, &out);
    }
    db.reject(study, "x - x", "constant");
  }
  make_small(file);
  for (int version = 1; version < kSchemaVersion; ++version) {
    const fs::path old = directory / ("version" + std::to_string(version));
    {
      sqlite::Connection connection(old, sqlite::Connection::Mode::kCreate, 1s);
      migrate(connection, version);
      connection.execute(
          "INSERT INTO candidate (id, fingerprint, formula, name, parameters) VALUES (1, 'fingerprint of x', 'x', '', 0); INSERT INTO "
          "recipe (id, name, text) VALUES (1, 'vgg-s', "
          "'vgg-s epochs=4');"
          "INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms, validation_accuracy)"
          " VALUES (1, 1, 0, 'done', 1, '', 0, 0.5), (1, 1, 1, 'done', 1, '', 0, 0.6), (1, 1, 2, 'released', 1, '', 0, NULL)");
    }
    make_small(old);
  }
}

void checkpoints(const fs::path& directory) {
  fs::create_directories(directory);
  std::vector<float> weights(64, 0.5f), rest(3, 1.0f);
  TrainingHistory history;
  write_checkpoint(directory / "begun", "the run", {weights, rest}, history);
  history.epochs.resize(2);
  write_checkpoint(directory / "between", "the run", {weights, rest}, history);
  history.steps.resize(3);
  write_checkpoint(directory / "inside", "the run", {weights, rest}, history);
  write_checkpoint(directory / "foreign", "another", {rest}, history);
  for (const char* name : {"between", "inside"}) {  // without their hash: the fuzzer adds one
    const fs::path cut = directory / (std::string(name) + "-cut");
    fs::copy_file(directory / name, cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, fs::file_size(cut) - 8);
  }
}

void data(const fs::path& directory) {
  fs::create_directories(directory);
  std::string records;
  for (std::size_t i = 0; i < 12; ++i)
    records += std::string(1, static_cast<char>(i % 10)) + std::string(kRecordBytes - 1, static_cast<char>(i));
  std::ofstream(directory / "records", std::ios::binary) << records;
  std::ofstream(directory / "cut", std::ios::binary) << records.substr(0, 5'000);
  std::ofstream(directory / "one", std::ios::binary) << records.substr(0, kRecordBytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]), 2;
  const fs::path directory = argv[1];
  for (const char* part : {"database", "checkpoint", "data"}) fs::remove_all(directory / part);
  databases(directory / "database");
  checkpoints(directory / "checkpoint");
  data(directory / "data");
  return 0;
}
