// What a decoder reads from a payload's header, and the checks that make the rest of it safe: Format.md, sections
// "Header" and "Tiles". After `checkLayout` every section lies inside the payload, whatever the bytes are.
#ifndef ECF8_LIB_CONVERSION_DECODERLAYOUT_H
#define ECF8_LIB_CONVERSION_DECODERLAYOUT_H

#include "LaneBackend.h"
#include "ecf8/Codec/Format.h"
#include "ecf8/Dialect/ECF8/IR/ECF8.h"

namespace mlir::ecf8 {

/// What is known when a decoder is compiled: an encoding and an element type.
struct DecoderSpec {
  EncodingAttrInterface encoding;
  Type elementType;

  bool isE4M3() const { return isa<Float8E4M3FNType>(elementType); }
  bool isRows32() const { return encoding.getElementOrder() == Order::rows32; }
  bool hasCodes() const { return !isa<RawAttr>(encoding); }
  ::ecf8::ElementType codecType() const {
    return isE4M3() ? ::ecf8::ElementType::F8E4M3FN : ::ecf8::ElementType::F8E5M2;
  }
  ::ecf8::TileStorage storage() const {
    return ::ecf8::getTileStorage(codecType(), ::ecf8::Encoding(encoding.getEncodingNumber()));
  }
  /// Columns and steps (2 columns of 32 rows) of one unit of the stored plane.
  int64_t columnsPerUnit() const { return storage().columnGroup; }
  int64_t stepsPerUnit() const { return columnsPerUnit() / 2; }
  /// Bytes of the stored plane per column of a tile: rest bits, with the first codes for planes; whole elements for
  /// raw.
  int64_t planeBytesPerColumn() const { return storage().bytesPerColumn; }
  HuffmanSpec huffman() const;
  PlanesSpec planes() const;
};

/// The header's fields and what follows from them, as index values.
struct PayloadLayout {
  Value payload;   ///< memref<?xi8>
  Value sizeBytes; ///< of the payload
  Value lastIndex; ///< sizeBytes - 64
  Value rows, columns;
  Value tilesPerStrip;
  Value tileTable;     ///< byte offset; only where something is coded
  Value codes;         ///< byte offset; the same
  Value plane;         ///< byte offset of the last section: the rest, or the data for raw
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

/// i1: whether the header says that no element is NaN or infinite.
Value isFinite(LaneBuilder &b, const PayloadLayout &layout);

/// Emits the expansion of the header's code lengths into byte tables, with an assertion that the code is complete.
CodeTables expandCodeLengths(LaneBuilder &b, const HuffmanSpec &spec, const PayloadLayout &layout);

/// The same for the ranks of planes, with an assertion that they differ and have no gaps.
CodeTables expandRanks(LaneBuilder &b, const PlanesSpec &spec, const PayloadLayout &layout);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_DECODERLAYOUT_H
