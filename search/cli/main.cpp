// actsearch: finds the command and turns what it throws into a message and an exit code.

#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>

#include "evaluator/data/file_advice.h"
#include "search/cli/command.h"
#include "search/cli/completion.h"
#include "search/cli/interrupt.h"
#include "search/cli/manual.h"
#include "search/cli/options.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2 };

void print_version() {
  std::cout << "actsearch " << program_version() << " (commit " << program_commit() << ")\n"
            << "built for:  " << built_instruction_sets() << '\n'
            << "processor:  " << processor_model() << ", with " << processor_instruction_sets() << '\n';
}

int dispatch(const Words& words) {
  if (words.empty()) throw UsageError("a command is expected; actsearch --help lists them");
  const std::string& first = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (first == "--help" || first == "-h") {
    std::cout << overview();
  } else if (first == "--version") {
    print_version();
  } else if (first == kCompletionQuestion) {
    std::cout << to_text(complete(rest));
  } else {
    const Command& command = find_command(first);
    Options options = command.declared();
    if (options.parse(rest)) return command.run(options);
  }
  return kSuccess;
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
