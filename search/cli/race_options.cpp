#include "search/cli/race_options.h"

#include <string>

namespace actsearch {
namespace {

constexpr const char* kPromoteBy = "promote-by";
const Names kPromotions{"prediction", "loss"};

}  // namespace

void declare_race(Options& options) {
  options.value("eta", "F",
                "the best 1/F of those that reach a rung go on [" + exact(usual_eta(PromoteBy::kPrediction)) + ", by loss " +
                    exact(usual_eta(PromoteBy::kLoss)) + "]");
  options.value(kPromoteBy, "P",
                "what decides at a rung. prediction: the score at the end, which a model expects from losses and curve, once " +
                    std::to_string(kEndsToLearnFrom) +
                    " trials have ended. loss: the training loss there [prediction; a race that began by loss goes on so]",
                kPromotions);
}

bool races(const Options& options) {
  if (options.has("racing")) return true;
  if (options.has("rungs") || options.has("eta") || options.has(kPromoteBy)) {
    throw UsageError("--rungs, --eta and --promote-by belong to --racing");
  }
  return false;
}

RaceChoice chosen_race_choice(const Options& options) {
  RaceChoice choice;
  if (const auto eta = options.numbers("eta")) {
    if (eta->size() != 1 || !(eta->front() > 1) || eta->front() > 1e6) {
      throw UsageError("--eta is a number above 1, not '" + *options.text("eta") + "'");
    }
    choice.eta = eta->front();
  }
  if (options.has(kPromoteBy)) choice.promote_by = promotion_of(options.choice(kPromoteBy));
  return choice;
}

}  // namespace actsearch
