// The engine of one shard: it owns every socket of the shard, and moves bytes. The shard decides
// (src/engine/protocol.ts is the contract).
//
// A turn is up to kRoundsMax rounds. A round: take what epoll reports; accept, receive, relay, flush, expire; hand the
// events to the shard in one call; run the commands it wrote. Single-threaded; it blocks in Wait alone; no failure is
// an exception.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "alarm.h"
#include "buffer_pool.h"
#include "connection_table.h"
#include "deadline_wheel.h"
#include "protocol.h"
#include "socket.h"
#include "splice_pipe.h"
#include "tls_context.h"
#include "unique_fd.h"

namespace fourseven {

// Memory shared with the shard, which owns it and keeps it alive as long as the engine.
struct Door {
  uint8_t* slab = nullptr;            // kSlabBytes
  int32_t* events = nullptr;          // kEventsMax * kEventWords
  const int32_t* commands = nullptr;  // kCommandsMaxWords
  double* counters = nullptr;         // kCountersLength
};

// What the engine needs of whoever runs it.
class Shard {
 public:
  virtual ~Shard() = default;
  // Whether OnRound can still be called. Node turns the loop of a thread that ends once more: accepting then would take
  // connections off a queue that the successor of this shard is to serve.
  [[nodiscard]] virtual bool CanRun() { return true; }
  // Handles the events and submits the commands they lead to. Returns false if the shard is gone: the engine then stops
  // at once.
  [[nodiscard]] virtual bool OnRound(uint32_t event_count) = 0;
};

class Engine {
 public:
  static constexpr int64_t kNeverMs = INT64_MAX;

  Engine(const Door& door, Shard& shard, uint32_t descriptors_max);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // Opens the epoll descriptor. Returns it (the engine's) or -errno.
  [[nodiscard]] int Open();
  // Has Wait end, too, when `fd` (libuv's epoll descriptor) is readable. Returns 0 or -errno.
  [[nodiscard]] int WatchLoop(int fd);
  // Waits for events, which the next turn takes, until `due_ms` of CLOCK_MONOTONIC at the latest: kNeverMs for as long
  // as it takes. Returns whether the loop's descriptor is among them.
  [[nodiscard]] bool Wait(int64_t due_ms);
  // Runs rounds until nothing is ready, or the turn's share is used up. Returns whether the shard was called.
  bool Turn();
  // Runs commands outside a round, or within one.
  void Submit(uint32_t words);
  // When Turn must run even if epoll says nothing: milliseconds of CLOCK_MONOTONIC, 0 at once, kNeverMs never.
  [[nodiscard]] int64_t DueMs();
  // What that clock said when the engine looked last: as a round began, after the shard was called, or when it was told
  // to.
  void ReadClock();
  [[nodiscard]] int64_t now_ms() const { return now_ms_; }
  // Resets every connection and closes everything. The engine is dead afterwards.
  void Close();
  [[nodiscard]] bool closed() const { return closed_; }

  [[nodiscard]] int AdoptListener(uint32_t listener, int fd);
  void PauseListener(uint32_t listener);
  void ResumeListener(uint32_t listener);
  void CloseListener(uint32_t listener);

  // Connections to the address speak TLS if there is a context: a dial of it is done once it is established.
  [[nodiscard]] int RememberAddress(const Address& address, int context = -1, const std::string& server_name = "");
  void ForgetAddress(uint32_t handle);
  [[nodiscard]] int Dial(uint32_t handle);
  [[nodiscard]] int Redial(int32_t id, uint32_t handle);
  // Bytes received so far; -1 while the connection is not read (its sink is full, or it is paused), or gone.
  [[nodiscard]] double Progress(int32_t id);
  // An id as after a dial that failed: to be sent to, redialed or closed. Returns it, or -errno.
  [[nodiscard]] int Reserve();
  // Empty if the id is stale.
  [[nodiscard]] std::string LocalAddress(int32_t id);

  // Makes a context for connections. Returns its handle, or -EINVAL with a reason in `error`. What uses it keeps it.
  [[nodiscard]] int RememberContext(const TlsSpec& spec, std::string& error);
  void ForgetContext(uint32_t handle);
  // False if they are none.
  [[nodiscard]] bool SetTicketKeys(std::span<const uint8_t> bytes) { return ticket_keys_.Set(bytes); }
  // Of a connection that speaks TLS, or whose last event said that TLS failed; nullptr otherwise.
  [[nodiscard]] const TlsSession* SecureSession(int32_t id);
  [[nodiscard]] bool IsOpen(int32_t id);

 private:
  // Tests look inside, to find what no event would tell (test/engine_inspector.h).
  friend class EngineInspector;

  struct Listener {
    UniqueFd fd;
    bool adopted = false;
    bool paused = false;   // by the shard
    bool watched = false;  // in the epoll set
    bool closing = false;  // takes what is in the queue, then closes
  };

  // The round (engine.cc).
  bool Round();
  void TakeReports(int wait_ms);
  void Poll();
  void Expire();
  void ServiceReady();
  void BuryDead();
  [[nodiscard]] int64_t TicksFromNow(int32_t ms) const;
  void QueueReady(Connection& connection);
  void Touch(Connection& connection);

  // Events. Emit writes to the ring while a round collects, and keeps the event for the next round otherwise.
  void Emit(int32_t kind, int32_t id, int32_t a = 0, int32_t b = 0, int32_t c = 0, int32_t d = 0, int32_t e = 0,
            int32_t f = 0);
  [[nodiscard]] bool HasRoomForEvents() const;

  // Accepting (accept.cc).
  void AcceptFrom(uint32_t index);
  void AddAccepted(uint32_t index, int fd, const Address& peer);
  void WatchListener(uint32_t index);
  void UnwatchListener(uint32_t index);
  void ReleaseListener(Listener& listener);
  // Room for two more beyond the twins that accepted connections may still need: a connection with its twin, or a pipe.
  [[nodiscard]] bool HasSpareDescriptors() const;
  void RewatchListeners();
  void TakeClosingQueues();

  // Dialing (dial.cc).
  [[nodiscard]] int StartDial(Connection& connection, uint32_t handle);
  void FinishConnect(Connection& connection);
  void FailConnect(Connection& connection, int error);

  // Receiving (receive.cc).
  void Service(Connection& connection);
  void ReportWhilePaused(Connection& connection);
  void ReportEnd(Connection& connection);
  void ReceiveData(Connection& connection);
  void DeliverHeld(Connection& connection);
  void CountReceived(Connection& connection, size_t bytes);

  // Ends (close.cc).
  void Lose(Connection& connection, int error);
  // Closes the socket, lets go of flows and buffers (but what is retained, which a REPLAY may still want).
  void Kill(Connection& connection, bool reset);
  void DeadlinePassed(Connection& connection);
  void HandleClose(Connection& connection, int32_t linger_ms);
  void FinishFlushing(Connection& connection);
  void DiscardInput(Connection& connection);

  // Commands (commands.cc).
  void Execute(std::span<const int32_t> words);
  void HandleCommand(const int32_t* words);
  void HandleDeadline(Connection& connection, int32_t ms, int32_t mode);
  [[nodiscard]] bool IsFailureUntold(const Connection& connection) const;
  void HandleHold(Connection& connection, uint32_t offset, uint32_t length);

  // Output (output.cc).
  void SendRanges(Connection& connection, Connection* source, bool retain, const int32_t* ranges, uint32_t count);
  // Sends now what the socket takes, keeps the rest. Returns false if the connection cannot be sent to any more.
  bool SendOrKeep(Connection& connection, std::span<iovec> ranges, size_t total);
  bool Keep(Connection& connection, std::span<const iovec> ranges, size_t total, size_t skip);
  void Flush(Connection& connection);
  void OutputDrained(Connection& connection);
  void BreakOutput(Connection& connection, int error);
  void BlockOn(Connection& source, Connection& sink);
  [[nodiscard]] static bool IsSendable(const Connection& connection);
  void HalfClose(Connection& connection);
  void Replay(Connection& from, Connection& to);
  void ReleaseRetained(Connection& connection);
  void CountSent(Connection& connection, size_t bytes);

  // TLS (secure.cc).
  struct Received {
    ssize_t count;  // as Receive
    bool drained;   // the socket has no more for now
  };
  // What a connection receives, opened where TLS is spoken.
  [[nodiscard]] Received Take(Connection& connection, uint8_t* at, size_t capacity);
  [[nodiscard]] Received TakeSecure(Connection& connection, uint8_t* at, size_t capacity);
  void HandleSecure(Connection& connection, uint32_t handle, uint32_t offset, uint32_t length);
  void HandshakeStep(Connection& connection);
  [[nodiscard]] TlsSession& UseSession(Connection& connection);
  void FinishHandshake(Connection& connection, std::span<const uint8_t> rest);
  void FailHandshake(Connection& connection, int error);
  bool SealOrKeep(Connection& connection, std::span<iovec> ranges, size_t total);
  [[nodiscard]] bool FlushSecure(Connection& connection);
  // Sends what was sealed, as far as the socket takes it; returns 0, or the error of the socket or of too much.
  [[nodiscard]] int SendSealed(Connection& connection);
  // Says that nothing follows; returns whether that has left. True where no TLS is spoken.
  [[nodiscard]] bool SayEnd(Connection& connection);
  void ReadAheadForEnd(Connection& connection);

  // Flows (relay.cc).
  void StartRelay(Connection& source, Connection& sink, uint64_t count, Flow flow);
  void StartTunnel(Connection& first, Connection& second, int32_t idle_ms);
  void RelayStep(Connection& source);
  bool RelayHeld(Connection& source, Connection& sink);
  enum class Step : uint8_t { kMore, kStop, kDone };
  Step CopyStep(Connection& source, Connection& sink, uint64_t budget, uint64_t& moved);
  Step SpliceStep(Connection& source, Connection& sink, uint64_t budget, uint64_t& moved);
  Step DrainPipe(Connection& source, Connection& sink);
  void CountRelayed(Connection& source, uint64_t bytes);
  void FinishRelay(Connection& source);
  void SourceEnded(Connection& source);
  void CancelFlow(Connection& source);
  void DismissFeeder(Connection& sink);
  [[nodiscard]] bool IsFedByFlow(const Connection& sink);
  void PutPipe(Connection& source);
  void MaybeFinishTunnel(Connection& connection);
  void EndTunnel(Connection& connection, int32_t reason, int error, bool reset);
  void FailTunnel(Connection& failed, int error);

  [[nodiscard]] uint32_t descriptors_open() const;
  [[nodiscard]] double& ListenerCount(uint32_t listener, uint32_t counter) {
    return door_.counters[kCountersListenerOffset + listener * kCountersPerListener + counter];
  }

  const Door door_;
  Shard& shard_;
  const uint32_t descriptors_max_;
  UniqueFd epoll_;
  Alarm alarm_;
  bool closed_ = false;
  bool in_turn_ = false;
  bool shard_was_called_ = false;

  // Readiness reports taken per round.
  static constexpr int kPollMax = 256;
  std::array<epoll_event, kPollMax> reports_;
  int report_count_ = 0;
  // The last poll filled `reports_`: there may be more.
  bool poll_full_ = false;

  ConnectionTable table_;
  DeadlineWheel wheel_;
  BufferPool buffers_;
  PipePool pipes_;
  std::vector<Listener> listeners_;
  struct Target {
    Address address;
    std::shared_ptr<TlsContext> context;
    std::shared_ptr<TlsResumption> resumption;
    std::string server_name;
  };
  std::vector<Target> addresses_;
  std::vector<uint32_t> free_addresses_;

  int64_t now_ms_ = 0;
  int64_t now_tick_ = 0;

  bool collecting_ = false;
  uint32_t event_count_ = 0;
  uint32_t receive_offset_ = 0;
  uint64_t relay_budget_ = 0;
  std::vector<std::array<int32_t, kEventWords>> waiting_events_;

  std::vector<uint32_t> ready_;
  std::vector<uint32_t> ready_now_;
  // Dead connections: of this round (the shard may not know yet), and of the round before.
  std::vector<uint32_t> dead_;
  std::vector<uint32_t> buried_;

  uint32_t accepted_open_ = 0;
  uint32_t dialed_open_ = 0;
  uint32_t listeners_open_ = 0;
  bool accept_starved_ = false;
  int64_t accept_again_tick_ = kNoTick;

  // Where a relay's bytes pass through on their way from one socket to the other.
  std::vector<uint8_t> copy_buffer_;

  TlsTicketKeys ticket_keys_;
  std::vector<std::shared_ptr<TlsContext>> contexts_;
  // What handshakes may still take of this round.
  int64_t handshake_budget_ns_ = 0;
  // Sealed bytes on their way: received, and to be sent.
  std::vector<uint8_t> cipher_in_;
  std::vector<uint8_t> cipher_out_;
  // Connections whose sessions keep OpenSSL's buffers (34 KiB each), and the place that is looked at next.
  static constexpr size_t kBufferedMax = 256;
  std::array<int32_t, kBufferedMax> buffered_{};
  size_t buffered_next_ = 0;
};

}  // namespace fourseven
