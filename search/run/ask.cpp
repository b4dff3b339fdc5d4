#include "search/run/ask.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "search/run/records.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

Racing racing_of(const AskPlan& plan) {
  Racing racing{.rungs = {}, .steps_per_epoch = 1, .always = {}};
  int before = 0;
  for (const int rung : plan.race->rungs) {
    if (rung <= before) throw std::invalid_argument("rungs are whole numbers of epochs that ascend from 1; not at " + std::to_string(rung));
    racing.rungs.push_back({rung, 0});
    before = rung;
  }
  if (racing.rungs.empty()) throw std::invalid_argument("a race has at least one rung");
  if (before >= plan.conditions.epochs) {
    throw std::invalid_argument("a trial of " + std::to_string(plan.conditions.epochs) +
                                (plan.conditions.epochs == 1 ? " epoch" : " epochs") + " cannot pause after " + std::to_string(before));
  }
  if (const auto eta = plan.race->choice.eta; eta && (!(*eta > 1) || *eta > 1e6)) {
    throw std::invalid_argument("eta is a number above 1, not " + exact(*eta));
  }
  if (plan.baselines) racing.always.assign(std::begin(kReferences), std::end(kReferences));
  return racing;
}

Id study_of(Store& database, const SearchPlan& plan) {
  const StudyRecord record = to_record(plan);
  require_same_model(database, record);
  return database.study(record);
}

/// The same as a search has it: so strategies, baselines and the study's record are its own.
SearchPlan search_plan(const AskPlan& plan) {
  if (plan.seeds < 1) throw std::invalid_argument("a function has at least one seed");
  SearchPlan search{.run = {},
                    .space = plan.space,
                    .strategy = plan.strategy,
                    .baselines = plan.baselines,
                    .given = plan.given,
                    .data = "",
                    .commit = plan.commit,
                    .machine = plan.machine};
  search.run.recipe.name = kToldRecipe;
  search.run.recipe.epochs = plan.conditions.epochs;
  search.run.recipe_text = to_text(plan.conditions);
  search.run.seed = plan.seed;
  search.run.seeds = plan.seeds;
  if (plan.race) search.run.racing = racing_of(plan);
  (void)make_strategy(plan.strategy, plan.space, plan.seed);  // or there is none of that name
  return search;
}

SearchPlan search_plan_on(const Store& database, const AskPlan& plan) {
  SearchPlan search = search_plan(plan);
  if (plan.race) settle_race(database, plan.race->choice, search);
  return search;
}

}  // namespace

void require_valid(const AskPlan& plan) { (void)search_plan(plan); }

Asker::Asker(Store& database, const AskPlan& plan)
    : database_(database),
      plan_(search_plan_on(database, plan)),
      study_(study_of(database, plan_)),
      recipe_(database.recipe(plan_.run.recipe.name, plan_.run.recipe_text)) {
  if (plan_.run.racing) race_.emplace(database, study_, recipe_, *plan_.run.racing, plan_.run.recipe.epochs);
}

StudyCandidates& Asker::candidates() {
  if (candidates_ && candidates_->learns() && database_.observations(study_).size() != observed_) candidates_.reset();
  if (!candidates_) {
    observed_ = database_.observations(study_).size();
    candidates_.emplace(database_, study_, plan_, interrupt_);
  }
  return *candidates_;
}

std::optional<AskedTrial> Asker::hand_out(const Candidate& candidate, Id candidate_id, std::uint64_t seed, std::chrono::seconds lease) {
  const TicketTerms terms{.study = study_, .lease = lease, .judged = race_ && !race_->always(candidate.name)};
  HandedOut out;
  if (database_.tickets().hand_out(candidate_id, recipe_, seed, terms, candidate.index, &out) != ClaimState::kClaimed) return std::nullopt;
  return AskedTrial{std::move(out), candidate, seed, plan_.run.recipe.epochs};
}

/// One call of ask: each source in turn until it has no more. What others take meanwhile is passed over.
class Asker::Round {
 public:
  Round(Asker& asker, std::chrono::seconds lease)
      : asker_(asker), lease_(lease), unfinished_(asker.database_.unfinished(asker.study_, asker.recipe_)) {
    if (asker.race_) {
      promoted_ = asker.race_->references();
      for (Race::Promotion& one : asker.race_->promotions()) promoted_.push_back(std::move(one));
    }
    if (seeds() > 1) begun_ = asker.database_.tickets().begun(asker.study_, asker.recipe_, first_seed(), first_seed() + seeds() - 1);
  }

  std::optional<AskedTrial> next() {
    while (next_unfinished_ < unfinished_.size()) {
      const UnfinishedTrial& trial = unfinished_[next_unfinished_++];
      if (asker_.race_ && !asker_.race_->unfinished(trial.given_back)) continue;  // it waits at a rung
      if (auto asked = asker_.hand_out(stored(trial.record, trial.place), trial.candidate, trial.seed, lease_)) return asked;
    }
    while (next_promoted_ < promoted_.size()) {
      const RungTrial& trial = promoted_[next_promoted_++].trial;
      if (auto asked = asker_.hand_out(stored(trial.record, trial.place), trial.candidate, trial.seed, lease_)) return asked;
    }
    for (;;) {
      while (seed_ < seeds_left_) {
        const std::uint64_t seed = first_seed() + seed_++;
        if (asker_.race_ && !asker_.race_->entry(candidate_id_, seed)) continue;  // it waits at a rung
        if (auto asked = asker_.hand_out(*candidate_, candidate_id_, seed, lease_)) return asked;
      }
      if (!next_candidate()) return std::nullopt;
    }
  }

 private:
  std::uint64_t first_seed() const { return asker_.plan_.run.seed; }
  std::uint64_t seeds() const { return static_cast<std::uint64_t>(asker_.plan_.run.seeds); }

  bool next_candidate() {
    if (next_begun_ < begun_.size()) {
      const BegunCandidate& begun = begun_[next_begun_++];
      candidate_ = stored(begun.record, begun.place);
      candidate_id_ = begun.candidate;
    } else {
      const auto met = asker_.candidates().next();
      if (!met) return false;
      KeptCandidate kept = keep(asker_.database_, *met);
      candidate_ = std::move(kept.candidate);
      candidate_id_ = kept.id;
    }
    seed_ = 0;
    seeds_left_ = seeds();
    return true;
  }

  Asker& asker_;
  const std::chrono::seconds lease_;
  const std::vector<UnfinishedTrial> unfinished_;
  std::vector<Race::Promotion> promoted_;
  std::vector<BegunCandidate> begun_;
  std::size_t next_unfinished_ = 0, next_promoted_ = 0, next_begun_ = 0;
  std::optional<Candidate> candidate_;
  Id candidate_id_ = 0;
  std::uint64_t seed_ = 0, seeds_left_ = 0;  ///< of candidate_
};

std::vector<AskedTrial> Asker::ask(int count, std::chrono::seconds lease) {
  std::vector<AskedTrial> asked;
  try {
    Round round(*this, lease);
    while (static_cast<int>(asked.size()) < count) {
      auto trial = round.next();
      if (!trial) break;
      asked.push_back(std::move(*trial));
    }
  } catch (...) {
    for (const AskedTrial& trial : asked) {
      try {
        database_.tickets().give_back(trial.handed_out.ticket);
      } catch (const DatabaseError&) {  // then the lease gives it back
      }
    }
    throw;
  }
  return asked;
}

}  // namespace actsearch
