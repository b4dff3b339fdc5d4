// Races replayed on tables of real trials: who goes on at a rung, by the training loss there, or by an end that a model predicts?
//
//   promotion_replay FILE.db LOSSES.csv [FILE.db LOSSES.csv…] [--raced OTHER.db] [--orders 100] [--distance 0.3] [--threads 2]
//
// LOSSES is the CSV of bench/early_losses over FILE, which holds complete trials. A function of two files counts as the first one has it.
// --raced has trials of a race under the same recipe: those that passed all rungs and have a score are taken too. That race chose them by
// their losses, so they are better than most. The model is that of the strategy surrogate, with the losses so far beside the features of
// the curve.
//
// First table: how well each statistic at a rung orders the complete trials. The model learns from nine tenths of all trials and orders the
// others; the tenths are drawn at random, or keep together functions nearer than `distance` (see surrogate_replay).
// Then races with today's rungs over random orders, first of the complete trials, then of all. There the model knows what the race has
// finished so far. Before the 16th finished trial the loss decides.

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/program.h"
#include "bench/unit_curve.h"
#include "db/open/open_store.h"
#include "db/statistics.h"
#include "grammar/candidate.h"
#include "grammar/hash.h"
#include "search/run/race.h"
#include "search/surrogate/curve_features.h"
#include "search/surrogate/end_model.h"
#include "search/text/format.h"

namespace {

using namespace actsearch;

constexpr std::size_t kRungs = 3;
constexpr std::array<int, kRungs> kRungStretches{2, 8, 16};  ///< of 32 an epoch, as in the CSV: 1/16, 1/4 and 1/2 epoch
constexpr std::array<const char*, kRungs> kRungNames{"1/16", "1/4", "1/2"};

struct Trial {
  std::string fingerprint;
  std::vector<double> features, curve;
  std::array<double, kRungs> losses{};
  std::size_t rungs = 0;           ///< that it comes to before a loss is not finite
  std::optional<double> accuracy;  ///< absent of a failure
};

std::optional<Trial> trial_of(const std::string& formula) {
  const Candidate candidate = candidate_of(formula);
  auto features = curve_features(candidate.program);
  if (!features) return std::nullopt;
  return Trial{candidate.fingerprint, std::move(*features), unit_curve(candidate.program), {}, 0, std::nullopt};
}

bool holds(const std::vector<Trial>& trials, const std::string& fingerprint) {
  return std::any_of(trials.begin(), trials.end(), [&](const Trial& one) { return one.fingerprint == fingerprint; });
}

/// Adds the complete trials of FILE, one for each row of the CSV. A race judges by the mean loss of the later half of the steps so far.
void add_complete_trials(const std::string& file, const std::string& losses, std::vector<Trial>& trials) {
  const auto store = open_store(file, Store::Access::kReadOnly);
  std::map<std::string, std::pair<std::string, std::optional<double>>> stored;
  for (const auto& row : store->queries()->query("SELECT trial, formula, accuracy FROM trials WHERE status IN ('done', 'failed')").rows) {
    stored[*row[0]] = {*row[1], row[2] ? std::optional(std::stod(*row[2])) : std::nullopt};
  }
  std::ifstream csv(losses);
  std::string line;
  if (!csv || !std::getline(csv, line)) throw std::runtime_error("cannot read " + losses);
  while (std::getline(csv, line)) {
    std::istringstream cells(line);
    std::string number, cell;
    std::getline(cells, number, ',');
    std::vector<double> stretches;
    while (std::getline(cells, cell, ',')) {
      if (!cell.empty()) stretches.push_back(std::stod(cell));
    }
    const auto& [formula, accuracy] = stored.at(number);
    auto trial = trial_of(formula);
    if (!trial) throw std::runtime_error("no features: " + formula);
    trial->accuracy = accuracy;
    for (; trial->rungs < kRungs && stretches.size() >= static_cast<std::size_t>(kRungStretches[trial->rungs]); ++trial->rungs) {
      const auto end = stretches.begin() + kRungStretches[trial->rungs];
      const int window = kRungStretches[trial->rungs] / 2;
      trial->losses[trial->rungs] = std::accumulate(end - window, end, 0.0) / window;
    }
    if (!holds(trials, trial->fingerprint)) trials.push_back(std::move(*trial));
  }
}

/// What a race's file holds of trials with all rungs and a score, without the functions of `table`.
std::vector<Trial> raced_trials(const std::string& file, const std::vector<Trial>& table) {
  const auto store = open_store(file, Store::Access::kReadOnly);
  std::map<std::string, Trial> trials;
  for (const auto& row : store->queries()
                             ->query("SELECT t.trial, t.formula, t.accuracy, p.train_loss FROM trials t JOIN pauses p ON p.trial = t.trial "
                                     "WHERE t.status = 'done' AND t.seed = 0 ORDER BY t.trial, p.epoch, p.step")
                             .rows) {
    auto [at, fresh] = trials.try_emplace(*row[0]);
    if (fresh) {
      auto trial = trial_of(*row[1]);
      if (!trial) continue;
      at->second = std::move(*trial);
      at->second.accuracy = std::stod(*row[2]);
    }
    if (at->second.rungs < kRungs) at->second.losses[at->second.rungs++] = std::stod(*row[3]);
  }
  std::vector<Trial> all;
  for (auto& [number, trial] : trials) {
    if (trial.rungs == kRungs && !holds(table, trial.fingerprint)) all.push_back(std::move(trial));
  }
  return all;
}

/// The losses so far, this rung's last.
std::vector<double> losses_at(const Trial& trial, std::size_t rung) {
  return {trial.losses.begin(), trial.losses.begin() + static_cast<std::ptrdiff_t>(rung) + 1};
}

/// What a model is told of a trial at a rung: the losses so far, the curve, or both.
enum class Statistic : std::uint8_t { kLosses, kCurve, kLossesAndCurve };
EarlyTrial early(const Trial& trial, std::size_t rung, Statistic statistic = Statistic::kLossesAndCurve) {
  return {statistic == Statistic::kLosses ? std::span<const double>() : trial.features,
          statistic == Statistic::kCurve ? std::vector<double>() : losses_at(trial, rung)};
}

EndModel learned(const std::vector<const Trial*>& from, std::size_t rung, std::uint64_t seed,
                 Statistic statistic = Statistic::kLossesAndCurve) {
  std::vector<EarlyTrial> trials;
  std::vector<double> scores;
  for (const Trial* const trial : from) {
    trials.push_back(early(*trial, rung, statistic));
    scores.push_back(*trial->accuracy);
  }
  return {trials, scores, seed};
}

/// A tenth for each trial of `all`: trials that join the same group, whose first member is nearer than `radius`, share theirs.
std::vector<std::size_t> tenths(const std::vector<const Trial*>& all, double radius, std::uint64_t seed) {
  std::vector<std::size_t> heads, result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto head =
        std::find_if(heads.begin(), heads.end(), [&](std::size_t h) { return curve_distance(all[h]->curve, all[i]->curve) < radius; });
    const auto group = static_cast<std::size_t>(head - heads.begin());
    if (head == heads.end()) heads.push_back(i);
    result.push_back(mixed(mixed(group + kGoldenGamma) + seed) % 10);
  }
  return result;
}

double rho(const std::vector<double>& a, const std::vector<double>& b) {
  const auto correlation = rank_correlation(a, b);
  return correlation ? correlation->rho : 0;
}

void print_orders(const std::vector<Trial>& table, const std::vector<Trial>& raced, double radius) {
  constexpr int kSplits = 10;
  std::vector<const Trial*> scored, all;
  for (const Trial& trial : table) {
    if (trial.accuracy && trial.rungs == kRungs) scored.push_back(&trial);
  }
  all = scored;
  for (const Trial& trial : raced) all.push_back(&trial);
  std::sort(scored.begin(), scored.end(), [](const Trial* a, const Trial* b) { return *a->accuracy > *b->accuracy; });
  const std::size_t half = (scored.size() + 1) / 2;
  std::vector<double> ends;
  for (const Trial* const trial : scored) ends.push_back(*trial->accuracy);
  const std::vector<double> best(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(half));
  const auto report = [&](const std::string& name, std::size_t rung, const std::vector<std::vector<double>>& says) {
    std::vector<double> whole, upper;
    for (const auto& one : says) {
      whole.push_back(rho(one, ends));
      upper.push_back(rho({one.begin(), one.begin() + static_cast<std::ptrdiff_t>(half)}, best));
    }
    std::cout << "| " << kRungNames[rung] << " | " << name << " | " << fixed(mean_of(whole).value, 3) << " | "
              << fixed(mean_of(upper).value, 3) << " |\n";
  };
  std::cout << scored.size() << " complete trials with a score, " << raced.size() << " of a race to learn from, " << kSplits << " splits\n"
            << "| after epoch | statistic | rank correlation | over the better half |\n| ---: | --- | ---: | ---: |\n";
  for (std::size_t rung = 0; rung < kRungs; ++rung) {
    std::vector<double> losses;
    for (const Trial* const trial : scored) losses.push_back(-trial->losses[rung]);
    report("training loss", rung, {losses});
    for (const double near : {0.0, radius}) {
      for (const auto& [statistic, name] : {std::pair(Statistic::kLosses, "losses, predicted"), std::pair(Statistic::kCurve, "curve"),
                                            std::pair(Statistic::kLossesAndCurve, "losses and curve")}) {
        std::vector<std::vector<double>> says;
        for (std::uint64_t split = 0; split < kSplits; ++split) {
          const auto tenth = tenths(all, near, split);
          std::map<const Trial*, double> predicted;
          for (std::size_t held = 0; held < 10; ++held) {
            std::vector<const Trial*> from;
            for (std::size_t i = 0; i < all.size(); ++i) {
              if (tenth[i] != held) from.push_back(all[i]);
            }
            const EndModel model = learned(from, rung, held, statistic);
            for (std::size_t i = 0; i < all.size(); ++i) {
              if (tenth[i] == held) predicted[all[i]] = model.predict(early(*all[i], rung, statistic));
            }
          }
          std::vector<double>& one = says.emplace_back();
          for (const Trial* const trial : scored) one.push_back(predicted.at(trial));
        }
        report(std::string(name) + (near > 0 ? ", groups held out" : ", held out"), rung, says);
      }
    }
  }
}

struct Ran {
  double finished = 0, kept = 0, best_mean = 0, epochs = 0;
};

/// How a race chooses who goes on.
struct Way {
  std::string name;
  double eta = usual_eta(PromoteBy::kLoss);
  bool predicts = false;  ///< by the predicted end, else by the loss
  bool quota = false;     ///< the best that wait, until 1/eta have gone on, else all that are now among the best 1/eta
};

/// A race by one process that trains one stretch at a time, over the table in this order.
class Replay {
 public:
  Replay(const std::vector<Trial>& table, const Way& way) : table_(table), way_(way) {}

  Ran run(const std::vector<std::size_t>& order, const std::vector<bool>& top) {
    std::size_t next = 0;
    while (true) {
      if (const auto promoted = promotion()) {
        went_on_[promoted->second].insert(
            std::lower_bound(went_on_[promoted->second].begin(), went_on_[promoted->second].end(), promoted->first), promoted->first);
        train(promoted->first, promoted->second + 1);
      } else if (next < order.size()) {
        train(order[next++], 0);
      } else {
        break;
      }
    }
    std::vector<double> scores;
    Ran ran{.finished = static_cast<double>(finished_.size()), .kept = 0, .best_mean = 0, .epochs = epochs_};
    for (const std::size_t i : finished_) {
      scores.push_back(*table_[i].accuracy);
      ran.kept += top[i] ? 1 : 0;
    }
    std::sort(scores.rbegin(), scores.rend());
    const auto ten = static_cast<std::ptrdiff_t>(std::min<std::size_t>(scores.size(), 10));
    ran.best_mean = std::accumulate(scores.begin(), scores.begin() + ten, 0.0) / static_cast<double>(ten);
    return ran;
  }

 private:
  static constexpr std::array<double, kRungs + 2> kPoints{0, 1.0 / 16, 0.25, 0.5, 3};

  void train(std::size_t i, std::size_t rung) {
    epochs_ += kPoints[rung + 1] - kPoints[rung];  // a failure between rungs counts in full
    if (rung < kRungs) {
      if (table_[i].rungs > rung) at_[rung].push_back(i);
    } else if (table_[i].accuracy) {
      finished_.push_back(i);
    }
  }

  std::optional<std::pair<std::size_t, std::size_t>> promotion() {
    for (std::size_t rung = kRungs; rung-- > 0;) {
      std::vector<std::pair<double, std::size_t>> here;
      for (const std::size_t i : at_[rung]) here.emplace_back(judged(i, rung), i);
      std::sort(here.begin(), here.end());
      const auto go_on = static_cast<std::size_t>(static_cast<double>(here.size()) / way_.eta);
      const bool quota = way_.quota && finished_.size() >= kEndsToLearnFrom;
      if (quota && went_on_[rung].size() >= go_on) continue;
      for (std::size_t place = 0; place < (quota ? here.size() : go_on); ++place) {
        const std::size_t i = here[place].second;
        if (!std::binary_search(went_on_[rung].begin(), went_on_[rung].end(), i)) return std::pair(i, rung);
      }
    }
    return std::nullopt;
  }

  /// The lowest goes on.
  double judged(std::size_t i, std::size_t rung) {
    const std::size_t knows = finished_.size();
    if (!way_.predicts || knows < kEndsToLearnFrom) return table_[i].losses[rung];
    const std::size_t fit = fitted_observations(knows);
    if (fit != fitted_[rung]) {
      fitted_[rung] = fit;
      says_[rung].clear();
      std::vector<const Trial*> from;
      for (std::size_t k = 0; k < fit; ++k) from.push_back(&table_[finished_[k]]);
      model_[rung].emplace(learned(from, rung, fit));
    }
    const auto [said, fresh] = says_[rung].try_emplace(i);
    if (fresh) said->second = -model_[rung]->predict(early(table_[i], rung));
    return said->second;
  }

  const std::vector<Trial>& table_;
  const Way way_;
  std::array<std::vector<std::size_t>, kRungs> at_, went_on_;
  std::array<std::size_t, kRungs> fitted_{};
  std::array<std::optional<EndModel>, kRungs> model_;
  std::array<std::map<std::size_t, double>, kRungs> says_;
  std::vector<std::size_t> finished_;
  double epochs_ = 0;
};

void print_races(const std::vector<Trial>& table, int orders, int threads) {
  std::vector<std::size_t> ranking;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].accuracy) ranking.push_back(i);
  }
  std::sort(ranking.begin(), ranking.end(), [&](std::size_t a, std::size_t b) { return *table[a].accuracy > *table[b].accuracy; });
  std::vector<bool> top(table.size(), false);
  for (std::size_t i = 0; i < 10; ++i) top[ranking[i]] = true;
  std::cout << "\nRaces of " << table.size() << " functions, " << ranking.size()
            << " with a score\n| goes on by | eta | epochs trained | come to the end | of the top 10 | mean of the ten best found, % |\n| "
               "--- | ---: | ---: | ---: | ---: | ---: |\n";
  std::vector<Way> ways;
  for (const double eta : {2.2, 2.0, 1.8}) {
    ways.push_back({"loss", eta, false, false});
    ways.push_back({"prediction", eta, true, true});
  }
  ways.push_back({"prediction, all among the best now", 2.2, true, false});
  std::vector<Ran> by_loss;
  for (const Way& way : ways) {
    std::vector<Ran> runs(static_cast<std::size_t>(orders));
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        for (std::size_t i = next++; i < runs.size(); i = next++) {
          std::vector<std::size_t> order(table.size());
          std::iota(order.begin(), order.end(), std::size_t{0});
          std::mt19937_64 random(i);
          std::shuffle(order.begin(), order.end(), random);
          runs[i] = Replay(table, way).run(order, top);
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    if (by_loss.empty()) by_loss = runs;
    const auto text = [&](auto&& value, int digits) {
      std::vector<double> values, gains;
      for (std::size_t i = 0; i < runs.size(); ++i) {
        values.push_back(value(runs[i]));
        gains.push_back(value(runs[i]) - value(by_loss[i]));
      }
      std::string result = fixed(mean_of(values).value, digits);
      const Mean gain = mean_of(gains);
      return result + " (" + fixed(gain.value, digits) + " ± " + fixed(gain.half_width.value_or(0), digits) + ")";
    };
    std::cout << "| " << way.name << " | " << fixed(way.eta, 1) << " | " << text([](const Ran& ran) { return ran.epochs; }, 1) << " | "
              << text([](const Ran& ran) { return ran.finished; }, 1) << " | " << text([](const Ran& ran) { return ran.kept; }, 2) << " | "
              << text([](const Ran& ran) { return 100 * ran.best_mean; }, 3) << " |" << std::endl;
  }
}

int run(std::vector<std::string> words) {
  std::map<std::string, std::string> flags{{"--raced", ""}, {"--orders", "100"}, {"--distance", "0.3"}, {"--threads", "2"}};
  for (; words.size() > 3 && flags.contains(words[words.size() - 2]); words.resize(words.size() - 2))
    flags[words[words.size() - 2]] = words.back();
  if (words.empty() || words.size() % 2 != 0) {
    throw std::invalid_argument("usage: promotion_replay FILE.db LOSSES.csv… [--raced FILE.db] [--orders N] [--distance D] [--threads N]");
  }
  std::vector<Trial> table;
  for (std::size_t i = 0; i < words.size(); i += 2) add_complete_trials(words[i], words[i + 1], table);
  const std::vector<Trial> raced = flags["--raced"].empty() ? std::vector<Trial>{} : raced_trials(flags["--raced"], table);
  const int orders = std::stoi(flags["--orders"]), threads = std::stoi(flags["--threads"]);
  print_orders(table, raced, std::stod(flags["--distance"]));
  print_races(table, orders, threads);
  if (raced.empty()) return 0;
  table.insert(table.end(), raced.begin(), raced.end());
  print_races(table, orders, threads);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return bench::run_program("promotion_replay", argc, argv, run); }
