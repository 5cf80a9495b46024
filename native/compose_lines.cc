#include "compose_lines.h"

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace fourseven {
namespace {

constexpr uint32_t kPartMask = (1u << kPartBits) - 1;
constexpr uint32_t kLengthMask = (1u << kLengthBits) - 1;
constexpr size_t kWordBytes = 8;

constexpr uint64_t OfEach(uint8_t byte) { return 0x0101010101010101u * byte; }

// Whether eight bytes all need no escape. With its highest bit set, a byte keeps it in each subtraction unless it is
// what that looks for, and so takes nothing from its neighbour (Warren, "Hacker's Delight", 2-18).
bool ArePlain(uint64_t word) {
  const uint64_t set = word | OfEach(0x80);
  const uint64_t kept = (set - OfEach(' ')) & ((set ^ OfEach('"')) - OfEach(1)) & ((set ^ OfEach('\\')) - OfEach(1)) &
                        ((set ^ OfEach(0x7f)) - OfEach(1));
  return (kept & ~word & OfEach(0x80)) == OfEach(0x80);
}

// The first `count` bytes of a word (1 to 8), and plain ones for the rest.
uint64_t FirstOf(uint64_t word, size_t count) {
  const uint64_t all = ~uint64_t{0};
  const size_t rest_bits = 8 * (kWordBytes - count);
  const uint64_t mask = std::endian::native == std::endian::little ? all >> rest_bits : all << rest_bits;
  return (word & mask) | (OfEach('a') & ~mask);
}

// In blocks, the last of them beyond the end: most are short, and a call of memcpy costs more than it copies.
void Copy(uint8_t* to, const uint8_t* from, size_t length) {
  for (size_t i = 0; i < length; i += kSlackBytes) std::memcpy(to + i, from + i, kSlackBytes);
}

uint8_t* PutHex(uint8_t* to, uint8_t byte) {
  constexpr std::array<char, 17> kDigits{"0123456789abcdef"};
  to[0] = static_cast<uint8_t>(kDigits[byte >> 4]);
  to[1] = static_cast<uint8_t>(kDigits[byte & 15]);
  return to + 2;
}

template <bool kIsJson>
uint8_t* PutByteEscaped(uint8_t* to, uint8_t byte) {
  if (ArePlain(FirstOf(OfEach(byte), 1))) {
    *to++ = byte;
    return to;
  }
  *to++ = '\\';
  if (kIsJson && (byte == '"' || byte == '\\')) {
    *to++ = byte;
    return to;
  }
  if (kIsJson) {
    std::memcpy(to, "u00", 3);
    return PutHex(to + 3, byte);
  }
  *to++ = 'x';
  return PutHex(to, byte);
}

template <bool kIsJson>
uint8_t* PutEscaped(uint8_t* to, const uint8_t* from, size_t length) {
  for (size_t i = 0; i < length; i += kWordBytes) {
    const size_t count = length - i < kWordBytes ? length - i : kWordBytes;
    uint64_t word = 0;
    std::memcpy(&word, from + i, kWordBytes);
    if (ArePlain(FirstOf(word, count))) {
      std::memcpy(to, &word, kWordBytes);
      to += count;
    } else {
      for (size_t k = i; k < i + count; k++) to = PutByteEscaped<kIsJson>(to, from[k]);
    }
  }
  return to;
}

uint8_t* PutInteger(uint8_t* to, uint64_t value) {
  char* at = reinterpret_cast<char*>(to);
  return reinterpret_cast<uint8_t*>(std::to_chars(at, at + kPartMaxBytes, value).ptr);
}

uint8_t* PutThreeDigits(uint8_t* to, uint32_t value) {
  to[0] = static_cast<uint8_t>('0' + value / 100 % 10);
  to[1] = static_cast<uint8_t>('0' + value / 10 % 10);
  to[2] = static_cast<uint8_t>('0' + value % 10);
  return to + 3;
}

uint8_t* PutDecimal(uint8_t* to, uint64_t thousandths) {
  to = PutInteger(to, thousandths / 1000);
  *to = '.';
  return PutThreeDigits(to + 1, static_cast<uint32_t>(thousandths % 1000));
}

uint8_t* PutJson(uint8_t* to, const uint8_t* from, size_t length) {
  *to = '"';
  to = PutEscaped<true>(to + 1, from, length);
  *to = '"';
  return to + 1;
}

uint8_t* PutByte(uint8_t* to, uint32_t byte) {
  *to = static_cast<uint8_t>(byte);
  return to + 1;
}

bool IsText(uint32_t part) { return part - line_part::kPiece <= line_part::kQuoted - line_part::kPiece; }

bool IsLong(uint32_t part) { return part == line_part::kLongInteger || part == line_part::kLongDecimal; }

}  // namespace

ptrdiff_t ComposeLines(std::span<const int32_t> parts, std::span<const uint8_t> texts, std::span<const uint8_t> pieces,
                       std::span<uint8_t> bytes, size_t at) {
  if (at > bytes.size()) return -EINVAL;
  uint8_t* to = bytes.data() + at;
  const uint8_t* const end = bytes.data() + bytes.size();
  for (size_t i = 0; i < parts.size(); i++) {
    const auto word = static_cast<uint32_t>(parts[i]);
    const uint32_t part = word & kPartMask;
    const uint32_t argument = word >> kPartBits;
    const size_t length = IsText(part) ? argument & kLengthMask : 0;
    if (length * kEscapeMaxBytes + kPartMaxBytes + kSlackBytes > static_cast<size_t>(end - to)) return -EINVAL;
    const uint8_t* text = nullptr;
    uint64_t number = argument;
    if (IsText(part)) {
      const bool is_piece = part == line_part::kPiece;
      const std::span<const uint8_t> source = is_piece ? pieces : texts;
      const size_t start = size_t{argument >> kLengthBits} * (is_piece ? kPieceAlignmentBytes : 1);
      if (start + length + kSlackBytes > source.size()) return -EINVAL;
      text = source.data() + start;
    } else if (IsLong(part)) {
      if (parts.size() - i < 3) return -EINVAL;
      number = uint64_t{static_cast<uint32_t>(parts[i + 2])} << 32 | static_cast<uint32_t>(parts[i + 1]);
      i += 2;
    }
    switch (part) {
      case line_part::kPiece:
      case line_part::kPlain:
        Copy(to, text, length);
        to += length;
        break;
      case line_part::kJson:
        to = PutJson(to, text, length);
        break;
      case line_part::kQuoted:
        to = PutEscaped<false>(to, text, length);
        break;
      case line_part::kInteger:
      case line_part::kLongInteger:
        to = PutInteger(to, number);
        break;
      case line_part::kDecimal:
      case line_part::kLongDecimal:
        to = PutDecimal(to, number);
        break;
      case line_part::kByte:
        to = PutByte(to, argument);
        break;
      case line_part::kThreeDigits:
        to = PutThreeDigits(to, argument);
        break;
      default:
        return -EINVAL;
    }
  }
  return to - bytes.data();
}

}  // namespace fourseven
