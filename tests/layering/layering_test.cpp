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

// Which folders a folder's files may include, beside its own: "*" is all of them, "!a" all but a. A folder that is not here is a folder
// without a rule, and an error.
const std::map<std::string, std::set<std::string>> kMaySee = {
    {"grammar", {}},
    {"kernels", {}},
    {"kernels/codegen", {"grammar", "kernels"}},
    {"kernels/cpu", {"grammar", "kernels"}},
    {"kernels/cuda", {"grammar", "kernels", "kernels/codegen"}},
    {"kernels/export", {"grammar", "kernels/codegen"}},
    {"evaluator/data", {"grammar"}},
    {"evaluator/formats", {"evaluator/data"}},
    {"evaluator/network", {"grammar", "evaluator/data"}},
    {"evaluator/train", {"grammar", "evaluator/data", "evaluator/network"}},
    {"evaluator/external", {"grammar", "kernels/codegen", "kernels/export", "evaluator/data", "evaluator/network", "evaluator/train"}},
    {"evaluator/cpu", {"grammar", "kernels", "kernels/cpu", "evaluator/data", "evaluator/network", "evaluator/train"}},
    {"evaluator/cuda", {"grammar", "kernels", "kernels/cuda", "evaluator/data", "evaluator/network", "evaluator/train"}},
    {"db", {}},
    {"db/sql", {"db"}},
    {"db/sqlite", {"grammar", "db", "db/sql"}},
    {"db/postgresql", {"db", "db/sql"}},
    {"db/open", {"db", "db/sqlite", "db/postgresql"}},
    {"search/text", {"db"}},
    {"search/surrogate", {"grammar"}},
    {"search/strategies", {"grammar", "search/surrogate"}},
    {"search/chart", {"grammar", "search/text"}},
    {"search/run",
     {"grammar", "kernels", "evaluator/data", "evaluator/network", "evaluator/train", "evaluator/external", "evaluator/cpu",
      "evaluator/cuda", "db", "search/text", "search/surrogate", "search/strategies"}},
    {"search/report", {"grammar", "kernels", "kernels/cpu", "evaluator/network", "db", "db/open", "search/text", "search/run"}},
    {"search/serve", {"search/report"}},
    {"search/cli", {"*", "!db/sql", "!db/sqlite", "!db/postgresql"}},
    {"python/bindings",
     {"grammar", "kernels/export", "db", "db/open", "search/text", "search/strategies", "search/run", "search/report", "search/chart"}},
    {"tests", {"*"}},
    {"bench", {"*"}},
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
      {"SQLite", std::regex("sqlite3.*"), std::regex("db/sqlite/connection\\.(h|cpp)")},
      {"libpq", std::regex("libpq-fe\\.h"), std::regex("db/postgresql/connection\\.cpp")},
      {"oneDNN", std::regex("(oneapi/dnnl/.*|dnnl.*)"), std::regex("evaluator/cpu/dnn[^/]*")},
      {"Boost.Program_options", std::regex("boost/program_options.*"), std::regex("search/cli/(command|main|options)[^/]*")},
      {"cairo", std::regex("(cairo|fontconfig)/.*"), std::regex("search/chart/png\\.cpp|tests/search/chart/png_test\\.cpp")},
      {"libpng, libjpeg", std::regex("(png|jpeglib|jerror)\\.h"),
       std::regex("evaluator/formats/pictures\\.cpp|tests/evaluator/formats/.*")},
      {"libmd", std::regex("md5\\.h"), std::regex("evaluator/data/md5\\.cpp")},
      {"zlib", std::regex("zlib\\.h"), std::regex("(tests/)?evaluator/formats/[^/]*")},
      {"Boost.Math", std::regex("boost/math/.*"), std::regex("db/comparisons\\.cpp|tests/db/.*")},
      {"cpp-httplib", std::regex("httplib\\.h"), std::regex("tests/search/serve/[^/]*")},
      {"Boost.Beast and Asio", std::regex("boost/(asio|beast)/.*"), std::regex("search/serve/[^/]*")},
      {"nlohmann/json", std::regex("nlohmann/.*"),
       std::regex("(tests/)?search/.*|tests/kernels/export/.*|evaluator/network/recipe_file\\.cpp|(tests/)?evaluator/external/.*|tests/"
                  "evaluator/cpu/pytorch_test\\.cpp")},
      {"Eigen", std::regex("(unsupported/)?Eigen/.*"), std::regex("kernels/cpu/[^/]*|db/comparisons\\.cpp")},
      {"oneTBB", std::regex("(oneapi/)?tbb/.*"), std::regex("(evaluator/(data|formats|cuda)|search/run)/.*")},
      {"GoogleTest", std::regex("g(test|mock)/.*"), std::regex("tests/.*")},
      {"Google Benchmark", std::regex("benchmark/.*"), std::regex("bench/.*")},
      {"SIMD intrinsics", std::regex("(imm|x86)intrin\\.h"), std::regex("(kernels/cpu|evaluator/(cpu|train)|bench)/.*")},
      {"CUDA", std::regex("(cuda|cudnn|cublasLt|nvrtc)\\.h"),
       std::regex("(kernels/cuda/driver|evaluator/cuda/(cudnn|cublas_lt))\\.cpp|tests/cuda_simulator/.*")},
      {"pybind11", std::regex("pybind11/.*"), std::regex("python/bindings/module\\.cpp")},
      {"the system", std::regex("([a-z]+\\.h|(arpa|sys|linux)/[a-z]+\\.h)"),
       std::regex("(kernels/cuda/(shared_library|cubin_cache)\\.|(evaluator|db|search|tests|bench)/).*")},
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

// The folder whose rule holds for a path: the innermost that has one. Empty where none has.
std::string folder_of(const std::string& path) {
  std::string folder = path;
  while (folder.find('/') != std::string::npos) {
    folder.resize(folder.rfind('/'));
    if (kMaySee.contains(folder)) return folder;
    // A folder of sources is one library, with a rule of its own.
    if (!folder.starts_with("tests") && !folder.starts_with("bench")) return {};
  }
  return {};
}

// What is wrong with one include of the file at `path` (relative to the repository); empty if nothing is.
std::string violation(const std::string& path, const Include& include) {
  const auto rule = kMaySee.find(folder_of(path));
  if (rule == kMaySee.end()) return path + ": its folder has no dependency rule";
  if (include.quoted) {
    const std::string folder = folder_of(include.header);
    const auto& [own, visible] = *rule;
    const bool inner =
        folder != "tests" && folder != "bench" && folder != "search/cli" && folder != "python/bindings";  // what nothing else includes
    if (folder.empty()) return path + ": \"" + include.header + "\" is in no folder with a dependency rule";
    if (folder != own && !visible.contains(folder) && !(visible.contains("*") && inner && !visible.contains("!" + folder)))
      return path + ": " + own + "/ may not see " + include.header;
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
  std::set<std::string> tops;
  for (const auto& [folder, visible] : kMaySee) tops.insert(folder.substr(0, folder.find('/')));
  for (const std::string& top : tops) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / top)) {
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
  for (const auto& [folder, visible] : kMaySee) EXPECT_TRUE(folders.contains(folder)) << folder << " has a rule and no files";
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
  const auto wrong = [](const std::string& path, const std::string& header) {
    return violations(path, "  #  include \"" + header + "\"\n").size();
  };
  EXPECT_EQ(wrong("grammar/a.h", "kernels/cpu/eigen_kernel.h"), 1u);
  EXPECT_EQ(wrong("kernels/cpu/a.cpp", "kernels/cuda/driver.h"), 1u);
  EXPECT_EQ(wrong("kernels/export/a.cpp", "kernels/codegen/print.h"), 0u);
  EXPECT_EQ(wrong("evaluator/train/a.cpp", "evaluator/cpu/model.h"), 1u);
  EXPECT_EQ(wrong("evaluator/cpu/a.cpp", "evaluator/cuda/network.h"), 1u);
  EXPECT_EQ(wrong("evaluator/cuda/a.cpp", "db/store.h"), 1u);
  EXPECT_EQ(wrong("db/a.cpp", "evaluator/train/trainer.h"), 1u);
  EXPECT_EQ(wrong("db/a.cpp", "tests/db/temporary.h"), 1u);
  EXPECT_EQ(wrong("search/strategies/a.cpp", "search/run/study.h"), 1u);
  EXPECT_EQ(wrong("search/run/a.cpp", "search/cli/options.h"), 1u);
  EXPECT_EQ(wrong("search/cli/a.cpp", "db/open/open_store.h"), 0u);
  EXPECT_EQ(wrong("search/cli/a.cpp", "db/sqlite/store.h"), 1u);
  EXPECT_EQ(wrong("search/run/a.cpp", "db/store.h"), 0u);
  EXPECT_EQ(wrong("search/run/a.cpp", "db/open/open_store.h"), 1u);
  EXPECT_EQ(wrong("db/a.cpp", "db/sqlite/store.h"), 1u);
  EXPECT_EQ(wrong("db/sqlite/a.cpp", "db/open/open_store.h"), 1u);
  EXPECT_EQ(wrong("search/cli/a.cpp", "tests/db/temporary.h"), 1u);
  EXPECT_EQ(wrong("python/bindings/a.cpp", "search/run/ask.h"), 0u);
  EXPECT_EQ(wrong("python/bindings/a.cpp", "search/cli/options.h"), 1u);
  EXPECT_EQ(wrong("search/cli/a.cpp", "python/bindings/formula.h"), 1u);
}

TEST(Layering, RefusesAFolderWithoutARule) {
  EXPECT_EQ(violations("search/a.cpp", "#include <string>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/new/a.cpp", "#include <string>\n").size(), 1u);
  EXPECT_EQ(violations("search/cli/a.cpp", "#include \"search/new/a.h\"\n").size(), 1u);
}

TEST(Layering, RefusesALibraryOutsideItsFiles) {
  EXPECT_EQ(violations("search/cli/command_query.cpp", "#include <sqlite3.h>\n").size(), 1u);
  EXPECT_EQ(violations("db/sqlite/connection.cpp", "#include <sqlite3.h>\n").size(), 0u);
  EXPECT_EQ(violations("db/sql/claims.cpp", "#include <sqlite3.h>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/train/trainer.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/cpu/dnn.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n").size(), 0u);
  EXPECT_EQ(violations("search/run/runner.cpp", "#include <boost/program_options.hpp>\n").size(), 1u);
  EXPECT_EQ(violations("grammar/program.cpp", "#include <Eigen/Core>\n").size(), 1u);
  EXPECT_EQ(violations("grammar/program.cpp", "#include <unistd.h>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/train/trainer.cpp", "#include <cudnn.h>\n").size(), 1u);
  EXPECT_EQ(violations("evaluator/cuda/cudnn.cpp", "#include <cudnn.h>\n").size(), 0u);
  EXPECT_EQ(violations("search/run/runner.cpp", "#include <nowhere/known.hpp>\n").size(), 1u);
}

TEST(Layering, RefusesAnIncludeThatIsNotRootedAtTheRepository) {
  EXPECT_EQ(violations("kernels/cpu/eigen_kernel.cpp", "#include \"eigen_kernel.h\"\n").size(), 1u);
  EXPECT_EQ(violations("kernels/cpu/eigen_kernel.cpp", "#include \"../grammar/program.h\"\n").size(), 1u);
}

}  // namespace
}  // namespace actsearch
