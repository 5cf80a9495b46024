// Deadlines of many connections at the price of a store: a hashed wheel of ticks (Varghese and Lauck, SOSP 1987, scheme
// 6) in which a deadline that moves later leaves its entry where it is; the entry is moved on when its tick comes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "connection_table.h"

namespace fourseven {

class DeadlineWheel {
 public:
  explicit DeadlineWheel(ConnectionTable& table) : table_(table) { slots_.fill(kNoIndex); }

  // Sets (or moves) the deadline. kNoTick clears it.
  void Set(Connection& connection, int64_t tick);
  // Takes the connection out; required before its index is reused.
  void Remove(Connection& connection);
  // Advances to `now` and calls `expired(connection)` for each whose tick is not after it; its deadline is cleared
  // before.
  template <typename Expired>
  void Advance(int64_t now, Expired expired) {
    // An empty wheel, or one that was not turned for a whole revolution, is not walked tick by tick.
    if (count_ == 0) now_ = std::max(now_, now - 1);
    now_ = std::max(now_, now - static_cast<int64_t>(kSlots));
    while (now_ < now) {
      const uint32_t& slot = slots_[static_cast<size_t>(++now_) % kSlots];
      // One at a time: `expired` may remove others of this slot.
      while (slot != kNoIndex) {
        Connection& connection = table_.At(slot);
        const int64_t deadline = connection.deadline_tick;
        Remove(connection);
        if (deadline == kNoTick) continue;
        if (deadline > now) {
          connection.deadline_tick = deadline;
          Insert(connection, deadline);
        } else {
          expired(connection);
        }
      }
    }
  }
  // A tick not later than the next one that matters; kNoTick if the wheel is empty.
  [[nodiscard]] int64_t NextTick();

 private:
  static constexpr size_t kSlots = 1024;

  void Insert(Connection& connection, int64_t tick);

  ConnectionTable& table_;
  std::array<uint32_t, kSlots> slots_{};
  int64_t now_ = 0;
  // No entry is placed before it, unless it has passed.
  int64_t next_ = 0;
  uint32_t count_ = 0;
};

}  // namespace fourseven
