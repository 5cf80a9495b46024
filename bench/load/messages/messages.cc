// WebSocket messages (RFC 6455) for the benchmark, both ends: an endpoint that echoes them, and a load that sends the
// next one when the last has come back. See messages.ts. In C++, because they share a core and must not be what is
// measured.
//
//   messages serve PORT
//   messages load PORT CONNECTIONS BYTES SECONDS
//
// Both speak no more of the protocol than they need: binary messages in one frame, no ping, no close. `load` prints one
// line of JSON: {"messages":N,"elapsedUs":N,"problem":"..."}; an empty problem if all went well.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int kBacklog = 4096;
constexpr int kEventsMax = 256;
constexpr size_t kReceiveBytes = 256 * 1024;
constexpr size_t kHeadMaxBytes = 16 * 1024;
constexpr size_t kMessageMaxBytes = 16 * 1024 * 1024;
constexpr double kConnectDeadlineUs = 10e6;
/** The example of RFC 6455 section 1.3. A proxy can't tell that it is always the same. */
constexpr const char* kUpgrade =
    "GET /messages HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr const char* kAccepted =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

double NowUs() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "messages: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/** A frame with a binary message; `mask` as clients must, and servers must not (section 5.1). */
std::string Frame(const std::string& payload, bool mask) {
  std::string frame("\x82");
  const char mask_bit = mask ? static_cast<char>(0x80) : '\0';
  if (payload.size() < 126) {
    frame += static_cast<char>(mask_bit | static_cast<char>(payload.size()));
  } else if (payload.size() < 65536) {
    frame += static_cast<char>(mask_bit | 126);
    for (int shift = 8; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift);
  } else {
    frame += static_cast<char>(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift);
  }
  if (!mask) return frame + payload;
  constexpr char kKey[] = {0x12, 0x34, 0x56, 0x78};
  frame.append(kKey, sizeof kKey);
  for (size_t i = 0; i < payload.size(); i++) frame += static_cast<char>(payload[i] ^ kKey[i % 4]);
  return frame;
}

/** One end of a connection: what has come and was not taken yet, and what could not be sent yet. */
struct Peer {
  int fd = -1;
  bool is_open = false;  // the upgrade is done
  std::string in;
  std::string out;
  size_t out_at = 0;
};

/** Takes a whole message off `in`. Returns whether there was one. */
bool TakeMessage(std::string& in, std::string& payload) {
  if (in.size() < 2) return false;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(in[at]); };
  const bool masked = (byte(1) & 0x80) != 0;
  uint64_t length = byte(1) & 0x7f;
  size_t at = 2;
  const size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (in.size() < at + extended) return false;
  if (extended > 0) length = 0;
  for (size_t i = 0; i < extended; i++) length = length << 8 | byte(at++);
  if (byte(0) != 0x82 || length > kMessageMaxBytes) Die("not a frame of the benchmark");
  const size_t key = at;
  if (masked) at += 4;
  if (in.size() < at + length) return false;
  payload.assign(in, at, length);
  if (masked)
    for (size_t i = 0; i < payload.size(); i++) payload[i] = static_cast<char>(payload[i] ^ in[key + i % 4]);
  in.erase(0, at + length);
  return true;
}

/** What both ends share: an epoll set, reading and writing. */
class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(kReceiveBytes) {}

  void Watch(int fd, void* data) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = data;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl");
  }

  int Wait(epoll_event* events, int ms) { return epoll_wait(epoll_, events, kEventsMax, ms); }

  /** Reads what there is. Returns false once the connection has ended. */
  bool Receive(Peer& peer) {
    for (;;) {
      const ssize_t length = recv(peer.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (length > 0) peer.in.append(buffer_.data(), static_cast<size_t>(length));
      if (length > 0 && static_cast<size_t>(length) == buffer_.size()) continue;
      return length > 0 || (length < 0 && errno == EAGAIN);
    }
  }

  bool Send(Peer& peer, const std::string& bytes) {
    peer.out += bytes;
    return Flush(peer);
  }

  bool Flush(Peer& peer) {
    while (peer.out_at < peer.out.size()) {
      const ssize_t sent =
          send(peer.fd, peer.out.data() + peer.out_at, peer.out.size() - peer.out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      peer.out_at += static_cast<size_t>(sent);
    }
    peer.out.clear();
    peer.out_at = 0;
    return true;
  }

 private:
  const int epoll_;
  std::vector<char> buffer_;
};

sockaddr_in Loopback(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/** Takes the head of the upgrade, or of its answer, off `in`. Returns whether it was whole. */
bool TakeHead(std::string& in, std::string& head) {
  const size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos && in.size() > kHeadMaxBytes) Die("an endless head");
  if (end == std::string::npos) return false;
  head.assign(in, 0, end);
  in.erase(0, end + 4);
  return true;
}

class Server {
 public:
  explicit Server(const char* port) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const sockaddr_in address = Loopback(port);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("bind");
    if (listen(listener_, kBacklog) != 0) Die("listen");
    loop_.Watch(listener_, nullptr);
  }

  [[noreturn]] void Run() {
    epoll_event events[kEventsMax];
    for (;;) {
      const int count = loop_.Wait(events, -1);
      for (int i = 0; i < count; i++) {
        auto* peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer == nullptr) {
          Accept();
        } else if (!Serve(*peer)) {
          close(peer->fd);
          delete peer;
        }
      }
    }
  }

 private:
  void Accept() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) return;
      auto* peer = new Peer();
      peer->fd = fd;
      loop_.Watch(fd, peer);
    }
  }

  bool Serve(Peer& peer) {
    if (!loop_.Receive(peer)) return false;
    if (!peer.is_open) {
      if (!TakeHead(peer.in, text_)) return true;
      peer.is_open = true;
      if (!loop_.Send(peer, kAccepted)) return false;
    }
    while (TakeMessage(peer.in, text_))
      if (!loop_.Send(peer, Frame(text_, false))) return false;
    return loop_.Flush(peer);
  }

  Loop loop_;
  const int listener_;
  std::string text_;
};

class Load {
 public:
  Load(const char* port, size_t connections, size_t bytes)
      : payload_(bytes, 'm'), message_(Frame(payload_, true)), peers_(connections) {
    const sockaddr_in address = Loopback(port);
    for (Peer& peer : peers_) {
      peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("no connection");
      loop_.Watch(peer.fd, &peer);
      if (!loop_.Send(peer, kUpgrade)) Die("the upgrade was not sent");
    }
  }

  void Run(double seconds) {
    const double connect_deadline = NowUs() + kConnectDeadlineUs;
    while (problem_.empty() && open_ < peers_.size()) {
      Turn();
      if (NowUs() > connect_deadline) problem_ = "not every connection was upgraded";
    }
    for (Peer& peer : peers_)
      if (problem_.empty() && !loop_.Send(peer, message_)) problem_ = "a message was not sent";
    const double start = NowUs();
    while (problem_.empty() && NowUs() < start + seconds * 1e6) Turn();
    std::printf("{\"messages\":%zu,\"elapsedUs\":%.0f,\"problem\":\"%s\"}\n", messages_, NowUs() - start,
                problem_.c_str());
  }

 private:
  void Turn() {
    epoll_event events[kEventsMax];
    const int count = loop_.Wait(events, 100);
    for (int i = 0; i < count && problem_.empty(); i++) Take(*static_cast<Peer*>(events[i].data.ptr));
  }

  void Take(Peer& peer) {
    if (!loop_.Receive(peer)) problem_ = "a connection was closed";
    if (!peer.is_open) {
      if (!TakeHead(peer.in, text_)) return;
      if (text_.compare(0, 12, "HTTP/1.1 101") != 0) problem_ = "an upgrade was refused";
      peer.is_open = true;
      open_++;
    }
    while (problem_.empty() && TakeMessage(peer.in, text_)) {
      if (text_ != payload_) problem_ = "a message came back changed";
      messages_++;
      if (!loop_.Send(peer, message_)) problem_ = "a message was not sent";
    }
    if (!loop_.Flush(peer)) problem_ = "a message was not sent";
  }

  Loop loop_;
  const std::string payload_;
  const std::string message_;
  std::vector<Peer> peers_;
  std::string text_;
  std::string problem_;
  size_t open_ = 0;
  size_t messages_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "serve") == 0) Server(argv[2]).Run();
  if (argc == 6 && std::strcmp(argv[1], "load") == 0) {
    Load load(argv[2], std::strtoul(argv[3], nullptr, 10), std::strtoul(argv[4], nullptr, 10));
    load.Run(std::atof(argv[5]));
    return 0;
  }
  std::fprintf(stderr, "usage: messages serve PORT | messages load PORT CONNECTIONS BYTES SECONDS\n");
  return 2;
}
