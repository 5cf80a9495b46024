#include "deadline_wheel.h"

#include <algorithm>

namespace fourseven {

void DeadlineWheel::Set(Connection& connection, int64_t tick) {
  connection.deadline_tick = tick;
  if (tick == kNoTick || connection.wheel_tick <= tick) return;
  Remove(connection);
  connection.deadline_tick = tick;
  Insert(connection, tick);
}

void DeadlineWheel::Remove(Connection& connection) {
  connection.deadline_tick = kNoTick;
  if (connection.wheel_tick == kNoTick) return;
  if (connection.wheel_previous == kNoIndex) {
    slots_[static_cast<size_t>(connection.wheel_tick) % kSlots] = connection.wheel_next;
  } else {
    table_.At(connection.wheel_previous).wheel_next = connection.wheel_next;
  }
  if (connection.wheel_next != kNoIndex) table_.At(connection.wheel_next).wheel_previous = connection.wheel_previous;
  connection.wheel_tick = kNoTick;
  connection.wheel_next = connection.wheel_previous = kNoIndex;
  count_--;
}

void DeadlineWheel::Insert(Connection& connection, int64_t tick) {
  // Beyond the horizon it waits in the farthest slot, and is moved on from there.
  const int64_t placed = std::clamp(tick, now_ + 1, now_ + static_cast<int64_t>(kSlots) - 1);
  uint32_t& slot = slots_[static_cast<size_t>(placed) % kSlots];
  connection.wheel_tick = placed;
  connection.wheel_previous = kNoIndex;
  connection.wheel_next = slot;
  if (slot != kNoIndex) table_.At(slot).wheel_previous = connection.index;
  slot = connection.index;
  next_ = count_ == 0 ? placed : std::min(next_, placed);
  count_++;
}

int64_t DeadlineWheel::NextTick() {
  if (count_ == 0) return kNoTick;
  if (next_ > now_) return next_;
  next_ = now_ + 1;
  while (slots_[static_cast<size_t>(next_) % kSlots] == kNoIndex) next_++;
  return next_;
}

}  // namespace fourseven
