/// What the programs of this folder that read a database share: their arguments, and how they end.
#pragma once

#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace actsearch::bench {

struct Arguments {
  std::string file;
  std::map<std::string, std::string> flags;
};

/// FILE.db [--flag value]…: the file, and `flags` with the values that the words give them. std::invalid_argument for anything else.
inline Arguments read_arguments(const std::vector<std::string>& words, std::map<std::string, std::string> flags) {
  if (words.empty() || words.size() % 2 == 0) throw std::invalid_argument("FILE.db [--flag value]… is expected");
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const auto flag = flags.find(words[i]);
    if (flag == flags.end()) throw std::invalid_argument("no flag " + words[i]);
    flag->second = words[i + 1];
  }
  return {words.front(), std::move(flags)};
}

/// The exit code of main: run's, which takes the words behind the program's name. Where it throws, the message is printed, and the code is
/// 2 for misuse and 1 for anything else.
template <class Run>
int run_program(const char* name, int argc, char** argv, Run run) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::invalid_argument& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace actsearch::bench
