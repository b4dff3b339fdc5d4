/// The best of a search, judged again: fresh seeds, images that the search never validated on, then full length.
///
/// The best of many looks better than it is. So the search's own score only chooses the finalists. They are trained again under the
/// search's recipe with new seeds, and another fold of the training images validates (stratified_split). Nothing was chosen by that score.
/// The best of them are trained at full length, with test accuracy. All three scores are kept apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "search/run/rerun.h"
#include "search/run/runner.h"

namespace actsearch {

struct FinalistsPlan {
  std::vector<Candidate> finalists;  ///< by the search's score, best first
  Candidate reference;               ///< which all are compared with; trained with them, a finalist or not
  std::string search_text;           ///< the conditions of the search's trials
  RunPlan fresh;                     ///< the search's recipe with another validation_fold, and seeds that the search did not use
  RerunPlan full;                    ///< its candidates are chosen by run_finalists
  int full_top = 0;  ///< how many finalists are trained at full length, the best by their fresh score; the reference too, if any
  std::string data;
  std::string commit, machine;
};

/// Scores of the finalists and the reference, one row each, best first: by test accuracy at full length, then by the fresh score.
/// Differences are from the reference. They are corrected for every function that has trials under a stage's conditions, also those of
/// earlier calls with other finalists.
struct FinalistRow {
  Candidate candidate;
  std::optional<Mean> search, fresh;         ///< validation accuracy
  std::optional<RankRange> ranks;            ///< that the fresh score may have among all functions of that stage (simultaneous_ranks)
  std::optional<Comparison> fresh_compared;  ///< absent for the reference, and where nothing can be said
  std::optional<Mean> full, full_best;       ///< test accuracy: of the last epoch, and of the best one
  std::optional<Comparison> full_compared;   ///< of the last epoch
  std::string failure;                       ///< why a trial failed, if one did
};

struct FinalistsReport {
  Ending ending = Ending::kFinished;  ///< kInterrupted: the rows hold what is there
  std::vector<FinalistRow> rows;
};

/// Runs what is not finished yet of both stages. The same plan on the same database goes on. std::invalid_argument if the search has
/// used one of the fresh seeds; other errors as run_trials. `fresh` and `full` train the one and the other stage.
FinalistsReport run_finalists(Store& database, const FinalistsPlan& plan, const Evaluator& fresh, const Evaluator& full, Progress& progress,
                              const std::atomic<bool>& interrupt);

}  // namespace actsearch
