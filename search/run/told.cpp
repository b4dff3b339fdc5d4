#include "search/run/told.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "db/reads.h"
#include "grammar/nearest.h"

namespace actsearch {
namespace {

const std::string kBegin = std::string(kToldRecipe) + " epochs=";
constexpr std::string_view kWords = " metric=score conditions=";

/// A whole number above 0; absent where the text is none.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

}  // namespace

std::string to_text(const ToldConditions& conditions) {
  if (conditions.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw std::invalid_argument("the conditions are empty: say what the trials train, such as 'resnet20 on my data, train.py v3'");
  }
  if (conditions.text.size() > kLongestConditions) {
    throw std::invalid_argument("the conditions have " + std::to_string(conditions.text.size()) + " bytes; at most " +
                                std::to_string(kLongestConditions) + " are kept");
  }
  if (conditions.epochs < 1) throw std::invalid_argument("a trial has at least one epoch");
  const std::string quoted = nlohmann::json(conditions.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return kBegin + std::to_string(conditions.epochs) + std::string(kWords) + quoted;
}

std::optional<ToldConditions> read_told(std::string_view recipe_text) {
  if (!recipe_text.starts_with(kBegin)) return std::nullopt;
  recipe_text.remove_prefix(kBegin.size());
  const std::size_t words = recipe_text.find(kWords);
  if (words == std::string_view::npos) return std::nullopt;
  const auto epochs = number_of<int>(recipe_text.substr(0, words));
  const auto quoted = nlohmann::json::parse(recipe_text.substr(words + kWords.size()), nullptr, /*allow_exceptions=*/false);
  if (!epochs || !quoted.is_string()) return std::nullopt;
  return ToldConditions{quoted.get<std::string>(), *epochs};
}

std::string note_on_epochs(const Store& database, const ToldConditions& conditions) {
  std::optional<int> other;
  for (const StoredRecipe& recipe : database.reads().recipes()) {
    const auto known = read_told(recipe.text);
    if (!known || known->text != conditions.text) continue;
    if (known->epochs == conditions.epochs) return "";
    other = known->epochs;
  }
  if (!other) return "";
  return "note: the file has these conditions with --epochs " + std::to_string(*other) + ", and with --epochs " +
         std::to_string(conditions.epochs) + " they are ranked separately";
}

std::string ticket_text(const Claim& ticket) {
  return std::to_string(ticket.trial) + (ticket.attempt == 1 ? "" : "." + std::to_string(ticket.attempt));
}

Claim read_ticket(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto trial = number_of<Id>(text.substr(0, dot));
  const auto attempt = dot == std::string_view::npos ? std::optional(1) : number_of<int>(text.substr(dot + 1));
  if (!trial || !attempt) {
    throw std::invalid_argument("a trial as `ask` names it is expected, such as 17 or 17.2, not '" + shortened(text) + "'");
  }
  return {*trial, *attempt};
}

}  // namespace actsearch
