#include "evaluator/external/command_template.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace actsearch {
namespace {

constexpr std::array<std::string_view, 6> kPlaceholders{"module", "formula", "seed", "epochs", "state", "gpu"};

std::string all_placeholders() {
  std::string text;
  for (const std::string_view name : kPlaceholders) text.append(text.empty() ? "{" : ", {").append(name).append("}");
  return text;
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

}  // namespace

CommandTemplate::CommandTemplate(std::string text) : text_(std::move(text)) {
  if (text_.find_first_not_of(" \t\n") == std::string::npos) throw std::invalid_argument("the evaluator's command is empty");
  std::string plain;
  for (std::size_t i = 0; i < text_.size(); ++i) {
    const char c = text_[i];
    const bool twice = i + 1 < text_.size() && text_[i + 1] == c;
    if ((c == '{' || c == '}') && twice) {
      plain += c;
      ++i;
      continue;
    }
    const std::size_t end = c == '{' && (i == 0 || text_[i - 1] != '$') ? text_.find('}', i) : std::string::npos;
    const std::string name = end == std::string::npos ? "" : text_.substr(i + 1, end - i - 1);
    if (!is_word(name)) {
      plain += c;
      continue;
    }
    if (std::find(kPlaceholders.begin(), kPlaceholders.end(), name) == kPlaceholders.end()) {
      throw std::invalid_argument("the evaluator's command has {" + name + "}, which is no placeholder: there are " + all_placeholders() +
                                  "; {{" + name + "}} stands for the text itself");
    }
    parts_.push_back({std::exchange(plain, {}), false});
    parts_.push_back({name, true});
    i = end;
  }
  parts_.push_back({plain, false});
}

bool CommandTemplate::uses(std::string_view name) const {
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) { return part.placeholder && part.text == name; });
}

std::string CommandTemplate::filled(const PlaceholderValues& values) const {
  std::string command;
  for (const Part& part : parts_) {
    if (!part.placeholder) {
      command += part.text;
      continue;
    }
    const auto found = std::find_if(values.begin(), values.end(), [&](const auto& value) { return value.first == part.text; });
    if (found == values.end()) throw std::invalid_argument("the evaluator's command has {" + part.text + "}, and there is no value for it");
    command += shell_quoted(found->second);
  }
  return command;
}

std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace actsearch
