/// Statistics of few numbers: Student's t, means, how far seeds lie apart, rank correlation. (db/comparisons.h compares functions.)
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace actsearch {

/// P(|T| <= t) for Student's T with `degrees` >= 1 degrees of freedom, t >= 0.
double student_t_probability(double t, int degrees);
/// The t with P(|T| <= t) = 0.95.
double student_t_95(int degrees);

/// A sample's mean and its 95 % interval (Student's t).
struct Mean {
  int n = 0;
  double value = 0;
  std::optional<double> half_width;  ///< absent for n < 2
};
/// std::invalid_argument for no values.
Mean mean_of(std::span<const double> values);

/// How far single trials of one function lie apart.
class SeedSpread {
 public:
  /// `degrees` of freedom, at least 1, has the estimate of the deviation; `source` is what it was estimated from, for people.
  SeedSpread(double deviation, int degrees, std::string source);
  double deviation() const { return deviation_; }  ///< standard deviation of a trial's accuracy
  int degrees() const { return degrees_; }
  const std::string& source() const { return source_; }
  /// What a mean of n trials is worth: half of its 95 % interval (Student's t).
  double margin(int n) const;
  /// By how much means of n and m trials differ at least where they are told apart (two-sided 5 %, unpaired).
  double told_apart(int n, int m) const;

 private:
  double deviation_;
  int degrees_;
  std::string source_;
  double single_;  ///< the margin of one trial
};

/// Spearman's rank correlation of two samples of the same things, ties at their mean rank; absent where one of them is constant.
/// std::invalid_argument unless both have the same size.
struct RankCorrelation {
  int n = 0;
  double rho = 0;
  double low = -1, high = 1;  ///< 95 % interval (Fisher's z with the variance of D. Bonett and T. Wright, 2000); all of it for n < 4
};
std::optional<RankCorrelation> rank_correlation(std::span<const double> a, std::span<const double> b);

}  // namespace actsearch
