// What a decoder reads from a payload's header, and the checks that make the rest of it safe: Format.md, sections
// "Header" and "Tiles". After `checkLayout` every section lies inside the payload, whatever the bytes are.
#ifndef ECF8_LIB_CONVERSION_DECODERLAYOUT_H
#define ECF8_LIB_CONVERSION_DECODERLAYOUT_H

#include "LaneBackend.h"
#include "ecf8/Dialect/ECF8/IR/ECF8.h"

namespace mlir::ecf8 {

/// What is known when a decoder is compiled: an encoding and an element type.
struct DecoderSpec {
  EncodingAttrInterface encoding;
  Type elementType;

  bool isE4M3() const { return isa<Float8E4M3FNType>(elementType); }
  bool isRows32() const { return encoding.getElementOrder() == Order::rows32; }
  /// Steps (2 columns of 32 rows) that one unit of the rest plane holds, and the unit's bytes.
  int64_t stepsPerRestUnit() const { return isE4M3() ? 2 : 8; }
  int64_t restUnitBytes() const { return isE4M3() ? 64 : 192; }
  int64_t columnsPerUnit() const { return 2 * stepsPerRestUnit(); }
  /// Bytes of the stored plane per column of a tile: rest bits, or whole elements for raw.
  int64_t planeBytesPerColumn() const { return isa<RawAttr>(encoding) ? 32 : restUnitBytes() / columnsPerUnit(); }
  HuffmanSpec huffman() const;
};

/// The header's fields and what follows from them, as index values.
struct PayloadLayout {
  Value payload;   ///< memref<?xi8>
  Value sizeBytes; ///< of the payload
  Value lastIndex; ///< sizeBytes - 64
  Value rows, columns;
  Value tilesPerStrip;
  Value tileTable;     ///< byte offset; huffman only
  Value codes;         ///< byte offset; huffman only
  Value plane;         ///< byte offset of the rest plane, or of the data for raw
  Value planePerStrip; ///< bytes
};

/// The part of the matrix that is decoded, in elements.
struct MatrixSlice {
  Value row, column;   ///< where it begins
  Value rows, columns; ///< its shape
};

/// Emits the assertion that the payload is long enough for a header, without which nothing of it may be read.
void checkHeaderFits(LaneBuilder &b, Value payload);

/// Reads the layout from the header. Does not check anything.
PayloadLayout readLayout(LaneBuilder &b, const DecoderSpec &spec, Value payload);

/// Emits assertions that the payload agrees with `spec`, that its sections lie inside it, and that `slice` exists and
/// begins at a tile.
void checkLayout(LaneBuilder &b, const DecoderSpec &spec, const PayloadLayout &layout, const MatrixSlice &slice);

/// Emits the expansion of the header's code lengths into byte tables, with an assertion that the code is complete.
CodeTables expandCodeLengths(LaneBuilder &b, const HuffmanSpec &spec, const PayloadLayout &layout);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_DECODERLAYOUT_H
