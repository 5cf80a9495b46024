// Receiving: what a connection that is ready has for the shard.
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine.h"

namespace fourseven {
namespace {

constexpr uint32_t kSlabAlignment = 64;

}  // namespace

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

void Engine::CountReceived(Connection& connection, size_t bytes) {
  connection.bytes_received += bytes;
  if (connection.accepted())
    ListenerCount(connection.listener, listener_counter::kBytesReceived) += static_cast<double>(bytes);
  // An answer has begun: what was asked cannot be asked again.
  if (connection.retain) ReleaseRetained(connection);
  Touch(connection);
}

}  // namespace fourseven
