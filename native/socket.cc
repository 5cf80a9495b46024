#include "socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace fourseven {
namespace {

// A peer that vanished between its handshake and our accept is no error of the listener (accept(2), "Error handling").
bool IsErrorOfTheConnection(int error) {
  return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == EHOSTDOWN || error == ENONET ||
         error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH;
}

int SetOption(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0 ? 0 : -errno;
}

int Bind(int fd, const Address& address) { return ::bind(fd, &address.any, address.length) == 0 ? 0 : -errno; }

// Whether a unix socket file is a left-over: connecting to it is refused.
bool IsStale(const Address& address) {
  struct stat status {};
  if (::stat(address.path.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return probe.valid() && ::connect(probe.get(), &address.any, address.length) != 0 && errno == ECONNREFUSED;
}

int PrepareListener(int fd, const Address& address) {
  const int family = address.any.sa_family;
  if (family == AF_UNIX) return 0;
  if (int error = SetOption(fd, SOL_SOCKET, SO_REUSEADDR); error < 0) return error;
  if (int error = SetOption(fd, SOL_SOCKET, SO_REUSEPORT); error < 0) return error;
  if (int error = SetOption(fd, IPPROTO_TCP, TCP_NODELAY); error < 0) return error;
  const bool wildcard = family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr);
  return family == AF_INET6 && !wildcard ? SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY) : 0;
}

}  // namespace

int ParseAddress(int family, const std::string& host, int port, Address& address) {
  address = Address();
  // A C string would end there, and name something else.
  if (host.find('\0') != std::string::npos) return -EINVAL;
  if (family != 0 && (port < 0 || port > UINT16_MAX)) return -EINVAL;
  if (family == 4) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof address.v4;
    return ::inet_pton(AF_INET, host.c_str(), &address.v4.sin_addr) == 1 ? 0 : -EINVAL;
  }
  if (family == 6) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(static_cast<uint16_t>(port));
    address.length = sizeof address.v6;
    return ::inet_pton(AF_INET6, host.c_str(), &address.v6.sin6_addr) == 1 ? 0 : -EINVAL;
  }
  if (host.empty() || host.size() >= sizeof address.path.sun_path) return -EINVAL;
  address.path.sun_family = AF_UNIX;
  std::memcpy(address.path.sun_path, host.c_str(), host.size() + 1);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + host.size() + 1);
  return 0;
}

std::string FormatAddress(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.any.sa_family == AF_INET) {
    ::inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
    return "4 " + std::to_string(ntohs(address.v4.sin_port)) + " " + text;
  }
  if (address.any.sa_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
    return "6 " + std::to_string(ntohs(address.v6.sin6_port)) + " " + text;
  }
  const size_t length = address.length - std::min<size_t>(address.length, offsetof(sockaddr_un, sun_path));
  // A path as long as it may be has no zero behind it (unix(7), "BUGS").
  return "0 0 " + std::string(address.path.sun_path,
                              ::strnlen(address.path.sun_path, std::min(length, sizeof address.path.sun_path)));
}

int ListenSocket(const Address& address, int backlog) {
  UniqueFd fd(::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return -errno;
  if (int error = PrepareListener(fd.get(), address); error < 0) return error;
  int error = Bind(fd.get(), address);
  if (error == -EADDRINUSE && address.any.sa_family == AF_UNIX && IsStale(address)) {
    ::unlink(address.path.sun_path);
    error = Bind(fd.get(), address);
  }
  if (error < 0) return error;
  if (::listen(fd.get(), backlog) != 0) return -errno;
  return fd.Release();
}

int SocketPort(int fd) {
  Address address;
  address.length = sizeof address.path;
  if (::getsockname(fd, &address.any, &address.length) != 0) return -errno;
  if (address.any.sa_family == AF_INET) return ntohs(address.v4.sin_port);
  return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

int Accept(int listener, Address& peer) {
  // Bounded: a listener whose every connection fails must not hold the loop.
  for (int attempt = 0; attempt < 64; attempt++) {
    peer.length = sizeof peer.path;
    const int fd = ::accept4(listener, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno != EINTR && !IsErrorOfTheConnection(errno)) return -errno;
  }
  return -EAGAIN;
}

int Dial(const Address& address, bool& connected) {
  UniqueFd fd(::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return -errno;
  if (address.any.sa_family != AF_UNIX) {
    if (int error = SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY); error < 0) return error;
  }
  connected = ::connect(fd.get(), &address.any, address.length) == 0;
  // EINTR of a non-blocking connect means that it goes on (connect(2)). A unix socket whose queue is full says EAGAIN:
  // refused for now.
  if (!connected && errno != EINPROGRESS && errno != EINTR) return -errno;
  return fd.Release();
}

int PendingError(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

// The two calls of the hot path go to the kernel directly: libc's are cancellation points, which costs two atomic
// operations each in a process with threads (pthreads(7), "Cancellation points").
ssize_t Receive(int fd, uint8_t* bytes, size_t length) {
  for (;;) {
    const long count = ::syscall(SYS_recvfrom, fd, bytes, length, MSG_DONTWAIT, nullptr, nullptr);
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

ssize_t Peek(int fd, uint8_t& byte) {
  for (;;) {
    const ssize_t count = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

ssize_t Send(int fd, std::span<iovec> ranges) {
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  msghdr message{};
  message.msg_iov = ranges.data();
  message.msg_iovlen = ranges.size();
  for (;;) {
    const long count = ranges.size() == 1
                           ? ::syscall(SYS_sendto, fd, ranges[0].iov_base, ranges[0].iov_len, kFlags, nullptr, 0)
                           : ::syscall(SYS_sendmsg, fd, &message, kFlags);
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

void ResetOnClose(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace fourseven
