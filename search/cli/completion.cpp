#include "search/cli/completion.h"

#include <algorithm>
#include <set>

namespace actsearch {
namespace {

/// The first clause of a help text.
std::string in_short(const std::string& help) {
  std::size_t end = help.size();
  for (const char* mark : {". ", "; ", ": ", " (", " ["}) end = std::min(end, help.find(mark));
  return help.substr(0, end);
}

/// Adds a word if it begins as typed.
void offer(std::string text, const std::string& help, const std::string& typed, Completion* completion) {
  if (text.starts_with(typed)) completion->words.push_back({std::move(text), help});
}

void offer_commands(const std::string& typed, Completion* completion) {
  for (const Command& command : commands()) offer(std::string(command.name), std::string(command.summary), typed, completion);
}

/// The values of a flag or argument. `begin` is what of the typed word comes before its value.
void offer_values(const Options::Declared& declared, const std::string& begin, const std::string& typed, Completion* completion) {
  std::string before = begin;
  if (declared.placeholder.ends_with(",...")) before = typed.substr(0, std::max(begin.size(), typed.rfind(',') + 1));
  const std::string listed = "," + before.substr(begin.size());  // ",a,b,"
  for (const std::string_view name : declared.known) {
    if (listed.find("," + std::string(name) + ",") == std::string::npos) offer(before + std::string(name), "", typed, completion);
  }
  if (declared.placeholder == "FILE") completion->paths = Completion::Paths::kFiles;
  if (declared.placeholder == "DIR") completion->paths = Completion::Paths::kDirectories;
}

/// The flag that a word such as --db or --db=first.db names; null where it names none.
const Options::Declared* flag_of(const Options& options, const std::string& word) {
  if (!word.starts_with("--")) return nullptr;
  const std::string name = word.substr(2, word.find('=') - 2);
  const auto found =
      std::find_if(options.flags().begin(), options.flags().end(), [&](const Options::Declared& flag) { return flag.name == name; });
  return found == options.flags().end() ? nullptr : &*found;
}

/// Behind a command's name.
Completion complete_command(const Options& options, const Words& typed) {
  Completion completion;
  const std::string& last = typed.back();
  std::set<std::string> given;
  const Options::Declared* waiting = nullptr;  // the flag whose value comes next
  for (std::size_t i = 0; i + 1 < typed.size(); ++i) {
    const Options::Declared* flag = waiting == nullptr ? flag_of(options, typed[i]) : nullptr;
    if (flag != nullptr && !flag->repeats) given.insert(flag->name);
    waiting = flag != nullptr && !flag->placeholder.empty() && typed[i].find('=') == std::string::npos ? flag : nullptr;
  }
  if (waiting != nullptr) {
    offer_values(*waiting, "", last, &completion);
  } else if (const auto equals = last.find('='); last.starts_with("--") && equals != std::string::npos) {
    const Options::Declared* flag = flag_of(options, last);
    if (flag != nullptr && !flag->placeholder.empty()) offer_values(*flag, last.substr(0, equals + 1), last, &completion);
  } else if (last.starts_with("-") || !options.arguments()) {
    for (const Options::Declared& flag : options.flags()) {
      if (!given.contains(flag.name)) offer("--" + flag.name, in_short(flag.help), last, &completion);
    }
  } else {
    offer_values(*options.arguments(), "", last, &completion);
  }
  return completion;
}

}  // namespace

Completion complete(const Words& typed) {
  Completion completion;
  if (typed.empty()) return completion;
  if (typed.size() == 1) {
    offer_commands(typed.front(), &completion);
    offer("--help", "what the commands are", typed.front(), &completion);
    offer("--version", "what was built", typed.front(), &completion);
    return completion;
  }
  const auto command =
      std::find_if(commands().begin(), commands().end(), [&](const Command& known) { return known.name == typed.front(); });
  return command == commands().end() ? completion : complete_command(command->declared(), {typed.begin() + 1, typed.end()});
}

std::string to_text(const Completion& completion) {
  std::string text;
  for (const Completion::Word& word : completion.words) text.append(word.text).append("\t").append(word.help).append("\n");
  switch (completion.paths) {
    case Completion::Paths::kNone:
      return text;
    case Completion::Paths::kFiles:
      return text + ":files\n";
    case Completion::Paths::kDirectories:
      return text + ":directories\n";
  }
  throw std::logic_error("to_text: no such paths");
}

}  // namespace actsearch
