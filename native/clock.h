// The clock of deadlines.
#pragma once

#include <time.h>

#include <cstdint>

namespace fourseven {

// Milliseconds of CLOCK_MONOTONIC.
inline int64_t NowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

}  // namespace fourseven
