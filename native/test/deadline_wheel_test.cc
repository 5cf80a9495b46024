#include "deadline_wheel.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "check.h"

namespace {

using fourseven::Connection;
using fourseven::ConnectionTable;
using fourseven::DeadlineWheel;
using fourseven::kNoTick;

// A wheel, and a map that says the same by looking at everything.
struct Wheel {
  ConnectionTable table;
  DeadlineWheel wheel{table};
  std::vector<Connection*> connections;
  std::map<uint32_t, int64_t> due;

  explicit Wheel(size_t count) {
    for (size_t i = 0; i < count; i++) connections.push_back(table.Take());
  }
  void Set(size_t i, int64_t tick) {
    wheel.Set(*connections[i], tick);
    if (tick == kNoTick) {
      due.erase(static_cast<uint32_t>(i));
    } else {
      due[static_cast<uint32_t>(i)] = tick;
    }
  }
  void Remove(size_t i) {
    wheel.Remove(*connections[i]);
    due.erase(static_cast<uint32_t>(i));
  }
  // Indexes that expire at `now`, sorted.
  std::vector<uint32_t> Advance(int64_t now) {
    std::vector<uint32_t> expired;
    wheel.Advance(now, [&](Connection& connection) { expired.push_back(connection.index); });
    std::ranges::sort(expired);
    return expired;
  }
  std::vector<uint32_t> TakeDue(int64_t now) {
    std::vector<uint32_t> expected;
    for (const auto& [index, tick] : due) {
      if (tick <= now) expected.push_back(index);
    }
    for (const uint32_t index : expected) due.erase(index);
    return expected;
  }
  int64_t FirstDue() {
    int64_t first = kNoTick;
    for (const auto& [index, tick] : due) first = std::min(first, tick);
    return first;
  }
};

}  // namespace

TEST(wheel_expires_at_its_tick_and_not_before) {
  Wheel wheel(1);
  wheel.Set(0, 10);
  CHECK(wheel.Advance(9).empty());
  CHECK_EQUAL(wheel.wheel.NextTick(), 10);
  CHECK_EQUAL(wheel.Advance(10).size(), 1u);
  CHECK_EQUAL(wheel.connections[0]->deadline_tick, kNoTick);
  CHECK_EQUAL(wheel.wheel.NextTick(), kNoTick);
  CHECK(wheel.Advance(5000).empty());
}

TEST(wheel_moves_a_deadline_later_without_expiring_at_its_old_place) {
  Wheel wheel(1);
  wheel.Set(0, 10);
  wheel.Set(0, 20);
  CHECK(wheel.Advance(19).empty());
  CHECK_EQUAL(wheel.Advance(20).size(), 1u);
}

TEST(wheel_moves_a_deadline_earlier) {
  Wheel wheel(1);
  wheel.Set(0, 500);
  wheel.Set(0, 3);
  CHECK_EQUAL(wheel.wheel.NextTick(), 3);
  CHECK_EQUAL(wheel.Advance(3).size(), 1u);
  CHECK(wheel.Advance(500).empty());
}

TEST(wheel_forgets_what_is_cleared_or_removed) {
  Wheel wheel(2);
  wheel.Set(0, 5);
  wheel.Set(1, 5);
  wheel.Set(0, kNoTick);
  wheel.Remove(1);
  wheel.Remove(1);
  CHECK(wheel.Advance(5).empty());
}

TEST(wheel_keeps_a_deadline_beyond_its_horizon) {
  Wheel wheel(1);
  wheel.Set(0, 5000);
  for (int64_t now = 0; now < 5000; now += 7) CHECK(wheel.Advance(now).empty());
  CHECK_EQUAL(wheel.Advance(5000).size(), 1u);
}

TEST(wheel_finds_everything_after_a_long_idle_jump) {
  Wheel wheel(300);
  for (size_t i = 0; i < 300; i++) wheel.Set(i, static_cast<int64_t>(i * 11 + 1));
  CHECK_EQUAL(wheel.Advance(1'000'000'000).size(), 300u);
  wheel.Set(0, 1'000'000'001);
  CHECK(wheel.Advance(1'000'000'000).empty());
  CHECK_EQUAL(wheel.Advance(1'000'000'001).size(), 1u);
}

TEST(wheel_expires_what_has_passed_already_with_the_next_tick) {
  Wheel wheel(1);
  CHECK(wheel.Advance(100).empty());
  wheel.Set(0, 50);
  CHECK_EQUAL(wheel.wheel.NextTick(), 101);
  CHECK_EQUAL(wheel.Advance(101).size(), 1u);
}

TEST(wheel_bears_that_a_callback_removes_others_of_its_slot) {
  Wheel wheel(4);
  for (size_t i = 0; i < 4; i++) wheel.Set(i, 8);
  int expired = 0;
  wheel.wheel.Advance(8, [&](Connection& connection) {
    expired++;
    for (Connection* other : wheel.connections) {
      if (other != &connection) wheel.wheel.Remove(*other);
    }
  });
  CHECK_EQUAL(expired, 1);
  CHECK(wheel.Advance(9).empty());
}

TEST(wheel_bears_that_a_callback_sets_its_own_and_other_deadlines) {
  Wheel wheel(2);
  wheel.Set(0, 8);
  wheel.Set(1, 8 + 1024);
  std::vector<uint32_t> expired;
  const auto note = [&](Connection& connection) {
    expired.push_back(connection.index);
    if (connection.index == 0 && expired.size() == 1) {
      wheel.wheel.Set(connection, 12);
      wheel.wheel.Set(*wheel.connections[1], 12);
    }
  };
  wheel.wheel.Advance(10, note);
  CHECK_EQUAL(expired.size(), 1u);
  wheel.wheel.Advance(12, note);
  CHECK_EQUAL(expired.size(), 3u);
}

TEST(wheel_agrees_with_a_model_that_looks_at_everything) {
  for (uint32_t seed = 1; seed <= 5; seed++) {
    std::mt19937 random(seed);
    Wheel wheel(100);
    int64_t now = static_cast<int64_t>(random());
    CHECK(wheel.Advance(now).empty());
    for (int step = 0; step < 5000; step++) {
      const size_t i = random() % 100;
      switch (random() % 6) {
        case 0:
          wheel.Set(i, kNoTick);
          break;
        case 1:
          wheel.Remove(i);
          break;
        case 2:
          wheel.Set(i, now + 1 + static_cast<int64_t>(random() % 4000));
          break;
        case 3:
          wheel.Set(i, now + 1 + static_cast<int64_t>(random() % 20));
          break;
        default:
          now += random() % 50 == 0 ? static_cast<int64_t>(random() % 5000) : static_cast<int64_t>(random() % 3);
          CHECK(wheel.Advance(now) == wheel.TakeDue(now));
      }
      CHECK(wheel.wheel.NextTick() <= wheel.FirstDue());
      CHECK(wheel.wheel.NextTick() > now);
    }
  }
}
