#include "search/run/known_spread.h"

#include "search/run/study.h"
#include "search/text/format.h"

namespace actsearch {

std::optional<SeedSpread> known_spread(const std::string& conditions) {
  for (const Recipe& recipe : recipes()) {
    if (!recipe.seed_spread) continue;
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      if (!conditions.starts_with(conditions_text(recipe, precision, "CIFAR-10,"))) continue;
      return SeedSpread(recipe.seed_spread->deviation, recipe.seed_spread->degrees, recipe.seed_spread->source);
    }
  }
  return std::nullopt;
}

std::string spread_line(const SeedSpread& spread, const ScoreScale& scale) {
  return "±: half of a 95 % interval; seeds of one function deviate by " + scale.amount(spread.deviation()) +
         (scale.share ? " points (" : " (") + spread.source() + ")";
}

}  // namespace actsearch
