// The engine's listeners: what they accept, when they pause, how they close.
#include <cerrno>
#include <vector>

#include "check.h"
#include "engine.h"
#include "test_shard.h"

using namespace fourseven;

TEST(accept_says_the_peer_of_a_v6_connection) {
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

TEST(accept_needs_room_for_the_twin_and_recovers) {
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

TEST(accept_keeps_the_queue_of_a_paused_listener_and_takes_it_before_closing) {
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

TEST(accept_counts_right_when_a_listener_takes_the_place_of_one_whose_connections_live) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.engine.CloseListener(0);
  CHECK(bed.shard.Until([&] { return bed.shard.engine.AdoptListener(0, bed.downstream.fd()) == 0; }));
  auto [other, next] = bed.Accept();
  bed.shard.Order({command::kReset, id, 0, 0, 0});
  CHECK_EQUAL(bed.shard.ListenerCount(0, listener_counter::kConnections), 1.0);
  CHECK_EQUAL(bed.shard.inspector.FirstFault(), "");
}

TEST(accept_refuses_listeners_it_cannot_have_and_ignores_those_it_has_not) {
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
