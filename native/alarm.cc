#include "alarm.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>

#include "readiness.h"

namespace fourseven {

int Alarm::Open(int epoll, uint64_t data) {
  fd_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd_.valid()) return -errno;
  // Edge-triggered, it need not be read: to set it anew is enough.
  return Watch(epoll, fd_.get(), EPOLLIN | EPOLLET, data);
}

void Alarm::RingBy(int64_t due_ms) {
  if (rings_at_ms_ <= due_ms) return;
  rings_at_ms_ = due_ms;
  // Zero would disarm it (timerfd_settime(2)).
  const int64_t at_ms = std::max<int64_t>(due_ms, 1);
  itimerspec when{};
  when.it_value.tv_sec = at_ms / 1000;
  when.it_value.tv_nsec = at_ms % 1000 * 1'000'000;
  ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace fourseven
