// What may have happened to a payload.
#include "Damage.h"

using namespace ecf8;
using namespace ecf8::test;

namespace {

struct Field {
  const char *name;
  uint64_t offset;
  unsigned sizeBytes;
};

using namespace header_offset;
constexpr Field fields[] = {
    {"magic", magic, 4},
    {"major", major, 1},
    {"minor", minor, 1},
    {"headerBytes", headerSize, 2},
    {"requiredFlags", requiredFlags, 4},
    {"optionalFlags", optionalFlags, 4},
    {"payloadBytes", payloadBytes, 8},
    {"payloadHash", payloadHash, 8},
    {"contentHash", contentHash, 8},
    {"elementType", elementType, 1},
    {"encoding", encoding, 1},
    {"order", order, 1},
    {"stream", stream, 1},
    {"rank", rank, 1},
    {"group", group, 1},
    {"rawExponentBits", rawExponentBits, 1},
    {"maxCodeLength", maxCodeLength, 1},
    {"tileColumns", tileColumns, 4},
    {"dataFlags", dataFlags, 4},
    {"minExponent", minExponent, 1},
    {"maxExponent", maxExponent, 1},
    {"rows", rows, 8},
    {"columns", columns, 8},
    {"restOffset", restOffset, 8},
    {"tileTableOffset", tileTableOffset, 8},
    {"codesOffset", codesOffset, 8},
    {"codesBytes", codesBytes, 8},
    {"codeLengths", codeLengths, 8},
    {"dims", dims, 8},
};

uint64_t load(const std::vector<uint8_t> &bytes, const Field &field) {
  uint64_t value = 0;
  for (unsigned i = 0; i < field.sizeBytes; ++i)
    value |= uint64_t(bytes[field.offset + i]) << (8 * i);
  return value;
}

/// Fields behind the end of a payload that was cut are left out.
void store(std::vector<uint8_t> &bytes, const Field &field, uint64_t value) {
  for (unsigned i = 0; i < field.sizeBytes && field.offset + i < bytes.size(); ++i)
    bytes[field.offset + i] = uint8_t(value >> (8 * i));
}

void store64(std::vector<uint8_t> &bytes, uint64_t offset, uint64_t value) { store(bytes, {"", offset, 8}, value); }

void fill(std::vector<uint8_t> &bytes, uint64_t begin, uint64_t sizeBytes, Random &random) {
  for (uint64_t i = begin; i < begin + sizeBytes && i < bytes.size(); ++i)
    bytes[i] = uint8_t(random.next());
}

/// Any complete code of at most `limit` bits.
void storeCode(std::vector<uint8_t> &bytes, unsigned symbolCount, unsigned limit, Random &random) {
  std::vector<unsigned> leaves = {1, 1};
  for (uint64_t wanted = 2 + random.below(symbolCount - 1), tries = 0; leaves.size() < wanted && tries < 200; ++tries) {
    // Half of the time the newest leaf, for codes that are deep.
    uint64_t leaf = random.below(2) ? leaves.size() - 1 : random.below(leaves.size());
    if (leaves[leaf] < limit)
      leaves.push_back(++leaves[leaf]);
  }
  std::vector<unsigned> lengths(maxSymbolCount);
  for (unsigned length : leaves) {
    uint64_t symbol = random.below(symbolCount);
    while (lengths[symbol])
      symbol = (symbol + 1) % symbolCount;
    lengths[symbol] = length;
  }
  for (unsigned i = 0; i < maxSymbolCount && codeLengths + i / 2 < bytes.size(); i += 2)
    bytes[codeLengths + i / 2] = uint8_t(lengths[i] | lengths[i + 1] << 4);
}

std::string damageOnce(std::vector<uint8_t> &bytes, const Weight &weight, Random &random) {
  if (bytes.empty())
    return "nothing";
  const Field &field = fields[random.below(std::size(fields))];
  const uint64_t size = weight.payload.size();
  const uint64_t tableAt = loadLittle<uint64_t>(weight.payload.data() + tileTableOffset);
  const uint64_t codesAt = loadLittle<uint64_t>(weight.payload.data() + codesOffset);
  const uint64_t restAt = loadLittle<uint64_t>(weight.payload.data() + restOffset);
  switch (random.below(14)) {
  case 0: {
    uint64_t bit = random.below(8 * bytes.size());
    bytes[bit / 8] ^= uint8_t(1 << (bit % 8));
    return "bit " + std::to_string(bit);
  }
  case 1: {
    uint64_t begin = random.below(bytes.size());
    fill(bytes, begin, 1 + random.below(64), random);
    return "random bytes from " + std::to_string(begin);
  }
  case 2: {
    uint64_t values[] = {random.next(), random.next() >> random.below(64), size + random.below(129) - 64,
                         uint64_t(1) << random.below(64)};
    store(bytes, field, values[random.below(4)]);
    return std::string("another ") + field.name;
  }
  case 3: {
    uint64_t offset = random.below(2) ? rows : columns;
    uint64_t value = loadLittle<uint64_t>(weight.payload.data() + offset) + random.below(129) - 64;
    store64(bytes, offset, value);
    return "a size of " + std::to_string(value);
  }
  case 4: { // table entries that point anywhere near the end, or anywhere at all
    for (uint64_t at = tableAt; tableAt && at < tableAt + weight.tileTableBytes(); at += 4) {
      uint64_t near = (size - codesAt) / 2 + random.below(129) - 64;
      if (random.below(3))
        store(bytes, {"", at, 4}, random.below(2) ? near : random.next());
    }
    return "another tile table";
  }
  case 5:
    fill(bytes, codesAt ? codesAt : headerBytes, restAt - std::min(restAt, codesAt), random);
    return "random codes";
  case 6:
    fill(bytes, restAt, size - restAt, random);
    return "a random rest";
  case 7:
  case 8:
    storeCode(bytes, getElementSplit(weight.elementType).symbolCount, weight.options.maxCodeLength == 7 ? 7 : 8,
              random);
    return "another complete code";
  case 9:
    fill(bytes, codeLengths + random.below(16), 1, random);
    return "another code length";
  case 10: {
    const uint64_t offsets[] = {restOffset, tileTableOffset, codesOffset};
    uint64_t value = random.below(2) ? headerBytes : random.below(size + 1);
    store64(bytes, offsets[random.below(3)], value);
    return "a section at " + std::to_string(value);
  }
  case 11: // as far back as it fits, or one byte further
    store64(bytes, restOffset, bytes.size() - weight.planeBytes() + (random.below(4) == 0));
    return "the rest at the very end";
  case 12:
    store64(bytes, tileTableOffset, bytes.size() - weight.tileTableBytes() + (random.below(4) == 0));
    store64(bytes, codesOffset, bytes.size() - std::min<uint64_t>(bytes.size(), random.below(256)));
    return "the tile table and the codes at the very end";
  default:
    bytes.resize(random.below(2) ? random.below(size + 1) : size - random.below(130));
    if (random.below(4))
      store64(bytes, payloadBytes, bytes.size());
    return "cut to " + std::to_string(bytes.size());
  }
}

} // namespace

void ecf8::test::visitSystematicDamage(const Weight &weight, const DamageVisitor &visit) {
  std::vector<uint8_t> bytes = weight.payload;
  for (uint64_t bit = 0; bit < 8 * headerBytes; ++bit) {
    bytes[bit / 8] ^= uint8_t(1 << (bit % 8));
    visit("header bit " + std::to_string(bit), bytes);
    bytes[bit / 8] ^= uint8_t(1 << (bit % 8));
  }
  for (const Field &field : fields) {
    uint64_t old = load(bytes, field), greatest = ~uint64_t(0) >> (64 - 8 * field.sizeBytes);
    for (uint64_t value : {uint64_t(0), uint64_t(1), greatest, greatest / 2, greatest / 2 + 1, old - 1, old + 1}) {
      store(bytes, field, value);
      visit(std::string(field.name) + " = " + std::to_string(value), bytes);
    }
    store(bytes, field, old);
  }
  for (uint64_t size = 0; size < bytes.size(); ++size) {
    if (size > 256 && size + 200 < bytes.size())
      continue;
    std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    visit("cut to " + std::to_string(size), cut);
    store64(cut, payloadBytes, size);
    visit("cut to " + std::to_string(size) + ", as the header says", cut);
  }
}

void ecf8::test::visitRandomDamage(const Weight &weight, uint64_t seed, unsigned count, const DamageVisitor &visit) {
  Random random(seed);
  for (unsigned round = 0; round < count; ++round) {
    std::vector<uint8_t> bytes = weight.payload;
    std::string what = damageOnce(bytes, weight, random);
    for (uint64_t more = random.below(3); more > 0; --more)
      what += ", " + damageOnce(bytes, weight, random);
    visit(what, bytes);
  }
}
