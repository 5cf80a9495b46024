// What a connection receives: held, paused, resumed, ended.
#include <cerrno>

#include "check.h"
#include "engine.h"
#include "test_shard.h"

using namespace fourseven;

TEST(receive_delivers_held_bytes_first_and_alone_on_resume) {
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

TEST(receive_delivers_held_bytes_before_the_end) {
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

TEST(receive_fails_a_connection_that_is_to_hold_too_much) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Order({command::kHold, id, 0, static_cast<int32_t>(kHoldMaxBytes) + 1, 0});
  Record closed;
  CHECK(bed.shard.Next(event::kClosed, id, closed));
  CHECK_EQUAL(closed.words[0], ENOBUFS);
}

TEST(receive_takes_nothing_while_paused_and_all_after_it) {
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

TEST(receive_tells_a_reset_that_comes_after_the_end) {
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
