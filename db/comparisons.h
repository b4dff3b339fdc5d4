/// Comparisons of functions, made together: a model of all their trials, Dunnett's test beside a reference, equivalence, and ranks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

namespace actsearch {

/// One finished trial, as the comparisons see it.
struct SeedScore {
  std::int64_t function = 0;  ///< its Id
  std::uint64_t seed = 0;
  double score = 0;
};

/// A function beside the reference. Differences are the function's score minus the reference's.
struct Comparison {
  int n = 0;                 ///< trials of the function
  int common = 0;            ///< seeds that both have
  double difference = 0;     ///< estimated by the model
  double low = 0, high = 0;  ///< simultaneous 95 % interval: all intervals made together hold with 95 %
  double p = 1;              ///< two-sided, corrected for all comparisons made together (Dunnett)
  double p_alone = 1;        ///< the same without correction (Student's t)
  /// Two one-sided tests at 5 % say that the functions differ by less than any margin above this (TOST; D. Schuirmann, 1987).
  double equal_within = 0;
};

/// Compares every function of the trials with the reference.
///
/// The model is score = function + seed + error, fitted by least squares to all trials; functions may lack seeds. The error's deviation
/// is pooled over all functions, so it is taken to be the same for each. Its degrees of freedom are trials − functions − seeds + 1, and one
/// more for each part of the trials that shares no seed with the rest. The corrected p and the intervals are C. Dunnett's (1955), with the
/// correlation of unequal numbers of trials. That is exact where all functions have the same seeds, and an approximation elsewhere.
///
/// Empty without a trial of the reference, without a degree of freedom, and for more than kMostSeeds seeds. A function is left out where no
/// chain of common seeds joins it with the reference. Where the error's deviation is 0, p is 0 for a difference and 1 for none.
std::map<std::int64_t, Comparison> compared_with(std::int64_t reference, std::span<const SeedScore> trials);
inline constexpr int kMostSeeds = 1'000;

/// The ranks that a function may really have, from 1, the highest score.
struct RankRange {
  int first = 0, last = 0;
};
/// The ranks of every function of the trials that hold together with 95 %: a function ranks below those that are higher by more than Tukey
/// and Kramer's honestly significant difference. By the model of compared_with. Empty where that is, and for more than kMostRanked
/// functions.
std::map<std::int64_t, RankRange> simultaneous_ranks(std::span<const SeedScore> trials);
inline constexpr int kMostRanked = 500;

/// A group of comparisons with the same weight: `weight` = n/(n + n of the reference), below 1.
struct DunnettGroup {
  double weight = 0.5;
  int comparisons = 1;
};
/// P(|T| <= t for every comparison) of Dunnett's two-sided test with `degrees` >= 1 degrees of freedom, t >= 0. To about 1e-8.
double dunnett_probability(double t, std::span<const DunnettGroup> groups, int degrees);
/// The t at which that is 0.95.
double dunnett_95(std::span<const DunnettGroup> groups, int degrees);
/// The 95 % point of the studentized range of `functions` >= 2 means with `degrees` >= 1 degrees of freedom (J. Tukey, 1953).
double studentized_range_95(int functions, int degrees);

}  // namespace actsearch
