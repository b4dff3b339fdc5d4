/// Regularised evolution: the best of a few drawn from a population is changed a little, and the oldest member leaves (E. Real, A.
/// Aggarwal, Y. Huang and Q. V. Le, "Regularized Evolution for Image Classifier Architecture Search", 2019).
#pragma once

#include <deque>
#include <random>

#include "search/strategies/strategy.h"

namespace actsearch {

struct EvolutionOptions {
  std::size_t population = 64;
  std::size_t tournament = 16;  ///< members drawn, of which the best is the parent
  double crossover = 0.2;       ///< probability of a second parent, whose units are mixed with the first's
};

class Evolution : public Strategy {
 public:
  Evolution(const Space& space, std::uint64_t seed, const EvolutionOptions& options = {});
  std::optional<std::uint64_t> propose() override;
  void observe(std::uint64_t place, std::optional<double> score) override;
  bool learns() const override { return true; }

  using Genome = std::vector<std::size_t>;  ///< Space::choices
  // The changes, for tests; each returns another genome of the space.
  Genome change_point(Genome genome);              ///< one choice
  Genome change_subtree(Genome genome);            ///< an argument (operator and input), or a whole unit
  Genome insert_unit(Genome genome);               ///< a random unit somewhere; the last one drops out
  Genome delete_unit(Genome genome);               ///< those after it move up; a random one ends it
  Genome cross(const Genome& a, const Genome& b);  ///< each unit from one of them

 private:
  struct Member {
    Genome genome;
    double fitness = 0;
  };
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  std::size_t units() const { return space_.radices().size() / Space::kChoicesPerUnit; }
  void redraw(Genome& genome, std::size_t choice) { genome[choice] = below(space_.radices()[choice]); }
  /// Inputs that no longer exist become x.
  Genome repaired(Genome genome) const;
  Genome mutated(Genome genome);
  const Member& tournament();

  const Space& space_;
  const EvolutionOptions options_;
  std::mt19937_64 random_;
  std::deque<Member> population_;  ///< the oldest first
};

}  // namespace actsearch
