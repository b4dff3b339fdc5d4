/// What a training script says on its standard output: lines of JSON, among others that are not for us.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace actsearch {

/// One line of a script. Every field may be missing. A number that is no finite one (NaN, Infinity, null) is a NaN.
struct Answer {
  std::optional<int> epoch;  ///< the epoch that has ended, from 1
  std::optional<double> train_loss, train_accuracy, validation_loss, accuracy;
  std::optional<double> score;    ///< under the key of the metric
  std::optional<long long> seed;  ///< whose answer it is, where the script says so
  std::optional<std::string> formula;
};

/// Reads a line. Absent where it is not for us: no JSON object, or one with neither an epoch nor the metric.
std::optional<Answer> read_answer(std::string_view line, const std::string& metric);

}  // namespace actsearch
