// Bits per weight of huffman, planes and, for GPUs, quads, pairs and classic payloads, next to the entropy bound and
// to the format of the paper's authors, and the speed of encoding and re-encoding. Prints JSON.
//
//   ecf8-bench-size benchmarks/data/fp8-checkpoint-statistics.json
//
// Two sources of weights, both drawn with a fixed seed: Gaussian values scaled to E4M3FN by block or by row, and the
// exponent histograms of published FP8 checkpoints with random signs and mantissas. "exponents like DeepSeek-V3.1" is
// the histogram that GPU layouts were planned with: fitted to the cumulative shares of that model's 3, 4, 7 and 8 most
// frequent exponents, with a byte entropy of 6.73. Every payload is decoded again.
#include "Weights.h"

#include "ecf8/Codec/Convert.h"
#include "ecf8/Codec/Decoder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <queue>
#include <string>

using namespace ecf8::bench;

namespace {

using Json = nlohmann::ordered_json;

/// Per cent of the exponent fields 0 to 15.
using Histogram = std::vector<double>;

const Histogram likeDeepSeek = {0.15, 0.15, 0.15, 0.2, 0.25, 0.35, 0.55, 0.9, 1.7, 3.4, 6.7, 12.6, 22, 24.6, 23.4, 2.9};

/// Of a published histogram by floor(log2 |w|). The greatest magnitude becomes the exponent field 15, and what lies
/// more than 15 below it the field 0.
Histogram histogramOf(const Json &model) {
  std::map<int, double> percents;
  for (const auto &[key, percent] : model["percent_by_log2_magnitude"].items())
    percents[std::stoi(key)] = percent.get<double>();
  Histogram weights(16, 0);
  for (auto [log2, percent] : percents)
    weights[size_t(std::max(0, 15 - (percents.rbegin()->first - log2)))] += percent;
  return weights;
}

/// Weights with such exponents, signs and mantissas drawn uniformly.
Bytes drawnFrom(const Histogram &weights, Shape shape) {
  std::vector<double> cumulative;
  double total = 0;
  for (double weight : weights)
    cumulative.push_back(total += weight);
  Random random;
  Bytes bytes(shape.rows * shape.columns);
  for (uint8_t &byte : bytes) {
    auto exponent = std::upper_bound(cumulative.begin(), cumulative.end() - 1, random.uniform() * total);
    byte = uint8_t((exponent - cumulative.begin()) << 3 | (random.bits() & 0x87));
  }
  return bytes;
}

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "ecf8-bench-size: %s\n", message.c_str());
  std::exit(1);
}

/// The least that the format of the paper's authors takes for a tensor by itself, from its published description
/// (arXiv 2510.02676, and dfloat/utils.py of github.com/zeyuyang8/ecf8). Its lower bounds are taken where the
/// description leaves a choice, and neither names nor shapes nor the pickled metadata count.
uint64_t officialBytesAtLeast(const ecf8::TensorStats &stats) {
  // One Huffman code for the exponents and an end mark: without a limit of its lengths, so at most what any code takes.
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> weights;
  weights.push(1);
  for (uint64_t count : stats.symbolCounts)
    if (count != 0)
      weights.push(count);
  uint64_t bits = 0;
  while (weights.size() > 1) {
    uint64_t pair = weights.top();
    weights.pop();
    pair += weights.top();
    weights.pop();
    weights.push(pair);
    bits += pair;
  }
  uint64_t encoded = (bits + 7) / 8, threads = (encoded + 7) / 8, blocks = (threads + 511) / 512;
  uint64_t rests = (stats.elementCount + 1) / 2; // packed_other_4bits: sign and mantissa
  uint64_t gaps = (threads + 1) / 2;             // 4 bits for each thread, which decodes 8 bytes
  uint64_t positions = 8 * (blocks + 1); // output_positions: a 64-bit number for each 512 threads, and the total
  uint64_t tables = 2 * 256;             // luts: one prefix at least, and the lengths
  return encoded + rests + gaps + positions + tables;
}

/// Calls `make`, which gives a payload, and returns the payload and the GB of weights per second of processor time.
template <typename Make> std::pair<Bytes, double> timed(size_t elementCount, const Make &make) {
  std::clock_t begin = std::clock();
  ecf8::Result<Bytes> payload = make();
  double seconds = double(std::clock() - begin) / CLOCKS_PER_SEC;
  if (!payload)
    fail(payload.status().message());
  return {payload.take(), double(elementCount) / seconds / 1e9};
}

std::string nameOf(const ecf8::EncodeOptions &options) {
  if (options.order != ecf8::Order::Mma)
    return std::string(ecf8::getName(options.encoding));
  return options.group == 4 ? "quads" : options.group == 2 ? "pairs" : "classic";
}

/// One row of the report: what `ecf8-pack compress` writes, by --for=storage.
Json measureStorage(const std::string &source, Shape shape, const Bytes &elements) {
  uint64_t dims[] = {shape.rows, shape.columns};
  ecf8::TensorStats stats = ecf8::collectStats(ecf8::ElementType::F8E4M3FN, elements);
  auto [payload, encodeSpeed] =
      timed(elements.size(), [&] { return ecf8::encodeForStorage(ecf8::ElementType::F8E4M3FN, dims, elements); });
  auto decoded = ecf8::decode(payload);
  if (!decoded || *decoded != elements)
    fail("expected the payload of '" + source + "' to decode to its elements");
  double bits = 8.0 * double(payload.size()) / double(elements.size());
  ecf8::Header header = ecf8::readPayload(payload)->header;
  return {{"source", source},
          {"shape", {shape.rows, shape.columns}},
          {"encoding", "storage"},
          {"chosen", std::string(ecf8::getName(header.encoding)) + ", group " + std::to_string(header.group)},
          {"payload_bytes", payload.size()},
          {"official_format_bytes_at_least", officialBytesAtLeast(stats)},
          {"bits_per_weight", bits},
          {"exponent_entropy_bits", stats.exponentEntropy},
          {"byte_entropy_bits", stats.byteEntropy},
          {"bits_above_4_plus_exponent_entropy", bits - stats.entropyBound()},
          {"encode_gb_per_cpu_second", encodeSpeed}};
}

/// One row of the report.
Json measure(const std::string &source, Shape shape, const Bytes &elements, const ecf8::EncodeOptions &options) {
  uint64_t dims[] = {shape.rows, shape.columns};
  ecf8::TensorStats stats = ecf8::collectStats(ecf8::ElementType::F8E4M3FN, elements);
  auto [payload, encodeSpeed] =
      timed(elements.size(), [&] { return ecf8::encode(options, ecf8::ElementType::F8E4M3FN, dims, elements); });
  auto decoded = ecf8::decode(payload);
  if (!decoded || *decoded != elements)
    fail("expected the payload of '" + source + "' to decode to its elements");
  double bits = 8.0 * double(payload.size()) / double(elements.size());
  Json row = {{"source", source},
              {"shape", {shape.rows, shape.columns}},
              {"encoding", nameOf(options)},
              {"max_code_length", options.maxCodeLength},
              {"tile_columns", options.tileColumns},
              {"payload_bytes", payload.size()},
              {"bits_per_weight", bits},
              {"exponent_entropy_bits", stats.exponentEntropy},
              {"byte_entropy_bits", stats.byteEntropy},
              {"bits_above_4_plus_exponent_entropy", bits - stats.entropyBound()},
              {"encode_gb_per_cpu_second", encodeSpeed}};
  if (options.encoding == ecf8::Encoding::Planes) { // to huffman and back
    auto [huffman, toHuffman] = timed(
        elements.size(), [&] { return ecf8::reencode(*ecf8::readPayload(payload), ecf8::EncodeOptions::huffman()); });
    auto [planes, fromHuffman] =
        timed(elements.size(), [&] { return ecf8::reencode(*ecf8::readPayload(huffman), options); });
    if (planes != payload)
      fail("expected '" + source + "' to be the same payload after re-encoding");
    row["huffman_to_planes_gb_per_cpu_second"] = fromHuffman;
    row["planes_to_huffman_gb_per_cpu_second"] = toHuffman;
  }
  return row;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2)
    fail("usage: ecf8-bench-size STATISTICS.json");
  std::ifstream file(argv[1]);
  Json statistics = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (statistics.is_discarded())
    fail(std::string(argv[1]) + ": expected a JSON file of checkpoint statistics");

  Json rows = Json::array();
  for (const ecf8::EncodeOptions &options :
       {ecf8::EncodeOptions::huffman(8), ecf8::EncodeOptions::huffman(7), ecf8::EncodeOptions::planes(),
        ecf8::EncodeOptions::quads(11), ecf8::EncodeOptions::quads(10), ecf8::EncodeOptions::pairs(12),
        ecf8::EncodeOptions::pairs(10), ecf8::EncodeOptions::classic(8)}) {
    // Payloads of one million weights and more.
    for (Shape shape : {Shape{1024, 1024}, Shape{4096, 4096}, Shape{2048, 7168}, Shape{896, 7168}})
      rows.push_back(
          measure("Gaussian, 128x128 blocks scaled to 448", shape, gaussianScaled(shape, {128, 128}), options));
    for (const Json &model : statistics["models"])
      for (Shape shape : {Shape{1024, 1024}, Shape{4096, 4096}})
        rows.push_back(measure(model["name"].get<std::string>(), shape, drawnFrom(histogramOf(model), shape), options));
    rows.push_back(
        measure("exponents like DeepSeek-V3.1", {4096, 4096}, drawnFrom(likeDeepSeek, {4096, 4096}), options));
    // The linear layers of MiniLM.
    for (Shape shape : {Shape{384, 384}, Shape{1536, 384}, Shape{384, 1536}})
      rows.push_back(
          measure("Gaussian, rows scaled to 448", shape, gaussianScaled(shape, {1, shape.columns}), options));
  }
  // From a tensor of one tile on.
  for (Shape shape : {Shape{64, 64}, Shape{128, 128}, Shape{256, 256}, Shape{384, 384}, Shape{1024, 1024},
                      Shape{2048, 2048}, Shape{4096, 4096}, Shape{2048, 7168}, Shape{896, 7168}, Shape{1, 7168}})
    rows.push_back(measureStorage("Gaussian, rows scaled to 448", shape, gaussianScaled(shape, {1, shape.columns})));
  for (Shape shape : {Shape{384, 384}, Shape{4096, 4096}})
    rows.push_back(measureStorage("Gaussian, standard deviation 0.02, cast without a scale", shape,
                                  gaussianCast(shape, /*deviation=*/0.02)));
  for (const Json &model : statistics["models"])
    for (Shape shape : {Shape{384, 384}, Shape{1024, 1024}, Shape{4096, 4096}})
      rows.push_back(measureStorage(model["name"].get<std::string>(), shape, drawnFrom(histogramOf(model), shape)));
  Json report = {{"benchmark", "size"},
                 {"statistics_source", statistics["source"]},
                 {"note", "checkpoint rows draw exponents from the published histogram of log2 magnitudes, signs and "
                          "mantissas uniformly: the sizes are of those draws, not of the checkpoints; "
                          "official_format_bytes_at_least is a lower bound of what the format of the paper's authors "
                          "takes for the same bytes, computed from its published description (size.cpp)"},
                 {"rows", rows}};
  std::printf("%s\n", report.dump(1).c_str());
  return 0;
}
