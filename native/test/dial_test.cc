// Dials: refused, dialed again, given up; what is sent or held before they are connected.
#include <cerrno>
#include <vector>

#include "check.h"
#include "engine.h"
#include "test_shard.h"

using namespace fourseven;

namespace {

constexpr int32_t kMib = 1024 * 1024;

// Its queue is full, so that nothing answers: a dial stays a dial.
class FullListener {
 public:
  FullListener() {
    for (int i = 0; i < 4; i++) waiting_.push_back(listener_.Connect());
  }

  [[nodiscard]] int32_t DialedBy(Engine& engine) const {
    return engine.Dial(static_cast<uint32_t>(engine.RememberAddress(listener_.address())));
  }

 private:
  const TestListener listener_{4, "", 0};
  std::vector<Peer> waiting_;
};

}  // namespace

TEST(dial_that_was_refused_is_told_and_dialed_again_with_what_was_sent) {
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

TEST(dial_again_that_fails_at_once_forgets_its_deadline) {
  TestBed bed;
  const FullListener full;
  const int32_t id = full.DialedBy(bed.shard.engine);
  bed.shard.Order({command::kDeadline, id, 30, kDeadlineAbsolute, 0});
  Address nowhere;
  CHECK_EQUAL(ParseAddress(0, "/nowhere/at/all.sock", 0, nowhere), 0);
  CHECK_EQUAL(bed.shard.engine.Redial(id, static_cast<uint32_t>(bed.shard.engine.RememberAddress(nowhere))), 0);
  Record failed;
  CHECK(bed.shard.Next(event::kConnectFailed, id, failed));
  CHECK_EQUAL(failed.words[0], ENOENT);
  CHECK_EQUAL(bed.shard.At(id).deadline_tick, kNoTick);
}

TEST(dial_fails_when_too_much_waits_for_it) {
  TestBed bed;
  const FullListener full;
  const int32_t id = full.DialedBy(bed.shard.engine);
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

TEST(dial_delivers_what_was_held_for_it_once_it_is_connected) {
  TestBed bed;
  const int32_t id = bed.shard.engine.Dial(static_cast<uint32_t>(bed.handle));
  bed.shard.Hold(id, "held");
  bed.shard.Order({command::kResume, id, 0, 0, 0});
  Record data;
  CHECK(bed.shard.Next(event::kData, id, data));
  CHECK_EQUAL(data.data, "held");
}

TEST(dial_refuses_addresses_that_were_forgotten) {
  TestBed bed;
  const auto handle = static_cast<uint32_t>(bed.handle);
  bed.shard.engine.ForgetAddress(handle);
  bed.shard.engine.ForgetAddress(handle);
  bed.shard.engine.ForgetAddress(1000);
  CHECK_EQUAL(bed.shard.engine.Dial(handle), -EINVAL);
  CHECK_EQUAL(bed.shard.engine.RememberAddress(bed.upstream.address()), bed.handle);
  CHECK_EQUAL(bed.shard.engine.RememberAddress(bed.upstream.address()), bed.handle + 1);
}
