/// A command line with places for what differs between trials.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace actsearch {

/// What takes the place of each placeholder in one call of the command.
using PlaceholderValues = std::vector<std::pair<std::string_view, std::string>>;

/// A shell command with placeholders: {module}, {formula}, {seed}, {epochs}, {state}, {gpu}. A value is quoted for the shell, so a
/// placeholder stands outside of quotes. `{{` and `}}` are braces of the command's own; "${HOME}" stays as it is.
class CommandTemplate {
 public:
  /// std::invalid_argument for an empty command, and for a word in braces that is no placeholder.
  explicit CommandTemplate(std::string text);

  /// Whether the placeholder (its name alone: "epochs") occurs.
  bool uses(std::string_view name) const;
  /// The command for /bin/sh. std::invalid_argument where a placeholder has no value.
  std::string filled(const PlaceholderValues& values) const;

  const std::string& text() const { return text_; }

 private:
  struct Part {
    std::string text;
    bool placeholder = false;
  };
  std::string text_;
  std::vector<Part> parts_;
};

/// One word for the shell, whatever the text holds: in single quotes.
std::string shell_quoted(std::string_view text);

}  // namespace actsearch
