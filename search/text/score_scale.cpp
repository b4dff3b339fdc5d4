#include "search/text/score_scale.h"

#include "search/text/format.h"

namespace actsearch {
namespace {

constexpr int kDigits = 4;

}  // namespace

std::string ScoreScale::value(double stored) const { return share ? percent(stored) : fixed(negated ? -stored : stored, kDigits); }
std::string ScoreScale::amount(double amount) const { return share ? percent(amount) : fixed(amount, kDigits); }

std::string ScoreScale::difference(double stored) const {
  if (share) return signed_percent(stored);
  const double told = negated ? -stored : stored;
  return (told < 0 ? "" : "+") + fixed(told, kDigits);
}

std::string ScoreScale::exact_value(double stored) const { return share ? exact_percent(stored) : exact(negated ? -stored : stored); }
std::string ScoreScale::exact_amount(double amount) const { return share ? exact_percent(amount) : exact(amount); }

}  // namespace actsearch
