// Relays and tunnels: bytes that pass the shard by.
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"
#include "engine.h"
#include "test_shard.h"

using namespace fourseven;

namespace {

constexpr size_t kMib = 1024 * 1024;
// One read of a relay (relay.cc).
constexpr uint32_t kChunkBytes = 256 * 1024;

void SetBuffer(const Peer& peer, int option, int bytes) {
  ::setsockopt(peer.fd(), SOL_SOCKET, option, &bytes, sizeof bytes);
}

// Writes `text` to one peer while another reads, until all has come. What was read.
std::string Pump(TestShard& shard, Peer& from, std::string_view text, Peer& to) {
  size_t written = 0;
  std::string read;
  shard.Until([&] {
    written += from.Write(text.substr(written));
    read += to.Read();
    return read.size() >= text.size() || to.ended;
  });
  return read;
}

// Writes until nothing is taken any more. How much was.
size_t WriteUntilStalled(TestShard& shard, Peer& peer, std::string_view text) {
  size_t written = 0;
  for (int quiet = 0; quiet < 3;) {
    const size_t count = peer.Write(text.substr(written));
    written += count;
    shard.Settle();
    quiet = count == 0 ? quiet + 1 : 0;
  }
  return written;
}

int64_t Words(const Record& record, size_t at) {
  return static_cast<uint32_t>(record.words[at]) | static_cast<int64_t>(record.words[at + 1]) << 32;
}

}  // namespace

TEST(relay_moves_exactly_n_held_bytes_first) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Hold(down, "held ");
  bed.shard.Relay(down, up, 9);
  client.Write("bodynext");
  Record done;
  CHECK(bed.shard.Next(event::kRelayDone, down, done));
  CHECK_EQUAL(done.words[0], up);
  CHECK_EQUAL(bed.ReadAll(server, 9), "held body");
  CHECK(bed.shard.Next(event::kData, down, done));
  CHECK_EQUAL(done.data, "next");
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(relay_of_nothing_is_done_and_delivers_what_is_held) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Hold(down, "kept");
  bed.shard.Relay(down, up, 0);
  CHECK(bed.shard.Next(event::kRelayDone, down));
  CHECK(bed.shard.Next(event::kData, down));
  bed.shard.Settle();
  CHECK_EQUAL(server.Read(), "");
}

TEST(relay_until_end_tells_the_end_and_leaves_the_sink_open) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Relay(up, down, kRelayUntilEnd);
  server.Write("all of it");
  server.HalfClose();
  CHECK(bed.shard.Next(event::kEnd, up));
  CHECK_EQUAL(bed.ReadAll(client, 9), "all of it");
  CHECK(!client.ended);
  CHECK_EQUAL(bed.shard.CountOf(up), 0u);
  bed.shard.Relay(up, down, 5);
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(relay_that_waits_for_bytes_moves_what_is_held_meanwhile) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Relay(down, up, 4);
  bed.shard.Settle();
  bed.shard.Hold(down, "held");
  CHECK(bed.shard.Next(event::kRelayDone, down));
  CHECK_EQUAL(bed.ReadAll(server, 4), "held");
}

TEST(relay_copies_then_splices_then_copies_again) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  const std::string small = Pattern(1000);
  CHECK(Pump(bed.shard, client, small, server) == small);
  CHECK_EQUAL(bed.shard.Count(counter::kBytesSpliced), 0.0);
  CHECK_EQUAL(bed.shard.Count(counter::kBytesCopied), 1000.0);
  const std::string large = Pattern(16 * kMib, 2);
  CHECK(Pump(bed.shard, client, large, server) == large);
  const double spliced = bed.shard.Count(counter::kBytesSpliced);
  CHECK(spliced > 4 * kMib);
  CHECK_EQUAL(spliced + bed.shard.Count(counter::kBytesCopied), 1000.0 + 16 * kMib);
  bed.shard.Settle();
  CHECK(!bed.shard.At(down).pipe.valid());
  // Drops end the stream: after a few short splices it copies.
  for (int i = 0; i < 10; i++) CHECK(Pump(bed.shard, client, small, server) == small);
  const double after = bed.shard.Count(counter::kBytesSpliced);
  CHECK(Pump(bed.shard, client, small, server) == small);
  CHECK_EQUAL(bed.shard.Count(counter::kBytesSpliced), after);
}

TEST(relay_copies_when_it_may_not_open_a_pipe) {
  // epoll, listener, and two connections: what is left is for the twin, not for pipes.
  TestBed bed(5);
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  const std::string text = Pattern(4 * kMib);
  CHECK(Pump(bed.shard, client, text, server) == text);
  CHECK_EQUAL(bed.shard.Count(counter::kBytesSpliced), 0.0);
}

TEST(relay_leaves_the_last_descriptors_to_twins) {
  // epoll, listener, two pairs: a pipe would take the place of the second pair's twin.
  TestBed bed(7);
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  auto [second, waiting] = bed.Accept();
  CHECK(waiting > 0);
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  const std::string text = Pattern(4 * kMib);
  CHECK(Pump(bed.shard, client, text, server) == text);
  CHECK(bed.Dial().id > 0);
}

TEST(relay_keeps_at_most_a_chunk_for_a_sink_that_takes_nothing) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  SetBuffer(client, SO_SNDBUF, 64 * 1024);
  SetBuffer(server, SO_RCVBUF, 64 * 1024);
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  const std::string text = Pattern(64 * kMib);
  const size_t written = WriteUntilStalled(bed.shard, client, text);
  CHECK(written < text.size());
  CHECK(bed.shard.At(up).unsent <= kChunkBytes);
  CHECK(bed.shard.At(down).pipe.size <= kChunkBytes);
  CHECK_EQUAL(bed.shard.engine.DueMs(), Engine::kNeverMs);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  size_t total = written;
  std::string read;
  CHECK(bed.shard.Until([&] {
    total += client.Write(std::string_view(text).substr(total, 4 * kMib));
    read += server.Read();
    return read.size() == text.size();
  }));
  CHECK(read == text);
}

TEST(relay_goes_on_when_the_sink_is_connected) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  const int32_t up = bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle));
  bed.shard.Send(up, "head ", down);
  bed.shard.Relay(down, up, 4);
  client.Write("body");
  Peer server = bed.upstream.Accept();
  CHECK(bed.shard.Next(event::kRelayDone, down));
  CHECK_EQUAL(bed.ReadAll(server, 9), "head body");
}

TEST(relay_is_over_when_its_sink_goes_and_the_source_keeps_the_rest) {
  for (const int32_t end : {command::kReset, command::kClose}) {
    TestBed bed;
    auto [client, down] = bed.Accept();
    auto [server, up] = bed.Dial();
    bed.shard.Relay(down, up, 1000);
    client.Write("part");
    CHECK_EQUAL(bed.ReadAll(server, 4), "part");
    bed.shard.Order({end, up, 0, 0, 0});
    client.Write("rest");
    bed.shard.Settle();
    CHECK_EQUAL(bed.shard.CountOf(down), 0u);
    bed.shard.Order({command::kResume, down, 0, 0, 0});
    CHECK(bed.shard.Next(event::kData, down));
  }
}

TEST(relay_source_resumed_while_its_sink_still_flushes_stays_resumed) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Relay(down, up, 1000);
  CHECK(bed.shard.FillOutput(up));
  bed.shard.Order({command::kClose, up, 0, 0, 0});
  bed.shard.Order({command::kResume, down, 0, 0, 0});
  bed.ReadAll(server);
  CHECK(bed.shard.Until([&] { return bed.shard.Count(counter::kConnectionsOpen) == 1; }));
  client.Write("next");
  CHECK(bed.shard.Next(event::kData, down));
}

TEST(relay_into_a_half_closed_sink_drops_what_it_brings_and_is_done) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kHalfClose, up, 0, 0, 0});
  bed.shard.Relay(down, up, static_cast<int64_t>(4 * kMib));
  const std::string text = Pattern(4 * kMib);
  size_t written = 0;
  CHECK(bed.shard.Until([&] {
    written += client.Write(std::string_view(text).substr(written));
    return bed.shard.CountOf(down) > 0;
  }));
  CHECK(bed.shard.Next(event::kRelayDone, down));
  CHECK_EQUAL(bed.ReadAll(server), "");
  CHECK(bed.shard.engine.IsOpen(up));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(relay_drops_what_is_in_its_pipe_when_the_sink_is_half_closed) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  SetBuffer(server, SO_RCVBUF, 64 * 1024);
  bed.shard.Relay(down, up, static_cast<int64_t>(32 * kMib));
  const std::string text = Pattern(32 * kMib);
  size_t written = WriteUntilStalled(bed.shard, client, text);
  bed.shard.Order({command::kHalfClose, up, 0, 0, 0});
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  std::string read;
  CHECK(bed.shard.Until([&] {
    written += client.Write(std::string_view(text).substr(written));
    read += server.Read();
    return server.ended && bed.shard.CountOf(down) > 0;
  }));
  CHECK(bed.shard.Next(event::kRelayDone, down));
  CHECK(read == text.substr(0, read.size()));
}

TEST(relay_that_takes_the_place_of_another_pauses_its_source) {
  TestBed bed;
  auto [one, a] = bed.Accept();
  auto [two, b] = bed.Accept();
  auto [server, sink] = bed.Dial();
  bed.shard.Relay(a, sink, 100);
  bed.shard.Relay(b, sink, 1);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  one.Write("a");
  two.Write("b");
  CHECK(bed.shard.Next(event::kRelayDone, b));
  CHECK_EQUAL(bed.ReadAll(server, 1), "b");
  bed.shard.Order({command::kResume, a, 0, 0, 0});
  CHECK(bed.shard.Next(event::kData, a));
}

TEST(relay_keeps_its_sink_when_another_source_waits_for_it) {
  TestBed bed;
  auto [one, a] = bed.Accept();
  auto [two, b] = bed.Accept();
  auto [server, sink] = bed.Dial();
  bed.shard.Relay(a, sink, 4);
  CHECK(bed.shard.FillOutput(sink));
  bed.shard.Send(sink, "from b", b);
  bed.shard.Send(sink, "from the sink", sink);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  one.Write("body");
  std::string read;
  CHECK(bed.shard.Until([&] {
    read += server.Read();
    return read.ends_with("body");
  }));
  CHECK(bed.shard.Next(event::kRelayDone, a));
}

TEST(relay_keeps_its_own_sink_when_its_source_is_named_for_another) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [first, one] = bed.Dial();
  auto [second, two] = bed.Dial();
  bed.shard.Relay(down, one, 4);
  CHECK(bed.shard.FillOutput(two));
  bed.shard.Send(two, "x", down);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  client.Write("body");
  CHECK_EQUAL(bed.ReadAll(first, 4), "body");
}

TEST(relay_to_itself_or_of_what_is_not_open_does_nothing) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Relay(down, down, 10);
  bed.shard.Order({command::kTunnel, down, down, 0, 0});
  bed.shard.Relay(down, up + 1, 10);
  const int32_t dialing = bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle));
  bed.shard.Relay(dialing, up, 10);
  bed.shard.Order({command::kTunnel, down, dialing, 0, 0});
  client.Write("data");
  CHECK(bed.shard.Next(event::kData, down));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(relay_drops_what_its_sink_retained) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Send(up, "head", 0, kSendRetain);
  bed.shard.Relay(down, up, 1000);
  CHECK(!bed.shard.At(up).retain);
  bed.shard.Send(up, "late", 0, kSendRetain);
  CHECK(!bed.shard.At(up).retain);
}

TEST(tunnel_passes_each_end_on_and_counts_both_directions) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  client.Write("question");
  client.HalfClose();
  CHECK_EQUAL(bed.ReadAll(server), "question");
  CHECK_EQUAL(server.error, 0);
  server.Write("the answer");
  CHECK_EQUAL(bed.ReadAll(client, 10), "the answer");
  server.Close();
  Record closed;
  CHECK(bed.shard.Next(event::kTunnelClosed, down, closed));
  CHECK_EQUAL(closed.words[0], up);
  CHECK_EQUAL(closed.words[1], tunnel_end::kClean);
  CHECK_EQUAL(Words(closed, 2), 8);
  CHECK_EQUAL(Words(closed, 4), 10);
  CHECK_EQUAL(bed.shard.Count(counter::kConnectionsOpen), 0.0);
}

TEST(tunnel_passes_a_reset_on_also_after_a_fin_and_while_the_other_side_takes_nothing) {
  for (int when = 0; when < 3; when++) {
    TestBed bed;
    auto [client, down] = bed.Accept();
    auto [server, up] = bed.Dial();
    bed.shard.Order({command::kTunnel, down, up, 0, 0});
    if (when == 1) client.HalfClose();
    if (when == 2) WriteUntilStalled(bed.shard, client, Pattern(64 * kMib));
    bed.shard.Settle();
    client.Reset();
    Record closed;
    CHECK(bed.shard.Next(event::kTunnelClosed, down, closed));
    CHECK_EQUAL(closed.words[1] & 255, tunnel_end::kFirstFailed);
    CHECK(closed.words[1] >> 8 != 0);
    if (when == 1) {
      // After FIN only the pending error tells of it.
      CHECK_EQUAL(PendingError(server.fd()), EPIPE);
      continue;
    }
    bed.ReadAll(server);
    CHECK_EQUAL(server.error, ECONNRESET);
  }
}

TEST(tunnel_ends_when_an_end_was_broken_before_it_began) {
  for (const bool ended : {false, true}) {
    TestBed bed;
    auto [client, down] = bed.Accept();
    auto [server, up] = bed.Dial();
    if (ended) client.HalfClose();
    client.Reset();
    // The error is spent on the first, the rest is up to the tunnel.
    bed.shard.Send(down, "x");
    bed.shard.Order({command::kTunnel, down, up, 0, 0});
    Record closed;
    CHECK(bed.shard.Next(event::kTunnelClosed, down, closed));
    CHECK_EQUAL(closed.words[1] & 255, tunnel_end::kFirstFailed);
  }
}

TEST(tunnel_says_when_it_was_the_second_end_that_failed) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  server.Reset();
  Record closed;
  CHECK(bed.shard.Next(event::kTunnelClosed, down, closed));
  CHECK_EQUAL(closed.words[1] & 255, tunnel_end::kSecondFailed);
}

TEST(tunnel_ends_when_idle_and_lives_while_either_direction_moves) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  bed.shard.Order({command::kDeadline, up, 50, kDeadlineAbsolute, 0});
  bed.shard.Order({command::kTunnel, down, up, 500, 0});
  for (int i = 0; i < 40; i++) {
    CHECK_EQUAL(Pump(bed.shard, i % 2 == 0 ? client : server, "x", i % 2 == 0 ? server : client), "x");
    bed.shard.Settle();
  }
  CHECK(bed.shard.records.empty());
  Record closed;
  CHECK(bed.shard.Next(event::kTunnelClosed, down, closed));
  CHECK_EQUAL(closed.words[1], tunnel_end::kIdle | ETIMEDOUT << 8);
}

TEST(tunnel_takes_no_commands_but_close_and_reset) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  auto [other, third] = bed.Accept();
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  for (const int32_t id : {down, up}) {
    bed.shard.Send(id, "no");
    bed.shard.Hold(id, "no");
    bed.shard.Relay(id, third, 100);
    bed.shard.Relay(third, id, 100);
    bed.shard.Order({command::kTunnel, id, third, 0, 0});
    bed.shard.Order({command::kTunnel, third, id, 0, 0});
    bed.shard.Order({command::kTunnel, up, down, 0, 0});
    bed.shard.Order({command::kPause, id, 0, 0, 0});
    bed.shard.Order({command::kHalfClose, id, 0, 0, 0});
    bed.shard.Order({command::kDeadline, id, 1, kDeadlineAbsolute, 0});
    CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  }
  bed.shard.Settle();
  CHECK_EQUAL(Pump(bed.shard, client, "up", server), "up");
  CHECK_EQUAL(Pump(bed.shard, server, "down", client), "down");
  other.Write("third");
  CHECK(bed.shard.Next(event::kData, third));
}

TEST(tunnel_sends_what_waits_before_it_closes_on_order) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  CHECK(bed.shard.FillOutput(down));
  bed.shard.Send(down, "last");
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  bed.shard.Order({command::kClose, up, 0, 0, 0});
  CHECK(!bed.shard.engine.IsOpen(down) && !bed.shard.engine.IsOpen(up));
  CHECK(bed.ReadAll(client).ends_with("last"));
  CHECK_EQUAL(bed.ReadAll(server), "");
  CHECK(bed.shard.records.empty());
}

TEST(tunnel_passes_on_an_end_that_came_before_it) {
  TestBed bed;
  auto [client, down] = bed.Accept();
  auto [server, up] = bed.Dial();
  client.HalfClose();
  CHECK(bed.shard.Next(event::kEnd, down));
  bed.shard.Hold(down, "held");
  bed.shard.Order({command::kTunnel, down, up, 0, 0});
  CHECK_EQUAL(bed.ReadAll(server), "held");
  server.Close();
  CHECK(bed.shard.Next(event::kTunnelClosed, down));
}

TEST(tunnels_in_great_number_run_out_of_pipes_and_lose_nothing) {
  TestBed bed;
  struct Stream {
    TestBed::Ends down;
    TestBed::Ends up;
    size_t written = 0;
    size_t read = 0;
    bool right = true;
  };
  const std::string text = Pattern(2 * kMib);
  std::vector<Stream> streams(80);
  for (Stream& stream : streams) {
    stream.down = bed.Accept();
    stream.up = bed.Dial();
    SetBuffer(stream.up.peer, SO_RCVBUF, 64 * 1024);
    bed.shard.Order({command::kTunnel, stream.down.id, stream.up.id, 0, 0});
    // Readers that wait keep the pipes of their streams full.
    stream.written = stream.down.peer.Write(text);
  }
  CHECK(bed.shard.Until([&] {
    bool done = true;
    for (Stream& stream : streams) {
      stream.written += stream.down.peer.Write(std::string_view(text).substr(stream.written));
      const std::string read = stream.up.peer.Read();
      stream.right = stream.right && text.compare(stream.read, read.size(), read) == 0;
      stream.read += read.size();
      done = done && stream.read == text.size();
    }
    return done;
  }));
  for (const Stream& stream : streams) CHECK(stream.right);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}
