/// What the page of a search shows, as one JSON document. docs/report.md says what its parts mean.
#pragma once

#include <string>

#include "db/store.h"
#include "search/report/forms.h"
#include "search/report/kernel_time.h"

namespace actsearch {

/// Bounds of the page. What they leave out is counted in the document, and said on the page.
struct ReportLimits {
  int functions = 20'000;   ///< of each recipe, the best by lower bound
  int trials = 40'000;      ///< finished ones of each recipe, those of the best functions first
  int epoch_rows = 30'000;  ///< of all recipes, in equal parts: curves of the best functions, and of the references
  int unfinished = 30;      ///< trials of each recipe whose curves are shown before their end, those in progress first
  int running = 200;        ///< trials of each recipe that processes are at work on
  int paused = 2'000;       ///< functions of each recipe that a race has paused, those that came furthest first
  int failures = 2'000;     ///< listed one by one; the counts by reason are of all
};

/// The document: columns rather than rows, numbers with six significant digits (of curves five), '<' escaped so that it can stand in a
/// script element. Kernels are measured here and now as far as the budget of `times` goes, references first, then by rank. `name` is what
/// the page calls the database. Read-only; a search may write meanwhile. Errors as Store.
std::string report_json(const Store& database, const std::string& name, Forms& forms, KernelTimes& times, const ReportLimits& limits = {});

}  // namespace actsearch
