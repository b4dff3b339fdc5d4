// actsearch report: a database as a page.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "db/open/open_store.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/report/page.h"
#include "search/report/report_data.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

constexpr auto kMeasuring = std::chrono::seconds(1);  ///< at most, of the functions' kernels

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!fs::is_directory(directory)) {
    throw std::runtime_error(directory.string() + ": the directory cannot be made" +
                             (error ? ": " + error.message() : "; a file has that name"));
  }
}

/// The file as a whole or not at all: what was there stays until all is written.
void write_whole(const fs::path& file, const std::string& text) {
  const fs::path unfinished = file.string() + ".part";
  std::ofstream stream(unfinished, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) fs::rename(unfinished, file, error);
  if (!stream || error) {
    fs::remove(unfinished, error);
    throw std::runtime_error(file.string() + ": cannot be written; check the directory's permissions and the space on the disk");
  }
}

Options declared() {
  Options options("report", "--db FILE --out DIR [flags]",
                  "Writes a whole search as one page, DIR/index.html: leaderboard, race, accuracy beside cost, curves,\n"
                  "seeds, comparison with ReLU and Swish, learned betas, failures and conditions. The page needs no\n"
                  "network and no other file. Its numbers can be saved as CSV. Making it takes a second more, in which\n"
                  "the functions' speed is measured. It is safe while a search writes.");
  options.value("db", "FILE", "the database: an SQLite file, or postgresql://USER@HOST/NAME");
  options.value("out", "DIR", "the directory for index.html; made if it is not there");
  options.flag("force", "replace an index.html that is there");
  options.epilogue("Example: actsearch report --db first.db --out first");
  return options;
}

int run(const Options& options) {
  const std::string file = options.required("db");
  const fs::path directory = options.required("out");
  const fs::path target = directory / "index.html";
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& database = *store;
  if (fs::exists(target) && !options.has("force")) {
    throw UsageError(target.string() + " is there already: --force replaces it, or choose another --out");
  }
  Forms forms;
  KernelTimes times(kMeasuring);
  const std::string text = page(report_json(database, names_of(file).label, forms, times), PageKind::kFile);
  make_directory(directory);
  write_whole(target, text);
  std::cout << target.string() << '\n';
  return 0;
}

}  // namespace

Command report_command() { return {"report", "writes a whole search as one page of HTML", declared, run}; }

}  // namespace actsearch
