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
// Where a network can go besides: close to 0, and far out. Points of both signs, each so many times as far out as the one before.
constexpr double kClosest = 1e-4, kFarthest = 1e4, kRatio = 1.25;
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

using Values = std::array<double, kNearSize>;

Values near_values(const Program& program, const std::vector<double>& beta) {
  Values values;
  for (std::size_t i = 0; i < kNearSize; ++i) values[i] = evaluate_forward(program, near_grid()[i], beta);
  return values;
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

std::string near_text(const Values& values) {
  std::string result;
  for (const double v : values) result += rounded(v, kNearZero, kNearDigits) + ' ';
  return result;
}

double counts_as_zero(double x) { return std::abs(x) < 1 ? kCloseZero : kFarZero * std::abs(x); }

/// As `rounded`, for a point of the outer grid. Overflow is a value like others, and so is having no digits.
std::string outer_text(const Program& program, double x, const std::vector<double>& beta) {
  constexpr std::uint64_t kSeeds[] = {1, 2};
  const double v = evaluate_forward(program, x, beta);
  if (std::isnan(v)) return "nan";
  if (!usable(v)) return v > 0 ? "inf" : "-inf";
  const double zero = counts_as_zero(x);
  if (std::abs(v) < zero) return "0";
  for (const std::uint64_t seed : kSeeds) {
    const double moved = std::abs(evaluate_disturbed(program, x, beta, seed) - v);
    if (!(moved <= kNoise * std::abs(v))) return "noise";
  }
  return rounded(v, zero, kOuterDigits);
}

/// The values of both grids to the digits that count, as one text: the near grid first.
std::string text_over_grids(const Program& program, const std::vector<double>& beta) {
  std::string result = near_text(near_values(program, beta));
  for (const double x : outer_grid()) result += outer_text(program, x, beta) + ' ';
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

std::optional<std::string> value_not_finite(const Values& values) {
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

/// The parameters that matter, in an order that their numbering has no influence on: by what the function becomes when one
/// of them moves away from the rest. Two that have the same effect are exchangeable, so their order is of no consequence.
std::vector<std::size_t> ranked_parameters(const Program& program) {
  const std::size_t count = program.dydbeta.size();
  if (count == 0) return {};
  std::vector<double> beta(count, kBetaBase);
  const std::string at_base = text_over_grids(program, beta);
  std::vector<std::string> effects;
  std::vector<std::size_t> ranked;
  for (std::size_t k = 0; k < count; ++k) {
    std::string effect;
    bool matters = false;
    for (const double moved : kBetaMoved) {
      beta[k] = moved;
      const std::string values = text_over_grids(program, beta);
      matters = matters || values != at_base;
      effect += values;
    }
    beta[k] = kBetaBase;
    effects.push_back(std::move(effect));
    if (matters) ranked.push_back(k);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [&](std::size_t a, std::size_t b) { return effects[a] < effects[b]; });
  return ranked;
}

/// Whether y is the same at all points, as far as it is finite there.
bool is_constant(const Program& program, const std::vector<double>& beta) {
  const Values values = near_values(program, beta);
  const std::string first = rounded(values[0], kNearZero, kNearDigits);
  const auto as_first = [&](double v) { return rounded(v, kNearZero, kNearDigits) == first; };
  if (!std::all_of(values.begin(), values.end(), as_first)) return false;
  return std::all_of(outer_grid().begin(), outer_grid().end(), [&](double x) {
    const double v = evaluate_forward(program, x, beta);
    return !usable(v) || std::abs(v - values[0]) <= std::max(counts_as_zero(x), kNoise * std::abs(v));
  });
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
  const Values at_start = near_values(program, beta);
  if (const auto where = value_not_finite(at_start)) return {{}, Rejection::kNotFinite, *where};
  const std::optional<std::string> bad_slope = slope_not_finite(program, beta);

  std::string values = text_over_grids(program, beta);
  Hash128 hash;
  hash.add(values);
  bool constant = is_constant(program, beta);
  const std::vector<std::size_t> ranked = ranked_parameters(program);
  for (std::size_t setting = 0; setting < kSettings; ++setting) {
    if (!ranked.empty()) {
      for (std::size_t rank = 0; rank < ranked.size(); ++rank) beta[ranked[rank]] = beta_value(setting, rank);
      values = text_over_grids(program, beta);
      constant = constant && is_constant(program, beta);
    }
    hash.add(values);
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
