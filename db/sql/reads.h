/// Reads of a database.
#pragma once

#include "db/reads.h"
#include "db/sql/database.h"

namespace actsearch {

/// Reads through a database, which outlives it.
class SqlReads : public Reads {
 public:
  explicit SqlReads(sql::Database& database) : database_(database) {}

  std::map<std::uint64_t, double> scores(Id candidate, Id recipe, Score score) const override;
  std::optional<std::uint64_t> highest_seed(Id recipe, std::uint64_t first, std::uint64_t last) const override;
  std::vector<std::uint64_t> ended_seeds(std::string_view fingerprint, Id recipe) const override;
  std::string failure(Id candidate, Id recipe, Id other_recipe) const override;
  std::vector<FunctionScore> function_scores(Id recipe) const override;
  std::optional<BestFunction> best(Id recipe) const override;
  std::vector<std::string> learned_betas(Id candidate, Id recipe) const override;
  std::optional<std::string> conditions(Id study) const override;
  std::int64_t epoch_steps(Id study) const override;
  std::vector<StudyTrial> trials(Id study, Id recipe) const override;
  std::vector<StoredRecipe> recipes() const override;
  TrialCounts counts(Id recipe) const override;
  Table reruns(Id candidate, Id recipe, std::uint64_t first, std::uint64_t last) const override;
  std::string change_token() const;  ///< as Store::change_token

 private:
  sql::Database& database_;
};

}  // namespace actsearch
