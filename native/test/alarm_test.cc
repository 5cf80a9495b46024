// Waits end when they are due, whatever the alarm was set to before.
#include "alarm.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>

#include "check.h"
#include "clock.h"
#include "test_shard.h"

using namespace fourseven;

namespace {

struct AlarmBed {
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  Alarm alarm;

  // Whether it rings within this time.
  bool RingsWithin(int ms) {
    epoll_event report{};
    if (::epoll_wait(epoll.get(), &report, 1, ms) != 1 || report.data.u64 != kData) return false;
    alarm.Rang();
    return true;
  }
  bool Open() { return alarm.Open(epoll.get(), kData) == 0; }

 private:
  static constexpr uint64_t kData = 7;
};

// A wait of the engine that nothing but its time ends. Returns how long it took.
int64_t WaitFor(TestBed& bed, int64_t ms) {
  bed.shard.engine.ReadClock();
  const int64_t start_ms = NowMs();
  [[maybe_unused]] const bool loop_ready = bed.shard.engine.Wait(start_ms + ms);
  const int64_t took_ms = NowMs() - start_ms;
  bed.shard.engine.Turn();
  return took_ms;
}

}  // namespace

TEST(alarm_rings_once_not_before_it_is_due) {
  AlarmBed bed;
  CHECK(bed.Open());
  const int64_t due_ms = NowMs() + 30;
  bed.alarm.RingBy(due_ms);
  CHECK(bed.RingsWithin(5000));
  CHECK(NowMs() >= due_ms);
  CHECK(!bed.RingsWithin(20));
}

TEST(alarm_rings_at_once_for_what_has_passed) {
  for (const int64_t due_ms : {int64_t{0}, NowMs() - 1, NowMs()}) {
    AlarmBed bed;
    CHECK(bed.Open());
    bed.alarm.RingBy(due_ms);
    CHECK(bed.RingsWithin(5000));
  }
}

TEST(alarm_rings_for_the_sooner_of_two) {
  AlarmBed bed;
  CHECK(bed.Open());
  bed.alarm.RingBy(NowMs() + 60'000);
  bed.alarm.RingBy(NowMs() + 10);
  bed.alarm.RingBy(NowMs() + 60'000);
  CHECK(bed.RingsWithin(5000));
  bed.alarm.RingBy(NowMs() + 10);
  CHECK(bed.RingsWithin(5000));
}

TEST(engine_waits_until_it_is_due) {
  TestBed bed;
  bed.shard.Settle();
  CHECK(WaitFor(bed, 30) >= 30);
  CHECK(WaitFor(bed, -5) < 5);
  CHECK(WaitFor(bed, 40) >= 40);
  CHECK(WaitFor(bed, 20) >= 20);
}

TEST(engine_waits_no_longer_than_for_its_first_event) {
  TestBed bed;
  auto [peer, id] = bed.Accept();
  bed.shard.Settle();
  peer.Write("hello");
  const int64_t start_ms = NowMs();
  CHECK(!bed.shard.engine.Wait(Engine::kNeverMs));
  CHECK(NowMs() - start_ms < 5000);
  CHECK(bed.shard.Next(event::kData, id));
}

TEST(engine_says_when_the_loop_ends_its_wait) {
  TestBed bed;
  int ends[2] = {};
  CHECK_EQUAL(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  CHECK_EQUAL(bed.shard.engine.WatchLoop(read_end.get()), 0);
  bed.shard.Settle();
  CHECK_EQUAL(::write(write_end.get(), "x", 1), 1);
  CHECK(bed.shard.engine.Wait(Engine::kNeverMs));
}
