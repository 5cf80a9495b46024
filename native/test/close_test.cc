// Ends: closing with a linger, resetting, deadlines.
#include <cerrno>
#include <climits>
#include <string>

#include "check.h"
#include "clock.h"
#include "engine.h"
#include "test_shard.h"

using namespace fourseven;

TEST(close_comes_after_what_waits_and_lingers_until_the_peer_ends) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(bed.shard.FillOutput(id));
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

TEST(close_lingers_no_longer_and_for_no_more_than_it_may) {
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

TEST(close_resets_at_once) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  CHECK(bed.shard.FillOutput(id));
  bed.shard.Order({command::kReset, id, 0, 0, 0});
  CHECK_EQUAL(bed.shard.Count(counter::kConnectionsOpen), 0.0);
  bed.ReadAll(peer);
  CHECK_EQUAL(peer.error, ECONNRESET);
}

TEST(deadline_is_never_early_even_from_a_slow_round) {
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

TEST(deadline_may_be_the_longest_and_is_cleared_by_a_negative_one) {
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
