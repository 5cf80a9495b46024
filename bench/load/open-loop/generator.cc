// The open-loop generator: one thread that sends requests when they are due and notes how long each took from then. See
// open-loop.ts for what goes in and out. In C++, because a load that shares a core with the origin must not be what is
// measured.
//
//   generator PORT CONNECTIONS PATH END_US ARRIVALS OUTPUT
//
// ARRIVALS: a file of doubles, microseconds from the start, ascending; "-" for as many requests as are answered.
// Nothing is sent after END_US. OUTPUT: a file of records of two uint32 for each answer: microseconds from when its
// request was due to its last byte, and microseconds that the request left late although a connection was free; in the
// order of the answers, with the index of the arrival as a third. Prints one line of JSON:
// {"answered":N,"elapsedUs":N,"problem":"..."}; an empty problem if all went well.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace {

constexpr double kDrainUs = 2e6;
constexpr size_t kHeadMaxBytes = 16 * 1024;
constexpr size_t kReceiveBytes = 256 * 1024;
constexpr int kEventsMax = 256;
constexpr double kHighestUs = 4e9;

double MonotonicUs() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

/** Finds the end of answers that have a Content-Length, one at a time (RFC 9112 section 6.3). */
class AnswerReader {
 public:
  enum class Result { kMore, kWhole, kBad };

  Result Read(const char* bytes, size_t length) {
    if (left_ >= 0) return ReadBody(static_cast<int64_t>(length));
    head_.append(bytes, length);
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return head_.size() > kHeadMaxBytes ? Fail("an endless head") : Result::kMore;
    const auto body = static_cast<int64_t>(head_.size() - end - 4);
    head_.resize(end + 2);
    if (head_.compare(0, 10, "HTTP/1.1 2") != 0) return Fail("an answer that is not 2xx");
    std::transform(head_.begin(), head_.end(), head_.begin(), [](unsigned char c) { return std::tolower(c); });
    constexpr const char* kName = "\r\ncontent-length:";
    const size_t field = head_.find(kName);
    if (field == std::string::npos) return Fail("an answer without a length");
    left_ = std::atoll(head_.c_str() + field + std::strlen(kName));
    head_.clear();
    return ReadBody(body);
  }

  const char* problem() const { return problem_; }

 private:
  Result ReadBody(int64_t length) {
    left_ -= length;
    if (left_ > 0) return Result::kMore;
    if (left_ < 0) return Fail("an answer longer than it said");
    left_ = -1;
    return Result::kWhole;
  }

  Result Fail(const char* problem) {
    problem_ = problem;
    return Result::kBad;
  }

  std::string head_;
  /** Bytes of the body still to come; -1 while the head is not whole. */
  int64_t left_ = -1;
  const char* problem_ = "";
};

struct Connection {
  int fd = -1;
  AnswerReader reader;
  double due_us = 0;
  uint32_t late_us = 0;
  uint32_t arrival = 0;
};

struct Record {
  uint32_t latency_us;
  uint32_t late_us;
  uint32_t arrival;
};

class Generator {
 public:
  Generator(const std::string& path, double end_us, std::vector<double> arrivals, bool is_saturating)
      : request_("GET " + path + " HTTP/1.1\r\nHost: bench\r\n\r\n"),
        end_us_(end_us),
        arrivals_(std::move(arrivals)),
        is_saturating_(is_saturating),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        buffer_(kReceiveBytes) {}

  bool Connect(int port, size_t count) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connections_.resize(count);
    for (Connection& connection : connections_) {
      connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        return Fail(std::string("no connection: ") + std::strerror(errno));
      }
      const int on = 1;
      setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
      free_.push_back(&connection);
    }
    return true;
  }

  void Run() {
    // Timers of the kernel may come 50 microseconds late unless asked not to (prctl(2)).
    prctl(PR_SET_TIMERSLACK, 1);
    start_us_ = MonotonicUs();
    for (double now = 0; problem_.empty() && now < end_us_ && HasMore(); now = Now()) {
      SendDue(now);
      Turn(SleepUs());
    }
    elapsed_us_ = std::min(Now(), end_us_);
    answered_ = records_.size();
    is_draining_ = true;
    const double deadline = Now() + kDrainUs;
    while (problem_.empty() && free_.size() < connections_.size() && Now() < deadline) Turn(1000);
    const size_t missing = connections_.size() - free_.size();
    if (problem_.empty() && missing > 0) Fail(std::to_string(missing) + " requests without an answer");
  }

  bool Write(const char* file) {
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(records_.data()),
              static_cast<std::streamsize>(records_.size() * sizeof(Record)));
    out.flush();
    if (!out && problem_.empty()) Fail("the records could not be written");
    std::printf("{\"answered\":%zu,\"elapsedUs\":%.0f,\"problem\":\"%s\"}\n", answered_, elapsed_us_, problem_.c_str());
    return problem_.empty();
  }

 private:
  double Now() const { return MonotonicUs() - start_us_; }

  bool HasMore() const { return is_saturating_ || next_ < arrivals_.size(); }

  bool IsDue(double now) const { return is_saturating_ || (next_ < arrivals_.size() && arrivals_[next_] <= now); }

  /** Until something is due; for ever (that is, until an answer) where all connections are busy. */
  double SleepUs() const {
    if (free_.empty()) return end_us_;
    if (is_saturating_) return 0;
    const double until = next_ < arrivals_.size() ? std::min(arrivals_[next_], end_us_) : end_us_;
    return std::max(0.0, until - Now());
  }

  void SendDue(double now) {
    while (!is_draining_ && now < end_us_ && IsDue(now)) {
      if (free_.empty()) {
        busy_until_us_ = now;
        return;
      }
      Connection& connection = *free_.back();
      free_.pop_back();
      connection.due_us = is_saturating_ ? now : arrivals_[next_];
      connection.late_us = InRange(now - std::max(connection.due_us, busy_until_us_));
      connection.arrival = static_cast<uint32_t>(next_++);
      const ssize_t sent = send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
      if (sent != static_cast<ssize_t>(request_.size()))
        Fail(std::string("a request was not sent: ") + std::strerror(errno));
    }
  }

  /** Waits for answers, at most so long, and takes them. */
  void Turn(double sleep_us) {
    timespec timeout{};
    timeout.tv_sec = static_cast<time_t>(sleep_us / 1e6);
    timeout.tv_nsec = static_cast<long>((sleep_us - static_cast<double>(timeout.tv_sec) * 1e6) * 1e3);
    epoll_event events[kEventsMax];
    const long count = syscall(SYS_epoll_pwait2, epoll_, events, kEventsMax, &timeout, nullptr, 0);
    if (count < 0 && errno != EINTR) Fail(std::string("epoll_pwait2: ") + std::strerror(errno));
    for (long index = 0; index < count; index++) Receive(*static_cast<Connection*>(events[index].data.ptr));
  }

  void Receive(Connection& connection) {
    const ssize_t length = recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) {
      Fail("a connection was closed");
      return;
    }
    switch (connection.reader.Read(buffer_.data(), static_cast<size_t>(length))) {
      case AnswerReader::Result::kMore:
        return;
      case AnswerReader::Result::kBad:
        Fail(connection.reader.problem());
        return;
      case AnswerReader::Result::kWhole:
        break;
    }
    const double now = Now();
    records_.push_back({InRange(now - connection.due_us), connection.late_us, connection.arrival});
    free_.push_back(&connection);
    // What waits for a connection does not wait for the rest of the turn.
    SendDue(now);
  }

  static uint32_t InRange(double us) { return static_cast<uint32_t>(std::clamp(us, 0.0, kHighestUs)); }

  bool Fail(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
    return false;
  }

  const std::string request_;
  const double end_us_;
  const std::vector<double> arrivals_;
  const bool is_saturating_;
  const int epoll_;
  std::vector<char> buffer_;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;
  std::vector<Record> records_;
  std::string problem_;
  size_t next_ = 0;
  size_t answered_ = 0;
  double start_us_ = 0;
  double elapsed_us_ = 0;
  /** When all connections were last seen busy: what was due until then did not wait for the generator. */
  double busy_until_us_ = 0;
  bool is_draining_ = false;
};

std::vector<double> ReadArrivals(const char* file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  std::vector<double> arrivals(in ? static_cast<size_t>(in.tellg()) / sizeof(double) : 0);
  in.seekg(0);
  in.read(reinterpret_cast<char*>(arrivals.data()), static_cast<std::streamsize>(arrivals.size() * sizeof(double)));
  return arrivals;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: generator PORT CONNECTIONS PATH END_US ARRIVALS OUTPUT\n");
    return 2;
  }
  const bool is_saturating = std::strcmp(argv[5], "-") == 0;
  Generator generator(argv[3], std::atof(argv[4]), is_saturating ? std::vector<double>() : ReadArrivals(argv[5]),
                      is_saturating);
  if (generator.Connect(std::atoi(argv[1]), std::strtoul(argv[2], nullptr, 10))) generator.Run();
  generator.Write(argv[6]);
  return 0;
}
