// Choices, then bytes that are repeated to fill a tensor: encoded and decoded again.
#include "CodecInput.h"

#include "ecf8/Codec/StreamEncoder.h"
#include "ecf8/Codec/Transpose.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

/// `count` elements out of a few bytes. Repeated bytes are few symbols; `isMixed` turns them step by step into others.
std::vector<uint8_t> makeElements(std::span<const uint8_t> bytes, uint64_t count, bool isMixed) {
  std::vector<uint8_t> elements(count);
  for (uint64_t i = 0; i < count && !bytes.empty(); ++i)
    elements[i] = uint8_t(bytes[i % bytes.size()] + (isMixed ? i / bytes.size() * 37 : 0));
  return elements;
}

void checkEstimates(const EncodeOptions &options, const TensorStats &stats, std::span<const uint64_t> dims,
                    const std::vector<uint8_t> &elements, uint64_t payloadBytes) {
  Result<SizeEstimate> estimate = estimatePayloadBytes(options, stats, dims);
  FUZZ_CHECK(estimate.isOk());
  FUZZ_CHECK(estimate->minBytes <= payloadBytes && payloadBytes <= estimate->maxBytes);
  Result<SizeEstimate> raw = estimatePayloadBytes(EncodeOptions::raw(), stats, dims);
  FUZZ_CHECK(raw.isOk() && raw->minBytes == raw->maxBytes);
  Result<std::vector<uint8_t>> smallest = encodeSmallest(options, stats, dims, elements);
  FUZZ_CHECK(smallest.isOk());
  FUZZ_CHECK(smallest->size() == std::min(payloadBytes, raw->maxBytes));
  checkDecodesTo(*smallest, elements);
}

/// The streamed encoder gives the same bytes, whatever its windows.
void checkStreamed(const EncodeOptions &options, ElementType type, std::span<const uint64_t> dims,
                   const std::vector<uint8_t> &elements, const std::vector<uint8_t> &payload,
                   const StreamLimits &limits) {
  MemorySource source(elements);
  Result<StreamEncoder> encoder = StreamEncoder::scan(type, dims, source, limits);
  FUZZ_CHECK(encoder.isOk());
  FUZZ_CHECK(encoder->contentHash() == hashBytes(elements));
  MemorySink sink;
  Result<uint64_t> size = encoder->encode(options, sink);
  FUZZ_CHECK(size.isOk() && *size == payload.size());
  FUZZ_CHECK(std::ranges::equal(std::span(sink.bytes).first(*size), payload));
  MemorySink smallestSink;
  size = encoder->encodeSmallest(options, smallestSink);
  Result<std::vector<uint8_t>> smallest = encodeSmallest(options, collectStats(type, elements), dims, elements);
  FUZZ_CHECK(size.isOk() && smallest.isOk());
  FUZZ_CHECK(std::ranges::equal(std::span(smallestSink.bytes).first(*size), *smallest));
}

/// Estimates for tensors that fit no memory: plausible or refused.
void checkHugeEstimate(const EncodeOptions &options, FuzzInput &input) {
  TensorStats stats;
  stats.elementType = ElementType(input.below(2));
  std::vector<uint64_t> dims = {input.number(5), input.number(4)};
  Result<MatrixShape> shape = getMatrixShape(dims);
  if (!shape)
    return;
  stats.elementCount = shape->elementCount();
  uint64_t left = stats.elementCount;
  const ElementSplit &split = getElementSplit(stats.elementType);
  for (unsigned symbol = 0; symbol + 1 < split.symbolCount && input.below(3) != 0; ++symbol) {
    stats.symbolCounts[symbol] = left / (1 + input.below(4));
    left -= stats.symbolCounts[symbol];
  }
  stats.symbolCounts[split.symbolCount - 1] = left;
  Result<SizeEstimate> estimate = estimatePayloadBytes(options, stats, dims);
  if (!estimate)
    return;
  FUZZ_CHECK(estimate->minBytes <= estimate->maxBytes);
  FUZZ_CHECK(estimate->minBytes / 3 >= stats.elementCount / 8); // 12 bytes for 32 elements of f8E5M2 are the least
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input({data, size});
  EncodeOptions options = drawOptions(input);
  auto type = ElementType(input.below(16) == 0 ? input.below(7) : input.below(2));
  uint64_t modes = input.number(1);
  unsigned threads = unsigned(1 + modes / 32 % 4);
  std::vector<uint64_t> dims = drawShape(input, /*maxElements=*/2000);
  if (modes % 32 == 31) // several threads share the work from 65536 elements on
    dims = {500, 132 + input.below(30)};
  if (modes % 32 == 29) // whole strips of whole cache lines
    dims = {64, 64 * (1 + input.below(6))};
  Result<MatrixShape> shape = getMatrixShape(dims);
  if (modes % 32 == 30) {
    checkHugeEstimate(options, input);
    return 0;
  }
  FUZZ_CHECK(shape.isOk() == (dims.size() <= maxRank));
  if (!shape) {
    FUZZ_CHECK(!encode(options, type, dims, {}).isOk());
    return 0;
  }
  std::vector<uint8_t> elements = makeElements(input.rest(), shape->elementCount(), modes / 128 != 0);

  Result<std::vector<uint8_t>> payload = encode(options, type, dims, elements, threads);
  bool isKnownType = type == ElementType::F8E4M3FN || type == ElementType::F8E5M2;
  FUZZ_CHECK(payload.isOk() == (isKnownType && checkEncodeOptions(options).isOk()));
  if (!payload) {
    FUZZ_CHECK(!payload.status().message().empty());
    TensorStats stats = collectStats(ElementType::F8E4M3FN, elements);
    bool isKnownOption = checkEncodeOptions(options).isOk();
    FUZZ_CHECK(estimatePayloadBytes(options, stats, dims).isOk() == isKnownOption);
    FUZZ_CHECK(encodeSmallest(options, stats, dims, elements).isOk() == isKnownOption);
    return 0;
  }
  checkDecodesTo(*payload, elements);
  forEachInstructionSet([&] {
    Result<std::vector<uint8_t>> single = encode(options, type, dims, elements);
    FUZZ_CHECK(single.isOk() && *single == *payload);
  });
  // With the figures of other elements the payload may be of no use, and nothing else happens.
  std::vector<uint8_t> others = elements;
  for (uint8_t &other : others)
    other &= 0xC7;
  (void)encode(options, collectStats(type, others), dims, elements, threads).isOk();
  Result<std::vector<uint8_t>> stored = encodeForStorage(type, dims, elements, threads);
  FUZZ_CHECK(stored.isOk());
  checkDecodesTo(*stored, elements);
  checkEstimates(options, collectStats(type, elements), dims, elements, payload->size());
  StreamLimits limits;
  limits.threads = threads;
  limits.windowBytes = 1 + modes * 16;
  limits.retainedBytes = modes % 2 == 0 ? 0 : 1 << 20;
  limits.counted = countedFor(options);
  checkStreamed(options, type, dims, elements, *payload, limits);
  FUZZ_CHECK(encode(EncodeOptions::rawFor(dims), type, dims, elements).isOk());

  // One element more than the shape has, and than the figures count.
  std::vector<uint8_t> longer = elements;
  longer.push_back(0);
  FUZZ_CHECK(!encode(options, type, dims, longer).isOk());
  FUZZ_CHECK(!encode(options, collectStats(type, elements), dims, longer).isOk());

  std::vector<uint8_t> transposed = transposeMatrices(elements, shape->rows, shape->columns, threads);
  FUZZ_CHECK(transposeMatrices(transposed, shape->columns, shape->rows) == elements);
  return 0;
}
