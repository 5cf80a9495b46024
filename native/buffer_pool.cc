#include "buffer_pool.h"

#include <cstring>
#include <utility>

namespace fourseven {
namespace {

// Size classes in bytes, and how many idle blocks of each are kept: at most 1.25 MiB per shard in all but the two
// largest.
constexpr std::array<uint32_t, 6> kClassBytes = {1024,      4096,       16 * 1024,
                                                 64 * 1024, 256 * 1024, BufferPool::kBlockMaxBytes};
constexpr std::array<size_t, 6> kKeptCount = {256, 64, 16, 8, 4, 0};

size_t ClassOf(uint32_t capacity) {
  size_t index = 0;
  while (index < kClassBytes.size() && kClassBytes[index] < capacity) index++;
  return index;
}

}  // namespace

BlockPtr BufferPool::Take(uint32_t capacity) {
  const size_t index = ClassOf(capacity);
  if (index == kClassBytes.size()) return nullptr;
  if (!free_[index].empty()) {
    BlockPtr block = std::move(free_[index].back());
    free_[index].pop_back();
    return block;
  }
  BlockPtr block = std::make_unique<Block>();
  block->bytes = std::make_unique_for_overwrite<uint8_t[]>(kClassBytes[index]);
  block->capacity = kClassBytes[index];
  return block;
}

void BufferPool::Put(BlockPtr block) {
  if (block == nullptr) return;
  const size_t index = ClassOf(block->capacity);
  if (free_[index].size() >= kKeptCount[index]) return;
  block->begin = block->end = 0;
  free_[index].push_back(std::move(block));
}

bool BufferPool::Append(BlockPtr& block, const uint8_t* bytes, size_t length, uint32_t max) {
  uint8_t* const to = Extend(block, length, max);
  if (to == nullptr) return false;
  std::memcpy(to, bytes, length);
  return true;
}

uint8_t* BufferPool::Extend(BlockPtr& block, size_t length, uint32_t max) {
  const uint32_t size = block == nullptr ? 0 : block->size();
  if (length > max || size + length > max) return nullptr;
  if (block == nullptr || block->capacity - block->end < length) {
    BlockPtr larger = Take(static_cast<uint32_t>(size + length));
    if (larger == nullptr) return nullptr;
    if (size > 0) std::memcpy(larger->bytes.get(), block->data(), size);
    larger->end = size;
    Put(std::exchange(block, std::move(larger)));
  }
  block->end += static_cast<uint32_t>(length);
  return block->bytes.get() + block->end - length;
}

}  // namespace fourseven
