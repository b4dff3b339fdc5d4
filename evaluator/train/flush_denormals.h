/// Denormal numbers taken for 0 by this thread and those it starts. A network whose signal dies out computes with little else, and
/// each of them costs the processor some hundred cycles.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace actsearch {

/// For as long as it lives; then as before. Does nothing on processors without the setting.
class FlushDenormals {
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
#if defined(__SSE2__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }  // results to zero, operands too
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  FlushDenormals() {}
#endif
};

}  // namespace actsearch
