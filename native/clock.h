// The clock of deadlines.
#pragma once

#include <time.h>

#include <cstdint>

namespace fourseven {

constexpr int64_t kNsPerMs = 1'000'000;

// Nanoseconds of CLOCK_MONOTONIC.
inline int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

inline int64_t NowMs() { return NowNs() / kNsPerMs; }

}  // namespace fourseven
