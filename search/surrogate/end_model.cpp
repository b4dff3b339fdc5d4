#include "search/surrogate/end_model.h"

#include <cmath>
#include <stdexcept>

#include "search/surrogate/curve_features.h"

namespace actsearch {
namespace {

std::size_t width_of(const EarlyTrial& trial) { return curve_feature_names().size() + trial.losses.size(); }

void append(const EarlyTrial& trial, std::vector<double>& row) {
  const std::size_t features = row.size() + curve_feature_names().size();
  row.insert(row.end(), trial.features.begin(), trial.features.end());
  row.resize(features, 0.0);
  for (const double loss : trial.losses) row.push_back(std::asinh(loss));
}

ExtraTrees learned(std::span<const EarlyTrial> ended, std::span<const double> scores, std::uint64_t seed) {
  if (ended.empty()) throw std::invalid_argument("EndModel: there is no trial to learn from");
  std::vector<double> rows;
  for (const EarlyTrial& trial : ended) append(trial, rows);
  return {rows, width_of(ended.front()), scores, seed, {.trees = 60, .tried = 0, .least_leaf = 2}};
}

}  // namespace

EndModel::EndModel(std::span<const EarlyTrial> ended, std::span<const double> scores, std::uint64_t seed)
    : trees_(learned(ended, scores, seed)) {}

double EndModel::predict(const EarlyTrial& trial) const {
  std::vector<double> row;
  append(trial, row);
  return trees_.predict(row).mean;
}

}  // namespace actsearch
