#include "search/cli/command.h"

#include <algorithm>

#include "grammar/nearest.h"
#include "search/text/format.h"

namespace actsearch {

const std::vector<Command>& commands() {
  static const std::vector<Command> all{
      search_command(),    ask_command(),     tell_command(),       leaderboard_command(), query_command(),   rerun_command(),
      finalists_command(), proxies_command(), copy_command(),       merge_command(),       report_command(),  serve_command(),
      show_command(),      plot_command(),    export_command(),     operators_command(),   recipes_command(), spaces_command(),
      data_command(),      bench_command(),   completion_command(), help_command()};
  return all;
}

const Command& find_command(const std::string& name) {
  const auto found = std::find_if(commands().begin(), commands().end(), [&](const Command& command) { return command.name == name; });
  if (found != commands().end()) return *found;
  throw UsageError("no command '" + shortened(name) + "'" + did_you_mean(name, names_of(commands())) + "; actsearch --help lists them");
}

}  // namespace actsearch
