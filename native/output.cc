// Sending: now what the socket takes, later the rest; never more in memory than a source could hand over before it was
// stopped.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine.h"

namespace fourseven {
namespace {

// Below this, gathering the ranges ourselves costs less than the kernel's import of a vector: heads are a few hundred
// bytes in five ranges.
constexpr size_t kGatherMaxBytes = 2048;

// Writes the ranges, less their first `skip` bytes, one behind the other. Returns their end.
uint8_t* Gather(std::span<const iovec> ranges, size_t skip, uint8_t* to) {
  for (const iovec& range : ranges) {
    const size_t passed = std::min(skip, range.iov_len);
    skip -= passed;
    std::memcpy(to, static_cast<const uint8_t*>(range.iov_base) + passed, range.iov_len - passed);
    to += range.iov_len - passed;
  }
  return to;
}

ssize_t SendGathered(int fd, std::span<iovec> ranges, size_t total) {
  if (ranges.size() == 1 || total > kGatherMaxBytes) return Send(fd, ranges);
  std::array<uint8_t, kGatherMaxBytes> bytes;
  iovec gathered{bytes.data(), static_cast<size_t>(Gather(ranges, 0, bytes.data()) - bytes.data())};
  return Send(fd, {&gathered, 1});
}

}  // namespace

void Engine::SendRanges(Connection& connection, Connection* source, bool retain, const int32_t* ranges,
                        uint32_t count) {
  if (!IsSendable(connection)) return;
  std::array<iovec, kRangesMax> vectors;
  size_t total = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t offset = static_cast<uint32_t>(ranges[2 * i]);
    const uint32_t length = static_cast<uint32_t>(ranges[2 * i + 1]);
    if (offset > kSlabBytes || length > kSlabBytes - offset) return;
    vectors[i] = {door_.slab + offset, length};
    total += length;
  }
  // Bytes that are not retained after bytes that are would leave a hole in a replay, and so would those of a relay.
  if (IsFedByFlow(connection)) retain = false;
  if (connection.retain && !retain) ReleaseRetained(connection);
  connection.retain = retain && (connection.out == nullptr || connection.retain);
  if (!SendOrKeep(connection, {vectors.data(), count}, total)) return;
  if (connection.has_pending() && source != nullptr && source->state == State::kOpen) BlockOn(*source, connection);
}

bool Engine::SendOrKeep(Connection& connection, std::span<iovec> ranges, size_t total) {
  // Half-closed by the shard: what a relay still brings is dropped, as a SEND would be.
  if (connection.half_closed) return true;
  if (connection.retain && (connection.out == nullptr ? 0 : connection.out->size()) + total > kRetainMaxBytes)
    ReleaseRetained(connection);
  if (connection.tls != nullptr) return SealOrKeep(connection, ranges, total);
  // What is kept in any case is sent from there: it need not be gathered a second time. Also where output is broken:
  // without it a replay would have a hole.
  iovec kept{};
  if (connection.retain && total > 0) {
    if (!Keep(connection, ranges, total, 0)) {
      Lose(connection, ENOBUFS);
      return false;
    }
    kept = {connection.out->bytes.get() + connection.out->end - total, total};
    ranges = {&kept, 1};
  }
  size_t sent = 0;
  if (connection.state == State::kOpen && connection.unsent == 0 && !connection.write_broken) {
    const ssize_t count = SendGathered(connection.fd.get(), ranges, total);
    if (count < 0 && count != -EAGAIN) BreakOutput(connection, static_cast<int>(-count));
    if (count > 0) CountSent(connection, sent = static_cast<size_t>(count));
  }
  if (connection.write_broken) return false;
  if (sent < total && !connection.retain && !Keep(connection, ranges, total, sent)) {
    Lose(connection, ENOBUFS);
    return false;
  }
  connection.unsent += static_cast<uint32_t>(total - sent);
  return true;
}

// Copies the ranges, `total` bytes less the first `skip`, behind what is kept already.
bool Engine::Keep(Connection& connection, std::span<const iovec> ranges, size_t total, size_t skip) {
  if (total == skip) return true;
  uint8_t* const to = buffers_.Extend(connection.out, total - skip, BufferPool::kBlockMaxBytes);
  if (to == nullptr) return false;
  Gather(ranges, skip, to);
  return true;
}

void Engine::Flush(Connection& connection) {
  if (connection.tls != nullptr && !FlushSecure(connection)) return;
  while (connection.unsent > 0) {
    Block& out = *connection.out;
    iovec rest{out.bytes.get() + out.end - connection.unsent, connection.unsent};
    const ssize_t count = Send(connection.fd.get(), {&rest, 1});
    if (count == -EAGAIN) return;
    if (count < 0) {
      BreakOutput(connection, static_cast<int>(-count));
      return;
    }
    CountSent(connection, static_cast<size_t>(count));
    connection.unsent -= static_cast<uint32_t>(count);
    if (!connection.retain) out.begin += static_cast<uint32_t>(count);
  }
  if (!connection.retain) buffers_.Put(std::move(connection.out));
  OutputDrained(connection);
}

void Engine::OutputDrained(Connection& connection) {
  if (connection.feeder != kNoIndex) {
    Connection& feeder = table_.At(connection.feeder);
    if (feeder.blocked) {
      feeder.blocked = false;
      QueueReady(feeder);
    }
    if (feeder.flow == Flow::kData) connection.feeder = feeder.sink = kNoIndex;
  }
  if (connection.resume_when_drained) {
    connection.resume_when_drained = connection.paused = false;
    connection.deliver_held = connection.held != nullptr;
    QueueReady(connection);
  }
  if (connection.half_close_wanted) HalfClose(connection);
  if (connection.state == State::kFlushing) FinishFlushing(connection);
}

// The peer takes no more. What it sent before that is still worth reading (an early answer, say), so the read side
// decides.
void Engine::BreakOutput(Connection& connection, int error) {
  connection.write_broken = true;
  connection.unsent = 0;
  buffers_.Put(std::move(connection.sealed));
  if (!connection.retain) buffers_.Put(std::move(connection.out));
  if (connection.state == State::kFlushing) {
    Kill(connection, false);
  } else if (connection.flow == Flow::kTunnel) {
    FailTunnel(connection, error);
  } else {
    connection.readable = connection.failed = true;
    connection.eof = false;
    QueueReady(connection);
  }
}

// The source is not read before the sink's output has left. Where one of them has a flow already, the flow decides
// that.
void Engine::BlockOn(Connection& source, Connection& sink) {
  if (source.flow != Flow::kData || IsFedByFlow(sink)) return;
  if (sink.feeder != source.index) {
    CancelFlow(source);
    DismissFeeder(sink);
  }
  source.blocked = true;
  source.sink = sink.index;
  sink.feeder = source.index;
}

void Engine::HalfClose(Connection& connection) {
  if (connection.state != State::kOpen || connection.has_pending() || connection.half_closed) return;
  if (!SayEnd(connection)) return;
  connection.half_closed = true;
  if (connection.feeder != kNoIndex) {
    // What a relay still brings is dropped, which waits for nothing.
    Connection& feeder = table_.At(connection.feeder);
    PutPipe(feeder);
    feeder.blocked = false;
    QueueReady(feeder);
  }
  ::shutdown(connection.fd.get(), SHUT_WR);
  if (connection.flow == Flow::kTunnel) MaybeFinishTunnel(connection);
}

void Engine::Replay(Connection& from, Connection& to) {
  if (!IsSendable(to) || from.out == nullptr || !from.retain || to.out != nullptr) return;
  if (from.state == State::kFlushing || from.state == State::kLingering) return;
  to.out = std::move(from.out);
  to.unsent = to.out->size();
  to.retain = !IsFedByFlow(to);
  from.retain = false;
  if (std::exchange(from.unsent, 0) > 0) OutputDrained(from);
  if (to.state == State::kOpen) Flush(to);
}

// Whether a SEND would do anything. A tunnel takes none; where output is broken it may still be retained.
bool Engine::IsSendable(const Connection& connection) {
  const bool alive = connection.state == State::kOpen || connection.state == State::kConnecting ||
                     connection.state == State::kUnconnected;
  return alive && connection.flow != Flow::kTunnel && !connection.half_close_wanted;
}

void Engine::ReleaseRetained(Connection& connection) {
  connection.retain = false;
  if (connection.out == nullptr) return;
  connection.out->begin = connection.out->end - connection.unsent;
  if (connection.unsent == 0) buffers_.Put(std::move(connection.out));
}

void Engine::CountSent(Connection& connection, size_t bytes) {
  connection.bytes_sent += bytes;
  if (connection.accepted())
    ListenerCount(connection.listener, listener_counter::kBytesSent) += static_cast<double>(bytes);
  Touch(connection);
  // Whoever waits for these bytes to leave is not idle: it is not its own fault that it is not read.
  if (connection.feeder != kNoIndex) Touch(table_.At(connection.feeder));
}

}  // namespace fourseven
