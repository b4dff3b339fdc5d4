#include "search/strategies/strategy.h"

#include <random>
#include <stdexcept>
#include <string>
#include <unordered_set>

#include "grammar/nearest.h"
#include "search/strategies/evolution.h"
#include "search/strategies/ppo.h"
#include "search/strategies/surrogate.h"

namespace actsearch {
namespace {

class Exhaustive : public Strategy {
 public:
  Exhaustive(const Space& space, std::uint64_t seed) : order_(space.size(), seed) {}
  std::optional<std::uint64_t> propose() override {
    if (next_ == order_.size()) return std::nullopt;
    return order_(next_++);
  }

 private:
  SeededPermutation order_;
  std::uint64_t next_ = 0;
};

class Random : public Strategy {
 public:
  Random(const Space& space, std::uint64_t seed) : space_(space), draw_(seed) {}
  std::optional<std::uint64_t> propose() override {
    if (drawn_.size() == space_.size()) return std::nullopt;
    for (;;) {
      const auto [place, fresh] = drawn_.insert(space_.sample(draw_()));
      if (fresh) return *place;
    }
  }

 private:
  const Space& space_;
  std::mt19937_64 draw_;  // the same numbers with every standard library
  std::unordered_set<std::uint64_t> drawn_;
};

template <class Kind>
std::unique_ptr<Strategy> made(const Space& space, std::uint64_t seed) {
  return std::make_unique<Kind>(space, seed);
}

constexpr StrategyInfo kStrategies[] = {
    {"random", "uniform draws without repetition", made<Random>},
    {"exhaustive", "all, in a shuffled order", made<Exhaustive>},
    {"evolution", "changes the best of its last results", made<Evolution>},
    {"ppo", "the paper's controller, which learns from scores", made<Ppo>},
    {"surrogate", "tries what a model of the curves' shapes expects most of", made<Surrogate>, kSurrogateModel},
};

}  // namespace

void Strategy::observe(std::uint64_t /*place*/, std::optional<double> /*score*/) {}

std::optional<Expectation> Strategy::expected(std::uint64_t /*place*/) const { return std::nullopt; }

std::span<const StrategyInfo> strategies() { return kStrategies; }

const std::vector<std::string_view>& strategy_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const StrategyInfo& info : kStrategies) all.push_back(info.name);
    return all;
  }();
  return names;
}

const StrategyInfo& find_strategy(std::string_view name) {
  std::string known;
  for (const StrategyInfo& info : kStrategies) {
    if (info.name == name) return info;
    known.append(known.empty() ? "" : ", ").append(info.name);
  }
  throw std::invalid_argument("no strategy '" + shortened(name) + "'" + did_you_mean(name, strategy_names()) + "; known are " + known);
}

std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, std::uint64_t seed) {
  return find_strategy(name).make(space, seed);
}

}  // namespace actsearch
