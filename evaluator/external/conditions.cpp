#include "evaluator/external/conditions.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace actsearch {
namespace {

using Json = nlohmann::json;

std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace); }

std::string number(double value) {
  char digits[32];
  return {digits, std::to_chars(std::begin(digits), std::end(digits), value).ptr};
}

/// Reads the line's parts one after the other.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  bool skip(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string word() {
    const std::string_view found = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(found.size());
    return std::string(found);
  }
  /// A JSON string: up to the quote that no backslash precedes.
  std::optional<std::string> string() {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return std::nullopt;
    const Json json = Json::parse(rest_.substr(0, end + 1), nullptr, /*allow_exceptions=*/false);
    if (!json.is_string()) return std::nullopt;
    rest_.remove_prefix(end + 1);
    return json.get<std::string>();
  }
  template <class Number>
  bool number(Number* value) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), *value);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace

std::string to_text(const ExternalConditions& conditions) {
  return std::string(kExternalRecipe) + " epochs=" + std::to_string(conditions.epochs) + (conditions.fresh ? " fresh" : "") +
         " metric=" + quoted(conditions.metric) + " goal=" + (conditions.minimize ? "minimize" : "maximize") +
         " range=" + number(conditions.lowest) + "," + number(conditions.highest) + " target=" + conditions.target +
         " version=" + quoted(conditions.version) + " command=" + quoted(conditions.command);
}

std::optional<ExternalConditions> read_external_conditions(std::string_view text) {
  ExternalConditions read;
  Parts parts(text);
  if (!parts.skip(kExternalRecipe) || !parts.skip(" epochs=") || !parts.number(&read.epochs)) return std::nullopt;
  read.fresh = parts.skip(" fresh");
  if (!parts.skip(" metric=")) return std::nullopt;
  auto metric = parts.string();
  if (!metric || !parts.skip(" goal=")) return std::nullopt;
  read.metric = std::move(*metric);
  read.minimize = parts.word() == "minimize";
  if (!parts.skip(" range=") || !parts.number(&read.lowest) || !parts.skip(",") || !parts.number(&read.highest)) return std::nullopt;
  if (!parts.skip(" target=")) return std::nullopt;
  read.target = parts.word();
  if (!parts.skip(" version=")) return std::nullopt;
  auto version = parts.string();
  if (!version || !parts.skip(" command=")) return std::nullopt;
  auto command = parts.string();
  if (!command || !parts.done()) return std::nullopt;
  read.version = std::move(*version);
  read.command = std::move(*command);
  return read;
}

}  // namespace actsearch
