// actsearch data fetch and actsearch data check: CIFAR-10 on disk.

#include <iostream>

#include "evaluator/data/data_source.h"
#include "grammar/nearest.h"
#include "search/cli/command.h"
#include "search/cli/options.h"

namespace actsearch {

int data_command(const Words& words) {
  Options options("data", "fetch DIR | check DIR",
                  "fetch downloads CIFAR-10's official archive to DIR, verifies its checksum and unpacks it to\n"
                  "DIR/cifar-10-batches-bin. check verifies the files of a directory: sizes, labels and counts per\n"
                  "class. It compares their checksums with the published ones, and says \"altered\" otherwise.");
  options.arguments("action", 2);
  options.epilogue("Example: actsearch data fetch data   (where every command then finds it)");
  if (!options.parse(words)) return 0;
  const auto given = options.texts("action");
  if (given.empty()) throw UsageError("fetch DIR or check DIR is expected\nsee: actsearch data --help");
  const std::string& action = given.front();
  if (action != "fetch" && action != "check") {
    throw UsageError("no data command '" + shortened(action) + "'" + did_you_mean(action, {"fetch", "check"}) + "; known are fetch, check");
  }
  if (given.size() != 2 || given[1].empty()) throw UsageError("data " + action + " needs a directory\nsee: actsearch data --help");
  if (action == "check") {
    std::cout << check_dataset(given[1]);
  } else {
    std::cout << fetch_dataset(given[1], [](const std::string& line) { std::cerr << line << '\n'; }).string() << '\n';
  }
  return 0;
}

}  // namespace actsearch
