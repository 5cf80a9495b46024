// What the engine's epoll set is asked to report, and by what data it says whom a report is of: a connection by its
// index, the others by a bit beyond that.
#pragma once

#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>

namespace fourseven {

// Or'ed with the listener's index.
constexpr uint64_t kListenerBit = 1ull << 32;
// libuv's descriptor, and the alarm.
constexpr uint64_t kLoopBit = 1ull << 33;
constexpr uint64_t kAlarmBit = 1ull << 34;

constexpr uint32_t kConnectionEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

// Has the set report `events` of the descriptor with `data`. Returns 0 or -errno.
[[nodiscard]] inline int Watch(int epoll, int fd, uint32_t events, uint64_t data) {
  epoll_event interest{};
  interest.events = events;
  interest.data.u64 = data;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) == 0 ? 0 : -errno;
}

}  // namespace fourseven
