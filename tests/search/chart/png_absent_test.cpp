// What a build without cairo says.

#include <gtest/gtest.h>

#include "search/chart/png.h"

namespace actsearch {
namespace {

TEST(PngAbsent, SaysThatSvgIsThere) {
  try {
    to_png({});
    FAIL() << "nothing was thrown";
  } catch (const PngUnavailable& error) {
    EXPECT_NE(std::string(error.what()).find("no PNG"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("SVG"), std::string::npos);
  }
}

}  // namespace
}  // namespace actsearch
