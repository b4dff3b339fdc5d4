/// The commands of the program. Misuse is thrown as std::invalid_argument (exit code 2), anything else that is thrown is a failure (1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "search/cli/options.h"

namespace actsearch {

using Words = std::vector<std::string>;

/// What help, man page and completion know of a command, and what runs it.
struct Command {
  std::string_view name;
  std::string_view summary;    ///< what it does, as the end of a sentence
  Options (*declared)();       ///< its flags
  int (*run)(const Options&);  ///< returns the exit code; the options are parsed
};

/// All of them, in the order of the help.
const std::vector<Command>& commands();
/// UsageError with a suggestion where there is none of that name.
const Command& find_command(const std::string& name);

// One for each, beside its code.
Command search_command();
Command ask_command();
Command tell_command();
Command leaderboard_command();
Command query_command();
Command rerun_command();
Command finalists_command();
Command proxies_command();
Command copy_command();
Command merge_command();
Command report_command();
Command serve_command();
Command show_command();
Command plot_command();
Command export_command();
Command operators_command();
Command recipes_command();
Command spaces_command();
Command data_command();
Command bench_command();
Command completion_command();
Command help_command();

inline constexpr const char* kDefaultSearchRecipe = "vgg16-slim";
inline constexpr const char* kDefaultRerunRecipe = "vgg16-bn";

}  // namespace actsearch
