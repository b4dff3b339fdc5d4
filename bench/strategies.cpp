// Strategies replayed on a stored table of real scores: how soon each finds the best, beside random draws.
//
//   strategies FILE.db --unary A,B,… --binary A,B,… [--space core1] [--recipe R] [--replays 100] [--out FILE.svg]
//
// A replay is a search without training: a strategy proposes places of the space, and is told the stored score of the function there
// (absent where its trial failed). As in a search, only a function that it has not met costs a trial; refused formulas cost nothing, and of
// functions that the table does not hold nothing is told. Prints a table; --out draws best-found against trials.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <span>
#include <stdexcept>

#include "bench/program.h"
#include "db/open/open_store.h"
#include "db/statistics.h"
#include "grammar/candidate.h"
#include "search/chart/chart.h"
#include "search/chart/svg.h"
#include "search/strategies/strategy.h"
#include "search/text/format.h"
#include "search/text/output_file.h"

namespace {

using namespace actsearch;

/// What stands at each place of a space: which function, and its score.
struct ScoredSpace {
  struct Place {
    std::optional<std::size_t> function;  ///< absent where it is refused, or not in the table
    std::optional<double> accuracy;       ///< absent where its trial failed
    bool refused = false;
  };
  std::vector<Place> places;
  std::size_t functions = 0, missing = 0;  ///< distinct ones in the table, and not in it
  std::vector<double> sorted;              ///< scores, best first
};

ScoredSpace scored(const Space& space, const Store& database, const std::optional<std::string>& recipe) {
  const auto ranked = database.ranked_recipe(recipe);
  if (!ranked) throw std::runtime_error("no finished trials");
  std::map<std::string, std::size_t> met;
  std::map<std::string, bool> absent;
  ScoredSpace table;
  std::vector<std::optional<double>> accuracies;
  for (std::uint64_t i = 0; i < space.size(); ++i) {
    ScoredSpace::Place& place = table.places.emplace_back();
    const auto considered = consider(space.at(i));
    const auto* candidate = std::get_if<Candidate>(&considered);
    place.refused = candidate == nullptr;
    if (place.refused) continue;
    const auto [at, fresh] = met.try_emplace(candidate->fingerprint, table.functions);
    if (fresh) {
      const auto score = database.score(candidate->fingerprint, ranked->id);
      if (!score) {
        met.erase(at);
        absent[candidate->fingerprint] = true;
        continue;
      }
      ++table.functions;
      accuracies.push_back(*score);
    }
    place.function = met.at(candidate->fingerprint);
    place.accuracy = accuracies.at(*place.function);
  }
  table.missing = absent.size();
  for (const auto& accuracy : accuracies) {
    if (accuracy) table.sorted.push_back(*accuracy);
  }
  std::sort(table.sorted.rbegin(), table.sorted.rend());
  return table;
}

/// The best score after each trial; as many as the table has functions. A strategy that meets nothing new for long is at its end.
std::vector<double> best_found(std::string_view name, const Space& space, const ScoredSpace& table, std::uint64_t seed) {
  constexpr int kMostInVain = 5'000;  // as in a search
  const auto strategy = make_strategy(name, space, seed);
  std::vector<bool> met(table.functions, false);
  std::vector<double> best;
  for (int in_vain = 0; in_vain < kMostInVain && best.size() < table.functions;) {
    const auto proposed = strategy->propose();
    if (!proposed) break;
    const ScoredSpace::Place& place = table.places.at(*proposed);
    if (place.function || place.refused) strategy->observe(*proposed, place.accuracy);
    ++in_vain;
    if (!place.function || met[*place.function]) continue;
    met[*place.function] = true;
    in_vain = 0;
    best.push_back(std::max(best.empty() ? 0.0 : best.back(), place.accuracy.value_or(0)));
  }
  best.resize(table.functions, best.empty() ? 0.0 : best.back());
  return best;
}

/// All replays of a strategy.
struct Replays {
  std::string name;
  std::vector<std::vector<double>> best;  ///< [replay][trial]
  std::vector<double> at(std::size_t trial) const {
    std::vector<double> values;
    for (const auto& replay : best) values.push_back(replay.at(trial - 1));
    return values;
  }
  /// How many trials it takes to a score, of each replay; the table's size + 1 where it was not reached.
  std::vector<double> trials_to(double score) const {
    std::vector<double> values;
    for (const auto& replay : best) {
      values.push_back(
          1.0 + static_cast<double>(std::find_if(replay.begin(), replay.end(), [&](double b) { return b >= score; }) - replay.begin()));
    }
    return values;
  }
};

std::string text_of(const Mean& mean, double factor, int digits) {
  return fixed(factor * mean.value, digits) + " ± " + fixed(factor * mean.half_width.value_or(0), digits);
}

/// The difference of the means of independent replays.
std::string difference_text(const std::vector<double>& ours, const std::vector<double>& reference) {
  const Mean a = mean_of(ours), b = mean_of(reference);
  const double half_width = std::hypot(a.half_width.value_or(0), b.half_width.value_or(0));
  const double difference = a.value - b.value;
  const std::string verdict = std::abs(difference) <= half_width ? "tie" : difference < 0 ? "sooner" : "later";
  return (difference < 0 ? "" : "+") + fixed(difference, 1) + " ± " + fixed(half_width, 1) + " (" + verdict + ")";
}

void print(const std::vector<Replays>& all, const ScoredSpace& table) {
  const double third = table.sorted.at(std::min<std::size_t>(2, table.sorted.size() - 1));
  Table result;
  result.columns = {"strategy"};
  std::vector<std::size_t> marks;
  for (const std::size_t trials : {5u, 10u, 20u, 40u, 80u, 160u, 320u, 640u}) {
    if (trials < table.functions) marks.push_back(trials), result.columns.push_back("best % after " + std::to_string(trials));
  }
  result.columns.insert(result.columns.end(), {"trials to the best 3", "− random"});
  result.numeric.assign(result.columns.size(), false);
  for (const Replays& replays : all) {
    std::vector<std::optional<std::string>> row{replays.name};
    for (const std::size_t trials : marks) row.push_back(text_of(mean_of(replays.at(trials)), 100, 2));
    row.push_back(text_of(mean_of(replays.trials_to(third)), 1, 1));
    row.push_back(replays.name == "random" ? "" : difference_text(replays.trials_to(third), all.front().trials_to(third)));
    result.rows.push_back(row);
  }
  write_table(std::cout, result);
}

/// Means of best-found against trials; of random draws also what 80 % of replays lie between.
Chart chart_of(const std::vector<Replays>& all, const ScoredSpace& table) {
  // Straight lines from trial to trial.
  const auto between = [](const std::vector<double>& values, double x) {
    const double last = static_cast<double>(values.size());
    const auto before = static_cast<std::size_t>(std::clamp(std::floor(x), 1.0, last));
    const std::size_t after = std::min(before + 1, values.size());
    const double share = std::clamp(x - static_cast<double>(before), 0.0, 1.0);
    return values[before - 1] + share * (values[after - 1] - values[before - 1]);
  };
  Panel panel;
  panel.heading = {{"best validation accuracy found, %"}};
  const std::size_t most = table.functions;
  for (const Replays& replays : all) {
    std::vector<double> means;
    for (std::size_t trial = 1; trial <= most; ++trial) means.push_back(100 * mean_of(replays.at(trial)).value);
    panel.curves.push_back({{{replays.name}}, [=](double x) { return between(means, x); }});
  }
  std::vector<double> low, high;
  for (std::size_t trial = 1; trial <= most; ++trial) {
    std::vector<double> values = all.front().at(trial);
    std::sort(values.begin(), values.end());
    low.push_back(100 * values.at(values.size() / 10));
    high.push_back(100 * values.at(values.size() - 1 - values.size() / 10));
  }
  panel.bands.push_back({{{"random: 80 % of replays"}}, [=](double x) { return Interval{between(low, x), between(high, x)}; }, 0.15});
  panel.y = {100 * table.sorted.at(table.sorted.size() / 4), 100 * table.sorted.front() + 0.2};
  return {.title = {{"Strategies on a table of real scores"}},
          .description = "Mean of the best validation accuracy found against the number of trials, for each strategy.",
          .x = {1, static_cast<double>(most)},
          .panels = {panel},
          .x_name = {{"trials"}}};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  for (std::size_t first = 0; first <= list.size();) {
    const std::size_t comma = std::min(list.find(',', first), list.size());
    items.push_back(list.substr(first, comma - first));
    first = comma + 1;
  }
  return items;
}

int run(const std::vector<std::string>& words) {
  auto [file, flags] = bench::read_arguments(
      words, {{"--space", "core1"}, {"--unary", ""}, {"--binary", ""}, {"--recipe", ""}, {"--replays", "100"}, {"--out", ""}});
  const auto operators = [](const std::string& list) { return list.empty() ? std::nullopt : std::optional(split(list)); };
  const Space space(flags["--space"], operators(flags["--unary"]), operators(flags["--binary"]));
  const auto recipe = flags["--recipe"].empty() ? std::nullopt : std::optional(flags["--recipe"]);
  const int count = std::stoi(flags["--replays"]);
  if (count < 2) throw std::invalid_argument("--replays: at least 2");
  if (space.size() > 1'000'000) throw std::invalid_argument("the space is too large to be scored in full");

  const ScoredSpace table = scored(space, *open_store(file, Store::Access::kReadOnly), recipe);
  if (table.sorted.empty()) throw std::runtime_error("the table has no score of this space");
  std::cout << space.size() << " spellings, " << table.functions << " functions in the table, " << table.functions - table.sorted.size()
            << " of them failed; " << table.missing << " functions are not in it; best " << percent(table.sorted.front()) << " %; " << count
            << " replays, ± 95 % of the mean\n\n";
  std::vector<Replays> all;
  for (const std::string_view name : strategy_names()) {
    Replays& replays = all.emplace_back();
    replays.name = name;
    for (int replay = 0; replay < count; ++replay) {
      replays.best.push_back(best_found(name, space, table, static_cast<std::uint64_t>(replay)));
    }
  }
  print(all, table);
  if (const std::string out = flags["--out"]; !out.empty()) write_file(out, to_svg(draw(chart_of(all, table))), true);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return bench::run_program("strategies", argc, argv, run); }
