#include "evaluator/external/answers.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace actsearch {
namespace {

using Json = nlohmann::json;

/// Python writes NaN, Infinity and -Infinity, which JSON does not have: null in their place, outside of strings.
std::string without_special_numbers(std::string_view line) {
  std::string text;
  bool in_string = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_string && c == '\\' && i + 1 < line.size()) {
      text.append(line.substr(i++, 2));
      continue;
    }
    if (c == '"') in_string = !in_string;
    std::size_t special = 0;
    for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
      if (!in_string && special == 0 && line.substr(i).starts_with(word)) special = word.size();
    }
    if (special > 0) {
      text += "null";
      i += special - 1;
    } else {
      text += c;
    }
  }
  return text;
}

/// The number under a key. Absent where there is none of the kind.
std::optional<double> number(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  if (found->is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  return std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::optional<Answer> read_answer(std::string_view line, const std::string& metric) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos || line[first] != '{') return std::nullopt;
  const Json object = Json::parse(without_special_numbers(line.substr(first)), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  Answer answer;
  if (const auto epoch = object.find("epoch"); epoch != object.end() && epoch->is_number_integer()) {
    const auto value = epoch->get<std::int64_t>();
    constexpr std::int64_t kMost = 1'000'000'000;
    answer.epoch = static_cast<int>(std::clamp<std::int64_t>(value, -1, kMost));
  }
  answer.score = number(object, metric);
  if (!answer.epoch && !answer.score) return std::nullopt;
  answer.train_loss = number(object, "train_loss");
  answer.train_accuracy = number(object, "train_accuracy");
  answer.validation_loss = number(object, "validation_loss");
  answer.accuracy = number(object, "accuracy");
  if (const auto seed = object.find("seed"); seed != object.end() && seed->is_number_integer()) answer.seed = seed->get<long long>();
  if (const auto formula = object.find("formula"); formula != object.end() && formula->is_string())
    answer.formula = formula->get<std::string>();
  return answer;
}

}  // namespace actsearch
