#include "search/run/known_spread.h"

#include "search/run/study.h"
#include "search/text/format.h"

namespace actsearch {

std::optional<SeedSpread> known_spread(const std::string& conditions) {
  for (Recipe recipe : recipes()) {
    recipe.score = score_measure(conditions);
    const auto& measured = recipe.score == ScoreMeasure::kValidationLoss ? recipe.loss_spread : recipe.seed_spread;
    if (!measured) continue;
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      if (!conditions.starts_with(conditions_text(recipe, precision, "CIFAR-10,"))) continue;
      return SeedSpread(measured->deviation, measured->degrees, measured->source);
    }
  }
  return std::nullopt;
}

std::string spread_line(const SeedSpread& spread, const ScoreScale& scale) {
  return "±: half of a 95 % interval; seeds of one function deviate by " + scale.amount(spread.deviation()) +
         (scale.share ? " points (" : " (") + spread.source() + ")";
}

}  // namespace actsearch
