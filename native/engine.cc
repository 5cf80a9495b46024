// The turn and its rounds, and what is asked of the engine beside them.
#include "engine.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "clock.h"
#include "readiness.h"

namespace fourseven {
namespace {

// Rounds of one turn, before libuv gets its turn again; and after how much time no further one begins.
constexpr int kRoundsMax = 16;
constexpr int64_t kTurnMaxMs = 10;
// What all flows together may move in one round: a millisecond or two, however many stream.
constexpr uint64_t kRoundRelayMaxBytes = 8 * 1024 * 1024;
// What handshakes may take of one round: a storm of them must not starve who is connected.
constexpr int64_t kRoundHandshakeNs = 2'000'000;
// One event of the ring is kept free for each report a single connection can add beyond its first.
constexpr uint32_t kEventsReserve = 8;
// Of the engine itself: its epoll set and its alarm.
constexpr uint32_t kOwnDescriptors = 2;

}  // namespace

Engine::Engine(const Door& door, Shard& shard, uint32_t descriptors_max)
    : door_(door), shard_(shard), descriptors_max_(descriptors_max), wheel_(table_) {
  ReadClock();
}

Engine::~Engine() { Close(); }

int Engine::Open() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return -errno;
  ReadClock();
  const int error = alarm_.Open(epoll_.get(), kAlarmBit);
  return error < 0 ? error : epoll_.get();
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
  alarm_ = Alarm();
  epoll_.Reset();
}

int Engine::WatchLoop(int fd) { return Watch(epoll_.get(), fd, EPOLLIN, kLoopBit); }

bool Engine::Wait(int64_t due_ms) {
  if (closed_) return true;
  // What the last turn had no room for is still there.
  if (report_count_ == 0) {
    const bool is_due = due_ms <= now_ms_;
    if (!is_due && due_ms != kNeverMs) alarm_.RingBy(due_ms);
    TakeReports(is_due ? 0 : -1);
  }
  const auto end = reports_.begin() + report_count_;
  return std::any_of(reports_.begin(), end, [](const epoll_event& report) { return report.data.u64 == kLoopBit; });
}

bool Engine::Turn() {
  if (closed_ || in_turn_) return false;
  in_turn_ = true;
  shard_was_called_ = false;
  door_.counters[counter::kTurns]++;
  ReadClock();
  const int64_t end_ms = now_ms_ + kTurnMaxMs;
  for (int round = 0; round < kRoundsMax && now_ms_ < end_ms && Round(); round++) ReadClock();
  in_turn_ = false;
  if (closed_) return shard_was_called_;
  door_.counters[counter::kDescriptorsOpen] = descriptors_open();
  door_.counters[counter::kPipesOpen] = pipes_.open_count();
  return shard_was_called_;
}

// Returns whether another round may find work.
bool Engine::Round() {
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
    shard_was_called_ = true;
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
    if (data == kAlarmBit) {
      alarm_.Rang();
      continue;
    }
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

int64_t Engine::DueMs() {
  if (closed_) return kNeverMs;
  if (!ready_.empty() || !waiting_events_.empty()) return 0;
  const int64_t tick = std::min(wheel_.NextTick(), accept_again_tick_);
  return tick == kNoTick ? kNeverMs : tick * kDeadlineTickMs;
}

void Engine::QueueReady(Connection& connection) {
  if (connection.in_ready_queue) return;
  connection.in_ready_queue = true;
  ready_.push_back(connection.index);
}

void Engine::ReadClock() {
  const int64_t now_ns = NowNs();
  door_.counters[counter::kNowMs] = static_cast<double>(now_ns) / kNsPerMs;
  now_ms_ = now_ns / kNsPerMs;
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
  return accepted_open_ + dialed_open_ + listeners_open_ + kOwnDescriptors +
         pipes_.open_count() * PipePool::kDescriptorsPerPipe;
}

}  // namespace fourseven
