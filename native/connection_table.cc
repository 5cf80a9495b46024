#include "connection_table.h"

#include <utility>

#include "protocol.h"

namespace fourseven {
namespace {

// 11 bits: 31 less kIndexBits, so that ids stay positive. 0 is never used: id 0 means "none".
constexpr uint32_t kGenerationMask = (1u << (31 - kIndexBits)) - 1;

}  // namespace

int32_t Connection::id() const { return static_cast<int32_t>(index | generation << kIndexBits); }

Connection* ConnectionTable::Take() {
  uint32_t index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (size_ > kIndexMask) return nullptr;
    if (size_ % kChunk == 0) chunks_.push_back(std::make_unique<Connection[]>(kChunk));
    index = size_++;
  }
  Connection& connection = At(index);
  connection.index = index;
  return &connection;
}

void ConnectionTable::Put(Connection& connection) {
  const uint32_t index = connection.index;
  const uint32_t generation = (connection.generation + 1) & kGenerationMask;
  connection = Connection();
  connection.index = index;
  connection.generation = generation == 0 ? 1 : generation;
  free_.push_back(index);
}

Connection* ConnectionTable::Find(int32_t id) {
  const uint32_t index = static_cast<uint32_t>(id) & kIndexMask;
  if (id <= 0 || index >= size_) return nullptr;
  Connection& connection = At(index);
  const uint32_t generation = static_cast<uint32_t>(id) >> kIndexBits;
  return connection.generation == generation && connection.state != State::kFree ? &connection : nullptr;
}

}  // namespace fourseven
