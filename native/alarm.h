// When a wait is to end at the latest. epoll_wait's own timeout sets a timer of the kernel and takes it down again with
// every wait that sleeps, which costs a microsecond; this one (timerfd_create(2)) stays as it is until it rings, or
// until a wait is to end sooner.
#pragma once

#include <cstdint>

#include "unique_fd.h"

namespace fourseven {

class Alarm {
 public:
  // Has the epoll set report `data` when it rings. Returns 0 or -errno.
  [[nodiscard]] int Open(int epoll, uint64_t data);
  // Rings at `due_ms` of CLOCK_MONOTONIC or sooner; at once if that has passed. It may ring for a wait that is over.
  void RingBy(int64_t due_ms);
  // It has rung.
  void Rang() { rings_at_ms_ = INT64_MAX; }

 private:
  UniqueFd fd_;
  int64_t rings_at_ms_ = INT64_MAX;
};

}  // namespace fourseven
