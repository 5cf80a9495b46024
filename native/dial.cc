// Dialing: the addresses that can be dialed, and how a connection comes about.
#include <cerrno>
#include <memory>
#include <utility>

#include "engine.h"
#include "readiness.h"

namespace fourseven {

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
  if (const int error = Watch(epoll_.get(), fd.get(), kConnectionEvents, connection.index); error < 0) return error;
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

}  // namespace fourseven
