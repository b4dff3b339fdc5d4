#include "search/chart/png.h"

namespace actsearch {

std::string to_png(const Drawing&) {
  throw PngUnavailable("this build of actsearch draws no PNG (it was built without cairo); SVG it does");
}

}  // namespace actsearch
