// Lines of an access log: what a shard wrote down of them as parts, made into bytes. Which parts a line has, the shard
// decides; src/observe/access/line-protocol.ts says what they are.
//
// Same parts, same bytes, everywhere: src/observe/access/compose-lines.ts does the same where there is no addon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "line_protocol.h"

namespace fourseven {

// Writes the parts at bytes[at] and returns their end, or -EINVAL where they are no parts or there is no room for them
// (then bytes[at...] are anything). Reads and writes up to kSlackBytes behind what is used of texts, pieces and bytes,
// never beyond them. Borrows all four.
[[nodiscard]] ptrdiff_t ComposeLines(std::span<const int32_t> parts, std::span<const uint8_t> texts,
                                     std::span<const uint8_t> pieces, std::span<uint8_t> bytes, size_t at);

}  // namespace fourseven
