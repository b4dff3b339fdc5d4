#include "search/run/told.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "db/reads.h"
#include "grammar/nearest.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

const std::string kBegin = std::string(kToldRecipe) + " epochs=";
constexpr std::string_view kMetric = " metric=", kGoal = " goal=", kRange = " range=", kWords = " conditions=";
constexpr std::string_view kMinimize = "minimize", kMaximize = "maximize";

/// A whole number above 0; absent where the text is none.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

/// Takes ` key=` and the word behind it from the front of the text; absent where something else stands there.
std::optional<std::string_view> take(std::string_view* text, std::string_view key) {
  if (!text->starts_with(key)) return std::nullopt;
  const std::string_view word = text->substr(key.size(), text->find(' ', key.size()) - key.size());
  text->remove_prefix(key.size() + word.size());
  return word;
}

bool read_range(std::string_view text, ToldConditions* conditions) {
  const char* const end = text.data() + text.size();
  const auto [comma, error] = std::from_chars(text.data(), end, conditions->lowest);
  if (error != std::errc() || comma == end || *comma != ',') return false;
  const auto [after, wrong] = std::from_chars(comma + 1, end, conditions->highest);
  return wrong == std::errc() && after == end;
}

bool is_word(const std::string& text) {
  return !text.empty() && text.size() <= kLongestMetric &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// How scores are told, as flags of ask: "--metric score", "--metric loss --minimize --score-range 0,inf".
std::string flags_text(const ToldConditions& conditions) {
  return "--metric " + conditions.metric + (conditions.minimize ? " --minimize" : "") +
         (conditions.share() ? "" : " --score-range " + exact(conditions.lowest) + "," + exact(conditions.highest));
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
  if (!is_word(conditions.metric)) {
    throw std::invalid_argument("a metric's name is one word of at most " + std::to_string(kLongestMetric) +
                                " letters, digits and signs, such as perplexity, not '" + shortened(conditions.metric) + "'");
  }
  if (!(conditions.lowest < conditions.highest)) {
    throw std::invalid_argument("the range of scores is empty: the lowest is below the highest, such as 0,1 or 0,inf");
  }
  const std::string quoted = nlohmann::json(conditions.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string scale;
  if (!conditions.share()) {
    scale.append(kGoal).append(conditions.minimize ? kMinimize : kMaximize);
    scale.append(kRange).append(exact(conditions.lowest)).append(",").append(exact(conditions.highest));
  }
  return kBegin + std::to_string(conditions.epochs) + std::string(kMetric) + conditions.metric + scale + std::string(kWords) + quoted;
}

std::optional<ToldConditions> read_told(std::string_view recipe_text) {
  ToldConditions read;
  const auto epochs_word = take(&recipe_text, kBegin);
  const auto metric = epochs_word ? take(&recipe_text, kMetric) : std::nullopt;
  if (!metric) return std::nullopt;
  read.metric = *metric;
  if (const auto goal = take(&recipe_text, kGoal)) {
    const auto range = take(&recipe_text, kRange);
    read.minimize = *goal == kMinimize;
    if ((!read.minimize && *goal != kMaximize) || !range || !read_range(*range, &read)) return std::nullopt;
  }
  if (!recipe_text.starts_with(kWords)) return std::nullopt;
  const auto epochs = number_of<int>(*epochs_word);
  const auto quoted = nlohmann::json::parse(recipe_text.substr(kWords.size()), nullptr, /*allow_exceptions=*/false);
  if (!epochs || !quoted.is_string()) return std::nullopt;
  read.epochs = *epochs;
  read.text = quoted.get<std::string>();
  return read;
}

std::string note_on_epochs(const Store& database, const ToldConditions& conditions) {
  std::optional<ToldConditions> other;
  for (const StoredRecipe& recipe : database.reads().recipes()) {
    const auto known = read_told(recipe.text);
    if (!known || known->text != conditions.text) continue;
    if (*known == conditions) return "";
    other = known;
  }
  if (!other) return "";
  const bool epochs = other->epochs != conditions.epochs;
  const auto flags = [&](const ToldConditions& told) { return epochs ? "--epochs " + std::to_string(told.epochs) : flags_text(told); };
  return "note: the file has these conditions with " + flags(*other) + ", and with " + flags(conditions) + " they are ranked separately";
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
