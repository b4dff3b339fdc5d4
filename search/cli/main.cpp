// actsearch: finds the command and turns what it throws into a message and an exit code.

#include <array>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string_view>

#include "evaluator/data/file_advice.h"
#include "grammar/nearest.h"
#include "search/cli/command.h"
#include "search/cli/interrupt.h"
#include "search/cli/options.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2 };

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const Words&);
};

constexpr auto kCommands = std::to_array<Command>({
    {"search", "trains and ranks formulas until a budget ends", search_command},
    {"ask", "hands out formulas for your own program to train", ask_command},
    {"tell", "takes in what became of them, and answers what to do", tell_command},
    {"leaderboard", "shows the best of a database, or what failed", leaderboard_command},
    {"query", "runs a read-only SELECT on a database", query_command},
    {"rerun", "trains the best, or given formulas, at full length, with test accuracy", rerun_command},
    {"finalists", "judges the best of a search again: fresh seeds and images, then full length", finalists_command},
    {"proxies", "compares short trainings with a long one", proxies_command},
    {"report", "writes a whole search as one page of HTML", report_command},
    {"serve", "shows the same page live, while a search runs", serve_command},
    {"show", "explains one formula: derivative, properties, plot, values", show_command},
    {"plot", "draws functions and their derivatives as SVG or PNG", plot_command},
    {"export", "writes a formula for PyTorch, JAX, Keras, ONNX, CUDA, C, LaTeX, SymPy or MathML", export_command},
    {"operators", "lists the operators and the named activations", operators_command},
    {"recipes", "lists the training recipes, and how fast they run here", recipes_command},
    {"spaces", "lists the search spaces and their sizes", spaces_command},
    {"data", "fetches CIFAR-10, or checks a copy of it", data_command},
    {"bench", "measures kernels and training on this machine", bench_command},
});

void print_help() {
  std::cout << "usage: actsearch COMMAND [flags]\n\n"
               "Searches for activation functions, such as ReLU or Swish. It builds formulas from operators and\n"
               "trains a small network on CIFAR-10 with each, for a short time. The scores are kept and ranked in\n"
               "one SQLite file. The best formulas are then trained at full length.\n\nCommands\n";
  for (const Command& command : kCommands) {
    std::cout << "  " << command.name << std::string(14 - command.name.size(), ' ') << command.summary << '\n';
  }
  std::cout << "\n`actsearch help COMMAND` explains a command's flags, `actsearch --version` says what was built.\n"
               "\nWords that the other help texts use\n"
               "  formula     an activation as text, \"x * sigmoid(beta * x)\", or a name such as swish\n"
               "  beta        a number in a formula that training learns, one for each channel\n"
               "  seed        the number that fixes a training's initial weights and order of images\n"
               "  trial       one training of one function with one seed\n"
               "  recipe      the network, optimiser, schedule and length of a training\n"
               "  proxy       a short recipe, which stands in for a long training\n"
               "\nA first search:   actsearch search --db first.db --baselines --budget-time 10m\n"
               "Its ranking:      actsearch leaderboard --db first.db\n"
               "\nExit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted.\n";
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
  ignore_file_size_signal();
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
  } catch (const std::filesystem::filesystem_error& error) {
    std::cerr << "actsearch: " << plain_text(error) << '\n';
    return kFailure;
  } catch (const std::exception& error) {
    std::cerr << "actsearch: " << error.what() << '\n';
    return kFailure;
  }
}
