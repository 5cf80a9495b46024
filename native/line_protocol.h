// The numbers that the parts of a line consist of: src/observe/access/line-protocol.ts holds the same ones, says what
// they mean, and a test compares the two.
#pragma once

#include <cstdint>

namespace fourseven {

constexpr uint32_t kPartBits = 4;
constexpr uint32_t kLengthBits = 12;
constexpr uint32_t kPieceAlignmentBytes = 8;

namespace line_part {
constexpr uint32_t kPiece = 1;
constexpr uint32_t kPlain = 2;
constexpr uint32_t kJson = 3;
constexpr uint32_t kQuoted = 4;
constexpr uint32_t kInteger = 5;
constexpr uint32_t kDecimal = 6;
constexpr uint32_t kLongInteger = 7;
constexpr uint32_t kLongDecimal = 8;
constexpr uint32_t kByte = 9;
constexpr uint32_t kThreeDigits = 10;
}  // namespace line_part

constexpr uint32_t kEscapeMaxBytes = 6;
constexpr uint32_t kPartMaxBytes = 24;
constexpr uint32_t kSlackBytes = 16;

}  // namespace fourseven
