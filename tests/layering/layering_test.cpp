// Holds the dependency rule of docs/architecture.md by reading the #includes of every source file.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace actsearch {
namespace {

namespace fs = std::filesystem;

// Which folders a folder's files may include. A folder that is not here is a folder without a rule, and an error.
const std::map<std::string, std::set<std::string>> kMaySee = {
    {"grammar", {"grammar"}},
    {"kernels", {"grammar", "kernels"}},
    {"evaluator", {"grammar", "kernels", "evaluator"}},
    {"db", {"grammar", "db"}},
    {"search", {"grammar", "kernels", "evaluator", "db", "search"}},
    {"tests", {"grammar", "kernels", "evaluator", "db", "search", "tests"}},
    {"bench", {"grammar", "kernels", "evaluator", "db", "search", "bench"}},
};

// Which files may include a header from outside the project. The first row whose header matches decides; a header in angle
// brackets that no row knows is an error, so a new dependency begins with a row here.
struct Outside {
  std::string name;
  std::regex header;
  std::regex files;
};
const std::vector<Outside>& outside() {
  static const std::vector<Outside> rows = {
      {"SQLite", std::regex("sqlite3.*"), std::regex("(tests/)?db/sqlite[^/]*")},
      {"oneDNN", std::regex("(oneapi/dnnl/.*|dnnl.*)"), std::regex("evaluator/dnn[^/]*")},
      {"Boost.Program_options", std::regex("boost/program_options.*"), std::regex("search/(command|main|options)[^/]*")},
      {"cairo", std::regex("(cairo|fontconfig)/.*"), std::regex("search/chart/png\\.cpp|tests/search/png_test\\.cpp")},
      {"cpp-httplib", std::regex("httplib\\.h"), std::regex("tests/search/serve[^/]*")},
      {"Boost.Beast and Asio", std::regex("boost/(asio|beast)/.*"), std::regex("search/(http|serve)\\.(h|cpp)")},
      {"nlohmann/json", std::regex("nlohmann/.*"), std::regex("(tests/)?search/.*|tests/export/.*")},
      {"Eigen", std::regex("(unsupported/)?Eigen/.*"), std::regex("kernels/(eigen|pack)[^/]*")},
      {"oneTBB", std::regex("(oneapi/)?tbb/.*"), std::regex("(evaluator|search)/.*")},
      {"GoogleTest", std::regex("g(test|mock)/.*"), std::regex("tests/.*")},
      {"Google Benchmark", std::regex("benchmark/.*"), std::regex("bench/.*")},
      {"SIMD intrinsics", std::regex("(imm|x86)intrin\\.h"), std::regex("(kernels|evaluator|bench)/.*")},
      {"CUDA", std::regex("(cuda|cudnn|cublasLt|nvrtc)\\.h"),
       std::regex("(kernels/cuda_driver|evaluator/(cudnn|cublas_lt))\\.cpp|tests/cuda_simulator/.*")},
      {"the system", std::regex("([a-z]+\\.h|(arpa|sys|linux)/[a-z]+\\.h)"),
       std::regex("(kernels/(shared_library|cubin_cache)\\.|(evaluator|db|search|tests|bench)/).*")},
      {"the standard library", std::regex("[a-z_0-9]+"), std::regex(".*")},
  };
  return rows;
}

struct Include {
  std::string header;
  bool quoted = false;
};

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex directive(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> includes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (std::smatch match; std::regex_search(line, match, directive)) includes.push_back({match[2], match[1] == "\""});
  }
  return includes;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.find('/')); }

// What is wrong with one include of the file at `path` (relative to the repository); empty if nothing is.
std::string violation(const std::string& path, const Include& include) {
  const auto rule = kMaySee.find(folder_of(path));
  if (rule == kMaySee.end()) return path + ": its folder has no dependency rule";
  if (include.quoted) {
    const std::string folder = folder_of(include.header);
    if (!kMaySee.contains(folder)) return path + ": \"" + include.header + "\" is not rooted at the repository";
    if (!rule->second.contains(folder)) return path + ": " + rule->first + "/ may not see " + include.header;
    return {};
  }
  for (const Outside& row : outside()) {
    if (!std::regex_match(include.header, row.header)) continue;
    if (!std::regex_match(path, row.files)) return path + ": " + row.name + " (<" + include.header + ">) does not belong here";
    return {};
  }
  return path + ": no rule knows <" + include.header + ">";
}

std::vector<std::string> violations(const std::string& path, const std::string& text) {
  std::vector<std::string> found;
  for (const Include& include : includes_of(text)) {
    if (std::string wrong = violation(path, include); !wrong.empty()) found.push_back(std::move(wrong));
  }
  return found;
}

// Path relative to the repository, and text, of every C++ file in the folders that have a rule.
std::map<std::string, std::string> read_sources() {
  const fs::path root = ACTSEARCH_SOURCE_DIR;
  std::map<std::string, std::string> sources;
  for (const auto& [folder, visible] : kMaySee) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
      std::ifstream file(entry.path());
      std::stringstream text;
      text << file.rdbuf();
      sources[entry.path().lexically_relative(root).generic_string()] = text.str();
    }
  }
  return sources;
}

TEST(Layering, EveryIncludeFollowsTheDependencyRule) {
  const auto sources = read_sources();
  std::set<std::string> folders;
  for (const auto& [path, text] : sources) {
    folders.insert(folder_of(path));
    for (const std::string& wrong : violations(path, text)) ADD_FAILURE() << wrong;
  }
  for (const char* folder : {"grammar", "kernels", "evaluator", "db", "search"}) EXPECT_TRUE(folders.contains(folder)) << folder;
}

TEST(Layering, EveryQuotedIncludeIsAFileOfTheRepository) {
  const fs::path root = ACTSEARCH_SOURCE_DIR;
  for (const auto& [path, text] : read_sources()) {
    for (const Include& include : includes_of(text)) {
      if (include.quoted) {
        EXPECT_TRUE(fs::exists(root / include.header)) << path << ": " << include.header;
      }
    }
  }
}

TEST(Layering, EveryHeaderIsIncludedOnce) {
  for (const auto& [path, text] : read_sources()) {
    if (path.ends_with(".h")) {
      EXPECT_NE(text.find("#pragma once"), std::string::npos) << path;
    }
  }
}

TEST(Layering, RefusesADependencyAgainstTheDirection) {
  EXPECT_EQ(violations("grammar/a.h", "#include \"kernels/eigen_kernel.h\"\n").size(), 1u);
  EXPECT_EQ(violations("kernels/a.cpp", "#include \"evaluator/trainer.h\"\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/a.cpp", "  #  include \"db/database.h\"\n").size(), 1u);
  EXPECT_EQ(violations("db/a.cpp", "#include \"evaluator/trainer.h\"\n").size(), 1u);
  EXPECT_EQ(violations("db/a.cpp", "#include \"tests/db/temporary.h\"\n").size(), 1u);
  EXPECT_EQ(violations("search/a.cpp", "#include \"db/database.h\"\n#include \"evaluator/trainer.h\"\n").size(), 0u);
}

TEST(Layering, RefusesALibraryOutsideItsFiles) {
  EXPECT_EQ(violations("search/command_query.cpp", "#include <sqlite3.h>\n").size(), 1u);
  EXPECT_EQ(violations("db/sqlite.cpp", "#include <sqlite3.h>\n").size(), 0u);
  EXPECT_EQ(violations("evaluator/trainer.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/dnn.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n").size(), 0u);
  EXPECT_EQ(violations("search/runner.cpp", "#include <boost/program_options.hpp>\n").size(), 1u);
  EXPECT_EQ(violations("grammar/program.cpp", "#include <Eigen/Core>\n").size(), 1u);
  EXPECT_EQ(violations("grammar/program.cpp", "#include <unistd.h>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/trainer.cpp", "#include <cudnn.h>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/cudnn.cpp", "#include <cudnn.h>\n").size(), 0u);
  EXPECT_EQ(violations("search/runner.cpp", "#include <nowhere/known.hpp>\n").size(), 1u);
}

TEST(Layering, RefusesAnIncludeThatIsNotRootedAtTheRepository) {
  EXPECT_EQ(violations("kernels/eigen_kernel.cpp", "#include \"eigen_kernel.h\"\n").size(), 1u);
  EXPECT_EQ(violations("kernels/eigen_kernel.cpp", "#include \"../grammar/program.h\"\n").size(), 1u);
}

}  // namespace
}  // namespace actsearch
