#include "search/strategies/evolution.h"

#include <algorithm>
#include <limits>

namespace actsearch {

Evolution::Evolution(const Space& space, std::uint64_t seed, const EvolutionOptions& options)
    : space_(space), options_(options), random_(seed) {}

std::optional<std::uint64_t> Evolution::propose() {
  if (population_.size() < options_.population) return space_.sample(random_());
  Genome child = tournament().genome;
  const bool crosses = std::generate_canonical<double, 53>(random_) < options_.crossover;
  if (crosses && units() > 1) child = cross(child, tournament().genome);
  return space_.index_of(mutated(std::move(child)));
}

void Evolution::observe(std::uint64_t place, std::optional<double> score) {
  population_.push_back({space_.choices(place), score.value_or(-std::numeric_limits<double>::infinity())});
  if (population_.size() > options_.population) population_.pop_front();
}

const Evolution::Member& Evolution::tournament() {
  const Member* best = &population_[below(population_.size())];
  for (std::size_t i = 1; i < options_.tournament; ++i) {
    const Member& other = population_[below(population_.size())];
    if (other.fitness > best->fitness) best = &other;
  }
  return *best;
}

Evolution::Genome Evolution::mutated(Genome genome) {
  // Half of the changes are the smallest; inserting and deleting units means something only where there are several.
  const std::size_t kinds = units() > 1 ? 6 : 4;
  switch (below(kinds)) {
    case 3:
      return change_subtree(std::move(genome));
    case 4:
      return insert_unit(std::move(genome));
    case 5:
      return delete_unit(std::move(genome));
    default:
      return change_point(std::move(genome));
  }
}

Evolution::Genome Evolution::change_point(Genome genome) {
  std::vector<std::size_t> changeable;
  for (std::size_t i = 0; i < genome.size(); ++i) {
    if (space_.radices()[i] > 1) changeable.push_back(i);
  }
  if (changeable.empty()) return genome;
  const std::size_t choice = changeable[below(changeable.size())], radix = space_.radices()[choice];
  genome[choice] = (genome[choice] + 1 + below(radix - 1)) % radix;  // another one
  return genome;
}

Evolution::Genome Evolution::change_subtree(Genome genome) {
  const std::size_t first = below(units()) * Space::kChoicesPerUnit;
  const std::size_t part = below(3);  // an argument is two choices; the third part is the whole unit
  const std::size_t begin = part < 2 ? first + 2 * part : first, end = part < 2 ? begin + 2 : first + Space::kChoicesPerUnit;
  for (std::size_t i = begin; i < end; ++i) redraw(genome, i);
  return genome;
}

Evolution::Genome Evolution::repaired(Genome genome) const {
  for (std::size_t i = 0; i < genome.size(); ++i) {
    if (genome[i] >= space_.radices()[i]) genome[i] = 0;
  }
  return genome;
}

Evolution::Genome Evolution::insert_unit(Genome genome) {
  const auto at = static_cast<std::ptrdiff_t>(below(units()) * Space::kChoicesPerUnit);
  genome.insert(genome.begin() + at, Space::kChoicesPerUnit, 0);
  genome.resize(space_.radices().size());
  for (std::size_t i = 0; i < Space::kChoicesPerUnit; ++i) redraw(genome, static_cast<std::size_t>(at) + i);
  return repaired(std::move(genome));
}

Evolution::Genome Evolution::delete_unit(Genome genome) {
  const auto at = static_cast<std::ptrdiff_t>(below(units()) * Space::kChoicesPerUnit);
  genome.erase(genome.begin() + at, genome.begin() + at + static_cast<std::ptrdiff_t>(Space::kChoicesPerUnit));
  genome.resize(space_.radices().size());
  for (std::size_t i = genome.size() - Space::kChoicesPerUnit; i < genome.size(); ++i) redraw(genome, i);
  return repaired(std::move(genome));
}

Evolution::Genome Evolution::cross(const Genome& a, const Genome& b) {
  Genome child = a;
  for (std::size_t unit = 0; unit < units(); ++unit) {
    if (below(2) == 0) continue;
    const auto first = static_cast<std::ptrdiff_t>(unit * Space::kChoicesPerUnit);
    std::copy_n(b.begin() + first, Space::kChoicesPerUnit, child.begin() + first);
  }
  return child;
}

}  // namespace actsearch
