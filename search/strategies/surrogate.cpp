#include "search/strategies/surrogate.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "grammar/candidate.h"
#include "grammar/hash.h"
#include "search/strategies/evolution.h"
#include "search/surrogate/curve_features.h"

namespace actsearch {
namespace {

/// Draws that find nothing new before a large space counts as exhausted.
constexpr int kMostDraws = 20'000;

/// A number of its own for each purpose and count.
std::uint64_t derived(std::uint64_t seed, std::uint64_t purpose, std::uint64_t count) {
  return mixed(mixed(seed + kGoldenGamma * (purpose + 1)) + count);
}
enum Purpose : std::uint64_t { kOrder, kShare, kDraw, kScores, kFailures, kChanges };

double as_share(std::uint64_t random) { return static_cast<double>(random >> 11u) * 0x1p-53; }

}  // namespace

Surrogate::Surrogate(const Space& space, std::uint64_t seed, const SurrogateOptions& options)
    : space_(space), seed_(seed), options_(options), order_(space.size(), derived(seed, kOrder, 0)) {
  const std::uint64_t looked_at = std::min<std::uint64_t>(order_.size(), kMostDraws);
  for (std::uint64_t i = 0; i < looked_at; ++i) {
    if (function_at(order_(i))) return;
  }
  throw std::invalid_argument("the strategy surrogate learns from the curves of functions, and no function of " + space.name() +
                              " with these operators has a finite one" +
                              (looked_at < order_.size() ? " (" + std::to_string(looked_at) + " were looked at)" : "") +
                              "; choose other operators");
}

std::optional<Surrogate::FunctionId> Surrogate::function_at(std::uint64_t place) {
  const auto [at, fresh] = at_.try_emplace(place);
  if (!fresh) return at->second;
  const auto considered = consider(space_.at(place));
  const auto* const candidate = std::get_if<Candidate>(&considered);
  if (!candidate) return std::nullopt;
  if (const auto met = by_fingerprint_.find(candidate->fingerprint); met != by_fingerprint_.end()) return at->second = met->second;
  auto features = curve_features(candidate->program);
  if (!features) return std::nullopt;
  at->second = by_fingerprint_[candidate->fingerprint] = functions_.size();
  functions_.push_back({candidate->fingerprint, std::move(*features), false, false});
  return at->second;
}

void Surrogate::note_known(FunctionId function) {
  known_ += functions_[function].known ? 0 : 1;
  functions_[function].known = true;
}

void Surrogate::observe(std::uint64_t place, std::optional<double> accuracy) {
  const auto function = function_at(place);
  if (!function || functions_[*function].observed) return;
  note_known(*function);
  functions_[*function].observed = true;
  observed_.push_back({*function, place, accuracy});
}

std::optional<std::uint64_t> Surrogate::propose() {
  const bool random = observed_.size() < options_.first || as_share(derived(seed_, kShare, known_)) < options_.random_share;
  auto sight = random ? random_function() : best_function();
  if (!sight && !random) sight = random_function();  // the window is empty, which need not be all
  if (!sight) return std::nullopt;
  note_known(sight->function);
  return sight->place;
}

std::optional<Surrogate::Sight> Surrogate::unknown_at(std::uint64_t place) {
  const auto function = function_at(place);
  return function && !functions_[*function].known ? std::optional(Sight{*function, place}) : std::nullopt;
}

std::optional<Surrogate::Sight> Surrogate::random_function() {
  for (std::uint64_t draw = 0; draw < kMostDraws; ++draw) {
    if (auto sight = unknown_at(space_.sample(derived(seed_, kDraw, derived(known_, kDraw, draw))))) return sight;
  }
  for (std::uint64_t i = 0; small() && i < order_.size(); ++i) {
    if (auto sight = unknown_at(order_(i))) return sight;
  }
  return std::nullopt;
}

std::optional<Surrogate::Sight> Surrogate::best_function() {
  if (const std::size_t count = fitted_observations(observed_.size()); count != rated_for_) rate(count);
  while (!rated_.empty()) {
    const Rated best = rated_.back();
    rated_.pop_back();
    if (functions_[best.sight.function].known) continue;
    expected_[best.sight.place] = best.expected;
    return best.sight;
  }
  return std::nullopt;
}

std::vector<Surrogate::Sight> Surrogate::within_sight(std::size_t count) {
  std::vector<Sight> seen;
  std::unordered_set<FunctionId> met;
  const auto look = [&](std::uint64_t place) {
    const auto function = function_at(place);
    if (function && met.insert(*function).second) seen.push_back({*function, place});
  };
  const std::uint64_t size = order_.size(), first = small() ? 0 : count * options_.window_step % size;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(size, options_.window); ++i) look(order_((first + i) % size));
  if (small()) return seen;
  std::vector<Observed> best;
  std::copy_if(observed_.begin(), observed_.begin() + static_cast<std::ptrdiff_t>(count), std::back_inserter(best),
               [](const Observed& one) { return one.accuracy.has_value(); });
  const auto parents = std::min(best.size(), options_.parents);
  std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(parents), best.end(),
                    [](const Observed& a, const Observed& b) { return std::pair(*b.accuracy, a.place) < std::pair(*a.accuracy, b.place); });
  Evolution changes(space_, derived(seed_, kChanges, count));
  for (std::size_t i = 0; i < parents; ++i) {
    const auto genome = space_.choices(best[i].place);
    for (std::size_t child = 0; child < options_.children; ++child) {
      look(space_.index_of(child % 4 == 3 ? changes.change_subtree(genome) : changes.change_point(genome)));
    }
  }
  return seen;
}

void Surrogate::rate(std::size_t count) {
  rated_for_ = count;
  rated_.clear();
  std::vector<double> rows, all_rows, accuracies, failures;
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<double>& features = functions_[observed_[i].function].features;
    all_rows.insert(all_rows.end(), features.begin(), features.end());
    failures.push_back(observed_[i].accuracy ? 0 : 1);
    if (!observed_[i].accuracy) continue;
    rows.insert(rows.end(), features.begin(), features.end());
    accuracies.push_back(*observed_[i].accuracy);
  }
  const std::size_t width = curve_feature_names().size();
  const ExtraTrees fails(all_rows, width, failures, derived(seed_, kFailures, count), options_.trees);
  const auto scores = accuracies.empty() ? std::nullopt
                                         : std::optional<ExtraTrees>(std::in_place, rows, width, accuracies, derived(seed_, kScores, count),
                                                                     options_.trees);
  const double worst = accuracies.empty() ? 0 : *std::min_element(accuracies.begin(), accuracies.end());
  for (const Sight& sight : within_sight(count)) {
    const std::vector<double>& features = functions_[sight.function].features;
    const TreePrediction score = scores ? scores->predict(features) : TreePrediction{};
    const Expectation expected{score.mean, score.deviation, fails.predict(features).mean};
    const double hoped = expected.accuracy + options_.bound * expected.deviation;
    rated_.push_back({scores ? (1 - expected.failure) * hoped + expected.failure * worst : -expected.failure, sight, expected});
  }
  std::stable_sort(rated_.begin(), rated_.end(), [](const Rated& a, const Rated& b) { return a.rating < b.rating; });
}

std::optional<Expectation> Surrogate::expected(std::uint64_t place) const {
  const auto found = expected_.find(place);
  return found == expected_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace actsearch
