// Speed of re-encoding from huffman to planes and back, in GB of FP8 weights per second, with one thread and more.
// Prints JSON.
//
//   ecf8-bench-reencode [THREADS]      the most threads to measure with; two if it is left out
//
// Gaussian weights scaled by blocks. All directions and thread counts run in turn in each round; a figure is the
// median over the rounds. Every result is compared with what `encode` makes of the weights.
#include "Weights.h"

#include "ecf8/Codec/Convert.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace ecf8::bench;

namespace {

using Json = nlohmann::ordered_json;

constexpr int rounds = 7;

struct Direction {
  const char *name;
  const Bytes *from, *expected;
  ecf8::EncodeOptions options;
  unsigned threads;
  std::vector<double> speeds = {};
};

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "ecf8-bench-reencode: %s\n", message.c_str());
  std::exit(1);
}

Bytes encoded(const ecf8::EncodeOptions &options, Shape shape, const Bytes &elements) {
  uint64_t dims[] = {shape.rows, shape.columns};
  auto payload = ecf8::encode(options, ecf8::ElementType::F8E4M3FN, dims, elements);
  if (!payload)
    fail(payload.status().message());
  return payload.take();
}

void measure(Direction &direction, size_t elementCount) {
  auto payload = ecf8::readPayload(*direction.from);
  if (!payload)
    fail(payload.status().message());
  auto begin = std::chrono::steady_clock::now();
  auto result = ecf8::reencode(*payload, direction.options, direction.threads);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (!result)
    fail(result.status().message());
  if (*result != *direction.expected)
    fail(std::string("expected ") + direction.name + " to give the payload that encoding gives");
  direction.speeds.push_back(double(elementCount) / seconds.count() / 1e9);
}

Json measureShape(Shape shape, unsigned mostThreads) {
  Bytes elements = gaussianScaled(shape, {128, 128});
  ecf8::EncodeOptions toHuffman = ecf8::EncodeOptions::huffman(8), toPlanes = ecf8::EncodeOptions::planes();
  Bytes huffman = encoded(toHuffman, shape, elements), planes = encoded(toPlanes, shape, elements);
  std::vector<Direction> directions;
  for (unsigned threads = 1; threads <= mostThreads; threads *= 2) {
    directions.push_back({"huffman to planes", &huffman, &planes, toPlanes, threads});
    directions.push_back({"planes to huffman", &planes, &huffman, toHuffman, threads});
  }
  for (int round = 0; round <= rounds; ++round) // the first one warms up
    for (Direction &direction : directions)
      measure(direction, elements.size());

  Json rows = Json::array();
  for (Direction &direction : directions) {
    std::vector<double> speeds(direction.speeds.begin() + 1, direction.speeds.end());
    std::sort(speeds.begin(), speeds.end());
    rows.push_back({{"shape", {shape.rows, shape.columns}},
                    {"direction", direction.name},
                    {"threads", direction.threads},
                    {"gb_per_second", speeds[speeds.size() / 2]},
                    {"slowest", speeds.front()},
                    {"fastest", speeds.back()}});
  }
  return rows;
}

} // namespace

int main(int argc, char **argv) {
  long mostThreads = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 2;
  if (argc > 2 || mostThreads < 1 || mostThreads > 1024)
    fail("usage: ecf8-bench-reencode [THREADS]");
  Json rows = Json::array();
  for (Shape shape : {Shape{1024, 1024}, Shape{4096, 4096}, Shape{12288, 4096}})
    for (Json &row : measureShape(shape, unsigned(mostThreads)))
      rows.push_back(std::move(row));
  std::printf("%s\n", Json{{"benchmark", "reencode"}, {"rounds", rounds}, {"rows", rows}}.dump(1).c_str());
  return 0;
}
