// Speed of encoding and decoding on one thread, by encoding and instruction set, in GB of FP8 weights per second of
// processor time, which other programs disturb less than the time of the clock. Prints JSON; benchmarks/codec/run.py
// runs it beside zstd and zipnn.
//
//   ecf8-bench-speed --write FILE ROWS COLUMNS      Gaussian weights, each row scaled so that its largest one is 448
//   ecf8-bench-speed FILE ROWS COLUMNS [ROUNDS]     five rounds if it is left out
//
// encode: from row-major elements to a payload (statistics, code, tiles, hashes). decode: from a payload in memory to
// row-major elements in memory that was used before and starts at a cache line. decode_with_hash: the same and the hash
// that verifies the content. All of them run in turn in each round; a figure is the median over the rounds. Every
// payload and every decoded matrix is compared with what it should be.
#include "Weights.h"

#include "ecf8/Codec/Decoder.h"
#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/InstructionSet.h"
#include "ecf8/Support/Hash.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

using namespace ecf8::bench;

namespace {

using Json = nlohmann::ordered_json;

constexpr auto type = ecf8::ElementType::F8E4M3FN;

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "ecf8-bench-speed: %s\n", message.c_str());
  std::exit(1);
}

/// Memory that starts at a cache line.
struct AlignedBytes {
  explicit AlignedBytes(size_t size) : room(size + 64, 1) {
    size_t skipped = (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) % 64;
    bytes = std::span(room).subspan(skipped, size);
  }
  Bytes room;
  std::span<uint8_t> bytes;
};

struct Contender {
  std::string name;
  std::function<ecf8::Result<Bytes>()> encode;
  ecf8::InstructionSet set;
  std::vector<double> encodeSpeeds = {}, decodeSpeeds = {}, checkedSpeeds = {};
  size_t payloadBytes = 0;
};

double processorSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

double gigabytesPerSecond(size_t elements, const std::function<void()> &run) {
  double begin = processorSeconds();
  run();
  return double(elements) / (processorSeconds() - begin) / 1e9;
}

void measure(Contender &contender, const Bytes &elements, std::span<uint8_t> out) {
  ecf8::useInstructionSet(contender.set);
  ecf8::Result<Bytes> payload = Bytes();
  contender.encodeSpeeds.push_back(gigabytesPerSecond(elements.size(), [&] { payload = contender.encode(); }));
  if (!payload)
    fail(payload.status().message());
  contender.payloadBytes = payload->size();
  AlignedBytes stored(payload->size());
  std::ranges::copy(*payload, stored.bytes.begin());
  ecf8::Result<ecf8::Payload> read = ecf8::readPayload(stored.bytes);
  if (!read)
    fail(read.status().message());

  std::ranges::fill(out, 1);
  contender.decodeSpeeds.push_back(
      gigabytesPerSecond(elements.size(), [&] { (void)ecf8::decodeUnchecked(*read, out).isOk(); }));
  if (!std::ranges::equal(out, elements))
    fail("expected " + contender.name + " to decode to the weights");
  bool isSame = false;
  contender.checkedSpeeds.push_back(gigabytesPerSecond(elements.size(), [&] {
    (void)ecf8::decodeUnchecked(*read, out).isOk();
    isSame = ecf8::hashBytes(out) == read->header.contentHash;
  }));
  if (!isSame)
    fail("expected " + contender.name + " to decode to the hash of the weights");
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

uint64_t number(const char *text) {
  uint64_t value = std::strtoull(text, nullptr, 10);
  if (value == 0)
    fail(std::string("expected a positive number, got '") + text + "'");
  return value;
}

} // namespace

int main(int argc, char **argv) {
  bool isWriting = argc == 5 && std::strcmp(argv[1], "--write") == 0;
  if (!isWriting && argc != 4 && argc != 5)
    fail("usage: ecf8-bench-speed --write FILE ROWS COLUMNS, or FILE ROWS COLUMNS [ROUNDS]");
  const char *path = argv[isWriting ? 2 : 1];
  Shape shape = {number(argv[isWriting ? 3 : 2]), number(argv[isWriting ? 4 : 3])};
  if (isWriting) {
    Bytes weights = gaussianScaled(shape, {1, shape.columns});
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(weights.data()), std::streamsize(weights.size()));
    return file.flush() ? 0 : 1;
  }
  std::ifstream file(path, std::ios::binary);
  Bytes elements((std::istreambuf_iterator<char>(file)), {});
  if (elements.size() != shape.rows * shape.columns)
    fail(std::string(path) + ": expected " + std::to_string(shape.rows * shape.columns) + " bytes, got " +
         std::to_string(elements.size()));
  uint64_t rounds = argc == 5 ? number(argv[4]) : 5;

  const std::vector<uint64_t> dims = {shape.rows, shape.columns};
  const std::pair<const char *, ecf8::EncodeOptions> options[] = {
      {"huffman", ecf8::EncodeOptions::huffman()},
      {"huffman, group 2", ecf8::EncodeOptions::huffmanPairs()},
      {"planes", ecf8::EncodeOptions::planes()}};
  std::vector<Contender> contenders;
  for (ecf8::InstructionSet set : ecf8::availableInstructionSets()) {
    for (const auto &[name, option] : options)
      contenders.push_back({name, [&, option] { return ecf8::encode(option, type, dims, elements); }, set});
    contenders.push_back({"for storage", [&] { return ecf8::encodeForStorage(type, dims, elements); }, set});
  }
  // Portable code, but for the figures of the weights.
  for (const auto &[name, option] :
       {std::pair("quads", ecf8::EncodeOptions::quads()), std::pair("pairs", ecf8::EncodeOptions::pairs()),
        std::pair("classic", ecf8::EncodeOptions::classic()),
        std::pair("raw, order mma", ecf8::EncodeOptions::rawMma())})
    contenders.push_back(
        {name, [&, option] { return ecf8::encode(option, type, dims, elements); }, ecf8::currentInstructionSet()});
  AlignedBytes out(elements.size());
  for (uint64_t round = 0; round <= rounds; ++round)
    for (Contender &contender : contenders) {
      measure(contender, elements, out.bytes);
      if (round == 0) // the first one warms up
        contender.encodeSpeeds = contender.decodeSpeeds = contender.checkedSpeeds = {};
    }

  double bound = ecf8::collectStats(type, elements).entropyBound();
  Json rows = Json::array();
  for (const Contender &contender : contenders)
    rows.push_back({{"encoding", contender.name},
                    {"instruction_set", ecf8::getName(contender.set)},
                    {"bits_per_weight", 8.0 * double(contender.payloadBytes) / double(elements.size())},
                    {"encode_gb_per_cpu_second", median(contender.encodeSpeeds)},
                    {"decode_gb_per_cpu_second", median(contender.decodeSpeeds)},
                    {"decode_with_hash_gb_per_cpu_second", median(contender.checkedSpeeds)}});
  Json report = {{"shape", dims}, {"rounds", rounds}, {"bound_bits_per_weight", bound}, {"rows", rows}};
  std::printf("%s\n", report.dump(1).c_str());
  return 0;
}
