// actsearch: finds the command and turns what it throws into a message and an exit code.

#include <array>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string_view>

#include "grammar/nearest.h"
#include "search/command.h"
#include "search/interrupt.h"
#include "search/machine.h"
#include "search/options.h"
#include "search/version.h"

namespace actsearch {
namespace {

enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2 };

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const Words&);
};

constexpr auto kCommands = std::to_array<Command>({
    {"search", "generate, train and rank candidate activations under a budget", search_command},
    {"leaderboard", "the best candidates of a database, or what failed", leaderboard_command},
    {"query", "read-only SQL on a database", query_command},
    {"rerun", "full-length training of the best, or of given formulas, with test accuracy", rerun_command},
    {"finalists", "the best of a search on fresh seeds and images, then at full length", finalists_command},
    {"proxies", "how far short trainings agree with a long one", proxies_command},
    {"report", "what a search did, as one page of HTML", report_command},
    {"serve", "the same page live, while a search runs", serve_command},
    {"show", "one formula: derivative, properties, plot, values", show_command},
    {"plot", "functions and their derivatives as a picture, SVG or PNG", plot_command},
    {"export", "a formula for PyTorch, JAX, Keras, ONNX, CUDA, C, LaTeX, SymPy or MathML", export_command},
    {"operators", "the operators and named activations", operators_command},
    {"recipes", "the training recipes, and how fast they run here", recipes_command},
    {"spaces", "the search spaces and their sizes", spaces_command},
    {"data", "fetch CIFAR-10, or check a copy of it", data_command},
    {"bench", "kernel and training throughput of this machine", bench_command},
});

void print_help() {
  std::cout << "usage: actsearch COMMAND [flags]\n\n"
               "Searches for activation functions: generates candidates from a grammar, trains each on CIFAR-10 for a short\n"
               "while, ranks them in an SQLite file, and reruns the best at full length.\n\nCommands\n";
  for (const Command& command : kCommands) {
    std::cout << "  " << command.name << std::string(14 - command.name.size(), ' ') << command.summary << '\n';
  }
  std::cout << "\nactsearch help COMMAND explains a command's flags; actsearch --version says what was built.\n"
               "\nA first search:   actsearch search --db first.db --baselines --budget-time 10m\n"
               "Its ranking:      actsearch leaderboard --db first.db\n"
               "\nExit codes: 0 success, 1 failure, 2 usage, 130 interrupted.\n";
}

void print_version() {
  std::cout << "actsearch " << program_version() << " (commit " << program_commit() << ")\n"
            << "built for:  " << built_instruction_sets() << '\n'
            << "processor:  " << processor_model() << ", with " << processor_instruction_sets() << '\n';
}

int dispatch(const Words& words) {
  if (words.empty()) throw UsageError("a command is expected; actsearch --help lists them");
  const std::string& first = words.front();
  if (first == "help" && words.size() > 1) return dispatch({words[1], "--help"});
  if (first == "--help" || first == "-h" || first == "help") return print_help(), kSuccess;
  if (first == "--version") return print_version(), kSuccess;
  std::vector<std::string_view> names;
  for (const Command& command : kCommands) {
    if (command.name == first) return command.run({words.begin() + 1, words.end()});
    names.push_back(command.name);
  }
  throw UsageError("no command '" + shortened(first) + "'" + did_you_mean(first, names) + "; actsearch --help lists them");
}

}  // namespace
}  // namespace actsearch

int main(int argc, char** argv) {
  using namespace actsearch;
  end_on_interrupts();
  try {
    const int code = dispatch({argv + 1, argv + argc});
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("standard output could not be written");
    return code;
  } catch (const std::invalid_argument& error) {
    std::cerr << "actsearch: " << error.what() << '\n';
    return kUsage;
  } catch (const std::bad_alloc&) {
    std::cerr << "actsearch: out of memory\n";
    return kFailure;
  } catch (const std::exception& error) {
    std::cerr << "actsearch: " << error.what() << '\n';
    return kFailure;
  }
}
