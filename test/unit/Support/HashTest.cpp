// XXH3-64.
#include "ecf8/Support/Hash.h"
#include "ecf8/Support/File.h"

#include <gtest/gtest.h>

#include <vector>

using namespace ecf8;

// Values of xxHash's own `xxhsum -H3`.
TEST(Hash, KnownValues) {
  EXPECT_EQ(hashToHex(hashBytes({})), "2d06800538d394c2");
  EXPECT_EQ(hashToHex(hashBytes(asBytes("a"))), "e6c632b61e964e1f");
  // Long enough for every loop: of blocks, of stripes, and of what is left.
  std::vector<uint8_t> bytes(10'007);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = uint8_t(i * i >> 3);
  EXPECT_EQ(hashToHex(hashBytes(bytes)), "69e6338083aa1ba0");
}

TEST(Hash, PiecesEqualTheWhole) {
  std::vector<uint8_t> bytes(100'003);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  for (size_t cut : {0u, 1u, 63u, 256u, 1025u, 100'003u}) {
    Hasher hasher;
    hasher.update(ByteSpan(bytes).first(cut));
    hasher.update(ByteSpan(bytes).subspan(cut));
    EXPECT_EQ(hasher.digest(), hashBytes(bytes)) << cut;
  }
}

TEST(Hash, Hexadecimal) {
  EXPECT_EQ(hashToHex(0x0123456789abcdef), "0123456789abcdef");
  EXPECT_EQ(hashFromHex("0123456789ABCDEF"), 0x0123456789abcdefu);
  EXPECT_FALSE(hashFromHex("0123456789abcde").has_value());
  EXPECT_FALSE(hashFromHex("0123456789abcdeg").has_value());
  EXPECT_FALSE(hashFromHex("").has_value());
}
