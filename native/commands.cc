// Commands: what the shard has written, in the order in which it wrote it.
#include <algorithm>
#include <utility>

#include "engine.h"

namespace fourseven {
void Engine::Submit(uint32_t words) {
  if (closed_) return;
  const bool collecting = std::exchange(collecting_, false);
  // Within a round, too: the shard may have taken its time, and a deadline counts from now.
  ReadClock();
  Execute({door_.commands, std::min(words, kCommandsMaxWords)});
  collecting_ = collecting;
}

void Engine::Execute(std::span<const int32_t> words) {
  constexpr size_t kSendHeadWords = 5;
  constexpr size_t kPlainWords = 5;
  size_t at = 0;
  while (at + kPlainWords <= words.size()) {
    const int32_t* word = &words[at];
    if (word[0] != command::kSend) {
      HandleCommand(word);
      at += kPlainWords;
      continue;
    }
    const uint32_t count = std::min(static_cast<uint32_t>(word[4]), kRangesMax);
    Connection* connection = table_.Find(word[1]);
    if (connection != nullptr && at + kSendHeadWords + 2 * count <= words.size()) {
      SendRanges(*connection, table_.Find(word[2]), (word[3] & kSendRetain) != 0, word + kSendHeadWords, count);
    }
    at += kSendHeadWords + 2 * count;
  }
}

void Engine::HandleCommand(const int32_t* words) {
  Connection* connection = table_.Find(words[1]);
  if (connection == nullptr) return;
  const State state = connection->state;
  if (words[0] == command::kReplay) {
    Connection* to = table_.Find(words[2]);
    if (to != nullptr) Replay(*connection, *to);
    return;
  }
  if (state != State::kOpen && state != State::kConnecting && state != State::kUnconnected) return;
  if (connection->flow == Flow::kTunnel && words[0] != command::kClose && words[0] != command::kReset) return;
  switch (words[0]) {
    case command::kRelay: {
      Connection* sink = table_.Find(words[2]);
      const bool until_end = words[3] == kRelayUntilEnd && words[4] == kRelayUntilEnd;
      const uint64_t count = static_cast<uint32_t>(words[3]) | static_cast<uint64_t>(static_cast<uint32_t>(words[4]))
                                                                   << 32;
      if (sink != nullptr && sink->flow != Flow::kTunnel)
        StartRelay(*connection, *sink, count, until_end ? Flow::kRelayUntilEnd : Flow::kRelay);
      return;
    }
    case command::kTunnel:
      if (Connection* second = table_.Find(words[2]); second != nullptr) StartTunnel(*connection, *second, words[3]);
      return;
    case command::kHold:
      HandleHold(*connection, static_cast<uint32_t>(words[2]), static_cast<uint32_t>(words[3]));
      return;
    case command::kPause:
      connection->paused = true;
      connection->resume_when_drained = false;
      return;
    case command::kResume:
      if (words[2] == 1 && connection->has_pending()) {
        connection->resume_when_drained = true;
        return;
      }
      connection->paused = connection->resume_when_drained = false;
      connection->deliver_held = connection->held != nullptr;
      if (connection->readable || connection->deliver_held) QueueReady(*connection);
      return;
    case command::kDeadline:
      HandleDeadline(*connection, words[2], words[3]);
      return;
    case command::kHalfClose:
      connection->half_close_wanted = true;
      HalfClose(*connection);
      return;
    case command::kClose:
      HandleClose(*connection, words[2]);
      return;
    case command::kReset:
      if (connection->flow == Flow::kTunnel) {
        EndTunnel(*connection, tunnel_end::kOrdered, 0, true);
      } else {
        Kill(*connection, true);
      }
      return;
    case command::kRelease:
      ReleaseRetained(*connection);
      return;
    case command::kSecure:
      HandleSecure(*connection, static_cast<uint32_t>(words[2]), static_cast<uint32_t>(words[3]),
                   static_cast<uint32_t>(words[4]));
      return;
    default:
      return;
  }
}

void Engine::HandleDeadline(Connection& connection, int32_t ms, int32_t mode) {
  // The deadline of a dial that failed at once, before the shard could know: a failed dial has none.
  if (connection.state == State::kUnconnected && IsFailureUntold(connection)) return;
  if (ms <= 0) {
    connection.idle_ticks = 0;
    wheel_.Set(connection, kNoTick);
    return;
  }
  const int64_t tick = TicksFromNow(ms);
  connection.idle_ticks = mode == kDeadlineIdle ? static_cast<int32_t>(tick - now_tick_) : 0;
  wheel_.Set(connection, tick);
}

bool Engine::IsFailureUntold(const Connection& connection) const {
  return std::any_of(waiting_events_.begin(), waiting_events_.end(), [&](const auto& event) {
    return event[0] == event::kConnectFailed && event[1] == connection.id();
  });
}

void Engine::HandleHold(Connection& connection, uint32_t offset, uint32_t length) {
  buffers_.Put(std::move(connection.held));
  connection.deliver_held = false;
  if (length == 0 || offset > kSlabBytes || length > kSlabBytes - offset) return;
  if (!buffers_.Append(connection.held, door_.slab + offset, length, kHoldMaxBytes)) {
    Lose(connection, ENOBUFS);
  } else if (connection.flow != Flow::kData) {
    QueueReady(connection);
  }
}

}  // namespace fourseven
