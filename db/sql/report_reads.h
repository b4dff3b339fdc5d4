/// ReportReads of a database.
#pragma once

#include "db/report_reads.h"
#include "db/sql/database.h"

namespace actsearch {

/// Reads through a database, which outlives it.
class SqlReportReads : public ReportReads {
 public:
  explicit SqlReportReads(sql::Database& database) : database_(database) {}

  std::string now() const override;
  std::vector<DatedStudy> studies() const override;
  std::vector<RejectionCount> rejections() const override;
  std::vector<StateCount> states() const override;
  bool has_function_named(std::string_view name) const override;
  std::vector<RecipeText> recipes() const override;
  std::int64_t ranked_functions(Id recipe) const override;
  std::int64_t paused_functions(Id recipe) const override;
  std::vector<Id> searches(Id recipe) const override;
  std::vector<FinishedTrial> finished(Id recipe, std::span<const Id> candidates) const override;
  std::vector<UnfinishedRow> unfinished(Id recipe, int limit) const override;
  std::vector<RunningRow> running(Id recipe, int limit) const override;
  std::vector<EpochRow> epochs(Id recipe, std::span<const Id> candidates, std::span<const Id> trials) const override;
  std::vector<FailedRow> failures(Id recipe, int limit) const override;
  std::vector<std::pair<std::string, std::int64_t>> failure_reasons(Id recipe) const override;

 private:
  sql::Database& database_;
};

}  // namespace actsearch
