#include "buffer_pool.h"

#include <cstring>
#include <string>
#include <utility>

#include "check.h"

namespace {

using fourseven::Block;
using fourseven::BlockPtr;
using fourseven::BufferPool;

bool Append(BufferPool& pool, BlockPtr& block, const std::string& text, uint32_t max = BufferPool::kBlockMaxBytes) {
  return pool.Append(block, reinterpret_cast<const uint8_t*>(text.data()), text.size(), max);
}

std::string Text(const BlockPtr& block) {
  return std::string(reinterpret_cast<const char*>(block->data()), block->size());
}

}  // namespace

TEST(buffers_are_at_least_as_large_as_asked_for_up_to_the_limit) {
  BufferPool pool;
  for (const uint32_t size : {0u, 1u, 1024u, 1025u, 65536u, 65537u, BufferPool::kBlockMaxBytes}) {
    const BlockPtr block = pool.Take(size);
    CHECK(block != nullptr);
    CHECK(block->capacity >= size);
    CHECK_EQUAL(block->size(), 0u);
  }
  CHECK(pool.Take(BufferPool::kBlockMaxBytes + 1) == nullptr);
}

TEST(buffers_come_back_empty) {
  BufferPool pool;
  BlockPtr block = pool.Take(100);
  Block* const address = block.get();
  CHECK(Append(pool, block, "left over"));
  block->begin = 3;
  pool.Put(std::move(block));
  pool.Put(nullptr);
  const BlockPtr again = pool.Take(100);
  CHECK(again.get() == address);
  CHECK_EQUAL(again->size(), 0u);
  CHECK_EQUAL(again->begin, 0u);
}

TEST(buffers_grow_and_keep_what_they_hold) {
  BufferPool pool;
  BlockPtr block;
  std::string expected;
  for (int i = 0; i < 2000; i++) {
    const std::string text = std::to_string(i) + ",";
    CHECK(Append(pool, block, text));
    expected += text;
  }
  CHECK(Text(block) == expected);
}

TEST(buffers_grow_by_what_lives_not_by_what_was_consumed) {
  BufferPool pool;
  BlockPtr block;
  CHECK(Append(pool, block, std::string(1000, 'a')));
  block->begin = 990;
  CHECK(Append(pool, block, std::string(1000, 'b')));
  CHECK_EQUAL(block->capacity, 1024u);
  CHECK(Text(block) == std::string(10, 'a') + std::string(1000, 'b'));
}

TEST(buffers_refuse_more_than_the_limit_and_keep_what_they_had) {
  BufferPool pool;
  BlockPtr block;
  CHECK(Append(pool, block, "12345", 8));
  CHECK(!Append(pool, block, "6789", 8));
  CHECK(Append(pool, block, "678", 8));
  CHECK(!pool.Append(block, nullptr, SIZE_MAX, 8));
  CHECK(!pool.Append(block, nullptr, size_t{1} << 32, UINT32_MAX));
  CHECK(Text(block) == "12345678");
}

TEST(buffers_are_extended_for_who_writes_into_them) {
  BufferPool pool;
  BlockPtr block;
  CHECK(Append(pool, block, "1234"));
  uint8_t* const to = pool.Extend(block, 3, 8);
  CHECK(to == block->data() + 4);
  std::memcpy(to, "567", 3);
  CHECK(Text(block) == "1234567");
  CHECK(pool.Extend(block, 2, 8) == nullptr);
  CHECK(Text(block) == "1234567");
}
