#include "engine_inspector.h"

#include <algorithm>

namespace fourseven {
namespace {

bool HasSocket(State state) {
  return state == State::kConnecting || state == State::kOpen || state == State::kFlushing ||
         state == State::kLingering;
}

}  // namespace

std::string EngineInspector::FirstFault() {
  uint32_t accepted = 0;
  uint32_t dialed = 0;
  for (uint32_t index = 0; index < engine_.table_.size(); index++) {
    const Connection& connection = engine_.table_.At(index);
    if (const std::string fault = FaultOf(connection); !fault.empty())
      return "connection " + std::to_string(index) + " (state " + std::to_string(static_cast<int>(connection.state)) +
             ", flow " + std::to_string(static_cast<int>(connection.flow)) + "): " + fault;
    if (connection.fd.valid()) (connection.accepted() ? accepted : dialed)++;
  }
  if (accepted != engine_.accepted_open_) return "accepted connections are miscounted";
  if (dialed != engine_.dialed_open_) return "dialed connections are miscounted";
  if (engine_.door_.counters[counter::kConnectionsOpen] != accepted + dialed) return "open connections are miscounted";
  for (uint32_t index = 0; index < kListenersMax; index++) {
    if (engine_.ListenerCount(index, listener_counter::kConnections) < 0) return "a listener's count is negative";
  }
  return {};
}

std::string EngineInspector::FaultOf(const Connection& connection) {
  for (std::string fault : {FaultOfState(connection), FaultOfFlow(connection), FaultOfOutput(connection)}) {
    if (!fault.empty()) return fault;
  }
  return connection.state == State::kOpen ? FaultOfProgress(connection) : "";
}

std::string EngineInspector::FaultOfState(const Connection& connection) {
  if (HasSocket(connection.state) != connection.fd.valid()) return "its socket does not fit its state";
  if (connection.state == State::kFlushing && !connection.has_pending()) return "flushes nothing";
  const bool gone = connection.state == State::kDead || connection.state == State::kFree;
  if (gone && (connection.wheel_tick != kNoTick || connection.held != nullptr || connection.sealed != nullptr))
    return "keeps something after its end";
  if (connection.state == State::kFree && connection.out != nullptr) return "keeps output after its burial";
  if (connection.buffered && std::ranges::count(engine_.buffered_, connection.id()) == 0)
    return "keeps buffers that nobody can take away";
  const auto& dead = engine_.dead_;
  const auto& buried = engine_.buried_;
  if (connection.state == State::kDead && std::ranges::count(dead, connection.index) != 1 &&
      std::ranges::count(buried, connection.index) != 1)
    return "is never buried";
  return {};
}

std::string EngineInspector::FaultOfFlow(const Connection& connection) {
  const bool flows = connection.flow != Flow::kData;
  if (connection.sink != kNoIndex && engine_.table_.At(connection.sink).feeder != connection.index)
    return "its sink does not know it";
  if (connection.feeder != kNoIndex && engine_.table_.At(connection.feeder).sink != connection.index)
    return "its feeder does not know it";
  if (flows && connection.sink == kNoIndex) return "relays to nobody";
  if (flows && connection.state != State::kOpen) return "relays though it is not open";
  if (!flows && connection.pipe.valid()) return "has a pipe and no flow";
  if (connection.flow != Flow::kTunnel) return {};
  const Connection& other = engine_.table_.At(connection.sink);
  if (other.flow != Flow::kTunnel || other.sink != connection.index) return "its tunnel has one end";
  if (connection.tunnel_first == other.tunnel_first) return "its tunnel has two first ends, or none";
  return connection.paused ? "is paused in a tunnel" : "";
}

std::string EngineInspector::FaultOfOutput(const Connection& connection) {
  const uint32_t kept = connection.out == nullptr ? 0 : connection.out->size();
  if (connection.unsent > kept) return "has less output than is unsent";
  if (kept > BufferPool::kBlockMaxBytes) return "keeps too much output";
  if (connection.retain && kept > kRetainMaxBytes + BufferPool::kBlockMaxBytes) return "retains too much";
  if (!connection.retain && connection.unsent != kept) return "keeps output that is neither unsent nor retained";
  if (connection.held != nullptr && connection.held->size() > kHoldMaxBytes) return "holds too much";
  if (connection.sealed == nullptr) return {};
  if (connection.tls == nullptr) return "has sealed output without TLS";
  if (connection.sealed->size() == 0 || connection.sealed->size() > BufferPool::kBlockMaxBytes)
    return "has none or too much of sealed output";
  return {};
}

// Whether whatever it may do next is either queued, or waits for something that will be told.
std::string EngineInspector::FaultOfProgress(const Connection& connection) {
  const bool queued = connection.in_ready_queue;
  if (queued && std::ranges::count(engine_.ready_, connection.index) == 0) return "is not in the queue it believes in";
  if (connection.half_close_wanted && !connection.has_pending() && !connection.half_closed)
    return "never sends its FIN";
  if (connection.resume_when_drained && !connection.has_pending()) return "waits to be drained and is";
  if (connection.write_broken && !queued && !connection.blocked) return "is broken and nobody looks";
  if (connection.blocked) {
    if (connection.sink == kNoIndex) return "waits for nobody";
    const Connection& sink = engine_.table_.At(connection.sink);
    const bool due = sink.state != State::kOpen || sink.has_pending() || sink.write_broken || connection.pipe.size > 0;
    return due ? "" : "waits for a sink that takes more";
  }
  if (connection.paused || queued) return {};
  if (connection.failed && connection.eof) return "has failed and nobody looks";
  if (connection.flow == Flow::kData) {
    if (connection.readable && !connection.eof) return "is readable and nobody reads";
    return connection.deliver_held && connection.held != nullptr ? "holds what is due" : "";
  }
  if (connection.readable || connection.pipe.size > 0) return "could relay and does not";
  return connection.held != nullptr ? "could relay what it holds and does not" : "";
}

}  // namespace fourseven
