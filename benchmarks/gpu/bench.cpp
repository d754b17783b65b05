// Generated kernels on a GPU: whole decode and contractions for quads, pairs and raw, with activations in f16 (W8A16)
// and FP8 (W8A8), checked and timed. Prints JSON.
//
//   ecf8-bench-gpu FOLDER TILE_COLUMNS check | ROWS COLUMNS
//
// FOLDER holds raw-kernels.ptx, raw-w8a8.ptx and the same for quads and pairs (benchmarks/gpu/run.py makes them); those
// for W8A8 may be missing. `check` compares results for ragged shapes and all values; with a shape the kernels are
// timed on Gaussian weights of it.
#include "Gpu.h"

#include "../codec/Weights.h"
#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/KernelPart.h"
#include "ecf8/Codec/Segments.h"
#include "nlohmann/json.hpp"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <thread>

using namespace ecf8;
using namespace ecf8::bench;

namespace {

struct Encoded {
  std::string name;
  Header header;
  Bytes payload;
  std::vector<uint32_t> table;
  KernelPart part = {}; ///< all of it

  /// As in the names of kernels.
  std::string mangledName() const {
    std::string layout =
        header.hasCodes() ? "huffman_mma_g" + std::to_string(header.group) + "_L" + std::to_string(header.maxCodeLength)
                          : "raw_mma";
    return layout + "_S" + std::to_string(header.tileColumns) + "_f8E4M3FN";
  }
};

Encoded encodeAs(const std::string &name, const EncodeOptions &options, ElementType type, Shape shape,
                 const Bytes &weights) {
  Encoded result{name, {}, {}, {}, {}};
  uint64_t dims[] = {shape.rows, shape.columns};
  auto payload = encode(options, type, dims, weights, std::thread::hardware_concurrency());
  require(payload.status());
  result.payload = payload.take();
  auto read = readPayload(result.payload);
  require(read.status());
  result.header = read->header;
  result.table = buildSegmentTable(result.header);
  result.part = describeWhole(*read);
  return result;
}

/// A way to multiply: the activations, and whether sums of 128 x 128 weights are scaled.
struct Path {
  std::string name, program;
  bool isFP8, isScaled;

  std::string kernelSuffix() const {
    return std::string(isFP8 ? "f8E4M3FN" : "f16") + (isScaled ? "_f32blocks_sums" : "");
  }
};

const Path kPaths[] = {{"contract_f16", "kernels", false, false},
                       {"contract_f8E4M3FN", "w8a8", true, false},
                       {"contract_f8E4M3FN_blocks", "w8a8", true, true}};
constexpr uint32_t kScaleBlock = 128;

/// A weight on the GPU, `copies` times, so that none stays in the cache.
class DeviceWeight {
public:
  DeviceWeight(Gpu &gpu, const Encoded &encoded, unsigned copies) : gpu(gpu), encoded(encoded), part(encoded.part) {
    payloads.push_back(gpu.upload(encoded.payload.data(), encoded.payload.size()));
    while (payloads.size() < copies)
      payloads.push_back(gpu.copy(payloads[0], encoded.payload.size()));
    table = encoded.table.empty() ? payloads[0] : gpu.upload(encoded.table.data(), encoded.table.size() * 4);
    rows = uint32_t(encoded.header.shape.rows), columns = uint32_t(encoded.header.shape.columns);
  }
  ~DeviceWeight() {
    for (cuda::Address payload : payloads)
      gpu.free(payload);
    if (!encoded.table.empty())
      gpu.free(table);
  }

  unsigned tiles() const { return (rows + 15) / 16 * ((columns + tileColumns() - 1) / tileColumns()); }
  unsigned tileColumns() const { return encoded.header.tileColumns; }

  void decode(unsigned copy, cuda::Address out) {
    uint64_t stride = columns;
    std::vector<void *> arguments = weightArguments(copy);
    arguments.insert(arguments.end(), {&out, &stride});
    launch("kernels", "ecf8_decode_" + encoded.mangledName(), tableBytes(), 16 * (128 + 16), 1, 1, arguments);
  }

  void contract(unsigned copy, const Path &path, cuda::Address x, uint32_t count, cuda::Address out,
                cuda::Address scales, cuda::Address partials, cuda::Address counters) {
    unsigned blocks = blocksFor(path, count);
    uint64_t xStride = columns, outStride = rows, scaleStride = (columns + kScaleBlock - 1) / kScaleBlock;
    uint32_t block = kScaleBlock, reciprocal = getGroupReciprocal(block);
    std::vector<void *> arguments = weightArguments(copy);
    arguments.insert(arguments.end(), {&x, &xStride, &count, &out, &outStride});
    if (path.isScaled)
      arguments.insert(arguments.end(), {&scales, &scaleStride, &block, &reciprocal});
    arguments.insert(arguments.end(), {&partials, &counters});
    launch(path.program,
           "ecf8_contract_" + encoded.mangledName() + "_" + path.kernelSuffix() + "_n" + std::to_string(8 * blocks),
           fixedBytes(path, blocks), 0, (count + 8 * blocks - 1) / (8 * blocks), path.isFP8 ? 4 : 1, arguments);
  }

  Gpu &gpu;
  const Encoded &encoded;
  std::vector<cuda::Address> payloads;
  cuda::Address table;
  uint32_t rows, columns;

private:
  KernelPart part;
  cuda::Address plane, codes, tileTable; ///< of the copy that is used
  uint32_t tableBytes() const { return uint32_t(encoded.table.size() * 4); }
  std::vector<void *> weightArguments(unsigned copy) {
    cuda::Address payload = payloads[copy % payloads.size()];
    plane = payload + part.planeOffset, codes = payload + part.codesOffset, tileTable = payload + part.tileTableOffset;
    return {&plane,           &codes,
            &tileTable,       &table,
            &part.rows,       &part.columns,
            &part.rowTiles,   &part.chunks,
            &part.stripTiles, &part.stripGroups,
            &part.slotBytes,  &part.exponentOffset,
            &part.hasNaN};
  }
  std::string moduleOf(const std::string &program) const { return encoded.name + "-" + program; }
  /// docs/guides/gpu.md: table and activations in shared memory.
  unsigned fixedBytes(const Path &path, unsigned blocks) const {
    unsigned activations = 8 * blocks * (path.isFP8 ? tileColumns() + 16 : 2 * tileColumns() + 32);
    return (path.isFP8 ? (tableBytes() + 1023) / 1024 * 1024 : tableBytes()) + activations;
  }
  unsigned warpsBeside(unsigned fixedBytes, unsigned warpBytes, unsigned multiple) const {
    if (unsigned(gpu.sharedBytes) < fixedBytes)
      return 0;
    unsigned perWarp = warpBytes + 2 * part.slotBytes;
    return (perWarp ? std::min(16u, (gpu.sharedBytes - fixedBytes) / perWarp) : 16) / multiple * multiple;
  }
  /// For how many blocks of 8 rows of activations the kernel is: the fewest passes for the warps of a block.
  unsigned blocksFor(const Path &path, uint32_t count) const {
    unsigned best = 1, bestPasses = ~0u, bestWarps = 0;
    for (unsigned blocks : {1, 2, 4, 8}) {
      unsigned passes = (count + 8 * blocks - 1) / (8 * blocks);
      unsigned warps = warpsBeside(fixedBytes(path, blocks), 0, path.isFP8 ? 4 : 1);
      if (warps && (!bestWarps || passes * bestWarps < bestPasses * warps))
        best = blocks, bestPasses = passes, bestWarps = warps;
    }
    return best;
  }
  void launch(const std::string &program, const std::string &kernel, unsigned fixedBytes, unsigned warpBytes,
              unsigned gridY, unsigned warpMultiple, const std::vector<void *> &arguments) {
    unsigned perWarp = warpBytes + 2 * part.slotBytes, warps = warpsBeside(fixedBytes, warpBytes, warpMultiple);
    unsigned grid = std::min<unsigned>(tiles(), gpu.processors);
    gpu.launch({gpu.find(moduleOf(program), kernel), grid, gridY, warps * 32, fixedBytes + warps * perWarp}, arguments);
  }
};

std::vector<Encoded> encodeAll(Shape shape, const Bytes &weights, uint32_t tileColumns) {
  ElementType type = ElementType::F8E4M3FN;
  std::vector<Encoded> all;
  all.push_back(encodeAs("raw", EncodeOptions::rawMma(tileColumns), type, shape, weights));
  all.push_back(encodeAs("quads", EncodeOptions::quads(11, tileColumns), type, shape, weights));
  all.push_back(encodeAs("pairs", EncodeOptions::pairs(12, tileColumns), type, shape, weights));
  return all;
}

double valueOf(uint8_t byte) {
  int exponent = byte >> 3 & 15, mantissa = byte & 7;
  double value = exponent ? std::ldexp(8 + mantissa, exponent - 10) : std::ldexp(mantissa, -9);
  if ((byte & 0x7F) == 0x7F)
    value = NAN;
  return byte & 0x80 ? -value : value;
}

/// An f16 that is a multiple of 1/8 below 1.
uint16_t halfOf(int eighths) {
  if (eighths == 0)
    return 0;
  int magnitude = std::abs(eighths), exponent = 31 - __builtin_clz(magnitude);
  return uint16_t((eighths < 0 ? 0x8000 : 0) | (exponent - 3 + 15) << 10 | (magnitude << (10 - exponent) & 0x3FF));
}

/// An E4M3 that is a multiple of 1/8 below 1.
uint8_t byteOf(int eighths) {
  if (eighths == 0)
    return 0;
  int magnitude = std::abs(eighths), exponent = 31 - __builtin_clz(magnitude);
  return uint8_t((eighths < 0 ? 0x80 : 0) | (exponent - 3 + 7) << 3 | (magnitude << (3 - exponent) & 7));
}

struct Activations {
  std::vector<int> eighths;
  std::vector<uint16_t> f16;
  std::vector<uint8_t> fp8;
  Activations(uint64_t count) {
    Random random;
    for (uint64_t i = 0; i < count; ++i) {
      eighths.push_back(int(random.bits() % 15) - 7);
      f16.push_back(halfOf(eighths.back()));
      fp8.push_back(byteOf(eighths.back()));
    }
  }
  const void *data(const Path &path) const { return path.isFP8 ? (const void *)fp8.data() : f16.data(); }
  static size_t bytes(const Path &path, uint64_t count) { return count * (path.isFP8 ? 1 : 2); }
};

/// Scales of blocks of 128 x 128 weights: powers of two.
std::vector<float> scalesOf(Shape shape) {
  std::vector<float> scales((shape.rows + kScaleBlock - 1) / kScaleBlock *
                            ((shape.columns + kScaleBlock - 1) / kScaleBlock));
  for (size_t i = 0; i < scales.size(); ++i)
    scales[i] = std::ldexp(1.0f, int(i % 5) - 2);
  return scales;
}

struct Scratch {
  Scratch(Gpu &gpu, Shape shape, uint32_t count)
      : gpu(gpu),
        partials(gpu.allocate((shape.rows / 16 + 1) * (shape.columns / 128 + 1) * ((count + 7) / 8 + 8) * 512)),
        counterBytes((shape.rows / 16 + 1) * (count / 8 + 1) * 4), counters(gpu.allocate(counterBytes)) {
    gpu.fill(counters, 0, counterBytes);
  }
  ~Scratch() {
    gpu.free(partials);
    gpu.free(counters);
  }
  Gpu &gpu;
  cuda::Address partials;
  size_t counterBytes;
  cuda::Address counters;
};

std::vector<float> contractOnce(Gpu &gpu, DeviceWeight &weight, const Path &path, const Activations &activations,
                                uint32_t count) {
  Shape shape{weight.rows, weight.columns};
  Scratch scratch(gpu, shape, count);
  cuda::Address x = gpu.upload(activations.data(path), Activations::bytes(path, uint64_t(count) * weight.columns));
  std::vector<float> result(size_t(count) * weight.rows, 1.0f), scaleValues = scalesOf(shape);
  cuda::Address out = gpu.upload(result.data(), result.size() * 4);
  cuda::Address scales = gpu.upload(scaleValues.data(), scaleValues.size() * 4);
  weight.contract(0, path, x, count, out, scales, scratch.partials, scratch.counters);
  gpu.download(result.data(), out, result.size() * 4);
  gpu.free(x), gpu.free(out), gpu.free(scales);
  return result;
}

/// The largest difference from plain C++ as a part of the sum of magnitudes, over some rows.
double worstError(const std::vector<float> &result, Shape shape, const Bytes &weights, const Path &path,
                  const Activations &activations, uint32_t count) {
  std::vector<float> scales = scalesOf(shape);
  uint64_t scaleStride = (shape.columns + kScaleBlock - 1) / kScaleBlock;
  double worst = 0;
  for (uint64_t row = 0; row < shape.rows; row += std::max<uint64_t>(1, shape.rows / 37))
    for (uint32_t m = 0; m < count; ++m) {
      double sum = 1, sizes = 1;
      for (uint64_t k = 0; k < shape.columns; ++k) {
        double scale = path.isScaled ? scales[row / kScaleBlock * scaleStride + k / kScaleBlock] : 1;
        double product =
            valueOf(weights[row * shape.columns + k]) * scale * activations.eighths[m * shape.columns + k] / 8;
        sum += product, sizes += std::fabs(product);
      }
      double got = result[m * shape.rows + row];
      worst = std::max(worst, std::isnan(sum) != std::isnan(got) ? 1e9
                              : std::isnan(sum)                  ? 0
                                                                 : std::fabs(got - sum) / sizes);
    }
  return worst;
}

nlohmann::json check(Gpu &gpu, uint32_t tileColumns) {
  nlohmann::json results = nlohmann::json::array();
  for (Shape shape :
       {Shape{1, 1}, Shape{17, 129}, Shape{576, 1000}, Shape{64, 1152}, Shape{2304, 4096}, Shape{100, 9216}}) {
    Bytes weights = gaussianScaled(shape, {128, 128});
    for (size_t i = 0; i < weights.size() && i < 65536; ++i)
      if (shape.rows == 576)
        weights[i] = uint8_t(i);
    const uint32_t most = 70;
    Activations activations(most * shape.columns);
    std::map<std::string, std::vector<float>> raw;
    for (const Encoded &encoded : encodeAll(shape, weights, tileColumns)) {
      DeviceWeight weight(gpu, encoded, 1);
      Bytes decoded(weights.size());
      cuda::Address out = gpu.allocate(decoded.size());
      gpu.fill(out, 0xA5, decoded.size());
      weight.decode(0, out);
      gpu.download(decoded.data(), out, decoded.size());
      gpu.free(out);
      nlohmann::json entry = {{"rows", shape.rows}, {"columns", shape.columns}, {"encoding", encoded.name}};
      entry["decoded_is_equal"] = decoded == weights;
      for (const Path &path : kPaths)
        for (uint32_t count : {1u, 7u, 16u, 33u, most}) {
          if (!gpu.has(encoded.name + "-" + path.program))
            continue;
          std::vector<float> result = contractOnce(gpu, weight, path, activations, count);
          std::string key = path.name + "_M" + std::to_string(count);
          if (encoded.name == "raw")
            raw[key] = result;
          entry[key + "_is_raw"] = std::memcmp(raw[key].data(), result.data(), result.size() * 4) == 0;
          entry[key + "_error"] = worstError(result, shape, weights, path, activations, count);
        }
      results.push_back(entry);
      std::cerr << entry.dump() << std::endl;
    }
  }
  return results;
}

nlohmann::json measure(Gpu &gpu, Shape shape, uint32_t tileColumns) {
  const uint64_t count = shape.rows * shape.columns;
  const unsigned copies = unsigned(std::clamp<uint64_t>(300'000'000 / count + 1, 2, 20)), runs = 40;
  Bytes weights = gaussianScaled(shape, {128, 128});
  const uint32_t most = 1024;
  Activations activations(most * shape.columns);
  cuda::Address x = gpu.upload(activations.f16.data(), activations.f16.size() * 2);
  cuda::Address x8 = gpu.upload(activations.fp8.data(), activations.fp8.size());
  std::vector<float> scaleValues = scalesOf(shape);
  cuda::Address scales = gpu.upload(scaleValues.data(), scaleValues.size() * 4);
  cuda::Address out = gpu.allocate(std::max<uint64_t>(count, most * shape.rows * 4));
  Scratch scratch(gpu, shape, most);
  nlohmann::json results = nlohmann::json::array();
  for (const Encoded &encoded : encodeAll(shape, weights, tileColumns)) {
    DeviceWeight weight(gpu, encoded, copies);
    auto add = [&](const std::string &kernel, uint32_t m, double microseconds) {
      nlohmann::json entry = {{"encoding", encoded.name},
                              {"kernel", kernel},
                              {"rows", shape.rows},
                              {"columns", shape.columns},
                              {"bits_per_weight", 8.0 * encoded.payload.size() / count},
                              {"microseconds", microseconds},
                              {"terabytes_per_second", count / microseconds / 1e6}};
      if (m)
        entry["M"] = m;
      results.push_back(entry);
      std::cerr << entry.dump() << std::endl;
    };
    add("decode", 0, gpu.time([&](unsigned i) { weight.decode(i, out); }, runs));
    for (const Path &path : kPaths)
      for (uint32_t m : {1u, 8u, 16u, 32u, 64u, 256u, most})
        if (gpu.has(encoded.name + "-" + path.program))
          add(path.name, m,
              gpu.time(
                  [&](unsigned i) {
                    weight.contract(i, path, path.isFP8 ? x8 : x, m, out, scales, scratch.partials, scratch.counters);
                  },
                  runs));
  }
  gpu.free(x), gpu.free(x8), gpu.free(scales), gpu.free(out);
  return results;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: ecf8-bench-gpu FOLDER TILE_COLUMNS check | ROWS COLUMNS\n";
    return 1;
  }
  Gpu gpu;
  for (std::string name : {"raw", "quads", "pairs"})
    for (std::string program : {"-kernels", "-w8a8"}) {
      std::string path = argv[1] + ("/" + name + program + ".ptx");
      if (program == "-kernels" || std::filesystem::exists(path))
        gpu.load(name + program, path);
    }
  auto number = [&](int index) { return std::strtoull(argv[index], nullptr, 10); };
  uint32_t tileColumns = uint32_t(number(2));
  nlohmann::json report = {{"device", gpu.name}, {"driver", gpu.driverVersion}, {"processors", gpu.processors}};
  report["tile_columns"] = tileColumns;
  report["results"] = argc == 4 ? check(gpu, tileColumns) : measure(gpu, {number(3), number(4)}, tileColumns);
  std::cout << report.dump(1) << "\n";
  return 0;
}
