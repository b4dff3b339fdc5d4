/// What tests of the command line share: the program run in a directory of its own, and what its refusals look like.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "db/sqlite/store.h"
#include "tests/search/process.h"

namespace actsearch::testing {

inline constexpr int kFailure = 1, kUsage = 2;

class CommandLine : public ::testing::Test {
 protected:
  Ran run(const std::vector<std::string>& words) const { return run_program(directory_.path(), words); }

  /// Files and folders below the test's directory, with the sizes of files; not the program's two streams, nor what SQLite lays
  /// beside a database.
  std::string contents() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      const std::string name = entry.path().string();
      if (name.ends_with("-wal") || name.ends_with("-shm") || name.ends_with("/stdout") || name.ends_with("/stderr")) continue;
      all.insert(name + (entry.is_regular_file() ? " " + std::to_string(entry.file_size()) : "/"));
    }
    std::string text;
    for (const std::string& name : all) text += name + "\n";
    return text;
  }

  /// The exit code, nothing on standard output, every part in the message, and nothing created or changed.
  void refuses(const std::vector<std::string>& words, int code, const std::vector<std::string>& parts) const {
    std::string shown;
    for (const std::string& word : words) shown += word.substr(0, 40) + " ";
    const std::string before = contents();
    const Ran ran = run(words);
    EXPECT_EQ(contents(), before) << shown << "leaves something behind";
    EXPECT_EQ(ran.code, code) << shown << ran.err;
    EXPECT_EQ(ran.out, "") << shown;
    EXPECT_EQ(ran.err.rfind("actsearch: ", 0), 0u) << shown << ran.err;
    EXPECT_LT(ran.err.size(), 2'000u) << shown;
    for (const std::string& part : parts) EXPECT_NE(ran.err.find(part), std::string::npos) << shown << "lacks: " << part << "\n" << ran.err;
  }

  /// A database with twelve finished trials of a small space.
  std::string filled_database() const { return filled("filled.db", small_plan()); }
  /// A database of all functions of a part of core1, with so many seeds each.
  std::string database_of(const std::vector<std::string>& unary, const std::vector<std::string>& binary, int seeds) const {
    SearchPlan plan = small_plan();
    plan.space = Space("core1", unary, binary);
    plan.run.seeds = seeds;
    return filled(std::to_string(unary.size()) + "-" + std::to_string(binary.size()) + "-" + std::to_string(seeds) + ".db", plan);
  }
  std::string filled(const std::string& name, const SearchPlan& plan) const {
    SqliteStore database(path(name), Store::Access::kCreate);
    std::ostringstream log;
    Progress progress(log, {});
    const std::atomic<bool> interrupt{false};
    run_search(database, plan, fake_outcome, progress, interrupt);
    return path(name);
  }
  std::string path(const std::string& name) const { return directory_.path() / name; }

  TemporaryDirectory directory_;
};

}  // namespace actsearch::testing
