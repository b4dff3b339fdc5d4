// Takes in what another store holds: Store::take_in says what becomes of a trial that both have.

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>

#include "db/owner.h"
#include "db/sql/bulk.h"
#include "db/sql/leaderboard.h"
#include "db/sql/provisional.h"
#include "db/sql/records.h"
#include "db/sql/store.h"
#include "db/taken_in.h"

namespace actsearch {
namespace {

using sql::Cell;
using sql::Cells;
using sql::Column;
using sql::Connection;
using sql::Statement;
constexpr auto kInteger = sql::Value::Type::kInteger;
constexpr auto kReal = sql::Value::Type::kReal;
constexpr auto kText = sql::Value::Type::kText;

constexpr std::int64_t kTrialsAtOnce = 500;       // of one transaction: it holds their rows, and all their epochs are in memory
constexpr std::int64_t kSmallRowsAtOnce = 5'000;  // of functions and refusals

// What goes from store to store. Numbers of rows and the ends of leases mean nothing elsewhere.
constexpr auto kCandidate =
    std::to_array<Column>({{"fingerprint", kText}, {"formula", kText}, {"name", kText}, {"parameters", kInteger}, {"former", kText}});
constexpr auto kTrial = std::to_array<Column>({{"seed", kInteger},
                                               {"status", kText},
                                               {"attempts", kInteger},
                                               {"owner", kText},
                                               {"started", kText},
                                               {"finished", kText},
                                               {"validation_accuracy", kReal},
                                               {"best_test_accuracy", kReal},
                                               {"final_test_accuracy", kReal},
                                               {"train_loss", kReal},
                                               {"beta", kText},
                                               {"epochs", kInteger},
                                               {"seconds", kReal},
                                               {"failure", kText},
                                               {"failure_detail", kText},
                                               {"trained_epochs", kInteger},
                                               {"trained_steps", kInteger},
                                               {"epoch_steps", kInteger},
                                               {"reached", kReal},
                                               {"reached_loss", kReal},
                                               {"deaths", kInteger}});
constexpr auto kEpoch = std::to_array<Column>({{"epoch", kInteger},
                                               {"learning_rate", kReal},
                                               {"train_loss", kReal},
                                               {"train_accuracy", kReal},
                                               {"validation_loss", kReal},
                                               {"validation_accuracy", kReal},
                                               {"test_accuracy", kReal},
                                               {"seconds", kReal}});
constexpr auto kPause = std::to_array<Column>({{"epoch", kInteger},
                                               {"step", kInteger},
                                               {"epoch_steps", kInteger},
                                               {"train_loss", kReal},
                                               {"train_accuracy", kReal},
                                               {"seconds", kReal}});
/// Two trials that have ended have the same result where these are equal, bit for bit. Times and processes are not of the result.
constexpr std::array<std::string_view, 7> kResult{
    "status", "failure", "validation_accuracy", "best_test_accuracy", "final_test_accuracy", "train_loss", "beta"};

/// Where a column of kTrial is in a row of it.
constexpr std::size_t at(std::string_view name) {
  return static_cast<std::size_t>(std::find_if(kTrial.begin(), kTrial.end(), [&](const Column& column) { return column.name == name; }) -
                                  kTrial.begin());
}

bool is_done(const Cells& trial) { return trial[at("status")].text == "done"; }
bool has_ended(const Cells& trial) { return is_done(trial) || trial[at("status")].text == "failed"; }
std::pair<std::int64_t, std::int64_t> progress(const Cells& trial) {
  return {trial[at("trained_epochs")].integer, trial[at("trained_steps")].integer};
}
std::optional<std::string_view> difference(const Cells& one, const Cells& other) {
  const auto found = std::find_if(kResult.begin(), kResult.end(), [&](std::string_view name) { return one[at(name)] != other[at(name)]; });
  return found == kResult.end() ? std::nullopt : std::optional(*found);
}
Conflict::Ending ending(const Cells& trial) {
  for (const char* const score : {"validation_accuracy", "final_test_accuracy"}) {
    if (const Cell& cell = trial[at(score)]; is_done(trial) && !cell.null) return {cell.real, ""};
  }
  return {std::nullopt, trial[at("failure")].text};
}

/// A trial of the source.
struct Incoming {
  Id recipe = 0;    ///< at the source
  Cells candidate;  ///< kCandidate
  Cells trial;      ///< kTrial
  bool was_running = false;
  std::vector<Cells> epochs, pauses;         ///< kEpoch, kPause
  std::vector<std::pair<Id, Cell>> studies;  ///< at the source, and the place there
  const std::string& fingerprint() const { return candidate[0].text; }
};

/// What the trial is where nobody trains it, as Store::take_in says.
void give_back(Incoming& incoming) {
  Cells& trial = incoming.trial;
  const bool by_ticket = ticket_terms(trial[at("owner")].text).has_value();
  if (by_ticket || !has_ended(trial)) trial[at("owner")].text.clear();  // so no ticket of the source holds a trial here
  incoming.was_running = trial[at("status")].text == "running";
  if (!incoming.was_running) return;
  if (by_ticket) {
    incoming.epochs.clear();
    incoming.pauses.clear();
  }
  trial[at("status")].text = "released";
  trial[at("trained_epochs")].integer = std::ssize(incoming.epochs);
  trial[at("trained_steps")].integer = trial[at("epoch_steps")].integer = 0;
  trial[at("reached")] = trial[at("reached_loss")] = Cell::none(kReal);
}

/// The next trials after the one with this number, in the order of their numbers. A trial's own row is read before its epochs: so one that
/// is written meanwhile has them all if it has ended.
std::vector<std::pair<Id, Incoming>> trials_after(Connection& from, Id last) {
  std::vector<std::pair<Id, Incoming>> trials = sql::rows(
      from,
      "SELECT t.id, t.recipe, " + sql::names_of(kCandidate, "c.") + ", " + sql::names_of(kTrial, "t.") +
          " FROM trial t CROSS JOIN candidate c WHERE c.id = t.candidate AND t.id > ?1 ORDER BY t.id LIMIT ?2",
      [](const Statement& row) {
        Incoming incoming;
        incoming.recipe = row.integer(1);
        incoming.candidate = cells_of(row, 2, kCandidate);
        incoming.trial = cells_of(row, 2 + static_cast<int>(kCandidate.size()), kTrial);
        return std::pair(row.integer(0), std::move(incoming));
      },
      last, kTrialsAtOnce);
  if (trials.empty()) return trials;
  /// Calls `use` with each row of a table that belongs to one of the trials.
  const auto each = [&](const std::string& table, const std::string& columns, const auto& use) {
    auto row = from.prepare("SELECT trial, " + columns + " FROM " + table + " WHERE trial > ?1 AND trial <= ?2 ORDER BY trial", last,
                            trials.back().first);
    for (auto at = trials.begin(); row.step();) {
      while (at != trials.end() && at->first < row.integer(0)) ++at;
      if (at != trials.end() && at->first == row.integer(0)) use(at->second, std::as_const(row));
    }
  };
  each("study_trial", "study, place", [](Incoming& trial, const Statement& row) {
    constexpr auto kPlace = std::to_array<Column>({{"place", kInteger}});
    trial.studies.emplace_back(row.integer(1), cells_of(row, 2, kPlace)[0]);
  });
  each("epoch", sql::names_of(kEpoch), [](Incoming& trial, const Statement& row) { trial.epochs.push_back(cells_of(row, 1, kEpoch)); });
  each("pause", sql::names_of(kPause), [](Incoming& trial, const Statement& row) { trial.pauses.push_back(cells_of(row, 1, kPause)); });
  for (auto& [id, incoming] : trials) give_back(incoming);
  return trials;
}

/// The candidates' numbers by fingerprint; those that are not here are made, and nameless ones named. Counts other spellings.
std::map<std::string, Id> store_candidates(Connection& to, std::vector<Cells> candidates, std::int64_t* respelled) {
  std::map<std::string, Id> ids;
  while (!candidates.empty()) {
    std::vector<Cells> fingerprints;
    for (const Cells& candidate : candidates) fingerprints.push_back({candidate[0]});
    std::map<std::string, std::pair<std::string, std::string>> here;  // formula and name
    sql::run_with_rows(to, "SELECT c.id, " + sql::names_of(kCandidate, "c.") + " FROM (VALUES", fingerprints,
                       ") AS v CROSS JOIN candidate c WHERE c.fingerprint = v.column1", [&](const Statement& row) {
                         ids[row.text(1)] = row.integer(0);
                         here[row.text(1)] = {row.text(2), row.text(3)};
                       });
    for (const Cells& candidate : candidates) {
      const auto known = here.find(candidate[0].text);
      if (known == here.end()) continue;
      if (known->second.first != candidate[1].text) ++*respelled;
      if (known->second.second.empty() && !candidate[2].text.empty()) {
        to.run("UPDATE candidate SET name = ?2 WHERE id = ?1 AND name = ''", ids[candidate[0].text], candidate[2].text);
      }
    }
    std::erase_if(candidates, [&](const Cells& candidate) { return ids.contains(candidate[0].text); });
    sql::run_with_rows(to, "INSERT INTO candidate (" + sql::names_of(kCandidate) + ") VALUES", candidates,
                       "ON CONFLICT DO NOTHING RETURNING fingerprint, id",
                       [&](const Statement& row) { ids[row.text(0)] = row.integer(1); });
    // What is left now, another process has made meanwhile.
    std::erase_if(candidates, [&](const Cells& candidate) { return ids.contains(candidate[0].text); });
  }
  return ids;
}

/// Candidate, recipe and seed here.
using Key = std::tuple<Id, Id, std::int64_t>;

/// Trials on their way into the target, within one transaction.
class Batch {
 public:
  Batch(Connection& to, const std::map<Id, Id>& studies, const std::map<Id, Id>& recipes) : to_(to), studies_(studies), recipes_(recipes) {}

  void store(const std::vector<std::pair<Id, Incoming>>& trials, const std::function<std::string(Id recipe)>& recipe_text) {
    std::vector<Cells> candidates;
    for (const auto& [id, incoming] : trials) candidates.push_back(incoming.candidate);
    std::sort(candidates.begin(), candidates.end(), [](const Cells& a, const Cells& b) { return a[0].text < b[0].text; });
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    std::int64_t counted_before = 0;
    const auto candidate_ids = store_candidates(to_, candidates, &counted_before);
    std::map<Key, const Incoming*> open;
    for (const auto& [id, incoming] : trials) {
      open[{candidate_ids.at(incoming.fingerprint()), recipes_.at(incoming.recipe), incoming.trial[at("seed")].integer}] = &incoming;
      taken_.running += incoming.was_running ? 1 : 0;
    }
    taken_.trials = std::ssize(open);
    while (!open.empty()) {
      meet(open, recipe_text);
      add(open);
    }
    store_parts();
    refresh();
  }
  const TakenIn& taken() const { return taken_; }
  const std::vector<Conflict>& conflicts() const { return conflicts_; }

 private:
  /// Settles the trials that are here.
  void meet(std::map<Key, const Incoming*>& open, const std::function<std::string(Id recipe)>& recipe_text) {
    std::vector<Cells> keys;
    for (const auto& [key, incoming] : open) {
      keys.push_back({Cell::of(std::get<0>(key)), Cell::of(std::get<1>(key)), Cell::of(std::get<2>(key))});
    }
    const std::string held(to_.for_update());
    std::vector<std::tuple<Key, Id, Cells>> here;
    sql::run_with_rows(to_, "SELECT t.id, t.candidate, t.recipe, " + sql::names_of(kTrial, "t.") + " FROM (VALUES", keys,
                       ") AS v CROSS JOIN trial t WHERE t.candidate = v.column1 AND t.recipe = v.column2 AND t.seed = v.column3" +
                           (held.empty() ? "" : held + " OF t"),
                       [&](const Statement& row) {
                         Cells cells = cells_of(row, 3, kTrial);
                         const Key key{row.integer(1), row.integer(2), cells[at("seed")].integer};
                         here.emplace_back(key, row.integer(0), std::move(cells));
                       });
    for (const auto& [key, id, trial] : here) {
      const Incoming& incoming = *open.at(key);
      settle(key, id, trial, incoming, recipe_text);
      members_.emplace_back(id, &incoming);
      open.erase(key);
    }
  }

  void settle(const Key& key, Id id, const Cells& here, const Incoming& incoming,
              const std::function<std::string(Id recipe)>& recipe_text) {
    const Cells& there = incoming.trial;
    if (has_ended(here)) {
      const auto differs = has_ended(there) ? difference(here, there) : std::nullopt;
      if (!differs) return;
      ++taken_.conflicts;
      conflicts_.push_back({.formula = incoming.candidate[1].text,
                            .recipe = recipe_text(incoming.recipe),
                            .seed = static_cast<std::uint64_t>(there[at("seed")].integer),
                            .kept = ending(here),
                            .other = ending(there),
                            .differs = std::string(*differs)});
      return;
    }
    if (!has_ended(there) && (here[at("status")].text == "running" || progress(there) <= progress(here))) return;
    ++taken_.further;
    Cells cells = there;
    Cell& attempts = cells[at("attempts")];  // a later claim is never taken for an earlier one
    attempts.integer = std::max(attempts.integer, here[at("attempts")].integer);
    cells.push_back(Cell::of(id));
    static const std::string begin = "UPDATE trial SET (" + sql::names_of(kTrial) + ", id) =";
    sql::run_with_rows(to_, begin, std::array{cells}, "WHERE id = ?" + std::to_string(cells.size()));
    for (const char* const of_it : {"DELETE FROM epoch WHERE trial = ?1", "DELETE FROM pause WHERE trial = ?1"}) to_.run(of_it, id);
    changed(key, id, incoming);
  }

  /// Adds those that are not here. Another process may be faster: its trials stay open.
  void add(std::map<Key, const Incoming*>& open) {
    // In the order of the source, so that trials have the same order here.
    std::vector<std::pair<Key, const Incoming*>> ordered(open.begin(), open.end());
    std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::vector<Cells> rows;
    for (const auto& [key, incoming] : ordered) {
      Cells& row = rows.emplace_back(incoming->trial);
      for (const std::int64_t number : {std::get<0>(key), std::get<1>(key), std::int64_t{0}}) row.push_back(Cell::of(number));
    }
    sql::run_with_rows(to_, "INSERT INTO trial (" + sql::names_of(kTrial) + ", candidate, recipe, lease_until_ms) VALUES", rows,
                       "ON CONFLICT DO NOTHING RETURNING id, candidate, recipe, seed", [&](const Statement& row) {
                         const Key key{row.integer(1), row.integer(2), row.integer(3)};
                         const Incoming& incoming = *open.at(key);
                         ++taken_.added;
                         changed(key, row.integer(0), incoming);
                         members_.emplace_back(row.integer(0), &incoming);
                         open.erase(key);
                       });
  }

  /// Notes what is to be done for a trial whose row is new.
  void changed(const Key& key, Id id, const Incoming& incoming) {
    changed_.emplace_back(id, &incoming);
    if (!is_done(incoming.trial)) return;
    ++done_[std::get<1>(key)];
    standings_.emplace(std::get<0>(key), std::get<1>(key));
  }

  /// Epochs, pauses, and which studies want the trials.
  void store_parts() {
    std::vector<Cells> epochs, pauses, wanted;
    const auto with_id = [](Id id, const Cells& cells) {
      Cells row{Cell::of(id)};
      row.insert(row.end(), cells.begin(), cells.end());
      return row;
    };
    for (const auto& [id, incoming] : changed_) {
      for (const Cells& epoch : incoming->epochs) epochs.push_back(with_id(id, epoch));
      for (const Cells& pause : incoming->pauses) pauses.push_back(with_id(id, pause));
    }
    for (const auto& [id, incoming] : members_) {
      for (const auto& [study, place] : incoming->studies) wanted.push_back({Cell::of(studies_.at(study)), Cell::of(id), place});
    }
    sql::run_with_rows(to_, "INSERT INTO epoch (trial, " + sql::names_of(kEpoch) + ") VALUES", epochs, "");
    sql::run_with_rows(to_, "INSERT INTO pause (trial, " + sql::names_of(kPause) + ") VALUES", pauses, "");
    sql::run_with_rows(to_, "INSERT INTO study_trial (study, trial, place) VALUES", wanted,
                       "ON CONFLICT (study, trial) DO UPDATE SET place = excluded.place"
                       " WHERE study_trial.place IS NULL AND excluded.place IS NOT NULL");
    for (const auto& [id, incoming] : changed_) {
      if (incoming->was_running) note_reached(to_, id);
    }
  }

  void refresh() {
    for (const auto& [recipe, done] : done_) to_.run("UPDATE recipe SET done = done + ?2 WHERE id = ?1", recipe, done);
    for (const auto& [candidate, recipe] : standings_) refresh_standing(to_, candidate, recipe);
    for (const auto& [recipe, done] : done_) refresh_spread(to_, recipe);
  }

  Connection& to_;
  const std::map<Id, Id>&studies_, &recipes_;  ///< from the source's numbers
  TakenIn taken_;
  std::vector<Conflict> conflicts_;
  std::vector<std::pair<Id, const Incoming*>> members_;  ///< all trials, by their numbers here
  std::vector<std::pair<Id, const Incoming*>> changed_;  ///< those whose rows are new
  std::map<Id, std::int64_t> done_;                      ///< finished trials that are new, by recipe
  std::set<std::pair<Id, Id>> standings_;                ///< of which candidates and recipes
};

/// One store on its way into another. Each call to the target is one transaction, and may be made again.
class Intake {
 public:
  Intake(sql::Database& from, sql::Database& to, const IntakeListener& listener) : from_(from), to_(to), listener_(listener) {}

  TakenIn run() {
    take_belongings();
    take_candidates();
    for (const auto& [study, here] : std::map(studies_)) take_rejections(study, here);
    take_trials();
    return taken_;
  }

 private:
  /// Studies and recipes: there are few.
  void take_belongings() {
    struct Study {
      Id id;
      StudyRecord record;
      std::string created;
    };
    const auto studies = from_.rows(
        "SELECT id, kind, space, strategy, seed, recipe, data, conditions, program_commit, machine, created FROM study ORDER BY id",
        [](const Statement& row) {
          return Study{row.integer(0),
                       {row.text(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4)), row.text(5), row.text(6),
                        row.text(7), row.text(8), row.text(9)},
                       row.text(10)};
        });
    const auto recipes = from_.rows("SELECT id, name, text FROM recipe ORDER BY id",
                                    [](const Statement& row) { return std::tuple(row.integer(0), row.text(1), row.text(2)); });
    to_.with([&](Connection& to) {
      sql::Transaction transaction(to);
      for (const Study& study : studies) studies_[study.id] = store_study(to, study.record, study.created);
      for (const auto& [id, name, text] : recipes) recipes_[id] = store_recipe(to, name, text);
      transaction.commit();
    });
    for (const auto& [id, name, text] : recipes) recipe_texts_[id] = text;
  }

  /// All functions, in the order of their numbers, also those without trials.
  void take_candidates() {
    for (Id last = 0;;) {
      const auto rows = from_.rows(
          "SELECT id, " + sql::names_of(kCandidate) + " FROM candidate WHERE id > ?1 ORDER BY id LIMIT ?2",
          [](const Statement& row) { return std::pair(row.integer(0), cells_of(row, 1, kCandidate)); }, last, kSmallRowsAtOnce);
      if (rows.empty()) return;
      last = rows.back().first;
      std::vector<Cells> candidates;
      for (const auto& [id, cells] : rows) candidates.push_back(cells);
      taken_.respelled += to_.with([&](Connection& to) {
        std::int64_t respelled = 0;
        sql::Transaction transaction(to);
        store_candidates(to, candidates, &respelled);
        transaction.commit();
        return respelled;
      });
    }
  }

  void take_rejections(Id study, Id here) {
    constexpr auto kRejection = std::to_array<Column>({{"formula", kText}, {"reason", kText}});
    std::string last;
    for (bool more = true; more;) {
      auto rows = from_.rows(
          "SELECT " + sql::names_of(kRejection) + " FROM rejection WHERE study = ?1 AND formula >= ?2 ORDER BY formula LIMIT ?3",
          [&](const Statement& row) { return cells_of(row, 0, kRejection); }, study, last, kSmallRowsAtOnce);
      more = std::ssize(rows) == kSmallRowsAtOnce;  // and the last is read once more
      if (more) last = rows.back()[0].text;
      for (Cells& row : rows) row.push_back(Cell::of(here));
      to_.with([&](Connection& to) {
        sql::Transaction transaction(to);
        sql::run_with_rows(to, "INSERT INTO rejection (formula, reason, study) VALUES", rows, "ON CONFLICT DO NOTHING");
        transaction.commit();
      });
    }
  }

  void take_trials() {
    for (Id last = 0;;) {
      const auto trials = from_.with([&](Connection& from) { return trials_after(from, last); });
      if (trials.empty()) return;
      if (!knows_all_of(trials)) take_belongings();  // the source went on meanwhile
      const auto recipe_text = [&](Id recipe) { return recipe_texts_.at(recipe); };
      TakenIn taken;
      std::vector<Conflict> conflicts;
      to_.with([&](Connection& to) {
        sql::Transaction transaction(to);
        Batch batch(to, studies_, recipes_);
        batch.store(trials, recipe_text);
        transaction.commit();
        taken = batch.taken();
        conflicts = batch.conflicts();
      });
      for (auto count : {&TakenIn::trials, &TakenIn::added, &TakenIn::further, &TakenIn::conflicts, &TakenIn::running})
        taken_.*count += taken.*count;
      if (listener_.conflict) std::for_each(conflicts.begin(), conflicts.end(), listener_.conflict);
      if (listener_.batch) listener_.batch(taken_);
      last = trials.back().first;
    }
  }
  bool knows_all_of(const std::vector<std::pair<Id, Incoming>>& trials) const {
    return std::all_of(trials.begin(), trials.end(), [&](const auto& trial) {
      const Incoming& incoming = trial.second;
      return recipes_.contains(incoming.recipe) && std::all_of(incoming.studies.begin(), incoming.studies.end(),
                                                               [&](const auto& study) { return studies_.contains(study.first); });
    });
  }

  sql::Database &from_, &to_;
  const IntakeListener& listener_;
  std::map<Id, Id> studies_, recipes_;  ///< from the source's numbers to those here
  std::map<Id, std::string> recipe_texts_;
  TakenIn taken_;
};

}  // namespace

TakenIn SqlStore::take_in(const Store& from, const IntakeListener& listener) {
  const auto* const source = dynamic_cast<const SqlStore*>(&from);
  if (!source) throw std::invalid_argument("this kind of store cannot take in what that kind holds");
  if (source->database_.identity() == database_.identity()) {
    throw std::invalid_argument("source and target are the same database: name another target");
  }
  return Intake(source->database_, database_, listener).run();
}

}  // namespace actsearch
