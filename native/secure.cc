// TLS: the handshake, what is received and opened, what is sealed and sent. The shard has read the ClientHello and says
// which context the connection gets; a dial has that of its address. From then on the shard sees plain bytes only.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "clock.h"
#include "engine.h"

namespace fourseven {
namespace {

constexpr size_t kCipherInBytes = 240 * 1024;
constexpr size_t kHandshakeReadBytes = 32 * 1024;
// Reads in a row that brought records, but no bytes for anybody: nobody has a reason to send that many.
constexpr int kEmptyReadsMax = 16;

}  // namespace

int Engine::RememberContext(const TlsSpec& spec, std::string& error) {
  if (closed_) return -ESHUTDOWN;
  std::shared_ptr<TlsContext> context = TlsContext::Create(spec, ticket_keys_, error);
  if (context == nullptr) return -EINVAL;
  const auto free = std::find(contexts_.begin(), contexts_.end(), nullptr);
  const auto handle = static_cast<int>(free - contexts_.begin());
  if (free == contexts_.end()) {
    contexts_.push_back(std::move(context));
  } else {
    *free = std::move(context);
  }
  return handle;
}

void Engine::ForgetContext(uint32_t handle) {
  if (handle < contexts_.size()) contexts_[handle] = nullptr;
}

const TlsSession* Engine::SecureSession(int32_t id) {
  const Connection* connection = table_.Find(id);
  return connection == nullptr ? nullptr : connection->tls.get();
}

// The session of a connection, about to be read from or written to. As many as there is room for keep their buffers;
// one more takes the place of one that has not used its own for a whole round of the places (the clock of Corbató, "A
// paging experiment with the Multics system", 1968).
TlsSession& Engine::UseSession(Connection& connection) {
  connection.buffers_used = true;
  while (!connection.buffered) {
    int32_t& place = buffered_[buffered_next_];
    buffered_next_ = (buffered_next_ + 1) % kBufferedMax;
    if (Connection* keeper = table_.Find(place); keeper != nullptr && keeper->buffered) {
      if (keeper->buffers_used) {
        keeper->buffers_used = false;
        continue;
      }
      keeper->buffered = false;
      keeper->tls->ReleaseBuffers();
    }
    place = connection.id();
    connection.buffered = true;
  }
  return *connection.tls;
}

// --- Handshakes
// ------------------------------------------------------------------------------------------------------------------------

void Engine::HandleSecure(Connection& connection, uint32_t handle, uint32_t offset, uint32_t length) {
  if (connection.state != State::kOpen || connection.flow != Flow::kData || connection.tls != nullptr) return;
  if (handle < contexts_.size() && contexts_[handle] != nullptr && contexts_[handle]->is_server())
    connection.tls = TlsSession::Create(contexts_[handle]);
  if (connection.tls == nullptr) {
    Lose(connection, EINVAL);
    return;
  }
  HandleHold(connection, offset, length);
  if (connection.state != State::kOpen) return;
  connection.handshaking = true;
  connection.paused = connection.resume_when_drained = false;
  QueueReady(connection);
}

void Engine::HandshakeStep(Connection& connection) {
  if (handshake_budget_ns_ <= 0) {
    QueueReady(connection);
    return;
  }
  if (cipher_in_.empty()) cipher_in_.resize(kCipherInBytes);
  std::span<const uint8_t> input;
  // A client has the first word.
  const bool begins = !connection.tls->is_server() && !connection.tls->begun();
  if (connection.held != nullptr && connection.tls->is_server()) {
    input = {connection.held->data(), connection.held->size()};
  } else if (!begins) {
    const ssize_t count = Receive(connection.fd.get(), cipher_in_.data(), kHandshakeReadBytes);
    if (count < static_cast<ssize_t>(kHandshakeReadBytes)) connection.readable = connection.hangup;
    if (count == -EAGAIN && !connection.write_broken) {
      connection.readable = false;
      return;
    }
    if (count <= 0) {
      FailHandshake(connection, count == 0 ? ECONNRESET : count == -EAGAIN ? EPIPE : static_cast<int>(-count));
      return;
    }
    input = {cipher_in_.data(), static_cast<size_t>(count)};
  }
  const int64_t begin_ns = NowNs();
  const TlsSession::Status status = UseSession(connection).Handshake(input, cipher_out_);
  handshake_budget_ns_ -= NowNs() - begin_ns;
  Touch(connection);
  const int error = SendSealed(connection);
  if (status == TlsSession::Status::kFailed) {
    FailHandshake(connection, connection.tls->distrusted() ? EKEYREJECTED : EPROTO);
  } else if (error != 0) {
    FailHandshake(connection, error);
  } else if (status == TlsSession::Status::kDone) {
    FinishHandshake(connection, input);
  } else {
    if (connection.tls->is_server()) buffers_.Put(std::move(connection.held));
    if (connection.readable) QueueReady(connection);
  }
}

// `rest`: what came behind the handshake.
void Engine::FinishHandshake(Connection& connection, std::span<const uint8_t> rest) {
  connection.handshaking = false;
  connection.readable = true;
  TlsSession& tls = *connection.tls;
  door_.counters[counter::kHandshakes]++;
  if (tls.resumed()) door_.counters[counter::kHandshakesResumed]++;
  BlockPtr plain;
  bool opened = true;
  std::array<uint8_t, TlsSession::kRecordMaxBytes> bytes;
  // Done: there was no room for more.
  TlsSession::Status status = rest.empty() ? TlsSession::Status::kMore : TlsSession::Status::kDone;
  while (opened && status == TlsSession::Status::kDone) {
    size_t count = 0;
    status = tls.Open(rest, bytes.data(), bytes.size(), count, cipher_out_);
    opened = status != TlsSession::Status::kFailed &&
             (count == 0 || buffers_.Append(plain, bytes.data(), count, kHoldMaxBytes));
    if (count > 0) CountReceived(connection, count);
  }
  if (!opened || SendSealed(connection) != 0) {
    FailHandshake(connection, EPROTO);
    return;
  }
  if (tls.is_server()) {
    buffers_.Put(std::move(connection.held));
    const int32_t flags =
        (tls.resumed() ? kSecuredResumed : 0) | (tls.has_peer_certificate() ? kSecuredWithCertificate : 0);
    Emit(event::kSecured, connection.id(), tls.version(), flags);
  } else {
    connection.state = State::kOpen;
    Emit(event::kConnected, connection.id());
  }
  if (plain != nullptr) {
    connection.held = std::move(plain);
    connection.deliver_held = true;
  }
  QueueReady(connection);
  if (connection.has_pending()) {
    Flush(connection);
  } else {
    OutputDrained(connection);
  }
}

void Engine::FailHandshake(Connection& connection, int error) {
  door_.counters[counter::kHandshakesFailed]++;
  if (connection.state == State::kConnecting) {
    FailConnect(connection, error);
  } else {
    Lose(connection, error);
  }
}

// --- Receiving
// -------------------------------------------------------------------------------------------------------------------------

Engine::Received Engine::Take(Connection& connection, uint8_t* at, size_t capacity) {
  if (connection.tls != nullptr) return TakeSecure(connection, at, capacity);
  const ssize_t count = Receive(connection.fd.get(), at, capacity);
  return {count, count < static_cast<ssize_t>(capacity)};
}

Engine::Received Engine::TakeSecure(Connection& connection, uint8_t* at, size_t capacity) {
  if (connection.tls->peer_ended()) return {0, true};
  if (cipher_in_.empty()) cipher_in_.resize(kCipherInBytes);
  // The rest of a record that has begun may come on top of what is read.
  const size_t wanted = std::min(capacity - TlsSession::kCipherRecordMaxBytes, cipher_in_.size());
  for (int reads = 0; reads < kEmptyReadsMax; reads++) {
    const ssize_t count = Receive(connection.fd.get(), cipher_in_.data(), wanted);
    if (count < 0) return {count, true};
    // FIN without a word (RFC 8446 section 6.1): from an endpoint it may be somebody who cuts an answer short.
    if (count == 0) return {connection.accepted() ? 0 : -ECONNRESET, true};
    std::span<const uint8_t> input(cipher_in_.data(), static_cast<size_t>(count));
    size_t opened = 0;
    const TlsSession::Status status = UseSession(connection).Open(input, at, capacity, opened, cipher_out_);
    const int error = SendSealed(connection);
    if (status == TlsSession::Status::kFailed || status == TlsSession::Status::kDone) return {-EPROTO, true};
    if (error == ENOBUFS) return {-ENOBUFS, true};
    const bool drained = count < static_cast<ssize_t>(wanted);
    if (opened > 0 || status == TlsSession::Status::kEnded) return {static_cast<ssize_t>(opened), drained};
    if (drained) return {-EAGAIN, true};
  }
  return {-EPROTO, true};
}

// A client that leaves says so in a record of its own before FIN: it has to be read to be seen, also while nobody wants
// what comes before it. That is kept, within the limit of what may be held.
void Engine::ReadAheadForEnd(Connection& connection) {
  if (!connection.readable || connection.end_reported || connection.eof) return;
  const uint32_t held = connection.held == nullptr ? 0 : connection.held->size();
  if (held + kReceiveMaxBytes > kHoldMaxBytes) return;
  const auto [count, drained] = Take(connection, door_.slab + receive_offset_, kReceiveMaxBytes);
  if (count == -EAGAIN) {
    connection.readable = false;
  } else if (count < 0) {
    Lose(connection, static_cast<int>(-count));
  } else if (count == 0) {
    connection.eof = true;
    connection.readable = false;
    if (connection.held == nullptr) ReportEnd(connection);
  } else {
    CountReceived(connection, static_cast<size_t>(count));
    connection.readable = !drained || connection.hangup || connection.tls->peer_ended();
    const auto length = static_cast<size_t>(count);
    if (!buffers_.Append(connection.held, door_.slab + receive_offset_, length, kHoldMaxBytes)) {
      Lose(connection, ENOBUFS);
    } else if (connection.readable) {
      QueueReady(connection);
    }
  }
}

// --- Sending
// ---------------------------------------------------------------------------------------------------------------------------

int Engine::SendSealed(Connection& connection) {
  int error = 0;
  if (!cipher_out_.empty() && !connection.write_broken) {
    size_t sent = 0;
    if (connection.sealed == nullptr) {
      iovec range{cipher_out_.data(), cipher_out_.size()};
      const ssize_t count = Send(connection.fd.get(), {&range, 1});
      if (count > 0) sent = static_cast<size_t>(count);
      if (count < 0 && count != -EAGAIN) error = static_cast<int>(-count);
    }
    if (error == 0 && sent < cipher_out_.size() &&
        !buffers_.Append(connection.sealed, cipher_out_.data() + sent, cipher_out_.size() - sent,
                         BufferPool::kBlockMaxBytes))
      error = ENOBUFS;
  }
  cipher_out_.clear();
  return error;
}

bool Engine::SealOrKeep(Connection& connection, std::span<iovec> ranges, size_t total) {
  const bool waits = connection.state != State::kOpen || connection.handshaking;
  if ((waits || connection.retain) && !Keep(connection, ranges, total, 0)) {
    if (waits || connection.write_broken) {
      Lose(connection, ENOBUFS);
      return false;
    }
    ReleaseRetained(connection);
  }
  if (waits) {
    connection.unsent += static_cast<uint32_t>(total);
    return true;
  }
  if (connection.write_broken) return false;
  if (!UseSession(connection).Seal(ranges, total, cipher_out_)) {
    cipher_out_.clear();
    Lose(connection, EPROTO);
    return false;
  }
  const int error = SendSealed(connection);
  if (error == ENOBUFS) {
    Lose(connection, ENOBUFS);
    return false;
  }
  if (error != 0) {
    BreakOutput(connection, error);
    return false;
  }
  CountSent(connection, total);
  return true;
}

// Returns whether all of it has left, the connection being what it was.
bool Engine::FlushSecure(Connection& connection) {
  if (connection.unsent > 0 && !connection.handshaking) {
    Block& out = *connection.out;
    iovec rest{out.bytes.get() + out.end - connection.unsent, connection.unsent};
    const bool sealed = UseSession(connection).Seal({&rest, 1}, connection.unsent, cipher_out_);
    const uint32_t count = std::exchange(connection.unsent, 0);
    if (!connection.retain) buffers_.Put(std::move(connection.out));
    const int error = sealed ? SendSealed(connection) : EPROTO;
    cipher_out_.clear();
    if (error != 0) {
      BreakOutput(connection, error);
      return false;
    }
    CountSent(connection, count);
  }
  while (connection.sealed != nullptr) {
    Block& sealed = *connection.sealed;
    iovec rest{sealed.bytes.get() + sealed.begin, sealed.size()};
    const ssize_t count = Send(connection.fd.get(), {&rest, 1});
    if (count == -EAGAIN) return false;
    if (count < 0) {
      BreakOutput(connection, static_cast<int>(-count));
      return false;
    }
    Touch(connection);
    if (connection.feeder != kNoIndex) Touch(table_.At(connection.feeder));
    sealed.begin += static_cast<uint32_t>(count);
    if (sealed.size() == 0) buffers_.Put(std::move(connection.sealed));
  }
  return !connection.handshaking;
}

bool Engine::SayEnd(Connection& connection) {
  if (connection.tls == nullptr || connection.tls->ended()) return true;
  UseSession(connection).End(cipher_out_);
  if (SendSealed(connection) != 0) return true;
  return !connection.has_pending();
}

}  // namespace fourseven
