// One socket and what the engine knows about it.
#pragma once

#include <cstdint>
#include <memory>

#include "buffer_pool.h"
#include "splice_pipe.h"
#include "tls_session.h"
#include "unique_fd.h"

namespace fourseven {

// free -> connecting -> open -> flushing -> (lingering) -> dead -> free. A failed dial is `unconnected` until redialed
// or closed. Dead ones keep their place until the shard has seen the last event of theirs, so that an index is never
// two connections in one round.
enum class State : uint8_t { kFree, kConnecting, kUnconnected, kOpen, kFlushing, kLingering, kDead };

// Where received bytes go: to the shard as DATA, or to a sink.
enum class Flow : uint8_t { kData, kRelay, kRelayUntilEnd, kTunnel };

constexpr uint32_t kNoIndex = UINT32_MAX;
constexpr uint16_t kNoListener = UINT16_MAX;
constexpr int64_t kNoTick = INT64_MAX;

struct Connection {
  UniqueFd fd;
  uint32_t index = 0;
  uint32_t generation = 1;
  uint16_t listener = kNoListener;
  State state = State::kFree;
  Flow flow = Flow::kData;

  // Readiness, as edge-triggered epoll tells it: true until a read or write runs dry.
  bool readable : 1 = false;
  // FIN is known to be in the queue or behind it (EPOLLRDHUP, EPOLLHUP), error is (EPOLLERR).
  bool hangup : 1 = false;
  bool failed : 1 = false;
  bool in_ready_queue : 1 = false;

  // What the shard asked for.
  bool paused : 1 = false;
  bool resume_when_drained : 1 = false;
  bool deliver_held : 1 = false;
  bool half_close_wanted : 1 = false;
  bool retain : 1 = false;
  bool tunnel_first : 1 = false;

  // What happened.
  bool blocked : 1 = false;       // not read: its sink has pending bytes
  bool eof : 1 = false;           // FIN was read
  bool end_reported : 1 = false;  // END was emitted
  bool half_closed : 1 = false;   // we sent FIN
  bool handshaking : 1 = false;   // TLS is not established yet; a dial is not done before it is
  bool write_broken : 1 = false;  // EPIPE or a reset while sending; the read side says what became of it
  bool buffered : 1 = false;      // its TLS session keeps OpenSSL's buffers
  bool buffers_used : 1 = false;  // and has used them since somebody last wanted to take them away

  // The other side of a flow: where our bytes go, and whose bytes come to us (only the one that waits or relays).
  uint32_t sink = kNoIndex;
  uint32_t feeder = kNoIndex;
  // kRelay: bytes still to move.
  uint64_t remaining = 0;
  // kTunnel: bytes moved from here to the sink.
  uint64_t relayed = 0;
  SplicePipe pipe;
  uint8_t full_reads = 0;
  uint8_t short_splices = 0;

  // Bytes not yet accepted by the socket: the last `unsent` of `out`. What precedes them is retained for a replay.
  BlockPtr out;
  uint32_t unsent = 0;
  BlockPtr held;

  // Where TLS is spoken. `unsent` then counts plain bytes that wait for the handshake; what is sealed waits in `sealed`
  // (nullptr: nothing does).
  std::unique_ptr<TlsSession> tls;
  BlockPtr sealed;

  // Deadline, in ticks of the engine's clock; kNoTick: none. Where the wheel has it: it may be earlier, never later.
  int64_t deadline_tick = kNoTick;
  int64_t wheel_tick = kNoTick;
  int32_t idle_ticks = 0;
  uint32_t wheel_next = kNoIndex;
  uint32_t wheel_previous = kNoIndex;

  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint32_t lingered = 0;
  int32_t linger_ms = 0;

  [[nodiscard]] int32_t id() const;
  // Whether there is output that the socket has not taken.
  [[nodiscard]] bool has_pending() const { return unsent > 0 || sealed != nullptr; }
  [[nodiscard]] bool accepted() const { return listener != kNoListener; }
};

}  // namespace fourseven
