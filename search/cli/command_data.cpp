// actsearch data fetch and actsearch data check: data sets on disk.

#include <iostream>

#include "evaluator/formats/data_source.h"
#include "grammar/nearest.h"
#include "search/cli/command.h"
#include "search/cli/options.h"

namespace actsearch {
namespace {

Options declared() {
  Options options("data", "fetch [cifar10 | cifar100] DIR | check DIR",
                  "fetch downloads the official archive of CIFAR-10, or of CIFAR-100, to DIR, verifies its checksum\n"
                  "and unpacks it to DIR/cifar-10-batches-bin or DIR/cifar-100-binary. With cifar100 alone DIR is data.\n"
                  "check verifies a directory that --data would take: sizes, labels and counts per class. It compares\n"
                  "CIFAR-10's checksums with the published ones, and says \"altered\" otherwise.");
  options.arguments("action", 3, "DIR", {"fetch", "check", "cifar10", "cifar100"});
  declare_loading(options);
  options.epilogue("Example: actsearch data fetch data   (where every command then finds it)");
  return options;
}

int run(const Options& options) {
  const auto given = options.texts("action");
  if (given.empty()) throw UsageError("fetch DIR or check DIR is expected\nsee: actsearch data --help");
  const std::string& action = given.front();
  if (action != "fetch" && action != "check") {
    throw UsageError("no data command '" + shortened(action) + "'" + did_you_mean(action, {"fetch", "check"}) + "; known are fetch, check");
  }
  const auto say = [](const std::string& line) { std::cerr << line << '\n'; };
  const bool named = action == "fetch" && given.size() > 1 && (given[1] == "cifar10" || given[1] == "cifar100");
  const std::string place = named && given.size() == 2 ? "data" : given.size() == (named ? 3u : 2u) ? given.back() : "";
  if (place.empty()) throw UsageError("data " + action + " needs a directory\nsee: actsearch data --help");
  if (action == "check") {
    LoadOptions loading = chosen_loading(options);
    loading.say = say;
    std::cout << check_dataset(place, kPublishedSums, loading);
  } else {
    const Archive& archive = named && given[1] == "cifar100" ? kCifar100Archive : kOfficialArchive;
    std::cout << fetch_dataset(place, say, archive).string() << '\n';
  }
  return 0;
}

}  // namespace

Command data_command() { return {"data", "fetches CIFAR-10, or checks a copy of it", declared, run}; }

}  // namespace actsearch
