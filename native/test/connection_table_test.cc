#include "connection_table.h"

#include <set>
#include <vector>

#include "check.h"
#include "protocol.h"

namespace {

using fourseven::Connection;
using fourseven::ConnectionTable;
using fourseven::kIndexMask;
using fourseven::State;

Connection& TakeOpen(ConnectionTable& table) {
  Connection* connection = table.Take();
  connection->state = State::kOpen;
  return *connection;
}

}  // namespace

TEST(table_gives_the_first_connection_index_0_and_an_id_that_is_not_0) {
  ConnectionTable table;
  Connection& connection = TakeOpen(table);
  CHECK_EQUAL(connection.index, 0u);
  CHECK(connection.id() > 0);
  CHECK(table.Find(connection.id()) == &connection);
}

TEST(table_finds_nothing_for_0_negative_unknown_and_free_ids) {
  ConnectionTable table;
  CHECK(table.Find(1 << fourseven::kIndexBits) == nullptr);
  Connection& connection = TakeOpen(table);
  CHECK(table.Find(0) == nullptr);
  CHECK(table.Find(-1) == nullptr);
  CHECK(table.Find(INT32_MIN) == nullptr);
  CHECK(table.Find(INT32_MAX) == nullptr);
  CHECK(table.Find(connection.id() + 1) == nullptr);
  connection.state = State::kFree;
  CHECK(table.Find(connection.id()) == nullptr);
}

TEST(table_refuses_a_stale_id_when_its_index_is_used_again) {
  ConnectionTable table;
  Connection& connection = TakeOpen(table);
  const int32_t stale = connection.id();
  table.Put(connection);
  CHECK(table.Find(stale) == nullptr);
  Connection& next = TakeOpen(table);
  CHECK_EQUAL(next.index, 0u);
  CHECK(next.id() != stale);
  CHECK(table.Find(stale) == nullptr);
  CHECK(table.Find(next.id()) == &next);
}

TEST(table_keeps_ids_positive_when_generations_wrap_and_skips_generation_0) {
  ConnectionTable table;
  std::set<int32_t> ids;
  for (int i = 0; i < 2047; i++) {
    Connection& connection = TakeOpen(table);
    CHECK(connection.id() > static_cast<int32_t>(kIndexMask));
    CHECK(ids.insert(connection.id()).second);
    table.Put(connection);
  }
  CHECK(ids.contains(TakeOpen(table).id()));
}

TEST(table_gives_back_a_connection_as_new) {
  ConnectionTable table;
  Connection& connection = TakeOpen(table);
  connection.paused = connection.blocked = connection.eof = true;
  connection.sink = 7;
  connection.bytes_sent = 99;
  table.Put(connection);
  const Connection& next = TakeOpen(table);
  CHECK(!next.paused && !next.blocked && !next.eof);
  CHECK_EQUAL(next.sink, fourseven::kNoIndex);
  CHECK_EQUAL(next.bytes_sent, 0u);
}

TEST(table_never_moves_a_connection_and_stops_at_its_limit) {
  ConnectionTable table;
  Connection* const first = table.Take();
  for (uint32_t i = 1; i <= kIndexMask; i++) CHECK(table.Take() != nullptr);
  CHECK(table.Take() == nullptr);
  CHECK_EQUAL(table.size(), kIndexMask + 1);
  CHECK(&table.At(0) == first);
  table.At(kIndexMask).state = State::kOpen;
  CHECK(table.Find(table.At(kIndexMask).id()) == &table.At(kIndexMask));
  table.Put(*first);
  CHECK(table.Take() == first);
}
