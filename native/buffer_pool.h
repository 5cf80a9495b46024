// Byte blocks for what must outlive a round: pending output, held input. An idle connection owns none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fourseven {

// A growing run of bytes: [begin, end) of `bytes` is live. Made and taken back by a BufferPool.
struct Block {
  std::unique_ptr<uint8_t[]> bytes;
  uint32_t capacity = 0;
  uint32_t begin = 0;
  uint32_t end = 0;

  [[nodiscard]] uint32_t size() const { return end - begin; }
  [[nodiscard]] const uint8_t* data() const { return bytes.get() + begin; }
};

using BlockPtr = std::unique_ptr<Block>;

class BufferPool {
 public:
  // Largest block: 1 MiB. What does not fit in it is the caller's limit, not ours.
  static constexpr uint32_t kBlockMaxBytes = 1024 * 1024;

  // Returns an empty block of at least `capacity` bytes, owned by the caller; nullptr beyond kBlockMaxBytes.
  [[nodiscard]] BlockPtr Take(uint32_t capacity);
  // Consumes the block; keeps a few of each size.
  void Put(BlockPtr block);
  // Adds bytes to a block that may be null or too small (it is replaced then). False if it would exceed `max`.
  [[nodiscard]] bool Append(BlockPtr& block, const uint8_t* bytes, size_t length, uint32_t max);
  // The same for bytes that the caller writes, all of them, where this points to; nullptr if it would exceed `max`.
  [[nodiscard]] uint8_t* Extend(BlockPtr& block, size_t length, uint32_t max);

 private:
  static constexpr size_t kClasses = 6;
  std::array<std::vector<BlockPtr>, kClasses> free_;
};

}  // namespace fourseven
