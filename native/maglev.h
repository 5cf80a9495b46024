// Maglev hashing: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
// section 3.4. A table of slots, each naming an endpoint; a hash names a slot. Endpoints take turns to claim the next
// free slot of their own permutation of all slots, so that each gets its share to the slot, and few slots change hands
// when one comes or goes.
//
// Same input, same table, everywhere: src/upstream/policy/maglev-table.ts builds the identical one where there is no
// addon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fourseven {

// A prime (so that every skip visits every slot), about 100 times the endpoints of a large cluster.
constexpr uint32_t kMaglevSlots = 65537;
// Indexes are 16 bits wide, and one value marks a free slot while building.
constexpr size_t kMaglevEndpointsMax = 65535;

// Fills `table` (kMaglevSlots long) with indexes of endpoints. The caller has sorted the endpoints by key.
//   key_hashes  two independent hashes per endpoint: where its permutation starts, and how far it skips
//   weights     1 or more, one per endpoint; a heavier one takes more turns: with w the weights, endpoint i gets
//               w[i] / sum(w) of the slots, give or take one, and at least one where there are as many
// Borrows all three. Returns 0, or -EINVAL if the lengths do not fit together or a weight is 0 (then `table` is as it
// was).
[[nodiscard]] int MaglevBuild(std::span<const uint32_t> key_hashes, std::span<const uint32_t> weights,
                              std::span<uint16_t> table);

// The endpoint for a hash. `table` must have been built.
[[nodiscard]] inline uint16_t MaglevLookup(std::span<const uint16_t> table, uint32_t hash) {
  return table[hash % kMaglevSlots];
}

// The same for many: endpoints[i] is that of hashes[i]. `endpoints` must not be shorter than `hashes`.
inline void MaglevLookupBatch(std::span<const uint16_t> table, std::span<const uint32_t> hashes,
                              std::span<uint16_t> endpoints) {
  for (size_t i = 0; i < hashes.size(); ++i) endpoints[i] = MaglevLookup(table, hashes[i]);
}

}  // namespace fourseven
