// Streamed encoding. A window is a payload of its own, with the code of the whole tensor: its sections are runs of the
// whole payload's sections.
#include "ecf8/Codec/StreamEncoder.h"

#include "ContentCheck.h"
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

/// The header of a payload, and the code lengths of a wide code, which follow without a gap. [layout_c1]
std::vector<uint8_t> makeHead(const Header &header) {
  std::vector<uint8_t> bytes = serializeHeader(header);
  bytes.insert(bytes.end(), header.wideLengths.begin(), header.wideLengths.end());
  return bytes;
}

/// The part of it that payloadHash covers. [header_c6]
std::vector<uint8_t> hashedHead(const Header &header) {
  std::vector<uint8_t> bytes = makeHead(header);
  bytes.erase(bytes.begin(), bytes.begin() + header_offset::contentHash);
  return bytes;
}

Status writeZeros(ByteSink &sink, uint64_t begin, uint64_t end) {
  static constexpr uint8_t zeros[sectionAlignment] = {};
  return sink.write(begin, std::span(zeros).first(end - begin));
}

} // namespace

StreamLimits::Counted countedFor(const EncodeOptions &options) {
  bool isCounted = options.encoding == Encoding::Huffman && needsCodedCounts(options.order, options.group);
  return isCounted ? StreamLimits::Counted{options.order, options.group} : StreamLimits::Counted{Order::Rows32, 0};
}

uint64_t StreamEncoder::windowSize(uint64_t window) const {
  return std::min(windowBytes, shape.elementCount() - windowBegin(window));
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
  encoder.hasStrips = shape->columns <= maxStreamedColumns;
  uint64_t stepBytes = encoder.hasStrips && shape->columns != 0 ? shape->columns * laneCount : 1;
  encoder.windowBytes = stepBytes * std::max<uint64_t>(limits.windowBytes / stepBytes, 1);
  encoder.windows.resize((shape->elementCount() + encoder.windowBytes - 1) / encoder.windowBytes);

  struct Slot {
    std::unique_ptr<uint8_t[]> buffer; ///< no vector, which would fill it with zeros first
    std::span<uint8_t> bytes;
    CodedStats stats;
  };
  const bool isKept = shape->elementCount() <= limits.retainedBytes / 2;
  Hasher hasher;
  const auto [order, group] = limits.counted;
  const bool countsCoded = encoder.hasStrips && group != 0; // of whole rows
  if (countsCoded)
    encoder.codedCounts = collectCodedStats(order, group, elementType, *shape, {}, /*threads=*/1).codedCounts;
  TensorStats &total = encoder.total;
  Status status = orderedFor<Slot>(
      encoder.windows.size(), limits.threads,
      [&](size_t i, Slot &slot) {
        if (!slot.buffer)
          slot.buffer = std::make_unique_for_overwrite<uint8_t[]>(encoder.windowSize(0));
        slot.bytes = {slot.buffer.get(), encoder.windowSize(i)};
        if (Status status = elements.read(encoder.windowBegin(i), slot.bytes); !status.isOk())
          return status;
        if (countsCoded)
          slot.stats = collectCodedStats(order, group, elementType,
                                         {slot.bytes.size() / shape->columns, shape->columns}, slot.bytes,
                                         /*threads=*/1);
        else
          slot.stats.symbols = collectSymbolStats(elementType, slot.bytes, /*threads=*/1);
        if (!isKept)
          encoder.windows[i].contentHash = hashBytes(slot.bytes);
        return Status::ok();
      },
      [&](size_t, Slot &slot) {
        hasher.update(slot.bytes);
        addSymbolStats(total, slot.stats.symbols);
        for (size_t symbol = 0; symbol < encoder.codedCounts.size(); ++symbol)
          encoder.codedCounts[symbol] += slot.stats.codedCounts[symbol];
        if (visit)
          visit(slot.bytes);
        return Status::ok();
      },
      [&](size_t i, Slot &slot) {
        if (isKept)
          encoder.windows[i].elements = std::move(slot.buffer);
        return Status::ok();
      });
  if (!status.isOk())
    return status;
  encoder.hash = hasher.digest();
  return encoder;
}

Status StreamEncoder::checkContent(const Header &header) const {
  return ecf8::checkContent(header, {hash, total.dataFlags, total.minExponent, total.maxExponent});
}

Result<std::span<const uint8_t>> StreamEncoder::readAgain(uint64_t window, std::vector<uint8_t> &buffer) const {
  if (const uint8_t *kept = windows[window].elements.get())
    return std::span(kept, windowSize(window));
  buffer.resize(windowSize(window));
  if (Status status = elements->read(windowBegin(window), buffer); !status.isOk())
    return status;
  if (hashBytes(buffer) != windows[window].contentHash)
    return Status(StatusCode::Corrupt, "expected the same elements in both readings, got others from number " +
                                           std::to_string(windowBegin(window)) + " on (changed while it was read?)");
  return std::span<const uint8_t>(buffer);
}

Status StreamEncoder::encodeWindow(const Header &whole, uint64_t window, EncodedWindow &out) const {
  Result<std::span<const uint8_t>> bytes = readAgain(window, out.elements);
  if (!bytes)
    return bytes.status();
  out.header = whole;
  out.header.rank = 2;
  out.header.shape = {bytes->size() / shape.columns, shape.columns};
  out.header.dims = {out.header.shape.rows, out.header.shape.columns};
  Result<std::vector<uint8_t>> payload = encodePayload(out.header, *bytes, /*threads=*/1);
  if (!payload)
    return payload.status();
  out.payload = payload.take();
  return Status::ok();
}

Status StreamEncoder::writeRowMajor(const Header &header, ByteSink &sink, Hasher &hasher) const { // [raw_c1]
  struct Slot {
    std::vector<uint8_t> buffer;
    std::span<const uint8_t> bytes;
  };
  hasher.update(hashedHead(header));
  return orderedFor<Slot>(
      windows.size(), limits.threads,
      [&](size_t i, Slot &slot) {
        Result<std::span<const uint8_t>> bytes = readAgain(i, slot.buffer);
        if (!bytes)
          return bytes.status();
        slot.bytes = *bytes;
        return sink.write(header.restOffset + windowBegin(i), slot.bytes);
      },
      [&](size_t, Slot &slot) {
        hasher.update(slot.bytes);
        return Status::ok();
      },
      [](size_t, Slot &) { return Status::ok(); });
}

Status StreamEncoder::writeStrips(Header &header, ByteSink &sink, Hasher &hasher) const {
  const TileGrid grid = header.grid();
  const uint64_t bytesPerColumn = header.storage().bytesPerColumn;
  auto firstStrip = [&](uint64_t window) { return windowBegin(window) / (shape.columns * grid.paddedRows()); };
  auto restOf = [&](const EncodedWindow &window) {
    uint64_t restBytes = window.header.grid().columnsBefore(window.header.grid().strips(), 0) * bytesPerColumn;
    return std::span(window.payload).subspan(window.header.restOffset, restBytes);
  };
  auto writeRest = [&](uint64_t window, std::span<const uint8_t> rest) {
    return sink.write(header.restOffset + grid.columnsBefore(firstStrip(window), 0) * bytesPerColumn, rest);
  };

  // The rest lies behind the codes, whose size is known at their end: until then it waits in memory, or is dropped.
  std::vector<std::vector<uint8_t>> retained(windows.size());
  std::atomic<uint64_t> retainedBytes = 0;
  uint64_t codesBytes = 0;
  const unsigned unitBytes = header.tableUnitBytes();
  if (!header.hasCodes())
    hasher.update(hashedHead(header));
  Status status = orderedFor<EncodedWindow>(
      windows.size(), limits.threads, [&](size_t i, EncodedWindow &window) { return encodeWindow(header, i, window); },
      [&](size_t, EncodedWindow &window) {
        window.codesBegin = codesBytes;
        codesBytes += window.header.codesBytes;
        if (!header.hasCodes())
          hasher.update(restOf(window));
        return checkCodesBytes(header, codesBytes);
      },
      [&](size_t i, EncodedWindow &window) {
        std::span<const uint8_t> rest = restOf(window);
        if (!header.hasCodes())
          return writeRest(i, rest);
        // Entry 0 of the whole table is 0; each tile has the entry of its end.
        std::span<uint8_t> ends =
            std::span(window.payload).subspan(window.header.tileTableOffset + 4, window.header.grid().tileCount() * 4);
        for (size_t entry = 0; entry < ends.size(); entry += 4)
          storeLittle(ends.data() + entry,
                      uint32_t(loadLittle<uint32_t>(ends.data() + entry) + window.codesBegin / unitBytes));
        uint64_t firstTile = firstStrip(i) * grid.tilesPerStrip();
        Status status = sink.write(header.tileTableOffset + (firstTile + 1) * 4, ends);
        if (status.isOk())
          status = sink.write(header.codesOffset + window.codesBegin,
                              std::span(window.payload).subspan(window.header.codesOffset, window.header.codesBytes));
        if (!status.isOk())
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
  if (status = hashCodes(header, sink, hasher); !status.isOk())
    return status;
  return orderedFor<EncodedWindow>(
      windows.size(), limits.threads,
      [&](size_t i, EncodedWindow &window) {
        return retained[i].empty() ? encodeWindow(header, i, window) : Status::ok();
      },
      [&](size_t i, EncodedWindow &window) {
        hasher.update(retained[i].empty() ? restOf(window) : std::span<const uint8_t>(retained[i]));
        return Status::ok();
      },
      [&](size_t i, EncodedWindow &window) {
        Status status = writeRest(i, retained[i].empty() ? restOf(window) : std::span<const uint8_t>(retained[i]));
        retained[i] = {};
        return status;
      });
}

Status StreamEncoder::hashCodes(const Header &header, ByteSink &sink, Hasher &hasher) const {
  const uint64_t tableEnd = header.tileTableOffset + (header.grid().tileCount() + 1) * 4;
  const uint64_t codesEnd = header.codesOffset + header.codesBytes;
  Status status = writeZeros(sink, header.tileTableOffset, header.tileTableOffset + 4); // [table_c1]
  if (status.isOk())
    status = writeZeros(sink, tableEnd, header.codesOffset); // [layout_c3]
  if (status.isOk())
    status = writeZeros(sink, codesEnd, header.restOffset);
  if (!status.isOk())
    return status;
  // The hash goes over the header first, which says how many codes there are: so these are read back.
  std::vector<uint8_t> buffer = hashedHead(header);
  hasher.update(buffer);
  for (uint64_t offset = header_offset::contentHash + buffer.size(); offset < header.restOffset;
       offset += buffer.size()) {
    buffer.resize(std::min(header.restOffset - offset, std::max<uint64_t>(limits.windowBytes, 1)));
    if (status = sink.read(offset, buffer); !status.isOk())
      return status;
    hasher.update(buffer);
  }
  return Status::ok();
}

Status StreamEncoder::finish(const Header &header, ByteSink &sink, Hasher &hasher) const {
  SectionLayout layout = *computeLayout(header);
  uint64_t restEnd = layout.restOffset + layout.restBytes;
  static constexpr uint8_t zeros[sectionAlignment] = {};
  hasher.update(std::span(zeros).first(header.payloadBytes - restEnd));
  if (Status status = writeZeros(sink, restEnd, header.payloadBytes); !status.isOk()) // [layout_c3]
    return status;
  std::vector<uint8_t> head = makeHead(header);
  storeLittle(head.data() + header_offset::payloadHash, hasher.digest()); // [header_c6]
  return sink.write(0, head);
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
  header.contentHash = hash;
  Hasher hasher;
  Status status = isRowMajor ? writeRowMajor(header, sink, hasher) : writeStrips(header, sink, hasher);
  if (status.isOk())
    status = finish(header, sink, hasher);
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
