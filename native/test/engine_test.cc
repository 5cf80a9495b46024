// The engine without Node, as a whole: a round, its events, and its own end.
#include "engine.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "temporary_folder.h"
#include "test_shard.h"

using namespace fourseven;

namespace {

constexpr int32_t kMib = 1024 * 1024;

}  // namespace

TEST(engine_accepts_and_delivers_and_sends) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(id > 0);
  peer.Write("hello");
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "hello");
  bed.shard.Order({command::kSend, id, 0, 0, 2, 0, 0, static_cast<int32_t>(kScratchOffset), 0});
  bed.shard.Send(id, "answer");
  CHECK_EQUAL(bed.ReadAll(peer, 6), "answer");
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  CHECK_EQUAL(bed.shard.ListenerCount(0, listener_counter::kBytesReceived), 5.0);
  CHECK_EQUAL(bed.shard.ListenerCount(0, listener_counter::kBytesSent), 6.0);
}

TEST(engine_moves_bytes_over_unix_sockets) {
  const TemporaryFolder folder;
  TestBed bed;
  const TestListener listener(0, folder.Path("down.sock"));
  const TestListener origin(0, folder.Path("up.sock"));
  CHECK_EQUAL(bed.shard.engine.AdoptListener(1, listener.fd()), 0);
  Peer client = listener.Connect();
  Record record;
  CHECK(bed.shard.Next(event::kAccepted, 0, record));
  CHECK_EQUAL(record.words[0], 1);
  const int32_t id = record.id;
  const int32_t up = bed.shard.engine.Dial(static_cast<uint32_t>(bed.shard.engine.RememberAddress(origin.address())));
  CHECK(bed.shard.Next(event::kConnected, up));
  Peer server = origin.Accept();
  bed.shard.Order({command::kTunnel, id, up, 0, 0});
  const std::string text = Pattern(3 * kMib);
  size_t written = 0;
  std::string read;
  CHECK(bed.shard.Until([&] {
    written += client.Write(std::string_view(text).substr(written));
    read += server.Read();
    return read.size() == text.size();
  }));
  CHECK(read == text);
  server.Close();
  CHECK_EQUAL(bed.ReadAll(client), "");
  client.Close();
  CHECK(bed.shard.Next(event::kTunnelClosed, id));
}

TEST(engine_tells_more_events_than_a_round_has_room_for) {
  TestBed bed(5000);
  std::vector<TestBed::Ends> ends;
  for (int i = 0; i < 1200; i++) {
    ends.push_back(bed.Accept());
    CHECK(ends.back().id > 0);
    bed.shard.Order({command::kDeadline, ends.back().id, 300, kDeadlineAbsolute, 0});
  }
  for (const TestBed::Ends& each : ends) {
    // Commands make events of their own, all at once.
    bed.shard.Order({command::kHold, each.id, 0, static_cast<int32_t>(kHoldMaxBytes) + 1, 0});
  }
  size_t most = 0;
  size_t closed = 0;
  bed.shard.on_record = [&](const Record& record) {
    if (record.kind == event::kClosed) closed++;
    most++;
  };
  CHECK(bed.shard.Until([&] { return closed == ends.size(); }));
  bed.shard.Settle();
  CHECK_EQUAL(most, ends.size());
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  CHECK(bed.Accept().id > 0);
}

TEST(engine_never_gives_an_index_out_again_before_the_shard_knows_its_end) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  const int32_t index = id & static_cast<int32_t>(kIndexMask);
  bool reused = false;
  bed.shard.on_record = [&, id = id](const Record& record) {
    if (record.kind != event::kClosed || record.id != id) return;
    reused = (bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)) & static_cast<int32_t>(kIndexMask)) == index;
  };
  peer.Reset();
  CHECK(bed.shard.Next(event::kClosed, id));
  CHECK(!reused);
  bed.shard.on_record = nullptr;
  bed.shard.Settle();
  const int32_t next = bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle));
  CHECK_EQUAL(next & static_cast<int32_t>(kIndexMask), index);
  CHECK(next != id);
}

TEST(engine_closes_at_every_stage_and_leaves_nothing) {
  for (int stage = 0; stage < 8; stage++) {
    TestBed bed;
    std::vector<TestBed::Ends> ends;
    if (stage == 1) ends.push_back({bed.downstream.Connect(), 0});
    if (stage >= 2) ends.push_back(bed.Accept());
    if (stage == 3) CHECK(bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)) > 0);
    if (stage >= 4) ends.push_back(bed.Dial());
    if (stage == 5) CHECK(bed.shard.FillOutput(ends[0].id));
    if (stage == 6) bed.shard.Order({command::kTunnel, ends[0].id, ends[1].id, 100, 0});
    if (stage == 7) {
      CHECK(bed.shard.FillOutput(ends[0].id));
      bed.shard.Order({command::kClose, ends[0].id, 1000, 0, 0});
    }
    bed.shard.engine.Close();
    bed.shard.engine.Close();
    bed.shard.engine.Turn();
    bed.shard.Send(ends.empty() ? 1 : ends[0].id, "too late");
    CHECK_EQUAL(bed.shard.engine.DueMs(), Engine::kNeverMs);
    CHECK(bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)) < 0);
    CHECK(bed.shard.engine.AdoptListener(1, bed.downstream.fd()) < 0);
    for (TestBed::Ends& each : ends) {
      if (each.id == 0) continue;
      CHECK(!bed.shard.engine.IsOpen(each.id));
      CHECK(bed.shard.engine.Redial(each.id, static_cast<uint32_t>(bed.handle)) < 0);
      each.peer.Read();
      CHECK_EQUAL(each.peer.error, ECONNRESET);
    }
  }
}

TEST(engine_gives_every_descriptor_back_when_it_is_closed_not_when_it_is_forgotten) {
  const int before = check::DescriptorsOpen();
  TestBed bed;
  // Without what is the engine's: epoll, alarm, and the listener that it has adopted.
  const int listeners = check::DescriptorsOpen() - before - 3;
  {
    auto [client, down] = bed.Accept();
    auto [server, up] = bed.Dial();
    bed.shard.Order({command::kTunnel, down, up, 0, 0});
    const std::string text = Pattern(8 * kMib);
    size_t written = 0;
    size_t read = 0;
    CHECK(bed.shard.Until([&] {
      written += client.Write(std::string_view(text).substr(written));
      read += server.Read().size();
      return read == text.size();
    }));
    CHECK(bed.shard.Count(counter::kBytesSpliced) > 0);
  }
  bed.shard.Settle();
  bed.shard.engine.Close();
  CHECK_EQUAL(check::DescriptorsOpen() - before, listeners);
}

TEST(engine_may_be_closed_within_a_round) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.on_record = [&](const Record&) { bed.shard.engine.Close(); };
  peer.Write("x");
  CHECK(!bed.shard.Until([&] { return false; }));
  CHECK(bed.shard.engine.closed());
}
