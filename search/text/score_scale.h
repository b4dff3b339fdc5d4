/// How scores under some conditions are written for people and programs.
#pragma once

#include <string>

namespace actsearch {

/// Scores are stored so that higher is better. The built-in trainer's are accuracies, 0..1, shown in per cent. The user's own training may
/// have another metric, on another scale, of which the lower is the better: its negative is stored, and shown as it was told.
struct ScoreScale {
  std::string name = "accuracy";
  bool share = true;     ///< 0..1, shown in per cent
  bool negated = false;  ///< stored as its negative
  bool operator==(const ScoreScale&) const = default;

  /// "accuracy %", "perplexity"; the same behind another word: "best %", "best".
  std::string header() const { return share ? name + " %" : name; }
  std::string header(const std::string& word) const { return share ? word + " %" : word; }
  /// "points" of per cent, or of the metric.
  std::string difference_unit() const { return share ? "points" : name; }

  /// A score; half a width or another amount without sign; a difference, with its sign. For people: two digits of per cent, or four.
  std::string value(double stored) const;
  std::string amount(double amount) const;
  std::string difference(double stored) const;
  /// The same with all digits, for programs.
  std::string exact_value(double stored) const;
  std::string exact_amount(double amount) const;
  std::string exact_difference(double stored) const { return exact_value(stored); }
};

}  // namespace actsearch
