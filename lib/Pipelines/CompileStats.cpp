// Prints the figures of a compilation.
#include "ecf8/Pipelines/CompileStats.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace mlir::ecf8 {

void CompileStats::addWeights(const std::vector<ModuleWeight> &moduleWeights,
                              const std::vector<EncodedWeight> &encodedWeights) {
  for (auto [weight, encoded] : zip_equal(moduleWeights, encodedWeights)) {
    GlobalOp global = weight.global;
    RankedTensorType type = global.getDecodedType();
    WeightStats stats;
    stats.name = weight.name;
    stats.dtype = weight.dtype;
    stats.shape = weight.getContentShape();
    stats.elementCount = type.getNumElements();
    stats.plainBytes = stats.elementCount * ((type.getElementTypeBitWidth() + 7) / 8);
    stats.storedBytes = getStoredBytes(weight, encoded).size();
    stats.codec = "none";
    if (encoded.encoding)
      stats.codec = ::ecf8::getName(::ecf8::Encoding(encoded.encoding.getEncodingNumber()));
    if (encoded.encoding)
      raw_string_ostream(stats.encoding) << encoded.encoding;
    stats.reason = encoded.reason;
    stats.isFP8 = CompressedType::isValidElementType(type.getElementType());
    if (encoded.stats && stats.elementCount != 0)
      stats.entropyBits = encoded.stats->entropyBound();
    weights.push_back(std::move(stats));
  }
}

CompileStats::Total CompileStats::sum(bool onlyFP8) const {
  Total total;
  double bits = 0;
  uint64_t counted = 0;
  for (const WeightStats &weight : weights) {
    if (onlyFP8 && !weight.isFP8)
      continue;
    ++total.count;
    total.elementCount += weight.elementCount;
    total.plainBytes += weight.plainBytes;
    total.storedBytes += weight.storedBytes;
    if (weight.entropyBits) {
      bits += *weight.entropyBits * weight.elementCount;
      counted += weight.elementCount;
    }
  }
  if (counted != 0)
    total.entropyBits = bits / counted;
  return total;
}

static std::string printShape(ArrayRef<int64_t> shape) {
  return shape.empty() ? "scalar" : join(map_range(shape, [](int64_t dim) { return std::to_string(dim); }), "x");
}

static std::string printBits(std::optional<double> bits) { return bits ? formatv("{0:f3}", *bits).str() : "-"; }

static std::string printSaved(uint64_t before, uint64_t after) {
  return before == 0 ? "-" : formatv("{0:f1} %", 100.0 - 100.0 * after / before).str();
}

/// How many contractions decode, which `remarks` know.
void CompileStats::printFusion(raw_ostream &stream) const {
  auto count = [&](StringRef name) {
    return count_if(remarks, [&](const CompileRemark &r) { return r.pass == "ecf8-fuse-decode" && r.name == name; });
  };
  const auto fused = count("Fused"), whole = count("NotFused");
  if (fused + whole == 0)
    return;
  stream << "contractions that decode their weight: " << fused << "; weights that are decoded as a whole: " << whole;
  stream << (whole == 0 ? "\n" : " (--remarks=missed says why)\n");
}

void CompileStats::printTable(raw_ostream &stream) const {
  // name, shape, dtype, bytes before, after, saved, bits per weight, bound, codec, remark
  using Row = std::array<std::string, 10>;
  std::vector<Row> rows = {
      {"weight", "shape", "dtype", "bytes", "stored", "saved", "bits/weight", "bound", "codec", "not smaller because"}};
  for (const WeightStats &weight : weights)
    rows.push_back({weight.name, printShape(weight.shape), weight.dtype, std::to_string(weight.plainBytes),
                    std::to_string(weight.storedBytes), printSaved(weight.plainBytes, weight.storedBytes),
                    printBits(weight.elementCount ? std::optional(weight.storedBitsPerWeight()) : std::nullopt),
                    printBits(weight.entropyBits), weight.codec, weight.reason});
  for (bool onlyFP8 : {true, false}) {
    Total total = sum(onlyFP8);
    std::optional<double> bits;
    if (total.elementCount)
      bits = 8.0 * total.storedBytes / total.elementCount;
    rows.push_back({onlyFP8 ? "FP8 weights" : "all weights", std::to_string(total.count) + " tensors", "",
                    std::to_string(total.plainBytes), std::to_string(total.storedBytes),
                    printSaved(total.plainBytes, total.storedBytes), printBits(bits),
                    printBits(onlyFP8 ? total.entropyBits : std::nullopt), "", ""});
  }
  std::array<size_t, 10> widths{};
  for (const Row &row : rows)
    for (auto [width, cell] : zip_equal(widths, row))
      width = std::max(width, cell.size());
  for (const Row &row : rows) {
    std::string line;
    raw_string_ostream text(line);
    for (auto [column, cell] : enumerate(row)) {
      bool isNumber = column >= 3 && column <= 7;
      text << (isNumber ? right_justify(cell, widths[column]) : left_justify(cell, widths[column])) << "  ";
    }
    stream << StringRef(line).rtrim() << "\n";
  }
  printFusion(stream);
  if (bundleBytes != 0)
    stream << "bundle: " << bundleBytes << " bytes\n";
}

void CompileStats::printJson(raw_ostream &output) const {
  json::OStream stream(output, /*IndentSize=*/2);
  auto printOptional = [&](StringRef key, std::optional<double> value) {
    stream.attribute(key, value ? json::Value(*value) : json::Value(nullptr));
  };
  stream.object([&] {
    stream.attributeArray("weights", [&] {
      for (const WeightStats &weight : weights)
        stream.object([&] {
          stream.attribute("name", weight.name);
          stream.attribute("dtype", weight.dtype);
          stream.attribute("shape", json::Array(weight.shape));
          stream.attribute("bytes", weight.plainBytes);
          stream.attribute("stored_bytes", weight.storedBytes);
          printOptional("bits_per_weight",
                        weight.elementCount ? std::optional(weight.storedBitsPerWeight()) : std::nullopt);
          printOptional("entropy_bits_per_weight", weight.entropyBits);
          stream.attribute("codec", weight.codec);
          stream.attribute("encoding", weight.encoding.empty() ? json::Value(nullptr) : json::Value(weight.encoding));
          stream.attribute("reason", weight.reason.empty() ? json::Value(nullptr) : json::Value(weight.reason));
        });
    });
    for (bool onlyFP8 : {true, false})
      stream.attributeObject(onlyFP8 ? "fp8" : "total", [&] {
        Total total = sum(onlyFP8);
        stream.attribute("tensors", total.count);
        stream.attribute("elements", total.elementCount);
        stream.attribute("bytes", total.plainBytes);
        stream.attribute("stored_bytes", total.storedBytes);
        if (!onlyFP8)
          return;
        printOptional("bits_per_weight",
                      total.elementCount ? std::optional(8.0 * total.storedBytes / total.elementCount) : std::nullopt);
        printOptional("entropy_bits_per_weight", total.entropyBits);
      });
    stream.attributeArray("remarks", [&] { mlir::ecf8::printJson(stream, remarks); });
    stream.attribute("bundle_bytes", bundleBytes ? json::Value(bundleBytes) : json::Value(nullptr));
    stream.attributeObject("seconds", [&] {
      for (const Phase &phase : phases)
        stream.attribute(phase.name, phase.seconds);
    });
  });
  output << "\n";
}

} // namespace mlir::ecf8
