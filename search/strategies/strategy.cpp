#include "search/strategies/strategy.h"

#include <random>
#include <stdexcept>
#include <string>
#include <unordered_set>

#include "grammar/nearest.h"
#include "search/strategies/evolution.h"
#include "search/strategies/ppo.h"

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

}  // namespace

void Strategy::observe(std::uint64_t /*place*/, std::optional<double> /*accuracy*/) {}

const std::vector<std::string_view>& strategy_names() {
  static const std::vector<std::string_view> names{"random", "exhaustive", "evolution", "ppo"};
  return names;
}

std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, std::uint64_t seed) {
  if (name == "exhaustive") return std::make_unique<Exhaustive>(space, seed);
  if (name == "random") return std::make_unique<Random>(space, seed);
  if (name == "evolution") return std::make_unique<Evolution>(space, seed);
  if (name == "ppo") return std::make_unique<Ppo>(space, seed);
  throw std::invalid_argument("no strategy '" + shortened(name) + "'" + did_you_mean(name, strategy_names()) +
                              "; known are random, exhaustive, evolution, ppo");
}

}  // namespace actsearch
