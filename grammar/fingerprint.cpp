#include "grammar/fingerprint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "grammar/hash.h"
#include "grammar/notation.h"
#include "grammar/operators.h"

namespace actsearch {
namespace {

// Where normalised pre-activations lie.
constexpr std::size_t kNearSize = 41;
constexpr double kNearHalfWidth = 5;
constexpr int kNearDigits = 8;
constexpr double kNearZero = 1e-12;
// Where a network can go besides: close to 0, and far out. Points of both signs, each so many times as far out as the one before: by the
// root of the golden ratio, for no value of a simple function may lie halfway between two of the rounded ones.
constexpr double kClosest = 1.0307764e-4, kFarthest = 1e4, kRatio = 1.2720196495140690;
constexpr int kOuterDigits = 6;
constexpr double kCloseZero = 1e-6;  // what counts as 0 at a point close to 0
constexpr double kFarZero = 1e-4;    // times |x|: too little beside x for bf16 to show
constexpr double kNoise = 1e-8;      // relative: a value that rounding disturbs by more has no digits to compare

constexpr double kLargest = std::numeric_limits<float>::max();
constexpr std::size_t kSettings = 6;  // besides all ones
// Where parameters stand, and move to one at a time, when their effects are compared. Away from 0 and 1, at which a parameter
// can hide another: in beta0 * x + (1 - beta0) * (beta1 * x), each at 1 makes the other vanish.
constexpr double kBetaBase = 0.8;
constexpr std::array<double, 2> kBetaMoved{-3.4, 3.7};

double fraction(double v) { return v - std::floor(v); }

/// 0, and multiples of the golden ratio modulo 1 stretched over the interval: evenly spread, symmetric nowhere else, and no
/// rational relation that two different functions could share.
const std::array<double, kNearSize>& near_grid() {
  static const auto points = [] {
    constexpr double kGoldenRatio = 0.6180339887498949;
    std::array<double, kNearSize> result{};
    for (std::size_t i = 1; i < kNearSize; ++i) {
      result[i] = kNearHalfWidth * (2 * fraction(static_cast<double>(i) * kGoldenRatio) - 1);
    }
    std::sort(result.begin(), result.end());
    return result;
  }();
  return points;
}

/// The points closer to 0 and farther out than those, the positive ones first.
const std::vector<double>& outer_grid() {
  static const auto points = [] {
    constexpr double kFineEnough = 0.1;  // the near grid's points are about so far apart
    std::vector<double> result;
    for (const double sign : {1.0, -1.0}) {
      for (double x = kClosest; x < kFineEnough; x *= kRatio * kRatio) result.push_back(sign * x);
      for (double x = kNearHalfWidth * kRatio; x < kFarthest; x *= kRatio) result.push_back(sign * x);
      result.push_back(sign * kFarthest);
    }
    return result;
  }();
  return points;
}

/// The value, in one of the settings, of the parameter with a rank: all different, evenly spread over [-5, 5].
double beta_value(std::size_t setting, std::size_t rank) {
  constexpr double kHalfWidth = 5, kRankStep = 0.7548776662466927, kSettingStep = 0.5698402909980532;
  const double spread = kRankStep * static_cast<double>(rank + 1) + kSettingStep * static_cast<double>(setting + 1);
  return kHalfWidth * (2 * fraction(spread) - 1);
}

std::vector<double> near_values(const Program& program, const std::vector<double>& beta) {
  return evaluate_forward(program, near_grid(), beta);
}

bool usable(double v) { return std::abs(v) <= kLargest; }  // false for NaN too

std::string at_point(double x, double v) { return to_text(v) + " at x = " + to_text(x); }

/// The value's text to the digits that count. Its characters are what is compared and hashed.
std::string rounded(double v, double zero, int digits) {
  if (std::abs(v) < zero) return "0";
  if (std::isnan(v)) return "nan";  // whatever its sign
  std::array<char, 64> buffer;
  const char* const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), v, std::chars_format::scientific, digits - 1).ptr;
  return std::string(std::as_const(buffer).data(), end);
}

std::string near_text(const std::vector<double>& values) {
  std::string result;
  for (const double v : values) result += rounded(v, kNearZero, kNearDigits) + ' ';
  return result;
}

double counts_as_zero(double x) { return std::abs(x) < 1 ? kCloseZero : kFarZero * std::abs(x); }

/// As `rounded`, for a point of the outer grid, with the value as two disturbed evaluations have it. Overflow is a value like others, and
/// so is having no digits.
std::string outer_text(double x, double v, double disturbed_once, double disturbed_again) {
  if (std::isnan(v)) return "nan";
  if (!usable(v)) return v > 0 ? "inf" : "-inf";
  if (std::abs(v) < counts_as_zero(x)) return "0";
  const auto agrees = [v](double disturbed) { return std::abs(disturbed - v) <= kNoise * std::abs(v); };
  return agrees(disturbed_once) && agrees(disturbed_again) ? rounded(v, 0, kOuterDigits) : "noise";
}

/// The values of both grids to the digits that count, as one text: the near grid first.
std::string text_over_grids(const Program& program, const std::vector<double>& beta) {
  std::string result = near_text(near_values(program, beta));
  const std::vector<double>& xs = outer_grid();
  const auto values = evaluate_forward(program, xs, beta);
  const auto once = evaluate_disturbed(program, xs, beta, 1), again = evaluate_disturbed(program, xs, beta, 2);
  for (std::size_t i = 0; i < xs.size(); ++i) result += outer_text(xs[i], values[i], once[i], again[i]) + ' ';
  return result;
}

/// Two independent 64-bit hashes of what it is fed.
class Hash128 {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
  }
  std::string hex() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string result;
    for (const std::uint64_t half : {mixed(a_), mixed(b_)}) {
      for (int shift = 60; shift >= 0; shift -= 4) result += kDigits[half >> static_cast<unsigned>(shift) & 15u];
    }
    return result;
  }

 private:
  void add_byte(std::uint64_t byte) {
    a_ = (a_ ^ byte) * 0x100000001B3u;  // FNV-1a
    b_ = mixed(b_ + byte + kGoldenGamma);
  }
  std::uint64_t a_ = 0xCBF29CE484222325u, b_ = 0;
};

std::optional<std::string> value_not_finite(const std::vector<double>& values) {
  for (std::size_t i = 0; i < kNearSize; ++i) {
    if (!usable(values[i])) return at_point(near_grid()[i], values[i]);
  }
  return std::nullopt;
}

std::optional<std::string> slope_not_finite(const Program& program, const std::vector<double>& beta) {
  for (const double x : near_grid()) {
    if (x == 0) continue;
    const Evaluation at = evaluate(program, x, beta);
    if (!usable(at.dydx)) return "dy/dx is " + at_point(x, at.dydx);
    for (std::size_t k = 0; k < at.dydbeta.size(); ++k) {
      if (!usable(at.dydbeta[k])) return "dy/dbeta" + std::to_string(k) + " is " + at_point(x, at.dydbeta[k]);
    }
  }
  return std::nullopt;
}

/// What the function becomes when a parameter moves away from `base`, as one text; nothing where it stays what it is.
std::string effect_of(const Program& program, std::vector<double> base, std::size_t parameter) {
  const std::string at_base = text_over_grids(program, base);
  std::string effect;
  bool matters = false;
  for (const double moved : kBetaMoved) {
    base[parameter] = moved;
    const std::string values = text_over_grids(program, base);
    matters = matters || values != at_base;
    effect += values;
  }
  return matters ? effect : "";
}

/// Whether it has an effect where all parameters differ: where others are equal they may hide it, as in beta0 * (beta1 * x - beta2 * x).
bool matters_elsewhere(const Program& program, std::size_t parameter) {
  for (const std::size_t setting : {kSettings, kSettings + 1}) {
    std::vector<double> beta;
    for (std::size_t k = 0; k < program.dydbeta.size(); ++k) beta.push_back(beta_value(setting, k));
    if (!effect_of(program, beta, parameter).empty()) return true;
  }
  return false;
}

/// The parameters that matter, in an order that their numbering has no influence on: by what the function becomes when one
/// of them moves away from the rest. Two that have the same effect are exchangeable, so their order is of no consequence.
std::vector<std::size_t> ranked_parameters(const Program& program) {
  const std::vector<double> base(program.dydbeta.size(), kBetaBase);
  std::vector<std::string> effects;
  std::vector<std::size_t> ranked;
  for (std::size_t k = 0; k < base.size(); ++k) {
    effects.push_back(effect_of(program, base, k));
    if (!effects[k].empty() || matters_elsewhere(program, k)) ranked.push_back(k);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [&](std::size_t a, std::size_t b) { return effects[a] < effects[b]; });
  return ranked;
}

/// Whether y is the same at all points, as far as it is finite there.
bool is_constant(const Program& program, const std::vector<double>& beta) {
  const std::vector<double> values = near_values(program, beta);
  const std::string first = rounded(values[0], kNearZero, kNearDigits);
  const auto as_first = [&](double v) { return rounded(v, kNearZero, kNearDigits) == first; };
  if (!std::all_of(values.begin(), values.end(), as_first)) return false;
  const std::vector<double> outer = evaluate_forward(program, outer_grid(), beta);
  for (std::size_t i = 0; i < outer.size(); ++i) {
    const double margin = std::max(counts_as_zero(outer_grid()[i]), kNoise * std::abs(outer[i]));
    if (usable(outer[i]) && std::abs(outer[i] - values[0]) > margin) return false;
  }
  return true;
}

}  // namespace

std::string_view to_text(Rejection rejection) {
  switch (rejection) {
    case Rejection::kConstant:
      return "constant";
    case Rejection::kNotFinite:
      return "not finite";
    case Rejection::kSlopeNotFinite:
      return "slope not finite";
  }
  throw std::logic_error("to_text: no such rejection");
}

Examination examine(const Program& program) {
  std::vector<double> beta(program.dydbeta.size(), kBetaStart);
  const std::vector<double> at_start = near_values(program, beta);
  if (const auto where = value_not_finite(at_start)) return {{}, Rejection::kNotFinite, *where};
  const std::optional<std::string> bad_slope = slope_not_finite(program, beta);

  Hash128 hash;
  hash.add(text_over_grids(program, beta));
  bool constant = is_constant(program, beta);
  const std::vector<std::size_t> ranked = ranked_parameters(program);
  for (std::size_t setting = 0; setting < kSettings && !ranked.empty(); ++setting) {
    for (std::size_t rank = 0; rank < ranked.size(); ++rank) beta[ranked[rank]] = beta_value(setting, rank);
    hash.add(text_over_grids(program, beta));
    constant = constant && is_constant(program, beta);
  }
  Examination result{hash.hex(), std::nullopt, {}};
  if (constant) {
    result.rejection = Rejection::kConstant;
    result.detail = "y is " + rounded(at_start[0], kNearZero, kNearDigits) + " everywhere";
  } else if (bad_slope) {
    result.rejection = Rejection::kSlopeNotFinite;
    result.detail = *bad_slope;
  }
  return result;
}

}  // namespace actsearch
