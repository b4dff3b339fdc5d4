#include "search/cli/run_files.h"

#include "db/open/open_store.h"

namespace actsearch {

void declare_checkpoints(Options& options) {
  options.value("checkpoints", "DIR",
                "the directory of checkpoints; processes on several machines share one [FILE.checkpoints, or NAME.checkpoints here for a "
                "database on a server]");
}

std::filesystem::path chosen_checkpoints(const Options& options) {
  if (const auto directory = options.text("checkpoints")) return *directory;
  return names_of(options.required("db")).beside += ".checkpoints";
}

std::filesystem::path log_directory(const std::string& database) { return names_of(database).beside += ".logs"; }

std::string in_shell(const std::string& database) {
  if (database.find_first_of("?&'\"\\ $`*()<>|;#~!") == std::string::npos) return database;
  std::string quoted = "'";
  for (const char c : database) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace actsearch
