// Connections by id. An id is index | generation << kIndexBits, always positive; a stale one finds nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connection.h"

namespace fourseven {

class ConnectionTable {
 public:
  // Returns a fresh connection, owned by the table, or nullptr when 2^20 exist.
  [[nodiscard]] Connection* Take();
  // Gives the index back; ids of it are stale from here on.
  void Put(Connection& connection);
  // The connection of an id, in any state but free; nullptr if stale.
  [[nodiscard]] Connection* Find(int32_t id);
  [[nodiscard]] Connection& At(uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  // Indexes ever used: [0, size).
  [[nodiscard]] uint32_t size() const { return size_; }

 private:
  // Chunks, so that a Connection never moves.
  static constexpr uint32_t kChunk = 256;
  std::vector<std::unique_ptr<Connection[]>> chunks_;
  std::vector<uint32_t> free_;
  uint32_t size_ = 0;
};

}  // namespace fourseven
