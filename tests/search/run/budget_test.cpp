#include "search/run/budget.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace actsearch {
namespace {

TEST(Duration, ReadsNumbersWithUnits) {
  EXPECT_DOUBLE_EQ(parse_duration("45s").count(), 45);
  EXPECT_DOUBLE_EQ(parse_duration("30m").count(), 1'800);
  EXPECT_DOUBLE_EQ(parse_duration("1h30m").count(), 5'400);
  EXPECT_DOUBLE_EQ(parse_duration("1.5h").count(), 5'400);
  EXPECT_DOUBLE_EQ(parse_duration("2d1h1m1s").count(), 2 * 86'400 + 3'661);
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "30", "m", "-5m", "0s", "0m0s", "10x", "30m1h", "5m5m", "nans", "infs", "1e9d", "1 h", "2000d", "1h30"}) {
    EXPECT_THROW(parse_duration(text), std::invalid_argument) << text;
  }
}

TEST(Duration, PrintsTheTwoLargestUnits) {
  using S = std::chrono::duration<double>;
  EXPECT_EQ(format_duration(S(4.21)), "4.2s");
  EXPECT_EQ(format_duration(S(9.97)), "10s");
  EXPECT_EQ(format_duration(S(45)), "45s");
  EXPECT_EQ(format_duration(S(59.7)), "1m00s");
  EXPECT_EQ(format_duration(S(125)), "2m05s");
  EXPECT_EQ(format_duration(S(5'400)), "1h30m");
  EXPECT_EQ(format_duration(S(90'000)), "1d01h");
  EXPECT_EQ(format_duration(S(-1)), "0.0s");
}

TEST(Duration, ReadsBackWhatItPrints) {
  for (const char* text : {"45s", "2m05s", "1h30m", "1d01h"}) EXPECT_EQ(format_duration(parse_duration(text)), text);
}

}  // namespace
}  // namespace actsearch
