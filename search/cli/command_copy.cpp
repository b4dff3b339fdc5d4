// actsearch copy and actsearch merge: what one database holds, or several, in another.

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include "db/open/open_store.h"
#include "db/taken_in.h"
#include "search/cli/command.h"
#include "search/cli/options.h"
#include "search/run/study.h"
#include "search/text/format.h"
#include "search/text/score_scale.h"

namespace actsearch {
namespace {

constexpr const char* kWhatBecomesOfATrial =
    "  not there yet      is added\n"
    "  ended there        stays; with another result it is a conflict, and the target keeps its own\n"
    "  ended in a source  takes the place of one that has not ended in the target\n"
    "  paused             comes as it is; of two the one that was trained longer\n"
    "  running            comes as given back, with its whole epochs: nobody trains it in the target\n"
    "\n"
    "Conflicts are the result, one a line. Sources are only read. The same command again, also after it\n"
    "was killed, does the rest and counts nothing twice. Checkpoints stay where they are: a paused trial\n"
    "that goes on in the target begins anew there, and comes to the same result.";

bool are_one_file(const std::string& one, const std::string& other) {
  const PlaceNames a = names_of(one), b = names_of(other);
  std::error_code none;
  return a.is_file && b.is_file && std::filesystem::equivalent(a.beside, b.beside, none);
}

/// "0.7125", by the scale of the trial's recipe; or "failed: diverged".
std::string ending_text(const Conflict::Ending& ending, const ScoreScale& scale) {
  if (!ending.accuracy) return "failed: " + ending.failure;
  return scale.exact_value(*ending.accuracy);
}

/// The conflicts of all sources, as they come.
class Conflicts {
 public:
  explicit Conflicts(Format format) : format_(format) {
    table_.columns = {"formula", "seed", "kept", "other", "differs", "source", "recipe"};
    table_.numeric = {false, true, false, false, false, false, false};
  }
  void add(const std::string& source, const Conflict& conflict) {
    if (table_.rows.size() == kMost) return;
    const ScoreScale scale = score_scale(conflict.recipe);
    table_.rows.push_back({conflict.formula, std::to_string(conflict.seed), ending_text(conflict.kept, scale),
                           ending_text(conflict.other, scale), conflict.differs, source,
                           format_ == Format::kTable ? conflict.recipe.substr(0, conflict.recipe.find(' ')) : conflict.recipe});
  }
  void print() const {
    if (table_.rows.empty() && format_ == Format::kTable) return;
    write(std::cout, table_, format_);
    if (table_.rows.size() == kMost) std::cerr << "the first " << kMost << " conflicts are shown\n";
  }

 private:
  static constexpr std::size_t kMost = 100'000;  // as many as memory holds with ease
  Format format_;
  Table table_;
};

std::string counted(std::int64_t count, const std::string& one) { return std::to_string(count) + " " + one + (count == 1 ? "" : "s"); }

void say(const std::string& source, const std::string& target, const TakenIn& taken) {
  const std::int64_t known = taken.trials - taken.added - taken.further - taken.conflicts;
  std::cerr << source << ": " << counted(taken.trials, "trial") << ", of which " << taken.added << " new, " << taken.further
            << " further than in the target, " << known << " there already, " << taken.conflicts << " in conflict\n";
  if (taken.running > 0)
    std::cerr << source << ": " << counted(taken.running, "trial")
              << " running there: they came as given back; the same command brings their results once they have ended\n";
  if (taken.respelled > 0)
    std::cerr << source << ": " << counted(taken.respelled, "function") << " spelled otherwise in " << target << ", whose spelling stays\n";
}

int take_in(const std::vector<std::string>& sources, const std::string& target, Format format) {
  for (const std::string& source : sources) {
    if (are_one_file(source, target)) throw UsageError("'" + source + "' is both source and target: name another target");
    open_store(source, Store::Access::kReadOnly);  // all of them are sound before anything is written
  }
  require_usable(target);
  const auto to = open_store(target, Store::Access::kCreate);
  Conflicts conflicts(format);
  for (const std::string& source : sources) {
    const auto from = open_store(source, Store::Access::kReadOnly);
    constexpr std::chrono::seconds kSilence(10);
    auto said = std::chrono::steady_clock::now();
    const IntakeListener listener{.conflict = [&](const Conflict& conflict) { conflicts.add(source, conflict); },
                                  .batch =
                                      [&](const TakenIn& so_far) {
                                        if (std::chrono::steady_clock::now() - said < kSilence) return;
                                        said = std::chrono::steady_clock::now();
                                        std::cerr << source << ": " << counted(so_far.trials, "trial") << " so far\n";
                                      }};
    say(source, target, to->take_in(*from, listener));
  }
  conflicts.print();
  return 0;
}

Options declared_copy() {
  Options options("copy", "--from FILE --to FILE [flags]",
                  std::string("Copies what a database holds into another, which is made where it is not there. Both have the same\n"
                              "leaderboard then. FILE is an SQLite file, or postgresql://USER@HOST/NAME. What becomes of a trial:\n"
                              "\n") +
                      kWhatBecomesOfATrial);
  options.value("from", "FILE", "the source: an SQLite file, or postgresql://USER@HOST/NAME");
  options.value("to", "FILE", "the target, likewise");
  declare_format(options);
  options.epilogue("Example: actsearch copy --from first.db --to copy.db");
  return options;
}

int run_copy(const Options& options) {
  const std::string from = options.required("from"), to = options.required("to");
  return take_in({from}, to, options.format());
}

Options declared_merge() {
  Options options("merge", "--to FILE FILE … [flags]",
                  std::string("Merges databases, say of the machines that searched with a file each, into one. FILE is an SQLite file,\n"
                              "or postgresql://USER@HOST/NAME. A study of several sources is one study then. The target may be one\n"
                              "that is there; its own results come first, then those of the sources in their order. What becomes\n"
                              "of a trial:\n"
                              "\n") +
                      kWhatBecomesOfATrial);
  options.value("to", "FILE", "the target: an SQLite file, or postgresql://USER@HOST/NAME");
  options.arguments("from", -1, "FILE");
  declare_format(options);
  options.epilogue("Example: actsearch merge --to all.db first.db copy.db");
  return options;
}

int run_merge(const Options& options) {
  const std::string to = options.required("to");
  const auto from = options.texts("from");
  if (from.empty()) throw UsageError("the databases to merge are expected\nsee: actsearch merge --help");
  return take_in(from, to, options.format());
}

}  // namespace

Command copy_command() { return {"copy", "copies a database into another, of either kind", declared_copy, run_copy}; }
Command merge_command() { return {"merge", "merges several databases into one", declared_merge, run_merge}; }

}  // namespace actsearch
