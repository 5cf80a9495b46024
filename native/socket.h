// What we ask of the kernel's sockets. Every function returns a descriptor, a count, or -errno; none blocks; EINTR is
// retried here.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <span>
#include <string>

#include "unique_fd.h"

namespace fourseven {

// A socket address with its length: v4, v6, or the path of a unix socket.
struct Address {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un path;
  };
  socklen_t length = 0;

  Address() { path = {}; }
};

// Reads a numeric host and port (family 4 or 6), or a path (family 0). Returns 0 or -EINVAL.
[[nodiscard]] int ParseAddress(int family, const std::string& host, int port, Address& address);
// "family port host": 4, 6 or 0 first; the path of a unix socket (empty for an unnamed one) as host.
[[nodiscard]] std::string FormatAddress(const Address& address);

// A listening socket: NONBLOCK, CLOEXEC, SO_REUSEADDR, SO_REUSEPORT (IP only), TCP_NODELAY (inherited by what is
// accepted). v6 sockets are V6ONLY unless bound to `::`. A socket file on which nobody listens is replaced. Returns the
// descriptor (the caller's) or -errno.
[[nodiscard]] int ListenSocket(const Address& address, int backlog);
[[nodiscard]] int SocketPort(int fd);

// accept4 with NONBLOCK | CLOEXEC. -EAGAIN: the queue is empty. Errors of the connection itself (ECONNABORTED, EPROTO,
// ...) are passed over.
[[nodiscard]] int Accept(int listener, Address& peer);
// A socket that is connecting (or connected: `connected`). Returns the descriptor or -errno.
[[nodiscard]] int Dial(const Address& address, bool& connected);
// The pending error of a socket (SO_ERROR), cleared by the call; 0 if none.
[[nodiscard]] int PendingError(int fd);

// recv; 0 is the end of the stream, -EAGAIN nothing there.
[[nodiscard]] ssize_t Receive(int fd, uint8_t* bytes, size_t length);
// What the next Receive of one byte would return; takes nothing.
[[nodiscard]] ssize_t Peek(int fd, uint8_t& byte);
// sendmsg with NOSIGNAL. -EAGAIN: the socket is full.
[[nodiscard]] ssize_t Send(int fd, std::span<iovec> ranges);
// The next close sends RST (SO_LINGER with a time of zero, socket(7)).
void ResetOnClose(int fd);

}  // namespace fourseven
