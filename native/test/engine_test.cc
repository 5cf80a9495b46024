// The engine without Node: connections, bytes, ends, dials, listeners.
#include "engine.h"

#include <sys/socket.h>

#include <cerrno>
#include <climits>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "clock.h"
#include "temporary_folder.h"
#include "test_shard.h"

using namespace fourseven;

namespace {

constexpr int32_t kMib = 1024 * 1024;

// Makes the connection wait for its peer: sends until bytes are left over.
bool FillOutput(TestShard& shard, int32_t id) {
  for (int i = 0; i < 200 && shard.engine.IsOpen(id); i++) {
    shard.SendMany(id, 64 * 1024);
    if (shard.At(id).unsent > 0) return true;
  }
  return false;
}

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

TEST(engine_says_the_peer_of_a_v6_connection) {
  TestBed bed;
  const TestListener six(6);
  CHECK_EQUAL(bed.shard.engine.AdoptListener(7, six.fd()), 0);
  const Peer peer = six.Connect();
  Record record;
  CHECK(bed.shard.Next(event::kAccepted, 0, record));
  CHECK_EQUAL(record.words[0], 7 | 6 << 16);
  CHECK_EQUAL(record.words[5], 1);
  CHECK_EQUAL(bed.shard.engine.LocalAddress(record.id), FormatAddress(six.address()));
}

TEST(engine_delivers_held_bytes_first_and_alone_on_resume) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Hold(id, "held,");
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
  peer.Write("new");
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "held,new");
  bed.shard.Hold(id, "again");
  bed.shard.Order({command::kResume, id, 0, 0, 0});
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "again");
}

TEST(engine_delivers_held_bytes_before_the_end) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kPause, id, 0, 0, 0});
  peer.HalfClose();
  CHECK(bed.shard.Next(event::kEnd, id));
  bed.shard.Hold(id, "held");
  bed.shard.Order({command::kResume, id, 0, 0, 0});
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "held");
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
}

TEST(engine_delivers_what_was_held_for_a_dial_once_it_is_connected) {
  TestBed bed;
  const int32_t id = bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle));
  bed.shard.Hold(id, "held");
  bed.shard.Order({command::kResume, id, 0, 0, 0});
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "held");
}

TEST(engine_fails_a_connection_that_is_to_hold_too_much) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kHold, id, 0, static_cast<int32_t>(kHoldMaxBytes) + 1, 0});
  Record closed;
  CHECK(bed.shard.Next(event::kClosed, id, closed));
  CHECK_EQUAL(closed.words[0], ENOBUFS);
}

TEST(engine_fails_a_dial_for_which_too_much_waits) {
  // Nothing answers a full queue: the dial stays a dial.
  TestBed bed;
  const TestListener full(4, "", 0);
  std::vector<Peer> waiting;
  for (int i = 0; i < 4; i++) waiting.push_back(full.Connect());
  const int32_t id = bed.shard.engine.Dial(static_cast<uint32_t>(bed.shard.engine.RememberAddress(full.address())));
  CHECK(id > 0);
  bed.shard.Settle();
  CHECK(bed.shard.At(id).state == State::kConnecting);
  bed.shard.SendMany(id, kMib);
  CHECK(bed.shard.engine.IsOpen(id));
  bed.shard.SendMany(id, 1);
  Record closed;
  CHECK(bed.shard.Next(event::kClosed, id, closed));
  CHECK_EQUAL(closed.words[0], ENOBUFS);
  CHECK(!bed.shard.engine.IsOpen(id));
}

TEST(engine_reads_nothing_while_paused_and_all_after_it) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kPause, id, 0, 0, 0});
  peer.Write("one");
  bed.shard.Settle();
  peer.Write("two");
  peer.HalfClose();
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  bed.shard.Order({command::kResume, id, 0, 0, 0});
  CHECK(bed.shard.Next(event::kEnd, id));
  CHECK_EQUAL(bed.shard.TakeData(id), "onetwo");
}

TEST(engine_tells_a_reset_that_comes_after_the_end) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  peer.Write("bye");
  peer.HalfClose();
  CHECK(bed.shard.Next(event::kEnd, id));
  peer.Reset();
  Record closed;
  CHECK(bed.shard.Next(event::kClosed, id, closed));
  // What the kernel says of a reset after FIN.
  CHECK_EQUAL(closed.words[0], EPIPE);
  CHECK_EQUAL(closed.words[1], 3);
}

TEST(engine_keeps_order_between_what_waits_and_what_is_sent_later) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  auto [other, source] = bed.Accept();
  CHECK(FillOutput(bed.shard, id));
  bed.shard.Send(id, "last", source);
  other.Write("waits");
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(source), 0u);
  std::string text;
  CHECK(bed.shard.Until([&] {
    text += peer.Read();
    return text.ends_with("last");
  }));
  CHECK(bed.shard.Next(event::kData, source));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(engine_reads_each_source_on_when_another_takes_its_place) {
  // a and b both wait for c; only the last is remembered, and neither may be forgotten.
  TestBed bed;
  auto [peer, sink] = bed.Accept();
  auto [first, a] = bed.Accept();
  auto [second, b] = bed.Accept();
  CHECK(FillOutput(bed.shard, sink));
  bed.shard.Send(sink, "1", a);
  bed.shard.Send(sink, "2", b);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  first.Write("a");
  second.Write("b");
  CHECK(bed.shard.Next(event::kData, a));
  bed.shard.Order({command::kReset, sink, 0, 0, 0});
  CHECK(bed.shard.Next(event::kData, b));
}

TEST(engine_waits_for_the_sink_that_was_named_last) {
  TestBed bed;
  auto [one, first] = bed.Accept();
  auto [two, second] = bed.Accept();
  auto [peer, source] = bed.Accept();
  CHECK(FillOutput(bed.shard, first));
  CHECK(FillOutput(bed.shard, second));
  bed.shard.Send(first, "x", source);
  bed.shard.Send(second, "y", source);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  peer.Write("go on");
  bed.shard.Order({command::kReset, first, 0, 0, 0});
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(source), 0u);
  bed.shard.Order({command::kReset, second, 0, 0, 0});
  CHECK(bed.shard.Next(event::kData, source));
}

TEST(engine_closes_after_what_waits_and_lingers_until_the_peer_ends) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(FillOutput(bed.shard, id));
  bed.shard.Send(id, "the end");
  bed.shard.Order({command::kClose, id, 2000, 0, 0});
  CHECK(!bed.shard.engine.IsOpen(id));
  peer.Write("still sending");
  CHECK(bed.ReadAll(peer).ends_with("the end"));
  CHECK_EQUAL(peer.error, 0);
  CHECK_EQUAL(bed.shard.Count(counter::kConnectionsOpen), 1.0);
  peer.Close();
  CHECK(bed.shard.Until([&] { return bed.shard.Count(counter::kConnectionsOpen) == 0; }));
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
}

TEST(engine_lingers_no_longer_and_for_no_more_than_it_may) {
  TestBed bed;
  auto [silent, first] = bed.Accept();
  auto [loud, second] = bed.Accept();
  bed.shard.Order({command::kClose, first, 30, 0, 0});
  bed.shard.Order({command::kClose, second, INT_MAX, 0, 0});
  const std::string block(64 * 1024, 'x');
  CHECK(bed.shard.Until([&] {
    loud.Write(block);
    return bed.shard.Count(counter::kConnectionsOpen) == 0;
  }));
}

TEST(engine_resets_at_once) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(FillOutput(bed.shard, id));
  bed.shard.Order({command::kReset, id, 0, 0, 0});
  CHECK_EQUAL(bed.shard.Count(counter::kConnectionsOpen), 0.0);
  bed.ReadAll(peer);
  CHECK_EQUAL(peer.error, ECONNRESET);
}

TEST(engine_half_closes_after_what_waits_and_sends_no_more) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(FillOutput(bed.shard, id));
  bed.shard.Order({command::kHalfClose, id, 0, 0, 0});
  bed.shard.Send(id, "never");
  const std::string text = bed.ReadAll(peer);
  CHECK(peer.ended && peer.error == 0);
  CHECK(text.find('n') == std::string::npos);
  peer.Write("still read");
  CHECK(bed.shard.Next(event::kData, id));
}

TEST(engine_resumes_when_drained) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kPause, id, 0, 0, 0});
  CHECK(FillOutput(bed.shard, id));
  bed.shard.Order({command::kResume, id, 1, 0, 0});
  peer.Write("more");
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
  CHECK(bed.shard.Until([&] {
    peer.Read();
    return bed.shard.CountOf(id) > 0;
  }));
  CHECK_EQUAL(bed.shard.TakeData(id), "more");
}

TEST(engine_deadlines_are_never_early_even_from_a_slow_round) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  int64_t ordered_ms = 0;
  bed.shard.on_record = [&, id = id](const Record& record) {
    if (record.kind != event::kData) return;
    // Stands for a shard that works long on its round.
    const int64_t until_ms = NowMs() + 60;
    while (NowMs() < until_ms) continue;
    bed.shard.Order({command::kDeadline, id, 40, kDeadlineAbsolute, 0});
    ordered_ms = NowMs();
  };
  peer.Write("x");
  CHECK(bed.shard.Next(event::kDeadline, id));
  CHECK(NowMs() - ordered_ms >= 40);
}

TEST(engine_takes_the_longest_deadlines_and_clears_with_negative_ones) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kDeadline, id, INT_MAX, kDeadlineIdle, 0});
  peer.Write("x");
  CHECK(bed.shard.Next(event::kData, id));
  CHECK(bed.shard.engine.DueMs() > NowMs() + 1000);
  bed.shard.Order({command::kDeadline, id, 1, kDeadlineAbsolute, 0});
  bed.shard.Order({command::kDeadline, id, INT_MIN, kDeadlineAbsolute, 0});
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.CountOf(id), 0u);
}

TEST(engine_replays_what_was_retained_when_its_connection_failed) {
  TestBed bed;
  auto [peer, id] = bed.Dial();
  auto [other, next] = bed.Dial();
  bed.shard.Send(id, "request", 0, kSendRetain);
  CHECK_EQUAL(bed.ReadAll(peer, 7), "request");
  bed.shard.on_record = [&, id = id, next = next](const Record& record) {
    if (record.kind == event::kClosed && record.id == id) bed.shard.Order({command::kReplay, id, next, 0, 0});
  };
  peer.Reset();
  CHECK(bed.shard.Next(event::kClosed, id));
  CHECK_EQUAL(bed.ReadAll(other, 7), "request");
  CHECK(bed.shard.At(next).retain);
  other.Write("answer");
  CHECK(bed.shard.Next(event::kData, next));
  CHECK(!bed.shard.At(next).retain && bed.shard.At(next).out == nullptr);
}

TEST(engine_replays_what_it_could_not_send_because_the_peer_was_gone) {
  TestBed bed;
  auto [peer, id] = bed.Dial();
  auto [other, next] = bed.Dial();
  peer.Reset();
  bed.shard.Send(id, "head,", 0, kSendRetain);
  bed.shard.Send(id, "body", 0, kSendRetain);
  CHECK(bed.shard.At(id).write_broken);
  bed.shard.on_record = [&, id = id, next = next](const Record& record) {
    if (record.kind == event::kClosed && record.id == id) bed.shard.Order({command::kReplay, id, next, 0, 0});
  };
  CHECK(bed.shard.Next(event::kClosed, id));
  CHECK_EQUAL(bed.ReadAll(other, 9), "head,body");
}

TEST(engine_replays_nothing_to_itself_from_a_closed_one_or_into_a_half_closed_one) {
  TestBed bed;
  auto [peer, id] = bed.Dial();
  auto [other, next] = bed.Dial();
  bed.shard.Send(id, "request", 0, kSendRetain);
  bed.shard.Order({command::kReplay, id, id, 0, 0});
  bed.shard.Order({command::kHalfClose, next, 0, 0, 0});
  bed.shard.Order({command::kReplay, id, next, 0, 0});
  bed.shard.Order({command::kRelease, id, 0, 0, 0});
  bed.shard.Order({command::kReplay, id, next, 0, 0});
  CHECK_EQUAL(bed.ReadAll(peer, 7), "request");
  CHECK_EQUAL(bed.ReadAll(other), "");
  bed.shard.Settle();
  CHECK(bed.shard.engine.IsOpen(next));
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(engine_reads_on_those_that_waited_for_what_is_replayed_elsewhere) {
  TestBed bed;
  auto [peer, id] = bed.Dial();
  auto [client, source] = bed.Accept();
  CHECK(FillOutput(bed.shard, id));
  CHECK(bed.shard.Until([&] {
    peer.Read();
    return bed.shard.At(id).unsent == 0;
  }));
  bool waits = false;
  for (int i = 0; i < 2000 && !waits; i++) {
    bed.shard.Order({command::kRelease, id, 0, 0, 0});
    bed.shard.Send(id, std::string(10'000, 'r'), source, kSendRetain);
    waits = bed.shard.At(id).unsent > 0;
  }
  CHECK(waits && bed.shard.At(id).retain);
  const int32_t next = bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle));
  bed.shard.Order({command::kReplay, id, next, 0, 0});
  client.Write("go on");
  CHECK(bed.shard.Next(event::kData, source));
  Peer other = bed.upstream.Accept();
  CHECK_EQUAL(bed.ReadAll(other, 10'000).size(), 10'000u);
}

TEST(engine_says_that_a_dial_was_refused_and_redials_with_what_was_sent) {
  TestBed bed;
  TestListener gone;
  const auto refused = static_cast<uint32_t>(bed.shard.engine.RememberAddress(gone.address()));
  gone.Close();
  const int32_t id = bed.shard.engine.Dial(refused);
  bed.shard.Send(id, "kept");
  bed.shard.Order({command::kDeadline, id, 10'000, kDeadlineAbsolute, 0});
  Record failed;
  CHECK(bed.shard.Next(event::kConnectFailed, id, failed));
  CHECK_EQUAL(failed.words[0], ECONNREFUSED);
  CHECK_EQUAL(bed.shard.engine.Redial(id, 99), -EINVAL);
  CHECK_EQUAL(bed.shard.engine.Redial(id, static_cast<uint32_t>(bed.handle)), 0);
  Peer peer = bed.upstream.Accept();
  CHECK(bed.shard.Next(event::kConnected, id));
  CHECK_EQUAL(bed.ReadAll(peer, 4), "kept");
  CHECK_EQUAL(bed.shard.engine.Redial(id, static_cast<uint32_t>(bed.handle)), -EBADF);
  CHECK_EQUAL(bed.shard.engine.DueMs(), Engine::kNeverMs);
}

TEST(engine_forgets_the_deadline_of_a_redial_that_fails_at_once) {
  TestBed bed;
  const TestListener full(4, "", 0);
  std::vector<Peer> waiting;
  for (int i = 0; i < 4; i++) waiting.push_back(full.Connect());
  const int32_t id = bed.shard.engine.Dial(static_cast<uint32_t>(bed.shard.engine.RememberAddress(full.address())));
  bed.shard.Order({command::kDeadline, id, 30, kDeadlineAbsolute, 0});
  Address nowhere;
  CHECK_EQUAL(ParseAddress(0, "/nowhere/at/all.sock", 0, nowhere), 0);
  CHECK_EQUAL(bed.shard.engine.Redial(id, static_cast<uint32_t>(bed.shard.engine.RememberAddress(nowhere))), 0);
  Record failed;
  CHECK(bed.shard.Next(event::kConnectFailed, id, failed));
  CHECK_EQUAL(failed.words[0], ENOENT);
  CHECK_EQUAL(bed.shard.At(id).deadline_tick, kNoTick);
}

TEST(engine_refuses_addresses_that_were_forgotten) {
  TestBed bed;
  const auto handle = static_cast<uint32_t>(bed.handle);
  bed.shard.engine.ForgetAddress(handle);
  bed.shard.engine.ForgetAddress(handle);
  bed.shard.engine.ForgetAddress(1000);
  CHECK_EQUAL(bed.shard.engine.Dial(handle), -EINVAL);
  CHECK_EQUAL(bed.shard.engine.RememberAddress(bed.upstream.address()), bed.handle);
  CHECK_EQUAL(bed.shard.engine.RememberAddress(bed.upstream.address()), bed.handle + 1);
}

TEST(engine_accepts_only_with_room_for_the_twin_and_recovers) {
  // epoll, alarm, listener, and two pairs.
  TestBed bed(7);
  std::vector<Peer> peers;
  for (int i = 0; i < 4; i++) peers.push_back(bed.downstream.Connect());
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.Count(counter::kConnectionsAccepted), 2.0);
  CHECK(bed.shard.Count(counter::kAcceptPauses) > 0);
  CHECK(bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)) > 0);
  CHECK(bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)) > 0);
  CHECK_EQUAL(bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)), -EMFILE);
  for (int accepted = 3; accepted <= 4; accepted++) {
    Record record;
    CHECK(bed.shard.Next(event::kAccepted, 0, record));
    bed.shard.Order({command::kReset, record.id, 0, 0, 0});
    // Its twin still counts: room for one more pair comes only when it goes, too.
    CHECK(bed.shard.Next(event::kConnected, 0, record));
    bed.shard.Order({command::kReset, record.id, 0, 0, 0});
    CHECK(bed.shard.Until([&] { return bed.shard.Count(counter::kConnectionsAccepted) == accepted; }));
  }
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(engine_keeps_the_queue_of_a_paused_listener_and_takes_it_before_closing) {
  TestBed bed;
  bed.shard.engine.PauseListener(0);
  std::vector<Peer> peers;
  for (int i = 0; i < 40; i++) peers.push_back(bed.downstream.Connect());
  bed.shard.Settle();
  CHECK_EQUAL(bed.shard.Count(counter::kConnectionsAccepted), 0.0);
  bed.shard.engine.CloseListener(0);
  CHECK(bed.shard.Until([&] { return bed.shard.Count(counter::kConnectionsAccepted) == 40; }));
  CHECK(bed.shard.Until([&] { return bed.shard.engine.AdoptListener(0, bed.downstream.fd()) == 0; }));
  peers.push_back(bed.downstream.Connect());
  CHECK(bed.shard.Until([&] { return bed.shard.Count(counter::kConnectionsAccepted) == 41; }));
}

TEST(engine_counts_right_when_a_listener_takes_the_place_of_one_whose_connections_live) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.engine.CloseListener(0);
  CHECK(bed.shard.Until([&] { return bed.shard.engine.AdoptListener(0, bed.downstream.fd()) == 0; }));
  auto [other, next] = bed.Accept();
  bed.shard.Order({command::kReset, id, 0, 0, 0});
  CHECK_EQUAL(bed.shard.ListenerCount(0, listener_counter::kConnections), 1.0);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(engine_refuses_listeners_it_cannot_have_and_ignores_those_it_has_not) {
  TestBed bed;
  CHECK_EQUAL(bed.shard.engine.AdoptListener(0, bed.downstream.fd()), -EBUSY);
  CHECK_EQUAL(bed.shard.engine.AdoptListener(kListenersMax, bed.downstream.fd()), -EINVAL);
  CHECK_EQUAL(bed.shard.engine.AdoptListener(1, -1), -EBADF);
  for (const uint32_t listener : {1u, 500u, kListenersMax, UINT32_MAX}) {
    bed.shard.engine.PauseListener(listener);
    bed.shard.engine.ResumeListener(listener);
    bed.shard.engine.CloseListener(listener);
  }
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

TEST(engine_closes_at_every_stage_and_leaves_nothing) {
  for (int stage = 0; stage < 8; stage++) {
    TestBed bed;
    std::vector<TestBed::Ends> ends;
    if (stage == 1) ends.push_back({bed.downstream.Connect(), 0});
    if (stage >= 2) ends.push_back(bed.Accept());
    if (stage == 3) CHECK(bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle)) > 0);
    if (stage >= 4) ends.push_back(bed.Dial());
    if (stage == 5) CHECK(FillOutput(bed.shard, ends[0].id));
    if (stage == 6) bed.shard.Order({command::kTunnel, ends[0].id, ends[1].id, 100, 0});
    if (stage == 7) {
      CHECK(FillOutput(bed.shard, ends[0].id));
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
