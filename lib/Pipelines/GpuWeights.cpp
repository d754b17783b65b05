#include "GpuWeights.h"

#include "ecf8/Codec/Segments.h"
#include "ecf8/Support/Hash.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using ::ecf8::ByteSpan;
using ::ecf8::Result;
using ::ecf8::Status;

namespace mlir::ecf8 {

Result<BundleGpuWeight> describeForGpu(ByteSpan bytes) {
  Result<::ecf8::Payload> payload = ::ecf8::readPayload(bytes);
  if (!payload)
    return payload.status();
  BundleGpuWeight weight;
  weight.layout = toHex(ArrayRef<uint8_t>(bytes.data(), bytes.size()).slice(40, 12), /*LowerCase=*/true);
  weight.slotBytes = ::ecf8::getLongestStreamBytes(*payload);
  return weight;
}

std::string getKernelsMark(ArrayRef<std::optional<BundleGpuWeight>> weights) {
  std::string text;
  for (const std::optional<BundleGpuWeight> &weight : weights)
    text += (weight ? weight->layout + " " + std::to_string(weight->slotBytes) : "") + "\n";
  ByteSpan bytes(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  return "ecf8_weights_" + ::ecf8::hashToHex(::ecf8::hashBytes(bytes));
}

Status addGpuTables(ArrayRef<EncodedWeight> encoded, std::vector<BundleWeight> &weights,
                    std::vector<std::vector<uint32_t>> &tables) {
  StringSet<> names;
  for (const BundleWeight &weight : weights)
    names.insert(weight.name);
  tables.reserve(weights.size()); // contents stay where they are
  const size_t count = weights.size();
  for (size_t index = 0; index < count; ++index) {
    if (!encoded[index].encoding)
      continue;
    Result<::ecf8::Payload> payload = ::ecf8::readPayload(weights[index].content);
    Result<BundleGpuWeight> described = describeForGpu(weights[index].content);
    if (!payload || !described)
      return (payload ? described.status() : payload.status()).in("weight '" + weights[index].name + "'");
    BundleGpuWeight gpu = described.take();
    if (std::vector<uint32_t> table = ::ecf8::buildSegmentTable(payload->header); !table.empty()) {
      BundleWeight entry;
      entry.name = weights[index].name + ".ecf8_table";
      while (!names.insert(entry.name).second)
        entry.name += "_";
      tables.push_back(std::move(table));
      entry.dtype = "i32";
      entry.shape = {static_cast<int64_t>(tables.back().size())};
      entry.content = {reinterpret_cast<const uint8_t *>(tables.back().data()), tables.back().size() * 4};
      gpu.table = weights.size();
      weights.push_back(std::move(entry));
    }
    weights[index].gpu = std::move(gpu);
  }
  return Status::ok();
}

} // namespace mlir::ecf8
