// The strategy surrogate replayed on a table of real scores of core1, beside random draws.
//
//   surrogate_replay FILE.db [--replays 100] [--table all] [--threads 2] [--first 0] [--distance 0.3]
//
// A replay is a search without training: a strategy proposes places of the space, and is told what is stored of the function there. Each
// new function costs one trial. Three tables:
//   ended      functions whose trial came to its end, with a score or a failure
//   all        also those that a race stopped early. Their score is not known. It stands for the mean score of the nine scored functions
//              with the most similar training loss at the rung where they stopped. All nine went on from there, so it is rather too high
//   held-out   as all, without the functions whose curves are nearer than `distance` to Swish, by the root mean square difference under
//              x ~ N(0, 1) of curves of mean 0 and variance 1
// --table takes one of them alone; `cost` times proposals in core2 with 2,000 known trials of invented scores. Prints how many trials it
// takes to one of the ten best scores and to eight of them, and how well the model orders functions that it has not learned from.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "bench/program.h"
#include "bench/unit_curve.h"
#include "db/open/open_store.h"
#include "db/statistics.h"
#include "grammar/candidate.h"
#include "grammar/hash.h"
#include "search/strategies/strategy.h"
#include "search/surrogate/curve_features.h"
#include "search/surrogate/extra_trees.h"
#include "search/text/format.h"

namespace {

using namespace actsearch;

enum class Known : std::uint8_t { kScored, kFailed, kStopped };

struct Function {
  std::string formula;
  Known known = Known::kFailed;
  double accuracy = 0;  ///< absent of a failure
  std::vector<double> features, curve;
};

struct Scored {
  std::vector<Function> functions;
  std::vector<std::optional<std::size_t>> at;  ///< by place
};

struct Stored {
  std::string status;
  double accuracy = 0, loss = 0;
  std::string rung;  ///< where it stopped
};

/// Mean score of the nine scored trials whose loss at the rung is the most similar.
double likely_score(const Stored& stopped, const std::vector<std::pair<double, double>>& went_on) {
  auto nearest = went_on;
  std::sort(nearest.begin(), nearest.end(),
            [&](const auto& a, const auto& b) { return std::abs(a.first - stopped.loss) < std::abs(b.first - stopped.loss); });
  nearest.resize(std::min<std::size_t>(nearest.size(), 9));
  double sum = 0;
  for (const auto& [loss, accuracy] : nearest) sum += accuracy;
  return sum / static_cast<double>(nearest.size());
}

std::map<std::string, Stored> stored(const Store& database) {
  const auto ranked = database.ranked_recipe(std::nullopt);
  if (!ranked) throw std::runtime_error("no finished trials");
  const std::string of = " FROM trial t JOIN candidate c ON c.id = t.candidate";
  const std::string where = " WHERE t.seed = 0 AND t.recipe = " + std::to_string(ranked->id);
  const auto queries = database.queries();
  std::map<std::string, std::vector<std::pair<double, double>>> went_on;
  for (const auto& row : queries
                             ->query("SELECT p.epoch || '+' || p.step, p.train_loss, t.validation_accuracy" + of +
                                     " JOIN pause p ON p.trial = t.id" + where + " AND t.status = 'done'")
                             .rows) {
    went_on[*row[0]].emplace_back(std::stod(*row[1]), std::stod(*row[2]));
  }
  std::map<std::string, Stored> all;
  for (const auto& row : queries->query("SELECT c.fingerprint, t.status, coalesce(t.validation_accuracy, 0)" + of + where).rows) {
    all[*row[0]] = {*row[1], std::stod(*row[2]), 0, ""};
  }
  for (const auto& row : queries
                             ->query("SELECT c.fingerprint, p.epoch || '+' || p.step, p.train_loss" + of +
                                     " JOIN pause p ON p.trial = t.id" + where + " AND t.status = 'released' ORDER BY p.epoch, p.step")
                             .rows) {
    all[*row[0]].rung = *row[1];
    all[*row[0]].loss = std::stod(*row[2]);
  }
  for (auto& [fingerprint, one] : all) {
    if (one.status == "released" && went_on.contains(one.rung)) one.accuracy = likely_score(one, went_on.at(one.rung));
  }
  return all;
}

Scored scored(const Space& space, const Store& database) {
  const auto all = stored(database);
  Scored table;
  std::map<std::string, std::size_t> met;
  for (std::uint64_t place = 0; place < space.size(); ++place) {
    table.at.emplace_back();
    const auto considered = consider(space.at(place));
    const auto* const candidate = std::get_if<Candidate>(&considered);
    if (!candidate) continue;
    const auto one = all.find(candidate->fingerprint);
    if (one == all.end() || (one->second.status == "released" && one->second.rung.empty())) continue;
    const auto [at, fresh] = met.try_emplace(candidate->fingerprint, table.functions.size());
    if (fresh) {
      auto features = curve_features(candidate->program);
      if (!features) throw std::runtime_error("no features: " + candidate->formula);
      const std::string& status = one->second.status;
      table.functions.push_back({candidate->formula,
                                 status == "done"     ? Known::kScored
                                 : status == "failed" ? Known::kFailed
                                                      : Known::kStopped,
                                 one->second.accuracy, std::move(*features), unit_curve(candidate->program)});
    }
    table.at.back() = at->second;
  }
  return table;
}

struct Reached {
  double first = 0, eight = 0;
  bool ended = false;
  double seconds_a_trial = 0;
};

/// Trials until one and until eight of the best are found; the number of functions + 1 where that never is.
Reached replay(std::string_view name, const Space& space, const Scored& table, const std::vector<bool>& in, const std::vector<bool>& best,
               std::uint64_t seed) {
  const auto strategy = make_strategy(name, space, seed);
  std::vector<bool> met(table.functions.size(), false);
  const double never = 1 + static_cast<double>(std::count(in.begin(), in.end(), true));
  Reached reached{never, never, false, 0};
  const auto begun = std::chrono::steady_clock::now();
  int trials = 0, found = 0;
  for (int proposals = 0; proposals < 200'000 && found < 8; ++proposals) {
    const auto place = strategy->propose();
    if (!place) break;
    const auto at = table.at[*place];
    if (!at || !in[*at]) continue;
    const Function& function = table.functions[*at];
    strategy->observe(*place, function.known == Known::kFailed ? std::nullopt : std::optional(function.accuracy));
    if (met[*at]) continue;
    met[*at] = true;
    ++trials;
    if (!best[*at]) continue;
    if (++found == 1) reached.first = trials;
    if (found == 8) reached.eight = trials;
  }
  reached.seconds_a_trial = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() / trials;
  return reached;
}

std::string text_of(const Mean& mean, int digits) { return fixed(mean.value, digits) + " ± " + fixed(mean.half_width.value_or(0), digits); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print_replays(const Space& space, const Scored& table, const std::vector<bool>& in, const std::string& name, int count, int threads,
                   std::uint64_t first_seed) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < table.functions.size(); ++i) {
    if (in[i] && table.functions[i].known == Known::kScored) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return table.functions[a].accuracy > table.functions[b].accuracy; });
  std::vector<bool> best(table.functions.size(), false);
  for (std::size_t i = 0; i < 10; ++i) best[order[i]] = true;
  std::cout << "\n"
            << name << ": " << std::count(in.begin(), in.end(), true) << " functions, the ten best "
            << percent(table.functions[order[0]].accuracy) << " to " << percent(table.functions[order[9]].accuracy) << " %\n";
  std::map<std::string, std::vector<double>> first, eight;
  for (const char* const strategy : {"random", "surrogate"}) {
    std::vector<Reached> all(static_cast<std::size_t>(count));
    std::atomic<int> next{0};
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        for (int i = next++; i < count; i = next++) {
          all[static_cast<std::size_t>(i)] = replay(strategy, space, table, in, best, first_seed + static_cast<std::uint64_t>(i));
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    double seconds = 0;
    for (const Reached& one : all) {
      first[strategy].push_back(one.first);
      eight[strategy].push_back(one.eight);
      seconds += one.seconds_a_trial / count;
    }
    std::cout << "  " << strategy << ": first " << text_of(mean_of(first[strategy]), 1) << " (median " << median(first[strategy])
              << "), eight " << text_of(mean_of(eight[strategy]), 1) << " (median " << median(eight[strategy]) << "), "
              << fixed(1000 * seconds, 1) << " ms a trial\n";
  }
  std::cout << "  share of random's trials: first " << fixed(mean_of(first["surrogate"]).value / mean_of(first["random"]).value, 3)
            << ", eight " << fixed(mean_of(eight["surrogate"]).value / mean_of(eight["random"]).value, 3) << std::endl;
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) result[order[k]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return result;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double ma = mean_of(a).value, mb = mean_of(b).value;
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb), ab += (a[i] - ma) * (b[i] - mb);
  return ab / std::sqrt(aa * bb);
}

/// Tenths of the functions, or of groups of neighbours: each joins the first group whose first member is nearer than `radius`.
std::vector<std::size_t> folds(const Scored& table, double radius) {
  std::vector<std::size_t> heads, result;
  for (std::size_t i = 0; i < table.functions.size(); ++i) {
    const auto head = std::find_if(heads.begin(), heads.end(), [&](std::size_t h) {
      return curve_distance(table.functions[h].curve, table.functions[i].curve) < radius;
    });
    const auto group = static_cast<std::size_t>(head - heads.begin());
    if (head == heads.end()) heads.push_back(i);
    result.push_back(mixed(group + kGoldenGamma) % 10);
  }
  std::cout << "  " << heads.size() << " groups at a distance of " << radius << ": ";
  return result;
}

void print_fit(const Scored& table, double radius) {
  const auto fold = folds(table, radius);
  std::vector<double> truth, predicted, deviations, failed, chance;
  const std::size_t width = curve_feature_names().size();
  for (std::size_t held = 0; held < 10; ++held) {
    std::vector<double> rows, scores, all_rows, failures;
    for (std::size_t i = 0; i < table.functions.size(); ++i) {
      const Function& one = table.functions[i];
      if (fold[i] == held) continue;
      all_rows.insert(all_rows.end(), one.features.begin(), one.features.end());
      failures.push_back(one.known == Known::kFailed ? 1 : 0);
      if (one.known != Known::kScored) continue;
      rows.insert(rows.end(), one.features.begin(), one.features.end());
      scores.push_back(one.accuracy);
    }
    const ExtraTrees score(rows, width, scores, held), failure(all_rows, width, failures, held);
    for (std::size_t i = 0; i < table.functions.size(); ++i) {
      const Function& one = table.functions[i];
      if (fold[i] != held) continue;
      failed.push_back(one.known == Known::kFailed ? 1 : 0);
      chance.push_back(failure.predict(one.features).mean);
      if (one.known != Known::kScored) continue;
      const TreePrediction says = score.predict(one.features);
      truth.push_back(one.accuracy);
      predicted.push_back(says.mean);
      deviations.push_back((one.accuracy - says.mean) / std::max(says.deviation, 1e-9));
    }
  }
  const auto places = ranks(chance);
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < failed.size(); ++i) sum += failed[i] * places[i], count += failed[i];
  const double auc = (sum - count * (count - 1) / 2) / (count * (static_cast<double>(failed.size()) - count));
  double inside = 0;
  for (const double d : deviations) inside += std::abs(d) <= 1 ? 1 : 0;
  std::cout << "Spearman of " << truth.size() << " scores " << fixed(correlation(ranks(truth), ranks(predicted)), 3)
            << ", failure's AUC of " << failed.size() << " functions " << fixed(auc, 3) << ", within one deviation "
            << fixed(100 * inside / static_cast<double>(truth.size()), 0) << " %\n";
}

/// What a proposal costs where the space cannot be enumerated.
void print_cost() {
  using Clock = std::chrono::steady_clock;
  const Space space("core2");
  const auto strategy = make_strategy("surrogate", space, 0);
  const auto seconds_since = [](Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); };
  const auto tell = [&](std::uint64_t place) {
    const std::uint64_t random = mixed(place + kGoldenGamma);
    strategy->observe(place, random % 3 == 0 ? std::nullopt : std::optional(0.5 + 0.25 * static_cast<double>(random >> 11u) * 0x1p-53));
  };
  const auto draws = make_strategy("random", space, 1);
  auto begun = Clock::now();
  for (int i = 0; i < 2'000; ++i) tell(*draws->propose());
  std::cout << "core2: to read 2,000 known trials " << fixed(seconds_since(begun), 2) << " s, ";
  begun = Clock::now();
  const auto first = strategy->propose();
  std::cout << "the first proposal " << fixed(seconds_since(begun), 2) << " s, ";
  tell(*first);
  begun = Clock::now();
  constexpr int kMore = 256;
  for (int i = 0; i < kMore; ++i) tell(*strategy->propose());
  std::cout << "then " << fixed(1000 * seconds_since(begun) / kMore, 1) << " ms a proposal\n";
}

int run(const std::vector<std::string>& words) {
  auto [file, flags] =
      bench::read_arguments(words, {{"--replays", "100"}, {"--table", ""}, {"--threads", "2"}, {"--first", "0"}, {"--distance", "0.3"}});
  if (flags["--table"] == "cost") return print_cost(), 0;
  const Space space("core1");
  const Scored table = scored(space, *open_store(file, Store::Access::kReadOnly));
  std::cout << "Held out tenths (" << curve_feature_names().size() << " features):\n";
  print_fit(table, 0);
  print_fit(table, std::stod(flags["--distance"]));
  const auto with = [&](auto&& is) {
    std::vector<bool> in;
    for (const Function& one : table.functions) in.push_back(is(one));
    return in;
  };
  const std::vector<double> swish = unit_curve(candidate_of("swish").program);
  const double radius = std::stod(flags["--distance"]);
  const auto replays = [&](const std::vector<bool>& in, const std::string& name) {
    if (!flags["--table"].empty() && flags["--table"] != name) return;
    print_replays(space, table, in, name, std::stoi(flags["--replays"]), std::stoi(flags["--threads"]), std::stoull(flags["--first"]));
  };
  replays(with([](const Function& one) { return one.known != Known::kStopped; }), "ended");
  replays(with([](const Function&) { return true; }), "all");
  replays(with([&](const Function& one) { return curve_distance(one.curve, swish) >= radius; }), "held-out");
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return bench::run_program("surrogate_replay", argc, argv, run); }
