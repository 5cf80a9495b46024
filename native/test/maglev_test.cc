#include "maglev.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "check.h"

namespace {

using fourseven::kMaglevSlots;
using fourseven::MaglevBuild;
using fourseven::MaglevLookup;
using fourseven::MaglevLookupBatch;

// Stands for a hash of a key: splitmix64's finish.
uint32_t HashOf(uint64_t value) {
  value = (value + 1) * 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(value ^ (value >> 31));
}

// The endpoints named by `names`, each with its two hashes.
std::vector<uint32_t> KeyHashes(const std::vector<uint32_t>& names) {
  std::vector<uint32_t> hashes;
  for (const uint32_t name : names) {
    hashes.push_back(HashOf(2ull * name));
    hashes.push_back(HashOf(2ull * name + 1));
  }
  return hashes;
}

std::vector<uint32_t> Names(uint32_t count) {
  std::vector<uint32_t> names(count);
  std::iota(names.begin(), names.end(), 0u);
  return names;
}

// The table, by name of the endpoint. Empty if it could not be built.
std::vector<uint32_t> Build(const std::vector<uint32_t>& names, const std::vector<uint32_t>& weights) {
  std::vector<uint16_t> table(kMaglevSlots);
  if (MaglevBuild(KeyHashes(names), weights, table) != 0) return {};
  std::vector<uint32_t> result;
  for (const uint16_t index : table) result.push_back(names[index]);
  return result;
}

std::vector<uint32_t> Count(const std::vector<uint32_t>& table, size_t endpoints) {
  std::vector<uint32_t> counts(endpoints);
  for (const uint32_t name : table) ++counts[name];
  return counts;
}

// Slots that moved from one endpoint that stayed to another when endpoint `gone` left.
uint32_t ExtraMoves(const std::vector<uint32_t>& before, uint32_t count, uint32_t gone) {
  std::vector<uint32_t> names = Names(count);
  names.erase(names.begin() + gone);
  const std::vector<uint32_t> after = Build(names, std::vector<uint32_t>(count - 1, 1));
  uint32_t moved = 0;
  for (uint32_t slot = 0; slot < kMaglevSlots; ++slot) {
    if (before[slot] != gone && before[slot] != after[slot]) ++moved;
  }
  return moved;
}

// Mean share of all slots that move for no need when one of `count` endpoints leaves, over ten that might.
double MeanExtraMoves(uint32_t count) {
  const std::vector<uint32_t> before = Build(Names(count), std::vector<uint32_t>(count, 1));
  double moved = 0;
  for (uint32_t i = 0; i < 10; ++i) moved += ExtraMoves(before, count, i * (count / 10));
  return moved / 10 / kMaglevSlots;
}

}  // namespace

TEST(maglev_gives_equal_endpoints_equal_shares_give_or_take_a_slot) {
  for (const uint32_t count : {1u, 2u, 3u, 10u, 100u, 1000u}) {
    const std::vector<uint32_t> table = Build(Names(count), std::vector<uint32_t>(count, 7));
    CHECK_EQUAL(table.size(), size_t{kMaglevSlots});
    const std::vector<uint32_t> counts = Count(table, count);
    const auto [least, most] = std::ranges::minmax(counts);
    CHECK(most - least <= 1);
  }
}

TEST(maglev_gives_weighted_endpoints_their_share_to_the_slot) {
  const std::vector<uint32_t> weights = {1, 2, 3, 10, 100, 1000, 1000};
  const std::vector<uint32_t> counts = Count(Build(Names(7), weights), 7);
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < weights.size(); ++i) {
    const double share = kMaglevSlots * weights[i] / total;
    CHECK(std::abs(counts[i] - share) <= 1 + share * 0.01);
  }
}

TEST(maglev_gives_even_the_lightest_endpoint_a_slot) {
  std::vector<uint32_t> weights(1000, 1000);
  weights[500] = 1;
  CHECK_EQUAL(Count(Build(Names(1000), weights), 1000)[500], 1u);
}

TEST(maglev_moves_few_slots_when_an_endpoint_leaves) {
  CHECK(MeanExtraMoves(10) <= 0.0035);
  CHECK(MeanExtraMoves(100) <= 0.0065);
  CHECK(MeanExtraMoves(1000) <= 0.0065);
}

TEST(maglev_refuses_lengths_that_do_not_fit_together) {
  std::vector<uint16_t> table(kMaglevSlots, 1234);
  const std::vector<uint32_t> hashes = KeyHashes({1, 2});
  const std::vector<uint32_t> weights = {1, 1};
  std::vector<uint16_t> short_table(kMaglevSlots - 1);
  CHECK_EQUAL(MaglevBuild({}, {}, table), -EINVAL);
  CHECK_EQUAL(MaglevBuild(std::span(hashes).first(3), weights, table), -EINVAL);
  CHECK_EQUAL(MaglevBuild(hashes, weights, short_table), -EINVAL);
  CHECK_EQUAL(MaglevBuild(hashes, std::vector<uint32_t>{1, 0}, table), -EINVAL);
  CHECK_EQUAL(MaglevBuild(std::vector<uint32_t>(2 * 65536), std::vector<uint32_t>(65536, 1), table), -EINVAL);
  CHECK(std::ranges::all_of(table, [](uint16_t index) { return index == 1234; }));
}

TEST(maglev_accepts_weights_as_large_as_they_come) {
  const std::vector<uint32_t> counts = Count(Build(Names(2), {UINT32_MAX, UINT32_MAX - 1}), 2);
  CHECK(std::abs(static_cast<int>(counts[0]) - static_cast<int>(counts[1])) <= 1);
}

TEST(maglev_looks_up_many_hashes_as_it_does_one) {
  std::vector<uint16_t> table(kMaglevSlots);
  CHECK_EQUAL(MaglevBuild(KeyHashes(Names(5)), std::vector<uint32_t>(5, 1), table), 0);
  const std::vector<uint32_t> hashes = {0, 1, kMaglevSlots - 1, kMaglevSlots, UINT32_MAX};
  std::vector<uint16_t> endpoints(hashes.size());
  MaglevLookupBatch(table, hashes, endpoints);
  for (size_t i = 0; i < hashes.size(); ++i) CHECK_EQUAL(endpoints[i], MaglevLookup(table, hashes[i]));
  CHECK_EQUAL(endpoints[3], table[0]);
}
