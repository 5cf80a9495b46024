// Sockets that change their process: over a pair of unix sockets (SCM_RIGHTS, unix(7)), and what a service manager is
// told. None of this is on the data path. Every function returns a count, a descriptor, 0, or -errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "unique_fd.h"

namespace fourseven {

// The kernel passes at most 253 descriptors with one message (SCM_MAX_FD).
inline constexpr size_t kDescriptorsPerMessage = 250;
inline constexpr size_t kBytesPerMessage = 64 * 1024;

// Two connected sockets that keep the boundaries of messages (SOCK_SEQPACKET). Both CLOEXEC; the first NONBLOCK.
[[nodiscard]] int SocketPair(UniqueFd& ours, UniqueFd& theirs);

// One message: at most kBytesPerMessage bytes (at least one) and kDescriptorsPerMessage descriptors, which stay the
// caller's. -EAGAIN: the other side has not read enough yet.
[[nodiscard]] int SendDescriptors(int socket, std::span<const uint8_t> bytes, std::span<const int32_t> descriptors);

// Waits for one message, at most `timeout_ms`. Returns the number of its bytes (0: the other side is gone). The
// descriptors are the caller's, CLOEXEC. -ETIMEDOUT; -EMSGSIZE if it was longer than agreed.
[[nodiscard]] int ReceiveDescriptors(int socket, int timeout_ms, std::vector<uint8_t>& bytes,
                                     std::vector<UniqueFd>& descriptors);

// Where a listening socket listens: as FormatAddress. Empty if the descriptor is no listening socket.
[[nodiscard]] std::string ListeningAddress(int fd);

// One datagram to a unix socket; a path that begins with `@` is in the abstract namespace (sd_notify(3)).
[[nodiscard]] int SendDatagram(const std::string& path, const std::string& text);

}  // namespace fourseven
