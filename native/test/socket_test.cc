#include "socket.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "temporary_folder.h"

namespace {

using fourseven::Address;
using fourseven::FormatAddress;
using fourseven::ListenSocket;
using fourseven::ParseAddress;
using fourseven::UniqueFd;

Address Parsed(int family, const std::string& host, int port) {
  Address address;
  if (ParseAddress(family, host, port, address) != 0) address.length = 0;
  return address;
}

int Refused(int family, const std::string& host, int port) {
  Address address;
  return ParseAddress(family, host, port, address);
}

int Option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

Address Local(int fd) {
  Address address;
  address.length = sizeof address.path;
  if (::getsockname(fd, &address.any, &address.length) != 0) address.length = 0;
  return address;
}

// A connection to `listener`, both ends; waits for it, at most a second.
std::array<UniqueFd, 2> Connect(int listener) {
  bool connected = false;
  UniqueFd dialed(fourseven::Dial(Local(listener), connected));
  pollfd ready{listener, POLLIN, 0};
  ::poll(&ready, 1, 1000);
  Address peer;
  UniqueFd accepted(fourseven::Accept(listener, peer));
  return {std::move(dialed), std::move(accepted)};
}

}  // namespace

TEST(addresses_are_formatted_as_they_were_parsed) {
  CHECK_EQUAL(FormatAddress(Parsed(4, "127.0.0.1", 80)), "4 80 127.0.0.1");
  CHECK_EQUAL(FormatAddress(Parsed(4, "255.255.255.255", 65535)), "4 65535 255.255.255.255");
  CHECK_EQUAL(FormatAddress(Parsed(6, "::", 0)), "6 0 ::");
  CHECK_EQUAL(FormatAddress(Parsed(6, "2001:DB8::1", 443)), "6 443 2001:db8::1");
  CHECK_EQUAL(FormatAddress(Parsed(6, "::ffff:10.0.0.1", 1)), "6 1 ::ffff:10.0.0.1");
  CHECK_EQUAL(FormatAddress(Parsed(0, "/run/a b.sock", 0)), "0 0 /run/a b.sock");
}

TEST(addresses_that_are_not_numeric_are_refused) {
  for (const char* host : {"", "localhost", "127.0.0.1 ", "127.1", "1.2.3.256", "::1", "0x7f.0.0.1"})
    CHECK_EQUAL(Refused(4, host, 1), -EINVAL);
  for (const char* host : {"", "127.0.0.1", ":::", "[::1]", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9"})
    CHECK_EQUAL(Refused(6, host, 1), -EINVAL);
  CHECK_EQUAL(Refused(4, std::string("127.0.0.1\0.evil", 15), 1), -EINVAL);
}

TEST(addresses_with_a_port_that_does_not_exist_are_refused) {
  CHECK_EQUAL(Refused(4, "127.0.0.1", -1), -EINVAL);
  CHECK_EQUAL(Refused(4, "127.0.0.1", 65536), -EINVAL);
  CHECK_EQUAL(Refused(6, "::1", 65536), -EINVAL);
}

TEST(paths_must_fit_and_may_not_be_empty) {
  CHECK_EQUAL(Refused(0, "", 0), -EINVAL);
  CHECK_EQUAL(Refused(0, std::string(107, 'a'), 0), 0);
  CHECK_EQUAL(Refused(0, std::string(108, 'a'), 0), -EINVAL);
  CHECK_EQUAL(Refused(0, std::string("a\0b", 3), 0), -EINVAL);
}

TEST(addresses_of_unnamed_and_unterminated_paths_are_formatted) {
  Address unnamed;
  unnamed.path.sun_family = AF_UNIX;
  unnamed.length = sizeof(sa_family_t);
  CHECK_EQUAL(FormatAddress(unnamed), "0 0 ");
  Address full;
  full.path.sun_family = AF_UNIX;
  std::memset(full.path.sun_path, 'x', sizeof full.path.sun_path);
  full.length = sizeof full.path + 1;
  CHECK_EQUAL(FormatAddress(full), "0 0 " + std::string(sizeof full.path.sun_path, 'x'));
}

TEST(listeners_do_not_block_are_not_inherited_and_pass_on_nodelay) {
  for (const int family : {4, 6}) {
    const UniqueFd listener(ListenSocket(Parsed(family, family == 4 ? "127.0.0.1" : "::1", 0), 8));
    CHECK(listener.valid());
    CHECK((::fcntl(listener.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(listener.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_EQUAL(fourseven::SocketPort(listener.get()), ntohs(Local(listener.get()).v4.sin_port));
    const std::array<UniqueFd, 2> pair = Connect(listener.get());
    CHECK(pair[1].valid());
    for (const UniqueFd& fd : pair) {
      CHECK((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0);
      CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
      CHECK_EQUAL(Option(fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
    }
  }
}

TEST(listeners_share_a_port_and_take_v4_only_on_the_wildcard) {
  const UniqueFd first(ListenSocket(Parsed(4, "127.0.0.1", 0), 8));
  const UniqueFd second(ListenSocket(Parsed(4, "127.0.0.1", fourseven::SocketPort(first.get())), 8));
  CHECK(first.valid() && second.valid());
  const UniqueFd one(ListenSocket(Parsed(6, "::1", 0), 8));
  const UniqueFd all(ListenSocket(Parsed(6, "::", 0), 8));
  CHECK_EQUAL(Option(one.get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  CHECK_EQUAL(Option(all.get(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
}

TEST(listeners_replace_a_socket_file_on_which_nobody_listens) {
  const TemporaryFolder folder;
  const Address address = Parsed(0, folder.Path("stale.sock"), 0);
  { const UniqueFd left(ListenSocket(address, 8)); }
  const UniqueFd listener(ListenSocket(address, 8));
  CHECK(listener.valid());
  CHECK_EQUAL(fourseven::SocketPort(listener.get()), 0);
  CHECK(Connect(listener.get())[1].valid());
}

TEST(listeners_leave_a_live_socket_and_a_plain_file_alone) {
  const TemporaryFolder folder;
  const Address live = Parsed(0, folder.Path("live.sock"), 0);
  const UniqueFd listener(ListenSocket(live, 0));
  CHECK_EQUAL(ListenSocket(live, 8), -EADDRINUSE);
  // With its queue full it says EAGAIN, and is alive all the same.
  std::vector<UniqueFd> waiting;
  for (;;) {
    bool connected = false;
    const int fd = fourseven::Dial(live, connected);
    if (fd == -EAGAIN || waiting.size() > 100) break;
    waiting.emplace_back(fd);
  }
  CHECK(waiting.size() < 100);
  CHECK_EQUAL(ListenSocket(live, 8), -EADDRINUSE);
  const std::string path = folder.Path("plain");
  { const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }
  CHECK_EQUAL(ListenSocket(Parsed(0, path, 0), 8), -EADDRINUSE);
  struct stat status {};
  CHECK_EQUAL(::stat(path.c_str(), &status), 0);
}

TEST(listeners_say_why_they_cannot_be) {
  CHECK_EQUAL(ListenSocket(Parsed(4, "192.0.2.1", 0), 8), -EADDRNOTAVAIL);
  CHECK_EQUAL(ListenSocket(Parsed(0, "/nowhere/at/all.sock", 0), 8), -ENOENT);
}

TEST(accept_says_EAGAIN_when_the_queue_is_empty_and_other_errors_as_they_are) {
  const UniqueFd listener(ListenSocket(Parsed(4, "127.0.0.1", 0), 8));
  Address peer;
  CHECK_EQUAL(fourseven::Accept(listener.get(), peer), -EAGAIN);
  CHECK_EQUAL(fourseven::Accept(-1, peer), -EBADF);
}

TEST(receive_peek_and_send_speak_errno) {
  const UniqueFd listener(ListenSocket(Parsed(4, "127.0.0.1", 0), 8));
  std::array<UniqueFd, 2> pair = Connect(listener.get());
  const int fd = pair[1].get();
  uint8_t bytes[8] = {};
  CHECK_EQUAL(fourseven::Receive(fd, bytes, sizeof bytes), -EAGAIN);
  CHECK_EQUAL(fourseven::Peek(fd, bytes[0]), -EAGAIN);
  char text[] = "abcdef";
  std::array<iovec, 2> ranges{iovec{text, 2}, iovec{text + 2, 4}};
  CHECK_EQUAL(fourseven::Send(pair[0].get(), ranges), 6);
  CHECK_EQUAL(fourseven::Peek(fd, bytes[0]), 1);
  CHECK_EQUAL(fourseven::Receive(fd, bytes, sizeof bytes), 6);
  CHECK_EQUAL(std::string(reinterpret_cast<char*>(bytes), 6), "abcdef");
  fourseven::ResetOnClose(pair[0].get());
  pair[0].Reset();
  CHECK_EQUAL(fourseven::Peek(fd, bytes[0]), -ECONNRESET);
  CHECK_EQUAL(fourseven::Receive(fd, bytes, sizeof bytes), 0);
  CHECK_EQUAL(fourseven::Send(fd, ranges), -EPIPE);
  CHECK_EQUAL(fourseven::PendingError(fd), 0);
  CHECK_EQUAL(fourseven::PendingError(-1), EBADF);
}
