// Ends: how a connection is lost, closed in order, or killed.
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "engine.h"

namespace fourseven {
namespace {

// Reads of kReceiveMaxBytes that one lingering connection gets per round.
constexpr int kDiscardReadsMax = 8;

}  // namespace

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

}  // namespace fourseven
