// Damaged payloads give a message or, where the damage does no harm, the elements: never a crash or an endless loop.
// Meant to run under AddressSanitizer; exact-size copies on the heap let it see a read of one byte too far.
#include "Cases.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

using namespace ecf8;
using test::Random;

namespace {

/// Everything a caller may do with a payload that passes the checks.
void exercise(std::span<const uint8_t> bytes) {
  Result<Payload> payload = readPayload(bytes, /*verifyHash=*/false);
  if (!payload) {
    EXPECT_FALSE(payload.status().message().empty());
    return;
  }
  EXPECT_LE(payload->header.elementCount(), 3 * bytes.size());
  Result<std::vector<uint8_t>> elements = decode(*payload);
  EXPECT_EQ(elements.isOk(), elements.status().message().empty());
  for (InstructionSet set : availableInstructionSets()) {
    test::UsedInstructionSet used(set);
    std::vector<uint8_t> unchecked(payload->header.elementCount());
    EXPECT_TRUE(decodeUnchecked(*payload, unchecked).isOk());
    if (elements)
      EXPECT_EQ(unchecked, *elements) << getName(set);
  }
  if (payload->header.order != Order::RowMajor && payload->header.grid().tileCount() != 0)
    (void)decodeTile(*payload, payload->header.grid().strips() - 1, payload->header.grid().tilesPerStrip() - 1);
}

void mutate(std::vector<uint8_t> &bytes, Random &random) {
  switch (random.below(6)) {
  case 0: // a header byte
    bytes[random.below(headerBytes)] = uint8_t(random.next());
    break;
  case 1: // a header field, to an extreme
    storeLittle(bytes.data() + random.below(headerBytes / 8) * 8, random.below(2) ? ~uint64_t(0) : random.below(600));
    break;
  case 2: // any byte
    bytes[random.below(bytes.size())] = uint8_t(random.next());
    break;
  case 3: // any bit
    bytes[random.below(bytes.size())] ^= uint8_t(1 << random.below(8));
    break;
  case 4: // a run
    for (uint64_t i = random.below(bytes.size()), end = std::min<uint64_t>(bytes.size(), i + 16); i < end; ++i)
      bytes[i] = uint8_t(random.next());
    break;
  case 5: // the length, with the header's field kept true
    bytes.resize(headerBytes + random.below(40) * 16, uint8_t(random.next()));
    storeLittle(bytes.data() + header_offset::payloadBytes, uint64_t(bytes.size()));
    break;
  }
}

TEST(Mutation, DamagedPayloadsNeverCrash) {
  std::vector<test::ValidCase> cases = test::makeValidCases();
  Random random(11);
  for (unsigned round = 0; round < 20000; ++round) {
    std::vector<uint8_t> bytes = cases[random.below(cases.size())].payload;
    for (uint64_t i = 0; i <= random.below(3); ++i)
      mutate(bytes, random);
    bytes.shrink_to_fit();
    exercise(bytes);
    if (HasFatalFailure())
      return;
  }
}

TEST(Mutation, EveryTruncationIsAnError) {
  for (const test::ValidCase &valid : test::makeValidCases())
    for (uint64_t size = 0; size < valid.payload.size(); ++size) {
      std::vector<uint8_t> bytes(valid.payload.begin(), valid.payload.begin() + size);
      EXPECT_NE(test::decodeMessage(bytes), "ok");
      exercise(bytes);
    }
}

TEST(Mutation, EveryAlteredBitIsAnError) {
  for (const test::ValidCase &valid : test::makeValidCases()) {
    std::vector<uint8_t> bytes = valid.payload;
    for (uint64_t i = 0; i < bytes.size(); ++i) {
      // The minor version and the optional features may be anything.
      if (i == header_offset::minor || (i >= header_offset::optionalFlags && i < header_offset::payloadBytes))
        continue;
      bytes[i] ^= 0x10;
      EXPECT_NE(test::decodeMessage(bytes), "ok") << valid.name << ", byte " << i;
      bytes[i] ^= 0x10;
    }
  }
}

TEST(Mutation, LaterMinorVersionsAndOptionalFeaturesAreRead) {
  std::vector<uint8_t> bytes = test::makeValidCases().front().payload;
  bytes[header_offset::minor] = 7;
  bytes[header_offset::optionalFlags] = 0xFF;
  EXPECT_EQ(test::decodeMessage(bytes), "ok");
}

} // namespace
