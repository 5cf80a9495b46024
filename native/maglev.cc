#include "maglev.h"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace fourseven {
namespace {

constexpr uint16_t kFree = 0xffff;

// An endpoint while the table is built.
struct Claimant {
  uint32_t position;
  uint32_t skip;
  uint32_t weight;
  // Gains `weight` per round; a claim costs the heaviest weight. 64 bits: sums of two weights fit.
  uint64_t credit;
};

std::vector<Claimant> MakeClaimants(std::span<const uint32_t> key_hashes, std::span<const uint32_t> weights,
                                    uint32_t heaviest) {
  std::vector<Claimant> claimants;
  claimants.reserve(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    claimants.push_back({.position = key_hashes[2 * i] % kMaglevSlots,
                         .skip = 1 + key_hashes[2 * i + 1] % (kMaglevSlots - 1),
                         .weight = weights[i],
                         // All claim in the first round: even the lightest endpoint gets a slot.
                         .credit = heaviest - weights[i]});
  }
  return claimants;
}

// Moves on to the next free slot of the claimant's permutation. There is one.
uint32_t NextFree(const Claimant& claimant, std::span<const uint16_t> table) {
  uint32_t position = claimant.position;
  while (table[position] != kFree) {
    position += claimant.skip;
    if (position >= kMaglevSlots) position -= kMaglevSlots;
  }
  return position;
}

}  // namespace

int MaglevBuild(std::span<const uint32_t> key_hashes, std::span<const uint32_t> weights, std::span<uint16_t> table) {
  if (table.size() != kMaglevSlots || weights.empty() || weights.size() > kMaglevEndpointsMax) return -EINVAL;
  if (key_hashes.size() != 2 * weights.size() || std::ranges::find(weights, 0u) != weights.end()) return -EINVAL;

  const uint32_t heaviest = *std::ranges::max_element(weights);
  std::vector<Claimant> claimants = MakeClaimants(key_hashes, weights, heaviest);
  std::ranges::fill(table, kFree);
  for (uint32_t taken = 0;;) {
    for (size_t i = 0; i < claimants.size(); ++i) {
      Claimant& claimant = claimants[i];
      claimant.credit += claimant.weight;
      if (claimant.credit < heaviest) continue;
      claimant.credit -= heaviest;
      claimant.position = NextFree(claimant, table);
      table[claimant.position] = static_cast<uint16_t>(i);
      if (++taken == kMaglevSlots) return 0;
    }
  }
}

}  // namespace fourseven
