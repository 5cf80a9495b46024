// What waits to be sent: its order, who waits for it, what is replayed to another connection.
#include <string>

#include "check.h"
#include "engine.h"
#include "test_shard.h"

using namespace fourseven;

TEST(output_keeps_order_between_what_waits_and_what_is_sent_later) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  auto [other, source] = bed.Accept();
  CHECK(bed.shard.FillOutput(id));
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

TEST(output_lets_each_source_go_on_when_another_takes_its_place) {
  // a and b both wait for c; only the last is remembered, and neither may be forgotten.
  TestBed bed;
  auto [peer, sink] = bed.Accept();
  auto [first, a] = bed.Accept();
  auto [second, b] = bed.Accept();
  CHECK(bed.shard.FillOutput(sink));
  bed.shard.Send(sink, "1", a);
  bed.shard.Send(sink, "2", b);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
  first.Write("a");
  second.Write("b");
  CHECK(bed.shard.Next(event::kData, a));
  bed.shard.Order({command::kReset, sink, 0, 0, 0});
  CHECK(bed.shard.Next(event::kData, b));
}

TEST(output_makes_a_source_wait_for_the_sink_named_last) {
  TestBed bed;
  auto [one, first] = bed.Accept();
  auto [two, second] = bed.Accept();
  auto [peer, source] = bed.Accept();
  CHECK(bed.shard.FillOutput(first));
  CHECK(bed.shard.FillOutput(second));
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

TEST(output_resumes_when_drained) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kPause, id, 0, 0, 0});
  CHECK(bed.shard.FillOutput(id));
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

TEST(output_half_closes_after_what_waits_and_sends_no_more) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(bed.shard.FillOutput(id));
  bed.shard.Order({command::kHalfClose, id, 0, 0, 0});
  bed.shard.Send(id, "never");
  const std::string text = bed.ReadAll(peer);
  CHECK(peer.ended && peer.error == 0);
  CHECK(text.find('n') == std::string::npos);
  peer.Write("still read");
  CHECK(bed.shard.Next(event::kData, id));
}

TEST(output_replays_what_was_retained_when_its_connection_failed) {
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

TEST(output_replays_what_it_could_not_send_because_the_peer_was_gone) {
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

TEST(output_replays_nothing_to_itself_from_a_closed_one_or_into_a_half_closed_one) {
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

TEST(output_lets_those_go_on_that_waited_for_what_is_replayed_elsewhere) {
  TestBed bed;
  auto [peer, id] = bed.Dial();
  auto [client, source] = bed.Accept();
  CHECK(bed.shard.FillOutput(id));
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
