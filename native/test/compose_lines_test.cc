#include "compose_lines.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"

namespace {

using fourseven::ComposeLines;
using fourseven::kLengthBits;
using fourseven::kPartBits;
using fourseven::kSlackBytes;
namespace line_part = fourseven::line_part;

int32_t Part(uint32_t part, uint32_t argument) { return static_cast<int32_t>(part | argument << kPartBits); }

int32_t Text(uint32_t part, uint32_t length, uint32_t place) { return Part(part, length | place << kLengthBits); }

// On the heap to the byte, so that the sanitizer sees whoever goes beyond it.
std::vector<uint8_t> WithSlack(std::string_view text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  bytes.resize(bytes.size() + kSlackBytes);
  bytes.shrink_to_fit();
  return bytes;
}

std::string Composed(const std::vector<int32_t>& parts, std::string_view texts, std::string_view pieces) {
  std::vector<uint8_t> bytes(4096);
  const ptrdiff_t end = ComposeLines(parts, WithSlack(texts), WithSlack(pieces), bytes, 0);
  return end < 0 ? "refused" : std::string(bytes.begin(), bytes.begin() + end);
}

}  // namespace

TEST(compose_lines_puts_a_line_together) {
  const std::vector<int32_t> parts = {
      Text(line_part::kPiece, 6, 1),
      Text(line_part::kJson, 9, 3),
      Part(line_part::kByte, ','),
      Part(line_part::kInteger, 42),
      Part(line_part::kByte, ' '),
      Part(line_part::kDecimal, 1042),
      Part(line_part::kByte, ' '),
      Part(line_part::kThreeDigits, 7),
      Part(line_part::kLongInteger, 0),
      -1,
      1,
      Part(line_part::kByte, ' '),
      Text(line_part::kPlain, 3, 0),
      Text(line_part::kQuoted, 9, 3),
  };
  const std::string expected =
      "\"key\":\"a\\\"b\\\\c\\u0001d\\u00e9f\",42 1.042 0078589934591 GETa\\x22b\\x5cc\\x01d\\xe9f";
  CHECK(Composed(parts,
                 "GETa\"b\\c\x01"
                 "d\xe9"
                 "f",
                 "ignored \"key\":") == expected);
}

TEST(compose_lines_stays_within_its_memory_whatever_the_parts) {
  std::mt19937 random(47);
  const auto below = [&random](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  int refused = 0;
  for (int round = 0; round < 20'000; round++) {
    std::vector<int32_t> parts(below(12));
    for (int32_t& part : parts) {
      const bool wild = below(8) == 0;
      part = wild ? static_cast<int32_t>(random()) : Text(below(12), below(40), below(40));
    }
    std::string texts(below(80), 'a');
    for (char& byte : texts) byte = static_cast<char>(below(3) == 0 ? below(256) : 'a');
    std::vector<uint8_t> bytes(below(1500));
    const size_t at = below(64);
    const ptrdiff_t end = ComposeLines(parts, WithSlack(texts), WithSlack(texts), bytes, at);
    if (end < 0) {
      refused++;
      CHECK(end == -EINVAL);
    } else {
      CHECK(static_cast<size_t>(end) >= at);
      CHECK(parts.empty() || static_cast<size_t>(end) + kSlackBytes <= bytes.size());
    }
  }
  CHECK(refused > 1'000 && refused < 19'000);
}
