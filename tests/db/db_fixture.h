/// Stores for tests, each in a directory of its own, and the records that most tests need.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "db/open/open_store.h"
#include "db/sqlite/store.h"
#ifdef ACTSEARCH_HAS_POSTGRESQL
#include "tests/db/postgresql/private_server.h"
#endif

namespace actsearch::testing {

using namespace std::chrono_literals;

inline constexpr std::chrono::seconds kLease = 600s;

/// A directory that goes with this object.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "actsearch-db-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A kind of store that the interface's tests run on.
struct StoreUnderTest {
  std::string name;
  std::function<std::optional<std::string>()> unavailable;                       ///< why there can be none here
  std::function<std::string(const std::filesystem::path& directory)> new_place;  ///< what open_store takes; no store is there yet
  friend std::ostream& operator<<(std::ostream& out, const StoreUnderTest& store) { return out << store.name; }
};
inline std::vector<StoreUnderTest> stores_under_test() {
  StoreUnderTest sqlite{"sqlite", [] { return std::optional<std::string>(); },
                        [](const std::filesystem::path& directory) { return (directory / "search.db").string(); }};
#ifdef ACTSEARCH_HAS_POSTGRESQL
  StoreUnderTest postgresql{"postgresql", PrivateServer::unavailable,
                            [](const std::filesystem::path&) { return PrivateServer::shared().new_database(); }};
#else
  StoreUnderTest postgresql{"postgresql", [] { return std::optional<std::string>("this build has no libpq"); }, {}};
#endif
  return {sqlite, postgresql};
}

/// What any store must do. Each test runs on every kind of store.
class StoreTest : public ::testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override {
    if (const auto why = GetParam().unavailable()) GTEST_SKIP() << *why;
  }

  /// Another opening of the test's one store, as another process would have it.
  Store& open() { return *opened_.emplace_back(open_store(place_, Store::Access::kCreate)); }

 private:
  Directory directory_;
  /// What opens a store before it is skipped has a file.
  std::string place_ = (GetParam().unavailable() ? stores_under_test().front() : GetParam()).new_place(directory_.path());
  std::vector<std::unique_ptr<Store>> opened_;
};
#define ACTSEARCH_ON_EVERY_STORE(suite) \
  INSTANTIATE_TEST_SUITE_P(Stores, suite, ::testing::ValuesIn(stores_under_test()), [](const auto& test) { return test.param.name; })

/// What an SQLite file must do beside.
class SqliteTest : public ::testing::Test {
 protected:
  SqliteStore open() const { return {file_, Store::Access::kCreate}; }

  const Directory own_directory_;
  std::filesystem::path directory_ = own_directory_.path(), file_ = directory_ / "search.db";
};

inline StudyRecord study_record(std::uint64_t seed = 1) {
  return {"search", "core1", "random", seed, "vgg-s …", "synthetic", R"({"seeds":1})", "abc123", "a machine"};
}
inline CandidateRecord candidate_record(const std::string& formula, const std::string& name = "") {
  return {"fingerprint of " + formula, formula, name, 0};
}
inline TrialRecord accuracy(double validation_accuracy, double seconds = 1) {
  TrialRecord trial;
  trial.validation_accuracy = validation_accuracy;
  trial.train_loss = 0.5;
  trial.seconds = seconds;
  return trial;
}
inline EpochRecord epoch_record(int epoch) {
  EpochRecord record;
  record.epoch = epoch;
  record.learning_rate = 0.1;
  record.train_loss = 1.0 / (epoch + 1);
  record.validation_accuracy = 0.5;
  record.seconds = 0;
  return record;
}

/// One study, one recipe, and trials in them.
struct Search {
  explicit Search(Store& database, const std::string& recipe_name = "vgg-s", const std::string& recipe_text = "vgg-s fp32")
      : db(database), study(db.study(study_record())), recipe(db.recipe(recipe_name, recipe_text)) {}

  ClaimState claim(const std::string& formula, std::uint64_t seed, Claim* claim, std::chrono::seconds lease = kLease) {
    return db.claim(study, db.candidate(candidate_record(formula)), recipe, seed, lease, claim);
  }
  Claim claimed(const std::string& formula, std::uint64_t seed, std::chrono::seconds lease = kLease) {
    Claim result;
    EXPECT_EQ(claim(formula, seed, &result, lease), ClaimState::kClaimed) << formula << " seed " << seed;
    return result;
  }
  void finished(const std::string& formula, std::uint64_t seed, const TrialRecord& result, int epochs = 2) {
    std::vector<EpochRecord> records;
    for (int epoch = 0; epoch < epochs; ++epoch) records.push_back(epoch_record(epoch));
    EXPECT_TRUE(db.finish(claimed(formula, seed).trial, result, records));
  }

  Store& db;
  Id study, recipe;
};

/// The single cell of a query; "NULL" for an absent one.
inline std::string cell(const Store& db, const std::string& sql) {
  if (!db.queries()) throw std::logic_error("the store under test answers no questions in SQL");
  const Table table = db.queries()->query(sql);
  if (table.rows.size() != 1 || table.columns.size() != 1) return "not one cell";
  return table.rows[0][0].value_or("NULL");
}

/// Starts a process that runs `body` and exits with its result, or with 99 after printing what it threw.
inline pid_t start_process(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) return child;
  int status = 99;
  try {
    status = body();
  } catch (const std::exception& error) {
    std::cerr << "child process: " << error.what() << std::endl;
  }
  _exit(status);
}
/// The exit status of a process, or minus the signal that ended it.
inline int wait_for(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid failed");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// The message of the E that `action` throws; empty if it throws none.
template <class E>
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace actsearch::testing
