// actsearch help and completion: the program's texts about itself.

#include <iostream>

#include "grammar/nearest.h"
#include "search/cli/command.h"
#include "search/cli/completion.h"
#include "search/cli/manual.h"

namespace actsearch {
namespace {

Options declared_help() {
  Options options("help", "[COMMAND] [flags]",
                  "Explains a command's flags, as `actsearch COMMAND --help` does; without a command, what commands there are.");
  options.value("format", "F", "text, or man: the page actsearch(1) of all commands, in roff [text]", {"text", "man"});
  options.arguments("command", 1, "COMMAND", names_of(commands()));
  return options;
}

int run_help(const Options& options) {
  const bool man = options.choice("format") == "man";
  const auto given = options.texts("command");
  if (man && !given.empty()) throw UsageError("--format man has all commands on one page: it does not go with a command's name");
  if (given.empty()) {
    std::cout << (man ? man_page() : overview());
  } else {
    find_command(given.front()).declared().parse({"--help"});
  }
  return 0;
}

struct Shell {
  std::string_view name;
  const char* script;
};
std::vector<Shell> shells() { return {{"bash", kBashCompletion}, {"zsh", kZshCompletion}, {"fish", kFishCompletion}}; }

Options declared_completion() {
  Options options("completion", "SHELL",
                  "Prints the script with which bash, zsh or fish completes commands, flags and their values. The script\n"
                  "asks the program, so it fits any version. `cmake --install` puts the scripts where the shells look.\n"
                  "For one session:\n"
                  "\n"
                  "  bash, zsh   source <(actsearch completion bash), or zsh in its place\n"
                  "  fish        actsearch completion fish | source");
  options.arguments("shell", 1, "SHELL", names_of(shells()));
  options.epilogue("Example: actsearch completion bash");
  return options;
}

int run_completion(const Options& options) {
  const auto given = options.texts("shell");
  if (given.empty()) throw UsageError("a shell is expected: bash, zsh or fish\nsee: actsearch completion --help");
  for (const Shell& shell : shells()) {
    if (shell.name != given.front()) continue;
    std::cout << shell.script;
    return 0;
  }
  throw UsageError("no completion for the shell '" + shortened(given.front()) + "'; known are bash, zsh and fish");
}

}  // namespace

Command help_command() { return {"help", "explains a command, or writes the man page", declared_help, run_help}; }
Command completion_command() {
  return {"completion", "prints the script for completion in bash, zsh or fish", declared_completion, run_completion};
}

}  // namespace actsearch
