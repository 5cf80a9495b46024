// Flows: bytes that go from one socket to another without the shard seeing them.
//
// A flow starts by copying through one buffer: two calls, best for small messages. When full reads follow each other
// the direction streams, and a pipe is attached: splice(2) then moves pages. When splices run short it goes back to
// copying.
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine.h"

namespace fourseven {
namespace {

// What one flow may move in one round before the others get their turn (CVE-2024-45506: a zero-copy loop without a
// bound).
constexpr uint64_t kRelayMaxBytes = 1024 * 1024;
constexpr size_t kCopyBytes = 256 * 1024;
// The room that TLS needs beyond the bytes that are wanted of it.
constexpr size_t kTakeSecureMinBytes = 2 * TlsSession::kCipherRecordMaxBytes;
// After this many full reads in a row a direction counts as a stream.
constexpr uint8_t kFullReadsToSplice = 3;
// A relay that ends sooner is not worth a pipe.
constexpr uint64_t kSpliceMinBytes = 256 * 1024;
// Splices below kShortSplice bytes, in a row, that end a stream.
constexpr uint8_t kShortSplicesToCopy = 4;
constexpr ssize_t kShortSplice = 32 * 1024;

}  // namespace

void Engine::StartRelay(Connection& source, Connection& sink, uint64_t count, Flow flow) {
  const bool sinkable =
      sink.state == State::kOpen || sink.state == State::kConnecting || sink.state == State::kUnconnected;
  if (source.state != State::kOpen || !sinkable || &source == &sink) return;
  CancelFlow(source);
  DismissFeeder(sink);
  if (sink.retain) ReleaseRetained(sink);
  source.flow = flow;
  source.remaining = count;
  source.relayed = 0;
  source.sink = sink.index;
  source.paused = source.resume_when_drained = false;
  source.full_reads = source.short_splices = 0;
  sink.feeder = source.index;
  if (flow == Flow::kRelay && count == 0) {
    FinishRelay(source);
    return;
  }
  // An end that was reported while nothing was read is found again by reading.
  if (source.end_reported && !source.eof) source.readable = true;
  if (source.eof) source.readable = true;
  QueueReady(source);
}

void Engine::StartTunnel(Connection& first, Connection& second, int32_t idle_ms) {
  if (first.state != State::kOpen || second.state != State::kOpen || &first == &second) return;
  if (second.flow == Flow::kTunnel) return;
  StartRelay(first, second, 0, Flow::kTunnel);
  StartRelay(second, first, 0, Flow::kTunnel);
  first.tunnel_first = true;
  second.tunnel_first = false;
  wheel_.Set(second, kNoTick);
  second.idle_ticks = 0;
  HandleDeadline(first, idle_ms, kDeadlineIdle);
}

void Engine::RelayStep(Connection& source) {
  Connection& sink = table_.At(source.sink);
  if (sink.state != State::kOpen || sink.has_pending() || sink.write_broken) {
    source.blocked = true;
    return;
  }
  uint64_t moved = 0;
  const uint64_t share = std::min(kRelayMaxBytes, relay_budget_);
  while (moved < share) {
    if (source.held != nullptr && source.pipe.size == 0 && !RelayHeld(source, sink)) return;
    if (source.flow == Flow::kRelay && source.remaining == 0 && source.pipe.size == 0) {
      FinishRelay(source);
      return;
    }
    if (!source.readable && source.pipe.size == 0) return;
    const uint64_t budget = source.flow == Flow::kRelay ? source.remaining : share;
    // What goes to a half-closed sink is dropped, which needs no pipe.
    const bool plain = source.tls == nullptr && sink.tls == nullptr;
    const bool streams = plain && !sink.half_closed && (source.pipe.valid() || source.full_reads >= kFullReadsToSplice);
    const Step step = streams ? SpliceStep(source, sink, budget, moved) : CopyStep(source, sink, budget, moved);
    if (step == Step::kStop) return;
  }
  QueueReady(source);
}

// What the shard held back goes first. Returns whether the flow may go on.
bool Engine::RelayHeld(Connection& source, Connection& sink) {
  const uint32_t size = source.held->size();
  const uint32_t length =
      source.flow == Flow::kRelay ? static_cast<uint32_t>(std::min<uint64_t>(size, source.remaining)) : size;
  iovec range{source.held->bytes.get() + source.held->begin, length};
  source.deliver_held = false;
  CountRelayed(source, length);
  const bool sent = SendOrKeep(sink, {&range, 1}, length);
  if (source.state != State::kOpen) return false;
  source.held->begin += length;
  if (source.held->size() == 0) buffers_.Put(std::move(source.held));
  if (!sent) {
    source.blocked = source.flow != Flow::kData;
    return false;
  }
  if (sink.has_pending()) source.blocked = true;
  if (source.flow == Flow::kRelay && source.remaining == 0) {
    FinishRelay(source);
    return false;
  }
  return !sink.has_pending();
}

Engine::Step Engine::CopyStep(Connection& source, Connection& sink, uint64_t budget, uint64_t& moved) {
  if (copy_buffer_.empty()) copy_buffer_.resize(kCopyBytes);
  // Of TLS there may come more than is wanted: a record is opened whole.
  const size_t wanted = std::min<uint64_t>(budget, kCopyBytes);
  const size_t capacity = source.tls == nullptr ? wanted : std::min(wanted + kTakeSecureMinBytes, kCopyBytes);
  auto [count, drained] = source.eof ? Received{0, true} : Take(source, copy_buffer_.data(), capacity);
  if (count == -EAGAIN) {
    source.readable = false;
    if (source.write_broken) Lose(source, EPIPE);
    return Step::kStop;
  }
  if (count < 0) {
    Lose(source, static_cast<int>(-count));
    return Step::kStop;
  }
  if (count == 0) {
    SourceEnded(source);
    return Step::kStop;
  }
  // After a short read the socket is empty, unless its end is behind it.
  source.readable = !drained || source.hangup || source.failed || (source.tls != nullptr && source.tls->peer_ended());
  if (static_cast<size_t>(count) > wanted) {
    const size_t excess = static_cast<size_t>(count) - wanted;
    CountReceived(source, excess);
    if (!buffers_.Append(source.held, copy_buffer_.data() + wanted, excess, kHoldMaxBytes)) {
      Lose(source, ENOBUFS);
      return Step::kStop;
    }
    count = static_cast<ssize_t>(wanted);
  }
  source.full_reads =
      static_cast<size_t>(count) == kCopyBytes ? static_cast<uint8_t>(std::min(source.full_reads + 1, 255)) : 0;
  moved += static_cast<uint64_t>(count);
  door_.counters[counter::kBytesCopied] += static_cast<double>(count);
  CountReceived(source, static_cast<size_t>(count));
  CountRelayed(source, static_cast<uint64_t>(count));
  iovec range{copy_buffer_.data(), static_cast<size_t>(count)};
  if (!SendOrKeep(sink, {&range, 1}, range.iov_len)) {
    if (source.state == State::kOpen && source.flow != Flow::kData) source.blocked = true;
    return Step::kStop;
  }
  if (!sink.has_pending()) {
    if (source.held == nullptr) return Step::kMore;
    // Beyond what was wanted: it is for whoever comes next.
    if (source.flow == Flow::kRelay && source.remaining == 0) FinishRelay(source);
    return source.flow == Flow::kData ? Step::kStop : Step::kMore;
  }
  source.blocked = true;
  if (source.flow == Flow::kRelay && source.remaining == 0) FinishRelay(source);
  return Step::kStop;
}

Engine::Step Engine::SpliceStep(Connection& source, Connection& sink, uint64_t budget, uint64_t& moved) {
  if (source.pipe.size > 0) {
    if (const Step step = DrainPipe(source, sink); step == Step::kStop || source.held != nullptr) return step;
  }
  if (!source.pipe.valid()) {
    const bool worth = source.flow != Flow::kRelay || source.remaining >= kSpliceMinBytes;
    if (worth) source.pipe = pipes_.Take(HasSpareDescriptors());
    if (!source.pipe.valid()) {
      source.full_reads = 0;
      return CopyStep(source, sink, budget, moved);
    }
  }
  const size_t wanted = std::min<uint64_t>(budget, source.pipe.capacity);
  if (wanted == 0) return Step::kMore;
  const ssize_t count = ::splice(source.fd.get(), nullptr, source.pipe.write_end.get(), nullptr, wanted,
                                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (count < 0 && errno == EINTR) return Step::kMore;
  if (count < 0 && errno == EINVAL) {
    PutPipe(source);
    source.full_reads = 0;
    return Step::kMore;
  }
  if (count < 0 && errno == EAGAIN) {
    // The pipe is empty, so it is the socket that has nothing. The pipe goes back: an idle stream keeps no descriptors.
    source.readable = false;
    PutPipe(source);
    if (source.write_broken) Lose(source, EPIPE);
    return Step::kStop;
  }
  if (count < 0) {
    Lose(source, errno);
    return Step::kStop;
  }
  if (count == 0) {
    SourceEnded(source);
    return Step::kStop;
  }
  source.pipe.size = static_cast<uint32_t>(count);
  source.short_splices = count < kShortSplice ? static_cast<uint8_t>(source.short_splices + 1) : 0;
  moved += static_cast<uint64_t>(count);
  door_.counters[counter::kBytesSpliced] += static_cast<double>(count);
  CountReceived(source, static_cast<size_t>(count));
  CountRelayed(source, static_cast<uint64_t>(count));
  const Step step = DrainPipe(source, sink);
  if (step == Step::kMore && source.short_splices >= kShortSplicesToCopy) {
    PutPipe(source);
    source.full_reads = source.short_splices = 0;
  }
  return step;
}

Engine::Step Engine::DrainPipe(Connection& source, Connection& sink) {
  while (source.pipe.size > 0) {
    const ssize_t count = ::splice(source.pipe.read_end.get(), nullptr, sink.fd.get(), nullptr, source.pipe.size,
                                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count > 0) {
      source.pipe.size -= static_cast<uint32_t>(count);
      CountSent(sink, static_cast<size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      source.blocked = true;
      return Step::kStop;
    }
    BreakOutput(sink, count < 0 ? errno : EPIPE);
    if (source.state == State::kOpen && source.flow != Flow::kData) source.blocked = true;
    return Step::kStop;
  }
  return Step::kMore;
}

void Engine::CountRelayed(Connection& source, uint64_t bytes) {
  relay_budget_ -= std::min(relay_budget_, bytes);
  if (source.flow == Flow::kRelay) {
    source.remaining -= bytes;
  } else if (source.flow == Flow::kTunnel) {
    source.relayed += bytes;
    Touch(source.tunnel_first ? source : table_.At(source.sink));
  }
}

void Engine::FinishRelay(Connection& source) {
  Connection& sink = table_.At(source.sink);
  source.flow = Flow::kData;
  PutPipe(source);
  // What the sink has not sent yet still holds the source back.
  if (!sink.has_pending()) {
    source.sink = sink.feeder = kNoIndex;
    source.blocked = false;
  } else {
    BlockOn(source, sink);
  }
  source.deliver_held = source.held != nullptr;
  Emit(event::kRelayDone, source.id(), sink.id());
  if (source.readable || source.deliver_held) QueueReady(source);
}

void Engine::SourceEnded(Connection& source) {
  source.eof = true;
  source.readable = false;
  if (source.write_broken) {
    Lose(source, EPIPE);
    return;
  }
  // A reset after FIN reads as an end, too.
  if (source.failed) QueueReady(source);
  if (source.flow == Flow::kTunnel) {
    Connection& sink = table_.At(source.sink);
    PutPipe(source);
    sink.half_close_wanted = true;
    HalfClose(sink);
    return;
  }
  CancelFlow(source);
  ReportEnd(source);
}

// Lets go of the sink. A pipe that holds bytes goes with them.
void Engine::CancelFlow(Connection& source) {
  if (source.sink != kNoIndex) {
    Connection& sink = table_.At(source.sink);
    if (sink.feeder == source.index) sink.feeder = kNoIndex;
  }
  source.sink = kNoIndex;
  source.blocked = false;
  source.flow = Flow::kData;
  PutPipe(source);
}

// The sink takes no more. Who relayed to it has nowhere to go with its bytes: it is paused, the shard says what becomes
// of it. Who only waited for it goes on.
void Engine::DismissFeeder(Connection& sink) {
  if (sink.feeder == kNoIndex) return;
  Connection& feeder = table_.At(sink.feeder);
  if (feeder.flow != Flow::kData) feeder.paused = true;
  CancelFlow(feeder);
  QueueReady(feeder);
}

bool Engine::IsFedByFlow(const Connection& sink) {
  return sink.feeder != kNoIndex && table_.At(sink.feeder).flow != Flow::kData;
}

void Engine::PutPipe(Connection& source) {
  if (source.pipe.valid()) pipes_.Put(std::exchange(source.pipe, SplicePipe()));
}

void Engine::MaybeFinishTunnel(Connection& connection) {
  const Connection& other = table_.At(connection.sink);
  if (connection.eof && other.eof && connection.half_closed && other.half_closed) {
    EndTunnel(connection, tunnel_end::kClean, 0, false);
  }
}

void Engine::EndTunnel(Connection& connection, int32_t reason, int error, bool reset) {
  Connection& other = table_.At(connection.sink);
  Connection& first = connection.tunnel_first ? connection : other;
  Connection& second = connection.tunnel_first ? other : connection;
  const uint64_t forward = first.relayed;
  const uint64_t back = second.relayed;
  if (reason != tunnel_end::kOrdered) {
    Emit(event::kTunnelClosed, first.id(), second.id(), reason | error << 8, static_cast<int32_t>(forward),
         static_cast<int32_t>(forward >> 32), static_cast<int32_t>(back), static_cast<int32_t>(back >> 32));
  }
  CancelFlow(first);
  CancelFlow(second);
  Kill(first, reset);
  Kill(second, reset);
}

void Engine::FailTunnel(Connection& failed, int error) {
  EndTunnel(failed, failed.tunnel_first ? tunnel_end::kFirstFailed : tunnel_end::kSecondFailed, error, true);
}

}  // namespace fourseven
