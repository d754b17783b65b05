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

Result<std::vector<GpuWeight>> describeForGpu(ArrayRef<ModuleWeight> weights, ArrayRef<EncodedWeight> encoded) {
  std::vector<GpuWeight> described(weights.size());
  for (auto [weight, code, result] : zip_equal(weights, encoded, described)) {
    if (!code.encoding)
      continue;
    ByteSpan bytes = getStoredBytes(weight, code);
    Result<::ecf8::Payload> payload = ::ecf8::readPayload(bytes);
    if (!payload)
      return payload.status().in("weight '" + weight.name + "'");
    result.bundled.emplace();
    result.bundled->layout = toHex(ArrayRef<uint8_t>(bytes.data(), bytes.size()).slice(40, 12), /*LowerCase=*/true);
    result.bundled->slotBytes = ::ecf8::getLongestStreamBytes(*payload);
    result.table = ::ecf8::buildSegmentTable(payload->header);
  }
  return described;
}

std::string getKernelsMark(ArrayRef<GpuWeight> described) {
  std::string text;
  for (const GpuWeight &weight : described)
    text += (weight.bundled ? weight.bundled->layout + " " + std::to_string(weight.bundled->slotBytes) : "") + "\n";
  ByteSpan bytes(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  return "ecf8_weights_" + ::ecf8::hashToHex(::ecf8::hashBytes(bytes));
}

void addGpuTables(ArrayRef<GpuWeight> described, std::vector<BundleWeight> &weights) {
  StringSet<> names;
  for (const BundleWeight &weight : weights)
    names.insert(weight.name);
  for (auto [index, gpu] : enumerate(described)) {
    weights[index].gpu = gpu.bundled;
    if (gpu.table.empty())
      continue;
    BundleWeight entry;
    entry.name = weights[index].name + ".ecf8_table";
    while (!names.insert(entry.name).second)
      entry.name += "_";
    entry.dtype = "i32";
    entry.shape = {static_cast<int64_t>(gpu.table.size())};
    entry.content = {reinterpret_cast<const uint8_t *>(gpu.table.data()), gpu.table.size() * 4};
    weights[index].gpu->table = weights.size();
    weights.push_back(std::move(entry));
  }
}

} // namespace mlir::ecf8
