// Listeners: accepting in batches, and not accepting while there is no room.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "engine.h"
#include "readiness.h"

namespace fourseven {
namespace {

// Connections taken from one listener per round: a flood of them must not starve those that are open.
constexpr int kAcceptMax = 16;
// How long accepting rests when the process or the system is out of descriptors (accept(2): EMFILE, ENFILE).
constexpr int32_t kAcceptRestMs = 100;
constexpr int kFamilyShift = 16;

}  // namespace

int Engine::AdoptListener(uint32_t index, int fd) {
  if (closed_) return -ESHUTDOWN;
  if (index >= kListenersMax) return -EINVAL;
  if (listeners_.size() <= index) listeners_.resize(index + 1);
  Listener& listener = listeners_[index];
  if (listener.adopted) return -EBUSY;
  UniqueFd duplicate(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!duplicate.valid()) return -errno;
  listener = Listener();
  listener.fd = std::move(duplicate);
  listener.adopted = true;
  listeners_open_++;
  WatchListener(index);
  return 0;
}

void Engine::PauseListener(uint32_t index) {
  if (index >= listeners_.size() || !listeners_[index].adopted) return;
  listeners_[index].paused = true;
  UnwatchListener(index);
}

void Engine::ResumeListener(uint32_t index) {
  if (index >= listeners_.size() || !listeners_[index].adopted) return;
  listeners_[index].paused = false;
  WatchListener(index);
}

void Engine::CloseListener(uint32_t index) {
  if (index >= listeners_.size() || !listeners_[index].adopted) return;
  Listener& listener = listeners_[index];
  listener.closing = true;
  listener.paused = false;
  // An empty queue makes no event of its own: look at it in the next round whatever epoll says.
  accept_again_tick_ = std::min(accept_again_tick_, now_tick_);
}

// Level-triggered: what is left in the queue is reported again in the next round.
void Engine::WatchListener(uint32_t index) {
  Listener& listener = listeners_[index];
  if (listener.watched || !listener.adopted || listener.paused) return;
  listener.watched = Watch(epoll_.get(), listener.fd.get(), EPOLLIN, kListenerBit | index) == 0;
}

// Taken out by hand, also before closing: other descriptors of the same socket keep epoll's entry alive (epoll(7),
// "Questions and answers").
void Engine::UnwatchListener(uint32_t index) {
  Listener& listener = listeners_[index];
  if (!listener.watched) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.fd.get(), nullptr);
  listener.watched = false;
}

void Engine::AcceptFrom(uint32_t index) {
  if (!shard_.CanRun()) return;
  Listener& listener = listeners_[index];
  for (int i = 0; i < kAcceptMax && HasRoomForEvents(); i++) {
    if (!HasSpareDescriptors()) {
      accept_starved_ = true;
      door_.counters[counter::kAcceptPauses]++;
      UnwatchListener(index);
      return;
    }
    Address peer;
    const int fd = Accept(listener.fd.get(), peer);
    if (fd >= 0) {
      AddAccepted(index, fd, peer);
      continue;
    }
    if (fd == -EAGAIN) {
      if (listener.closing) ReleaseListener(listener);
      return;
    }
    accept_starved_ = true;
    door_.counters[counter::kAcceptPauses]++;
    UnwatchListener(index);
    accept_again_tick_ = std::min(accept_again_tick_, TicksFromNow(kAcceptRestMs));
    return;
  }
}

void Engine::AddAccepted(uint32_t index, int raw, const Address& peer) {
  UniqueFd fd(raw);
  Connection* connection = table_.Take();
  if (connection == nullptr) return;
  if (Watch(epoll_.get(), raw, kConnectionEvents, connection->index) < 0) {
    table_.Put(*connection);
    return;
  }
  connection->fd = std::move(fd);
  connection->state = State::kOpen;
  connection->listener = static_cast<uint16_t>(index);
  accepted_open_++;
  door_.counters[counter::kConnectionsOpen]++;
  door_.counters[counter::kConnectionsAccepted]++;
  ListenerCount(index, listener_counter::kConnections)++;
  ListenerCount(index, listener_counter::kAccepted)++;
  int32_t words[4] = {};
  int family = 0;
  int port = 0;
  if (peer.any.sa_family == AF_INET) {
    family = 4;
    port = ntohs(peer.v4.sin_port);
    words[0] = static_cast<int32_t>(ntohl(peer.v4.sin_addr.s_addr));
  } else if (peer.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr)) {
    // A v4 client of a `::` listener is a v4 client (RFC 4291 section 2.5.5.2).
    family = 4;
    port = ntohs(peer.v6.sin6_port);
    words[0] = static_cast<int32_t>(ntohl(peer.v6.sin6_addr.s6_addr32[3]));
  } else if (peer.any.sa_family == AF_INET6) {
    family = 6;
    port = ntohs(peer.v6.sin6_port);
    for (size_t i = 0; i < 4; i++) words[i] = static_cast<int32_t>(ntohl(peer.v6.sin6_addr.s6_addr32[i]));
  }
  Emit(event::kAccepted, connection->id(), static_cast<int32_t>(index | static_cast<uint32_t>(family) << kFamilyShift),
       port, words[0], words[1], words[2], words[3]);
}

void Engine::ReleaseListener(Listener& listener) {
  const uint32_t index = static_cast<uint32_t>(&listener - listeners_.data());
  UnwatchListener(index);
  listener = Listener();
  listeners_open_--;
}

bool Engine::HasSpareDescriptors() const {
  const uint32_t without_twin = accepted_open_ > dialed_open_ ? accepted_open_ - dialed_open_ : 0;
  return descriptors_open() + without_twin + 2 <= descriptors_max_;
}

// A descriptor was given back, or accepting has rested.
void Engine::RewatchListeners() {
  if (closed_ || !HasSpareDescriptors()) return;
  accept_starved_ = false;
  for (uint32_t index = 0; index < listeners_.size(); index++) WatchListener(index);
}

// Closing listeners are looked at every tick until their queue is empty, also while there is no room.
void Engine::TakeClosingQueues() {
  for (uint32_t index = 0; index < listeners_.size(); index++) {
    if (!listeners_[index].closing) continue;
    AcceptFrom(index);
    if (listeners_[index].closing) accept_again_tick_ = std::min(accept_again_tick_, now_tick_ + 1);
  }
}

}  // namespace fourseven
