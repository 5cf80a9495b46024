// What it costs to move a message from one socket to another: by copying it through a buffer, as the engine begins, or
// by splice(2) through one of the engine's own pipes, as it goes on with a stream. See relay.ts.
//
//   relay-splice ROUNDS
//
// One thread relays; another sends a message and waits until it has come out whole. Prints lines of JSON:
// {"name":"copy","x":BYTES,"ns":N}, one for each round: the processor time of the relaying thread per message.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "splice_pipe.h"

namespace {

constexpr size_t kSizes[] = {256, 1024, 4096, 16384, 65536, 262144, 1048576};
constexpr size_t kBufferBytes = 256 * 1024;
// What is sent of each size in a round.
constexpr size_t kRoundBytes = 64 * 1024 * 1024;
constexpr size_t kMessagesMax = 4000;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Pair {
  int first;
  int second;
};

// A connection over loopback: a socket pair of the unix domain would cost something else.
Pair Connect() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 1) != 0)
    Die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  const int server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  close(listener);
  const int on = 1;
  for (const int fd : {client, server}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {client, server};
}

void WaitFor(int fd, short events) {
  pollfd one{fd, events, 0};
  if (poll(&one, 1, 10000) != 1) Die("poll");
}

void SendAll(int fd, const uint8_t* bytes, size_t length) {
  while (length > 0) {
    const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0) Die("send");
    bytes += sent;
    length -= static_cast<size_t>(sent);
  }
}

void Copy(int from, int to, size_t length, std::vector<uint8_t>& buffer) {
  while (length > 0) {
    WaitFor(from, POLLIN);
    const ssize_t count = recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count <= 0) Die("recv");
    SendAll(to, buffer.data(), static_cast<size_t>(count));
    length -= static_cast<size_t>(count);
  }
}

void Splice(int from, int to, size_t length, fourseven::SplicePipe& pipe) {
  constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  while (length > 0) {
    WaitFor(from, POLLIN);
    const ssize_t count = splice(from, nullptr, pipe.write_end.get(), nullptr, pipe.capacity, kFlags);
    if (count <= 0) Die("splice");
    for (auto left = static_cast<size_t>(count); left > 0;) {
      const ssize_t moved = splice(pipe.read_end.get(), nullptr, to, nullptr, left, SPLICE_F_MOVE);
      if (moved <= 0) Die("splice");
      left -= static_cast<size_t>(moved);
    }
    length -= static_cast<size_t>(count);
  }
}

double ThreadNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Sends messages and takes what comes out, one after the other.
void Load(int in, int out, size_t bytes, size_t messages) {
  std::vector<uint8_t> message(bytes, 'm');
  std::vector<uint8_t> received(kBufferBytes);
  for (size_t i = 0; i < messages; i++) {
    // What comes out has to be taken while the rest goes in: the sockets need not hold a whole message.
    for (size_t sent = 0, taken = 0; taken < bytes;) {
      pollfd both[2] = {{in, static_cast<short>(sent < bytes ? POLLOUT : 0), 0}, {out, POLLIN, 0}};
      if (poll(both, 2, 10000) < 1) Die("poll");
      if ((both[0].revents & POLLOUT) != 0) {
        const ssize_t count = send(in, message.data() + sent, bytes - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) sent += static_cast<size_t>(count);
      }
      if ((both[1].revents & POLLIN) != 0) {
        const ssize_t count = recv(out, received.data(), received.size(), MSG_DONTWAIT);
        if (count <= 0) Die("recv");
        taken += static_cast<size_t>(count);
      }
    }
  }
}

void Measure(const char* name, size_t bytes, fourseven::SplicePipe* pipe) {
  const Pair source = Connect();
  const Pair sink = Connect();
  const size_t messages = kRoundBytes / bytes < kMessagesMax ? kRoundBytes / bytes : kMessagesMax;
  std::vector<uint8_t> buffer(kBufferBytes);
  std::thread load(Load, source.first, sink.second, bytes, messages);
  const double begun = ThreadNs();
  for (size_t i = 0; i < messages; i++) {
    if (pipe == nullptr) {
      Copy(source.second, sink.first, bytes, buffer);
    } else {
      Splice(source.second, sink.first, bytes, *pipe);
    }
  }
  const double used = ThreadNs() - begun;
  load.join();
  for (const int fd : {source.first, source.second, sink.first, sink.second}) close(fd);
  std::printf("{\"name\":\"%s\",\"x\":%zu,\"ns\":%.0f}\n", name, bytes, used / static_cast<double>(messages));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: relay-splice ROUNDS\n");
    return 2;
  }
  fourseven::PipePool pipes;
  fourseven::SplicePipe pipe = pipes.Take(true);
  if (!pipe.valid()) Die("pipe2");
  for (int round = 0; round < std::atoi(argv[1]); round++) {
    for (const size_t bytes : kSizes) {
      Measure("copy", bytes, nullptr);
      Measure("splice", bytes, &pipe);
    }
  }
  return 0;
}
