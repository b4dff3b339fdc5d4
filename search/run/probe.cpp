#include "search/run/probe.h"

#include <algorithm>
#include <iostream>

#include "evaluator/cpu/throughput.h"
#include "evaluator/network/plan.h"
#include "grammar/notation.h"
#include "search/run/budget.h"

namespace actsearch {

SpeedProbe::SpeedProbe(Precision precision) {
  constexpr int kFewImages = 32;
  Recipe recipe = find_recipe("vgg-s");
  recipe.batch = kFewImages;
  const double images_per_second = training_throughput(recipe, lower(parse("relu")), precision, 1, 0);
  flop_per_second_ = images_per_second * static_cast<double>(forward_flop(recipe.network));
}

std::chrono::duration<double> SpeedProbe::measurement(const Recipe& recipe, int threads, double seconds) const {
  const double step = recipe.batch * static_cast<double>(forward_flop(recipe.network)) / (flop_per_second_ * threads);
  return std::chrono::duration<double>(step + std::max(seconds, 3 * step));
}

void say_duration(std::chrono::duration<double> duration) {
  std::cerr << "this takes about " << format_duration(duration) << " here; Ctrl-C ends it\n";
}

}  // namespace actsearch
