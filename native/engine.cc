#include "engine.h"

#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fourseven {
namespace {

// Rounds of one turn, before libuv gets its turn again; and after how much time no further one begins.
constexpr int kRoundsMax = 16;
constexpr int64_t kTurnMaxMs = 10;
// What all flows together may move in one round: a millisecond or two, however many stream.
constexpr uint64_t kRoundRelayMaxBytes = 8 * 1024 * 1024;
// What handshakes may take of one round: a storm of them must not starve who is connected.
constexpr int64_t kRoundHandshakeNs = 2'000'000;
// Reads of kReceiveMaxBytes that one lingering connection gets per round.
constexpr int kDiscardReadsMax = 8;
// One event of the ring is kept free for each report a single connection can add beyond its first.
constexpr uint32_t kEventsReserve = 8;
// Listeners are told apart from connections in epoll's data by this bit.
constexpr uint64_t kListenerBit = 1ull << 32;
// What epoll says of libuv's descriptor.
constexpr uint64_t kLoopBit = 1ull << 33;
constexpr uint32_t kSlabAlignment = 64;

int64_t NowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int Watch(int epoll, int fd, uint32_t index) {
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  interest.data.u64 = index;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) == 0 ? 0 : -errno;
}

}  // namespace

Engine::Engine(const Door& door, Shard& shard, uint32_t descriptors_max)
    : door_(door), shard_(shard), descriptors_max_(descriptors_max), wheel_(table_) {
  ReadClock();
}

Engine::~Engine() { Close(); }

int Engine::Open() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  return epoll_.valid() ? epoll_.get() : -errno;
}

void Engine::Close() {
  if (std::exchange(closed_, true)) return;
  for (uint32_t index = 0; index < table_.size(); index++) {
    Connection& connection = table_.At(index);
    if (connection.fd.valid()) ResetOnClose(connection.fd.get());
    connection.fd.Reset();
    connection.pipe = SplicePipe();
  }
  listeners_.clear();
  pipes_ = PipePool();
  epoll_.Reset();
}

int Engine::WatchLoop(int fd) {
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.u64 = kLoopBit;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &interest) == 0 ? 0 : -errno;
}

bool Engine::Wait(int ms) {
  if (closed_) return true;
  TakeReports(ms);
  const auto end = reports_.begin() + report_count_;
  return std::any_of(reports_.begin(), end, [](const epoll_event& report) { return report.data.u64 == kLoopBit; });
}

void Engine::Turn() {
  if (closed_ || in_turn_) return;
  in_turn_ = true;
  door_.counters[counter::kTurns]++;
  const int64_t end_ms = NowMs() + kTurnMaxMs;
  for (int round = 0; round < kRoundsMax && Round() && now_ms_ < end_ms; round++) continue;
  in_turn_ = false;
  if (closed_) return;
  door_.counters[counter::kDescriptorsOpen] = descriptors_open();
  door_.counters[counter::kPipesOpen] = pipes_.open_count();
}

// Returns whether another round may find work.
bool Engine::Round() {
  ReadClock();
  door_.counters[counter::kRounds]++;
  collecting_ = true;
  event_count_ = 0;
  receive_offset_ = 0;
  relay_budget_ = kRoundRelayMaxBytes;
  handshake_budget_ns_ = kRoundHandshakeNs;
  const size_t taken = std::min<size_t>(waiting_events_.size(), kEventsMax - kEventsReserve);
  for (size_t i = 0; i < taken; i++) {
    std::memcpy(door_.events + event_count_++ * kEventWords, waiting_events_[i].data(), sizeof waiting_events_[i]);
  }
  waiting_events_.erase(waiting_events_.begin(), waiting_events_.begin() + static_cast<ptrdiff_t>(taken));
  // What died before this round: the shard sees its last events now, so that its index is free after the round.
  if (waiting_events_.empty()) {
    buried_.swap(dead_);
    Poll();
    Expire();
    ServiceReady();
  }
  collecting_ = false;
  const bool worked = event_count_ > 0;
  if (worked) {
    door_.counters[counter::kEvents] += event_count_;
    if (!shard_.OnRound(event_count_) || closed_) return false;
  }
  BuryDead();
  return poll_full_ || !ready_.empty() || !waiting_events_.empty();
}

void Engine::TakeReports(int wait_ms) {
  // A signal ends the wait early (EINTR): nothing to report then.
  report_count_ = std::max(0, ::epoll_wait(epoll_.get(), reports_.data(), kPollMax, wait_ms));
}

void Engine::Poll() {
  if (report_count_ == 0) TakeReports(0);
  const int count = std::exchange(report_count_, 0);
  poll_full_ = count == kPollMax;
  for (int i = 0; i < count; i++) {
    const uint64_t data = reports_[static_cast<size_t>(i)].data.u64;
    const uint32_t events = reports_[static_cast<size_t>(i)].events;
    if (data == kLoopBit) continue;
    if ((data & kListenerBit) != 0) {
      AcceptFrom(static_cast<uint32_t>(data));
      continue;
    }
    Connection& connection = table_.At(static_cast<uint32_t>(data));
    if (!connection.fd.valid()) continue;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) connection.readable = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) connection.hangup = true;
    if ((events & EPOLLERR) != 0) connection.failed = true;
    if (connection.state == State::kConnecting && !connection.handshaking) {
      FinishConnect(connection);
    } else if ((events & EPOLLOUT) != 0 && connection.has_pending()) {
      Flush(connection);
    } else if ((events & EPOLLOUT) != 0 && connection.feeder != kNoIndex) {
      OutputDrained(connection);
    }
    if (connection.readable) QueueReady(connection);
  }
}

void Engine::Expire() {
  wheel_.Advance(now_tick_, [this](Connection& connection) { DeadlinePassed(connection); });
  if (accept_again_tick_ <= now_tick_) {
    accept_again_tick_ = kNoTick;
    if (accept_starved_) RewatchListeners();
    TakeClosingQueues();
  }
}

void Engine::ServiceReady() {
  ready_now_.swap(ready_);
  size_t done = 0;
  for (; done < ready_now_.size() && HasRoomForEvents(); done++) {
    Connection& connection = table_.At(ready_now_[done]);
    connection.in_ready_queue = false;
    Service(connection);
  }
  // No room: the rest keeps its place before what became ready meanwhile.
  if (done < ready_now_.size())
    ready_.insert(ready_.begin(), ready_now_.begin() + static_cast<ptrdiff_t>(done), ready_now_.end());
  ready_now_.clear();
}

bool Engine::HasRoomForEvents() const {
  return event_count_ + kEventsReserve <= kEventsMax &&
         receive_offset_ + kHoldMaxBytes + kReceiveMaxBytes <= kReceiveBytes;
}

void Engine::Emit(int32_t kind, int32_t id, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f) {
  if (!collecting_ || event_count_ >= kEventsMax) {
    waiting_events_.push_back({kind, id, a, b, c, d, e, f});
    return;
  }
  int32_t* record = door_.events + event_count_++ * kEventWords;
  record[0] = kind;
  record[1] = id;
  record[2] = a;
  record[3] = b;
  record[4] = c;
  record[5] = d;
  record[6] = e;
  record[7] = f;
}

void Engine::BuryDead() {
  for (const uint32_t index : buried_) {
    Connection& connection = table_.At(index);
    buffers_.Put(std::move(connection.out));
    table_.Put(connection);
  }
  buried_.clear();
}

int64_t Engine::NextTurnMs() {
  if (closed_) return -1;
  if (!ready_.empty() || !waiting_events_.empty()) return 0;
  const int64_t tick = std::min(wheel_.NextTick(), accept_again_tick_);
  return tick == kNoTick ? -1 : std::max<int64_t>(0, tick * kDeadlineTickMs - NowMs());
}

void Engine::QueueReady(Connection& connection) {
  if (connection.in_ready_queue) return;
  connection.in_ready_queue = true;
  ready_.push_back(connection.index);
}

void Engine::ReadClock() {
  now_ms_ = NowMs();
  now_tick_ = now_ms_ / kDeadlineTickMs;
}

int64_t Engine::TicksFromNow(int32_t ms) const {
  // One tick more: the current one has begun, and a deadline is never early.
  return now_tick_ + (int64_t{ms} + kDeadlineTickMs - 1) / kDeadlineTickMs + 1;
}

void Engine::Touch(Connection& connection) {
  if (connection.idle_ticks > 0 && connection.deadline_tick != kNoTick) {
    connection.deadline_tick = now_tick_ + connection.idle_ticks;
  }
}

// --- Dialing
// ----------------------------------------------------------------------------------------------------------------------------

int Engine::RememberAddress(const Address& address, int context, const std::string& server_name) {
  Target target{address, nullptr, nullptr, server_name};
  if (context >= 0) {
    if (static_cast<uint32_t>(context) >= contexts_.size() || contexts_[static_cast<uint32_t>(context)] == nullptr)
      return -EINVAL;
    target.context = contexts_[static_cast<uint32_t>(context)];
    target.resumption = std::make_shared<TlsResumption>();
  }
  if (!free_addresses_.empty()) {
    const uint32_t handle = free_addresses_.back();
    free_addresses_.pop_back();
    addresses_[handle] = std::move(target);
    return static_cast<int>(handle);
  }
  addresses_.push_back(std::move(target));
  return static_cast<int>(addresses_.size() - 1);
}

void Engine::ForgetAddress(uint32_t handle) {
  if (handle >= addresses_.size() || addresses_[handle].address.length == 0) return;
  addresses_[handle] = Target();
  free_addresses_.push_back(handle);
}

int Engine::Dial(uint32_t handle) {
  if (closed_) return -ESHUTDOWN;
  Connection* connection = table_.Take();
  if (connection == nullptr) return -EMFILE;
  const int error = StartDial(*connection, handle);
  if (error < 0) {
    table_.Put(*connection);
    return error;
  }
  door_.counters[counter::kConnectionsDialed]++;
  return connection->id();
}

int Engine::Reserve() {
  if (closed_) return -ESHUTDOWN;
  Connection* connection = table_.Take();
  if (connection == nullptr) return -EMFILE;
  connection->state = State::kUnconnected;
  return connection->id();
}

int Engine::Redial(int32_t id, uint32_t handle) {
  if (closed_) return -ESHUTDOWN;
  Connection* connection = table_.Find(id);
  if (connection == nullptr || (connection->state != State::kUnconnected && connection->state != State::kConnecting))
    return -EBADF;
  if (connection->state == State::kConnecting) {
    connection->fd.Reset();
    connection->state = State::kUnconnected;
    dialed_open_--;
    door_.counters[counter::kConnectionsOpen]--;
  }
  connection->readable = connection->hangup = connection->failed = connection->handshaking = false;
  buffers_.Put(std::move(connection->sealed));
  return StartDial(*connection, handle);
}

int Engine::StartDial(Connection& connection, uint32_t handle) {
  if (handle >= addresses_.size() || addresses_[handle].address.length == 0) return -EINVAL;
  if (descriptors_open() + 1 > descriptors_max_) return -EMFILE;
  const Target& target = addresses_[handle];
  connection.tls =
      target.context == nullptr ? nullptr : TlsSession::Create(target.context, target.resumption, target.server_name);
  if (target.context != nullptr && connection.tls == nullptr) return -ENOMEM;
  bool connected = false;
  UniqueFd fd(fourseven::Dial(target.address, connected));
  if (!fd.valid()) {
    // Refused at once (a unix socket, or no route): the same to the shard as refused later.
    const int error = fd.Release();
    if (error == -EMFILE || error == -ENFILE || error == -EADDRNOTAVAIL || error == -ENOBUFS || error == -ENOMEM)
      return error;
    connection.state = State::kUnconnected;
    wheel_.Set(connection, kNoTick);
    Emit(event::kConnectFailed, connection.id(), -error);
    return 0;
  }
  if (const int error = Watch(epoll_.get(), fd.get(), connection.index); error < 0) return error;
  connection.fd = std::move(fd);
  connection.state = State::kConnecting;
  dialed_open_++;
  door_.counters[counter::kConnectionsOpen]++;
  // A connect that is done already is reported by epoll like any other: one path.
  return 0;
}

void Engine::FinishConnect(Connection& connection) {
  if (const int error = PendingError(connection.fd.get()); error != 0) {
    FailConnect(connection, error);
    return;
  }
  connection.failed = false;
  if (connection.tls != nullptr) {
    connection.handshaking = true;
    QueueReady(connection);
    return;
  }
  connection.state = State::kOpen;
  Emit(event::kConnected, connection.id());
  if (connection.deliver_held) QueueReady(connection);
  if (connection.has_pending()) {
    Flush(connection);
  } else {
    OutputDrained(connection);
  }
}

void Engine::FailConnect(Connection& connection, int error) {
  connection.fd.Reset();
  connection.state = State::kUnconnected;
  connection.readable = connection.hangup = connection.failed = connection.handshaking = false;
  connection.write_broken = false;
  buffers_.Put(std::move(connection.sealed));
  wheel_.Set(connection, kNoTick);
  dialed_open_--;
  door_.counters[counter::kConnectionsOpen]--;
  Emit(event::kConnectFailed, connection.id(), error);
  if (accept_starved_) RewatchListeners();
}

// --- Reading
// ----------------------------------------------------------------------------------------------------------------------------

void Engine::Service(Connection& connection) {
  switch (connection.state) {
    case State::kLingering:
      DiscardInput(connection);
      return;
    case State::kConnecting:
    case State::kOpen:
      break;
    default:
      return;
  }
  if (connection.handshaking) {
    HandshakeStep(connection);
  } else if (connection.state != State::kOpen) {
    return;
  } else if (connection.failed && connection.eof) {
    // Reset after its FIN: no read would tell.
    const int error = PendingError(connection.fd.get());
    Lose(connection, error == 0 ? ECONNRESET : error);
  } else if (connection.paused) {
    ReportWhilePaused(connection);
  } else if (connection.blocked) {
    // A reset ends a tunnel even while its other side takes nothing; everything else waits for the bytes before it.
    if (connection.failed && connection.flow == Flow::kTunnel) Lose(connection, PendingError(connection.fd.get()));
  } else if (connection.flow != Flow::kData) {
    RelayStep(connection);
  } else if (connection.readable && !connection.eof) {
    ReceiveData(connection);
  } else if (connection.deliver_held && connection.held != nullptr) {
    DeliverHeld(connection);
  }
}

void Engine::ReportWhilePaused(Connection& connection) {
  if (connection.failed) {
    const int error = PendingError(connection.fd.get());
    Lose(connection, error == 0 ? ECONNRESET : error);
  } else if (connection.tls != nullptr) {
    ReadAheadForEnd(connection);
  } else if (connection.hangup && !connection.end_reported) {
    // Only an end with nothing unread before it is news: the rest is found by reading, later.
    uint8_t byte = 0;
    if (Peek(connection.fd.get(), byte) == 0) ReportEnd(connection);
  }
}

void Engine::ReportEnd(Connection& connection) {
  if (connection.end_reported) return;
  connection.end_reported = true;
  Emit(event::kEnd, connection.id());
}

void Engine::DeliverHeld(Connection& connection) {
  const uint32_t length = connection.held->size();
  std::memcpy(door_.slab + receive_offset_, connection.held->data(), length);
  buffers_.Put(std::move(connection.held));
  connection.deliver_held = false;
  const bool ends = connection.eof && !connection.end_reported;
  Emit(event::kData, connection.id(), static_cast<int32_t>(receive_offset_), static_cast<int32_t>(length),
       ends ? 1 : 0);
  receive_offset_ += (length + kSlabAlignment - 1) / kSlabAlignment * kSlabAlignment;
  if (ends) ReportEnd(connection);
}

void Engine::ReceiveData(Connection& connection) {
  const uint32_t held = connection.held == nullptr ? 0 : connection.held->size();
  uint8_t* at = door_.slab + receive_offset_;
  const auto [count, drained] = Take(connection, at + held, kReceiveMaxBytes);
  if (count > 0) {
    CountReceived(connection, static_cast<size_t>(count));
    if (held > 0) std::memcpy(at, connection.held->data(), held);
    buffers_.Put(std::move(connection.held));
    connection.deliver_held = false;
    const uint32_t length = held + static_cast<uint32_t>(count);
    // A short read with FIN known to be queued has read up to it. An error may hide behind it, so that one is read. TLS
    // says itself that nothing follows.
    connection.eof =
        connection.tls != nullptr ? connection.tls->peer_ended() : drained && connection.hangup && !connection.failed;
    connection.readable = !drained || connection.failed || (connection.hangup && !connection.eof);
    Emit(event::kData, connection.id(), static_cast<int32_t>(receive_offset_), static_cast<int32_t>(length),
         connection.eof ? 1 : 0);
    receive_offset_ += (length + kSlabAlignment - 1) / kSlabAlignment * kSlabAlignment;
    if (connection.readable) QueueReady(connection);
  } else if (count == 0 && connection.write_broken) {
    Lose(connection, EPIPE);
    return;
  } else if (count == 0) {
    connection.eof = true;
  } else if (count == -EAGAIN) {
    connection.readable = false;
    if (connection.write_broken) {
      Lose(connection, EPIPE);
    } else if (connection.deliver_held && held > 0) {
      DeliverHeld(connection);
    }
    return;
  } else {
    Lose(connection, static_cast<int>(-count));
    return;
  }
  if (connection.eof) {
    connection.readable = false;
    if (connection.deliver_held && connection.held != nullptr) DeliverHeld(connection);
    ReportEnd(connection);
    // A reset after FIN reads as an end, too.
    if (connection.failed) QueueReady(connection);
  }
}

void Engine::DiscardInput(Connection& connection) {
  for (int reads = 0; reads < kDiscardReadsMax; reads++) {
    const ssize_t count = Receive(connection.fd.get(), door_.slab + receive_offset_, kReceiveMaxBytes);
    if (count == -EAGAIN) {
      connection.readable = false;
      return;
    }
    if (count > 0) connection.lingered += static_cast<uint32_t>(count);
    if (count <= 0 || connection.lingered > kLingerMaxBytes) {
      Kill(connection, false);
      return;
    }
  }
  QueueReady(connection);
}

void Engine::CountReceived(Connection& connection, size_t bytes) {
  connection.bytes_received += bytes;
  if (connection.accepted())
    ListenerCount(connection.listener, listener_counter::kBytesReceived) += static_cast<double>(bytes);
  // An answer has begun: what was asked cannot be asked again.
  if (connection.retain) ReleaseRetained(connection);
  Touch(connection);
}

// --- Ends
// -------------------------------------------------------------------------------------------------------------------------------

void Engine::Lose(Connection& connection, int error) {
  if (connection.flow == Flow::kTunnel) {
    FailTunnel(connection, error);
    return;
  }
  Emit(event::kClosed, connection.id(), error, static_cast<int32_t>(connection.bytes_received),
       static_cast<int32_t>(connection.bytes_received >> 32), static_cast<int32_t>(connection.bytes_sent),
       static_cast<int32_t>(connection.bytes_sent >> 32));
  Kill(connection, false);
}

void Engine::Kill(Connection& connection, bool reset) {
  if (connection.state == State::kDead || connection.state == State::kFree) return;
  CancelFlow(connection);
  DismissFeeder(connection);
  wheel_.Remove(connection);
  if (connection.fd.valid()) {
    if (reset) ResetOnClose(connection.fd.get());
    connection.fd.Reset();
    if (connection.accepted()) {
      accepted_open_--;
      ListenerCount(connection.listener, listener_counter::kConnections)--;
    } else {
      dialed_open_--;
    }
    door_.counters[counter::kConnectionsOpen]--;
  }
  buffers_.Put(std::move(connection.held));
  buffers_.Put(std::move(connection.sealed));
  if (!connection.retain) buffers_.Put(std::move(connection.out));
  connection.unsent = 0;
  connection.handshaking = false;
  connection.state = State::kDead;
  dead_.push_back(connection.index);
  if (accept_starved_) RewatchListeners();
}

void Engine::DeadlinePassed(Connection& connection) {
  switch (connection.state) {
    case State::kFlushing:
    case State::kLingering:
      Kill(connection, connection.state == State::kFlushing);
      return;
    case State::kConnecting:
    case State::kUnconnected:
      Emit(event::kDeadline, connection.id());
      return;
    case State::kOpen:
      if (connection.flow == Flow::kTunnel) {
        EndTunnel(connection, tunnel_end::kIdle, ETIMEDOUT, false);
      } else {
        Emit(event::kDeadline, connection.id());
      }
      return;
    default:
      return;
  }
}

// --- Commands
// ---------------------------------------------------------------------------------------------------------------------------

void Engine::Submit(uint32_t words) {
  if (closed_) return;
  const bool collecting = std::exchange(collecting_, false);
  // Within a round, too: the shard may have taken its time, and a deadline counts from now.
  ReadClock();
  Execute({door_.commands, std::min(words, kCommandsMaxWords)});
  collecting_ = collecting;
}

void Engine::Execute(std::span<const int32_t> words) {
  constexpr size_t kSendHeadWords = 5;
  constexpr size_t kPlainWords = 5;
  size_t at = 0;
  while (at + kPlainWords <= words.size()) {
    const int32_t* word = &words[at];
    if (word[0] != command::kSend) {
      HandleCommand(word);
      at += kPlainWords;
      continue;
    }
    const uint32_t count = std::min(static_cast<uint32_t>(word[4]), kRangesMax);
    Connection* connection = table_.Find(word[1]);
    if (connection != nullptr && at + kSendHeadWords + 2 * count <= words.size()) {
      SendRanges(*connection, table_.Find(word[2]), (word[3] & kSendRetain) != 0, word + kSendHeadWords, count);
    }
    at += kSendHeadWords + 2 * count;
  }
}

void Engine::HandleCommand(const int32_t* words) {
  Connection* connection = table_.Find(words[1]);
  if (connection == nullptr) return;
  const State state = connection->state;
  if (words[0] == command::kReplay) {
    Connection* to = table_.Find(words[2]);
    if (to != nullptr) Replay(*connection, *to);
    return;
  }
  if (state != State::kOpen && state != State::kConnecting && state != State::kUnconnected) return;
  if (connection->flow == Flow::kTunnel && words[0] != command::kClose && words[0] != command::kReset) return;
  switch (words[0]) {
    case command::kRelay: {
      Connection* sink = table_.Find(words[2]);
      const bool until_end = words[3] == kRelayUntilEnd && words[4] == kRelayUntilEnd;
      const uint64_t count = static_cast<uint32_t>(words[3]) | static_cast<uint64_t>(static_cast<uint32_t>(words[4]))
                                                                   << 32;
      if (sink != nullptr && sink->flow != Flow::kTunnel)
        StartRelay(*connection, *sink, count, until_end ? Flow::kRelayUntilEnd : Flow::kRelay);
      return;
    }
    case command::kTunnel:
      if (Connection* second = table_.Find(words[2]); second != nullptr) StartTunnel(*connection, *second, words[3]);
      return;
    case command::kHold:
      HandleHold(*connection, static_cast<uint32_t>(words[2]), static_cast<uint32_t>(words[3]));
      return;
    case command::kPause:
      connection->paused = true;
      connection->resume_when_drained = false;
      return;
    case command::kResume:
      if (words[2] == 1 && connection->has_pending()) {
        connection->resume_when_drained = true;
        return;
      }
      connection->paused = connection->resume_when_drained = false;
      connection->deliver_held = connection->held != nullptr;
      if (connection->readable || connection->deliver_held) QueueReady(*connection);
      return;
    case command::kDeadline:
      HandleDeadline(*connection, words[2], words[3]);
      return;
    case command::kHalfClose:
      connection->half_close_wanted = true;
      HalfClose(*connection);
      return;
    case command::kClose:
      HandleClose(*connection, words[2]);
      return;
    case command::kReset:
      if (connection->flow == Flow::kTunnel) {
        EndTunnel(*connection, tunnel_end::kOrdered, 0, true);
      } else {
        Kill(*connection, true);
      }
      return;
    case command::kRelease:
      ReleaseRetained(*connection);
      return;
    case command::kSecure:
      HandleSecure(*connection, static_cast<uint32_t>(words[2]), static_cast<uint32_t>(words[3]),
                   static_cast<uint32_t>(words[4]));
      return;
    default:
      return;
  }
}

void Engine::HandleDeadline(Connection& connection, int32_t ms, int32_t mode) {
  // The deadline of a dial that failed at once, before the shard could know: a failed dial has none.
  if (connection.state == State::kUnconnected && IsFailureUntold(connection)) return;
  if (ms <= 0) {
    connection.idle_ticks = 0;
    wheel_.Set(connection, kNoTick);
    return;
  }
  const int64_t tick = TicksFromNow(ms);
  connection.idle_ticks = mode == kDeadlineIdle ? static_cast<int32_t>(tick - now_tick_) : 0;
  wheel_.Set(connection, tick);
}

bool Engine::IsFailureUntold(const Connection& connection) const {
  return std::any_of(waiting_events_.begin(), waiting_events_.end(), [&](const auto& event) {
    return event[0] == event::kConnectFailed && event[1] == connection.id();
  });
}

void Engine::HandleHold(Connection& connection, uint32_t offset, uint32_t length) {
  buffers_.Put(std::move(connection.held));
  connection.deliver_held = false;
  if (length == 0 || offset > kSlabBytes || length > kSlabBytes - offset) return;
  if (!buffers_.Append(connection.held, door_.slab + offset, length, kHoldMaxBytes)) {
    Lose(connection, ENOBUFS);
  } else if (connection.flow != Flow::kData) {
    QueueReady(connection);
  }
}

void Engine::HandleClose(Connection& connection, int32_t linger_ms) {
  if (connection.state != State::kOpen || connection.handshaking) {
    Kill(connection, false);
    return;
  }
  Connection* other = connection.flow == Flow::kTunnel ? &table_.At(connection.sink) : nullptr;
  CancelFlow(connection);
  if (other != nullptr) {
    CancelFlow(*other);
    HandleClose(*other, linger_ms);
  }
  if (IsFedByFlow(connection)) DismissFeeder(connection);
  connection.paused = false;
  connection.linger_ms = linger_ms;
  connection.state = State::kFlushing;
  connection.idle_ticks = 0;
  buffers_.Put(std::move(connection.held));
  if (!connection.has_pending()) {
    FinishFlushing(connection);
  } else {
    wheel_.Set(connection, TicksFromNow(kFlushMaxMs));
  }
}

void Engine::FinishFlushing(Connection& connection) {
  if (!connection.write_broken && !SayEnd(connection)) {
    wheel_.Set(connection, TicksFromNow(kFlushMaxMs));
    return;
  }
  if (connection.linger_ms <= 0 || connection.write_broken) {
    Kill(connection, false);
    return;
  }
  connection.state = State::kLingering;
  ::shutdown(connection.fd.get(), SHUT_WR);
  wheel_.Remove(connection);
  wheel_.Set(connection, TicksFromNow(connection.linger_ms));
  connection.readable = true;
  QueueReady(connection);
}

std::string Engine::LocalAddress(int32_t id) {
  const Connection* connection = table_.Find(id);
  if (connection == nullptr || !connection->fd.valid()) return "";
  Address address;
  address.length = sizeof address.path;
  if (::getsockname(connection->fd.get(), &address.any, &address.length) != 0) return "";
  return FormatAddress(address);
}

double Engine::Progress(int32_t id) {
  const Connection* connection = table_.Find(id);
  if (connection == nullptr || connection->state != State::kOpen) return -1;
  if (connection->blocked || connection->paused) return -1;
  return static_cast<double>(connection->bytes_received);
}

bool Engine::IsOpen(int32_t id) {
  const Connection* connection = table_.Find(id);
  if (connection == nullptr || closed_) return false;
  return connection->state == State::kOpen || connection->state == State::kConnecting ||
         connection->state == State::kUnconnected;
}

uint32_t Engine::descriptors_open() const {
  return accepted_open_ + dialed_open_ + listeners_open_ + 1 + pipes_.open_count() * PipePool::kDescriptorsPerPipe;
}

}  // namespace fourseven
