/// A store whose database speaks SQL: everything but how the database is opened. Schema: docs/schema.md.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/sql/database.h"
#include "db/sql/reads.h"
#include "db/sql/report_reads.h"
#include "db/sql/tickets.h"
#include "db/store.h"

namespace actsearch {

class SqlStore : public Store {
 public:
  explicit SqlStore(std::unique_ptr<sql::Database> database);

  // records.cpp
  Id study(const StudyRecord& study) override;
  Id candidate(const CandidateRecord& candidate) override;
  std::optional<StoredCandidate> candidate_with(std::string_view fingerprint) const override;
  std::string former_fingerprint(Id candidate) const override;
  Id recipe(std::string_view name, std::string_view text) override;
  void reject(Id study, std::string_view formula, std::string_view reason) override;
  std::vector<StudyRecord> studies() const override;

  // claims.cpp
  using Store::claim, Store::renew;
  ClaimState claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                   std::optional<std::uint64_t> place, Turn turn) override;
  std::vector<SettledTrial> settled_trials(Id study, Id recipe, const std::vector<std::string>& fingerprints) const override;
  std::vector<Id> renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress) override;
  bool release(Id trial) override;
  bool give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached) override;
  bool add_epoch(Id trial, const EpochRecord& epoch) override;
  bool pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause) override;
  bool finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs) override;

  // trials.cpp
  std::vector<FailureRow> failures(const std::optional<std::string>& recipe) const override;
  StudyCounts counts(Id study) const override;
  std::vector<Observation> observations(Id study) const override;
  std::vector<RungTrial> rung(Id study, Id recipe, int epochs, std::int64_t steps) const override;
  std::vector<UnfinishedTrial> unfinished(Id study, Id recipe) const override;
  std::optional<GivenBack> given_back(Id study, Id candidate, Id recipe, std::uint64_t seed) const override;
  std::optional<std::optional<double>> score(std::string_view fingerprint, Id recipe) const override;
  std::int64_t trials(std::string_view recipe_text) const override;

  // leaderboard.h and provisional.h
  std::optional<SeedSpread> seed_spread(const LeaderboardQuery& query) const override;
  std::optional<RankedRecipe> ranked_recipe(const std::optional<std::string>& recipe) const override;
  std::vector<LeaderboardRow> leaderboard(const LeaderboardQuery& query) const override;
  std::vector<CandidateRecord> top_candidates(const LeaderboardQuery& query) const override;
  Provisional provisional(const std::optional<std::string>& recipe, int top) const override;
  std::vector<CandidateStudy> studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const override;

  TakenIn take_in(const Store& from, const IntakeListener& listener) override;  // take_in.cpp

  void when_busy(std::function<bool()> wait_on) override { database_.when_busy(std::move(wait_on)); }
  Tickets& tickets() override { return tickets_; }
  const Tickets& tickets() const override { return tickets_; }
  const Reads& reads() const override { return reads_; }
  const ReportReads& report_reads() const override { return report_reads_; }
  std::string change_token() const override { return reads_.change_token(); }
  const std::string& owner() const override { return owner_; }

 private:
  std::unique_ptr<sql::Database> owned_;
  sql::Database& database_ = *owned_;  ///< guards itself
  SqlTickets tickets_{database_};
  SqlReads reads_{database_};
  SqlReportReads report_reads_{database_};
  std::string owner_;
};

}  // namespace actsearch
