// Streamed encoding. A window is a payload of its own, with the code of the whole tensor: its sections are runs of the
// whole payload's sections.
#include "ecf8/Codec/StreamEncoder.h"

#include "EncodePayload.h"
#include "HuffmanEncoder.h"
#include "OrderedFor.h"
#include "PayloadWriter.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <atomic>
#include <string>

namespace ecf8 {

Status MemorySource::read(uint64_t offsetBytes, std::span<uint8_t> out) const {
  if (offsetBytes > bytes.size() || out.size() > bytes.size() - offsetBytes)
    return Status(StatusCode::InvalidArgument, "expected bytes inside of " + std::to_string(bytes.size()) + ", got " +
                                                   std::to_string(out.size()) + " at byte " +
                                                   std::to_string(offsetBytes));
  std::copy_n(bytes.begin() + std::ptrdiff_t(offsetBytes), out.size(), out.begin());
  return Status::ok();
}

namespace {

Status writeZeros(ByteSink &sink, uint64_t begin, uint64_t end) {
  static constexpr uint8_t zeros[sectionAlignment] = {};
  return sink.write(begin, std::span(zeros).first(end - begin));
}

/// A section of a window's payload.
std::span<const uint8_t> section(const std::vector<uint8_t> &payload, uint64_t begin, uint64_t size) {
  return std::span(payload).subspan(begin, size);
}

/// The sections of a window's payload, where the window is `strips` strips of the tensor of `whole`.
struct WindowSections {
  uint64_t tableOffset, codesOffset, codesBytes, restOffset, restBytes;

  WindowSections(const Header &whole, const std::vector<uint8_t> &payload, uint64_t strips)
      : tableOffset(loadLittle<uint64_t>(payload.data() + header_offset::tileTableOffset)),
        codesOffset(loadLittle<uint64_t>(payload.data() + header_offset::codesOffset)),
        codesBytes(loadLittle<uint64_t>(payload.data() + header_offset::codesBytes)),
        restOffset(loadLittle<uint64_t>(payload.data() + header_offset::restOffset)),
        restBytes(whole.grid().columnsBefore(strips, 0) * whole.storage().bytesPerColumn) {}
};

} // namespace

StreamLimits::Counted countedFor(const EncodeOptions &options) {
  bool isCounted = options.encoding == Encoding::Huffman && needsCodedCounts(options.order, options.group);
  return isCounted ? StreamLimits::Counted{options.order, options.group} : StreamLimits::Counted{Order::Rows32, 0};
}

uint64_t StreamEncoder::windowSize(uint64_t window) const {
  return std::min(windowBytes, total.elementCount - windowBegin(window));
}

Result<StreamEncoder> StreamEncoder::scan(ElementType elementType, std::span<const uint64_t> dims,
                                          const ByteSource &elements, const StreamLimits &limits,
                                          const InOrderVisitor &visit) {
  Result<MatrixShape> shape = getMatrixShape(dims);
  if (!shape)
    return shape.status();
  StreamEncoder encoder(elements, limits);
  encoder.dims.assign(dims.begin(), dims.end());
  encoder.shape = *shape;
  encoder.total.elementType = elementType;
  encoder.total.elementCount = shape->elementCount();
  encoder.hasStrips = shape->columns <= maxStreamedColumns;
  uint64_t stepBytes = encoder.hasStrips && shape->columns != 0 ? shape->columns * laneCount : 1;
  encoder.windowBytes = stepBytes * std::max<uint64_t>(limits.windowBytes / stepBytes, 1);
  encoder.windows.resize((encoder.total.elementCount + encoder.windowBytes - 1) / encoder.windowBytes);

  struct Slot {
    std::vector<uint8_t> bytes;
    TensorStats stats;
    std::vector<uint64_t> codedCounts;
  };
  const bool isKept = encoder.total.elementCount <= limits.retainedBytes / 2;
  Hasher hasher;
  const auto [order, group] = limits.counted;
  const bool countsCoded = encoder.hasStrips && group != 0; // of whole rows
  if (countsCoded)
    encoder.codedCounts = countCoded(order, group, elementType, *shape, {}, /*threads=*/1);
  TensorStats &total = encoder.total;
  bool isFirst = true;
  Status status = orderedFor<Slot>(
      encoder.windows.size(), limits.threads,
      [&](size_t i, Slot &slot) {
        slot.bytes.resize(encoder.windowSize(i));
        if (Status status = elements.read(encoder.windowBegin(i), slot.bytes); !status.isOk())
          return status;
        slot.stats = collectSymbolStats(elementType, slot.bytes, /*threads=*/1);
        if (countsCoded)
          slot.codedCounts = countCoded(order, group, elementType, {slot.bytes.size() / shape->columns, shape->columns},
                                        slot.bytes, /*threads=*/1);
        encoder.windows[i].symbolCounts = slot.stats.symbolCounts;
        if (!isKept)
          encoder.windows[i].contentHash = hashBytes(slot.bytes);
        return Status::ok();
      },
      [&](size_t, Slot &slot) {
        hasher.update(slot.bytes);
        for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
          total.symbolCounts[symbol] += slot.stats.symbolCounts[symbol];
        for (size_t symbol = 0; symbol < encoder.codedCounts.size(); ++symbol)
          encoder.codedCounts[symbol] += slot.codedCounts[symbol];
        total.dataFlags |= slot.stats.dataFlags;
        total.minExponent = isFirst ? slot.stats.minExponent : std::min(total.minExponent, slot.stats.minExponent);
        total.maxExponent = std::max(total.maxExponent, slot.stats.maxExponent);
        isFirst = false;
        if (visit)
          visit(slot.bytes);
        return Status::ok();
      },
      [&](size_t i, Slot &slot) {
        if (isKept)
          encoder.windows[i].elements = std::move(slot.bytes);
        return Status::ok();
      });
  if (!status.isOk())
    return status;
  encoder.hash = hasher.digest();
  return encoder;
}

Result<std::span<const uint8_t>> StreamEncoder::readAgain(uint64_t window, std::vector<uint8_t> &buffer) const {
  if (!windows[window].elements.empty())
    return std::span<const uint8_t>(windows[window].elements);
  buffer.resize(windowSize(window));
  if (Status status = elements->read(windowBegin(window), buffer); !status.isOk())
    return status;
  if (hashBytes(buffer) != windows[window].contentHash)
    return Status(StatusCode::Corrupt, "expected the same elements in both readings, got others from number " +
                                           std::to_string(windowBegin(window)) + " on (changed while it was read?)");
  return std::span<const uint8_t>(buffer);
}

Result<std::vector<uint8_t>> StreamEncoder::encodeWindow(const Header &whole, uint64_t window,
                                                         std::vector<uint8_t> &buffer) const {
  Result<std::span<const uint8_t>> bytes = readAgain(window, buffer);
  if (!bytes)
    return bytes.status();
  Header header = whole;
  header.rank = 2;
  header.shape = {bytes->size() / shape.columns, shape.columns};
  header.dims = {header.shape.rows, header.shape.columns};
  TensorStats stats = total;
  stats.elementCount = bytes->size();
  stats.symbolCounts = windows[window].symbolCounts;
  return encodePayload(header, stats, *bytes, /*threads=*/1);
}

Status StreamEncoder::writeRowMajor(const Header &header, ByteSink &sink) const { // [raw_c1]
  using Slot = std::vector<uint8_t>;
  auto nothing = [](size_t, Slot &) { return Status::ok(); };
  auto copy = [&](size_t i, Slot &buffer) {
    Result<std::span<const uint8_t>> bytes = readAgain(i, buffer);
    return bytes ? sink.write(header.restOffset + windowBegin(i), *bytes) : bytes.status();
  };
  return orderedFor<Slot>(windows.size(), limits.threads, copy, nothing, nothing);
}

Status StreamEncoder::writeStrips(Header &header, ByteSink &sink) const {
  struct Slot {
    std::vector<uint8_t> bytes, payload;
    uint64_t codesBegin = 0; ///< in bytes
  };
  const TileGrid grid = header.grid();
  const uint64_t bytesPerColumn = header.storage().bytesPerColumn;
  const uint64_t stripBytes = shape.columns * grid.paddedRows();
  auto firstStrip = [&](uint64_t window) { return windowBegin(window) / stripBytes; };
  auto stripCount = [&](uint64_t window) { return (windowSize(window) + stripBytes - 1) / stripBytes; };
  auto writeRest = [&](uint64_t window, std::span<const uint8_t> rest) {
    return sink.write(header.restOffset + grid.columnsBefore(firstStrip(window), 0) * bytesPerColumn, rest);
  };

  // The rest lies behind the codes, whose size is known at their end: until then it waits in memory, or is dropped.
  std::vector<std::vector<uint8_t>> retained(windows.size());
  std::atomic<uint64_t> retainedBytes = 0;
  uint64_t codesBytes = 0;
  const unsigned unitBytes = header.tableUnitBytes();
  Status status = orderedFor<Slot>(
      windows.size(), limits.threads,
      [&](size_t i, Slot &slot) {
        Result<std::vector<uint8_t>> payload = encodeWindow(header, i, slot.bytes);
        if (!payload)
          return payload.status();
        slot.payload = payload.take();
        return Status::ok();
      },
      [&](size_t i, Slot &slot) {
        slot.codesBegin = codesBytes;
        codesBytes += WindowSections(header, slot.payload, stripCount(i)).codesBytes;
        return checkCodesBytes(header, codesBytes);
      },
      [&](size_t i, Slot &slot) {
        WindowSections at(header, slot.payload, stripCount(i));
        std::span<const uint8_t> rest = section(slot.payload, at.restOffset, at.restBytes);
        if (!header.hasCodes())
          return writeRest(i, rest);
        // Entry 0 of the whole table is 0; each tile has the entry of its end.
        uint64_t tiles = stripCount(i) * grid.tilesPerStrip();
        for (uint64_t tile = 1; tile <= tiles; ++tile) {
          uint8_t *entry = slot.payload.data() + at.tableOffset + tile * 4;
          storeLittle(entry, uint32_t(loadLittle<uint32_t>(entry) + slot.codesBegin / unitBytes));
        }
        uint64_t firstTile = firstStrip(i) * grid.tilesPerStrip();
        if (Status status = sink.write(header.tileTableOffset + (firstTile + 1) * 4,
                                       section(slot.payload, at.tableOffset + 4, tiles * 4));
            !status.isOk())
          return status;
        if (Status status =
                sink.write(header.codesOffset + slot.codesBegin, section(slot.payload, at.codesOffset, at.codesBytes));
            !status.isOk())
          return status;
        if (retainedBytes.fetch_add(rest.size()) + rest.size() <= limits.retainedBytes)
          retained[i].assign(rest.begin(), rest.end());
        return Status::ok();
      });
  if (!status.isOk() || !header.hasCodes())
    return status;

  header.codesBytes = codesBytes;
  Result<SectionLayout> layout = computeLayout(header);
  if (!layout)
    return layout.status();
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  auto nothing = [](size_t, Slot &) { return Status::ok(); };
  return orderedFor<Slot>(
      windows.size(), limits.threads,
      [&](size_t i, Slot &slot) {
        if (!retained[i].empty()) {
          Status status = writeRest(i, retained[i]);
          retained[i] = {};
          return status;
        }
        Result<std::vector<uint8_t>> payload = encodeWindow(header, i, slot.bytes);
        if (!payload)
          return payload.status();
        WindowSections at(header, *payload, stripCount(i));
        return writeRest(i, section(*payload, at.restOffset, at.restBytes));
      },
      nothing, nothing);
}

Status StreamEncoder::finish(Header &header, ByteSink &sink) const {
  SectionLayout layout = *computeLayout(header);
  uint64_t restEnd = layout.restOffset + layout.restBytes;
  Status status = writeZeros(sink, restEnd, header.payloadBytes); // [layout_c3]
  if (status.isOk() && header.hasCodes()) {
    uint64_t tableEnd = header.tileTableOffset + (header.grid().tileCount() + 1) * 4;
    uint64_t codesEnd = header.codesOffset + header.codesBytes;
    status = writeZeros(sink, header.tileTableOffset, header.tileTableOffset + 4); // [table_c1]
    if (status.isOk())
      status = writeZeros(sink, tableEnd, header.codesOffset);
    if (status.isOk())
      status = writeZeros(sink, codesEnd, header.restOffset);
  }
  if (!status.isOk())
    return status;
  header.contentHash = hash;
  std::vector<uint8_t> bytes = serializeHeader(header);
  bytes.insert(bytes.end(), header.wideLengths.begin(), header.wideLengths.end()); // no gap before it [layout_c1]

  // The hash goes over the header first, which is known last: so what was written is read back. [header_c6]
  Hasher hasher;
  hasher.update(std::span(bytes).subspan(header_offset::contentHash));
  std::vector<uint8_t> buffer;
  for (uint64_t offset = bytes.size(); offset < header.payloadBytes; offset += buffer.size()) {
    buffer.resize(std::min(header.payloadBytes - offset, std::max<uint64_t>(limits.windowBytes, 1)));
    if (status = sink.read(offset, buffer); !status.isOk())
      return status;
    hasher.update(buffer);
  }
  storeLittle(bytes.data() + header_offset::payloadHash, hasher.digest());
  return sink.write(0, bytes);
}

Status StreamEncoder::checkCounted(Order order, unsigned group) const {
  auto name = [](Order order, unsigned group) {
    return "group " + std::to_string(group) + " in order " + std::string(getName(order));
  };
  if (limits.counted == StreamLimits::Counted{order, group})
    return Status::ok();
  return Status(
      StatusCode::InvalidArgument,
      "expected the symbols of " + name(order, group) + " to be counted, got " +
          (limits.counted.group == 0 ? "none" : "those of " + name(limits.counted.order, limits.counted.group)));
}

Result<uint64_t> StreamEncoder::encode(const EncodeOptions &options, ByteSink &sink) const {
  if (Status status = checkEncodeOptions(options); !status.isOk())
    return status;
  if (options.encoding == Encoding::Huffman && needsCodedCounts(options.order, options.group) && hasStrips)
    if (Status status = checkCounted(options.order, options.group); !status.isOk())
      return status;
  Result<Header> made = makeHeader(options, total, dims, codedCounts);
  if (!made)
    return made.status();
  Header &header = *made;
  bool isRowMajor = header.order == Order::RowMajor;
  if (!isRowMajor && !hasStrips)
    return Status(StatusCode::InvalidArgument, "expected at most " + std::to_string(maxStreamedColumns) +
                                                   " columns to stream tiles, got " + std::to_string(shape.columns));
  if (Status status = placeSections(header); !status.isOk()) // of raw that is final
    return status;
  Status status = isRowMajor ? writeRowMajor(header, sink) : writeStrips(header, sink);
  if (status.isOk())
    status = finish(header, sink);
  if (!status.isOk())
    return status;
  return header.payloadBytes;
}

Result<uint64_t> StreamEncoder::encodeForStorage(ByteSink &sink) const {
  if (!hasStrips)
    return encode(EncodeOptions::raw(), sink);
  if (Status status = checkCounted(Order::Rows32, /*group=*/2); !status.isOk())
    return status;
  Result<EncodeOptions> options = chooseForStorage(total, codedCounts, dims);
  if (!options)
    return options.status();
  return encodeSmallest(*options, sink);
}

Result<uint64_t> StreamEncoder::encodeSmallest(const EncodeOptions &preferred, ByteSink &sink) const {
  EncodeOptions raw = EncodeOptions::raw();
  Result<SizeEstimate> rawSize = estimatePayloadBytes(raw, total, dims);
  if (!rawSize)
    return rawSize.status();
  if (preferred.order == Order::RowMajor || !hasStrips)
    return encode(raw, sink);
  Result<SizeEstimate> preferredSize = estimatePayloadBytes(preferred, total, dims);
  if (!preferredSize)
    return preferredSize.status();
  if (preferredSize->minBytes >= rawSize->maxBytes)
    return encode(raw, sink);
  Result<uint64_t> payloadBytes = encode(preferred, sink);
  if (!payloadBytes || *payloadBytes < rawSize->maxBytes)
    return payloadBytes;
  return encode(raw, sink);
}

} // namespace ecf8
