// Header access, header checks and code tables of the generated decoders.
#include "DecoderLayout.h"
#include "ecf8/Codec/Planes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

// Byte offsets of the header's fields: Format.md, section "Header".
enum HeaderOffset {
  MagicOffset = 0,
  MajorOffset = 4,
  RequiredOffset = 8,
  PayloadBytesOffset = 16,
  ElementTypeOffset = 40, // element type, encoding, order, stream: one byte each
  GroupOffset = 45,       // group, raw exponent bits, maximal code length: one byte each
  TileColumnsOffset = 48,
  DataFlagsOffset = 52,
  RowsOffset = 64,
  ColumnsOffset = 72,
  RestOffset = 80,
  TileTableOffset = 88,
  CodesOffset = 96,
  CodeLengthsOffset = 112,
  HeaderBytes = 192,
};

using Predicate = arith::CmpIPredicate;

Value field(LaneBuilder &b, Value payload, int64_t offset, unsigned bits) {
  return b.loadInteger(payload, b.index(offset), b.getIntegerType(bits));
}

void require(LaneBuilder &b, Value condition, const Twine &message) {
  cf::AssertOp::create(b, condition, b.getStringAttr(message));
}

/// Bytes 40 to 43 of the header as one number.
uint32_t layoutCode(const DecoderSpec &spec) {
  uint32_t elementType = static_cast<uint32_t>(spec.codecType());
  uint32_t encoding = spec.encoding.getEncodingNumber();
  uint32_t order = spec.isRows32() ? 1 : 0;
  uint32_t stream = isa<HuffmanAttr>(spec.encoding) ? 1 : 0;
  return elementType | encoding << 8 | order << 16 | stream << 24;
}

/// The nibble of `symbol` (an index) in the header, as i8.
Value nibbleOf(LaneBuilder &b, const PayloadLayout &layout, Value symbol) {
  IntegerType i8 = b.getI8Type();
  Value pair = b.loadInteger(layout.payload, b.add(b.shrU(symbol, 1), CodeLengthsOffset), i8);
  Value shift = b.truncate(b.fromIndex(b.shl(b.andI(symbol, 1), 2), b.getI32Type()), i8);
  return b.andI(b.shrU(pair, shift), 15);
}

/// The byte of `symbol` (an index), shifted into its place in the element.
Value shiftedSymbol(LaneBuilder &b, Value symbol, unsigned shift) {
  return b.shl(b.truncate(b.fromIndex(symbol, b.getI32Type()), b.getI8Type()), shift);
}

} // namespace

HuffmanSpec DecoderSpec::huffman() const {
  auto huffman = cast<HuffmanAttr>(encoding);
  const ::ecf8::ElementSplit &split = ::ecf8::getElementSplit(codecType());
  return {static_cast<unsigned>(huffman.getMaxCodeLength()), split.symbolCount, split.symbolShift};
}

PlanesSpec DecoderSpec::planes() const {
  const ::ecf8::ElementSplit &split = ::ecf8::getElementSplit(codecType());
  ::ecf8::RestUnit rest = ::ecf8::getRestUnit(codecType());
  return {encoding.getTileColumnCount(), split.symbolCount, split.symbolShift,
          columnsPerUnit() / rest.columns * rest.bytes};
}

void mlir::ecf8::checkHeaderFits(LaneBuilder &b, Value payload) {
  Value fits = b.compare(Predicate::uge, memref::DimOp::create(b, payload, 0), HeaderBytes);
  require(b, fits, "expected a payload of 192 bytes or more");
}

PayloadLayout mlir::ecf8::readLayout(LaneBuilder &b, const DecoderSpec &spec, Value payload) {
  PayloadLayout layout;
  auto index64 = [&](int64_t offset) { return b.toIndex(field(b, payload, offset, 64)); };
  layout.payload = payload;
  layout.sizeBytes = memref::DimOp::create(b, payload, 0);
  layout.lastIndex = b.sub(layout.sizeBytes, b.index(64));
  layout.rows = index64(RowsOffset);
  layout.columns = index64(ColumnsOffset);
  layout.plane = index64(RestOffset);
  if (!spec.isRows32())
    return layout;
  int64_t tileColumns = spec.encoding.getTileColumnCount();
  layout.tilesPerStrip = b.ceilDivU(layout.columns, tileColumns);
  Value padded = b.mul(b.ceilDivU(layout.columns, spec.columnsPerUnit()), spec.columnsPerUnit());
  layout.planePerStrip = b.mul(padded, spec.planeBytesPerColumn());
  if (spec.hasCodes()) {
    layout.tileTable = index64(TileTableOffset);
    layout.codes = index64(CodesOffset);
  }
  return layout;
}

void mlir::ecf8::checkLayout(LaneBuilder &b, const DecoderSpec &spec, const PayloadLayout &layout,
                             const MatrixSlice &slice) {
  Value payload = layout.payload;
  std::string name;
  llvm::raw_string_ostream(name) << spec.encoding;
  auto equals = [&](int64_t offset, unsigned bits, int64_t expected) {
    return b.compare(Predicate::eq, field(b, payload, offset, bits), expected);
  };
  auto atMost = [&](Value a, Value limit) { return b.compare(Predicate::ule, a, limit); };

  require(b, equals(MagicOffset, 32, 0x38464345), "expected a payload that begins with 'ECF8'");
  require(b, b.andI(equals(MajorOffset, 8, 1), equals(RequiredOffset, 32, 0)),
          "expected a payload of format version 1 without further required features");
  Value matches = b.andI(equals(ElementTypeOffset, 32, layoutCode(spec)),
                         equals(TileColumnsOffset, 32, spec.encoding.getTileColumnCount()));
  if (spec.hasCodes()) {
    auto huffman = dyn_cast<HuffmanAttr>(spec.encoding);
    int64_t group = huffman ? 1 : 0, maxCodeLength = huffman ? huffman.getMaxCodeLength() : 0;
    matches = b.andI(matches, b.andI(equals(GroupOffset, 16, group), equals(GroupOffset + 2, 8, maxCodeLength)));
  }
  matches =
      b.andI(matches, b.compare(Predicate::eq, b.toIndex(field(b, payload, PayloadBytesOffset, 64)), layout.sizeBytes));
  require(b, matches, "expected a payload encoded as " + name);

  // Bounded dimensions keep the products below 2^63.
  Value bound = b.index(int64_t(1) << 31);
  Value inside = b.andI(atMost(layout.rows, bound), atMost(layout.columns, bound));
  inside = b.andI(inside, b.andI(atMost(slice.row, layout.rows), atMost(slice.column, layout.columns)));
  inside = b.andI(inside, b.andI(atMost(slice.rows, b.sub(layout.rows, slice.row)),
                                 atMost(slice.columns, b.sub(layout.columns, slice.column))));
  if (spec.isRows32()) {
    Value skewRow = b.andI(slice.row, 31);
    Value skewColumn = arith::RemUIOp::create(b, slice.column, b.index(spec.encoding.getTileColumnCount()));
    inside = b.andI(inside, b.compare(Predicate::eq, b.add(skewRow, skewColumn), 0));
  }
  require(b, inside, "expected a slice inside the weight that begins at a tile");

  auto sectionFits = [&](Value offset, Value sizeBytes) {
    return b.andI(atMost(offset, layout.sizeBytes), atMost(sizeBytes, b.sub(layout.sizeBytes, offset)));
  };
  Value fits;
  if (!spec.isRows32()) {
    fits = sectionFits(layout.plane, b.mul(layout.rows, layout.columns));
  } else {
    Value strips = b.ceilDivU(layout.rows, 32);
    fits = sectionFits(layout.plane, b.mul(strips, layout.planePerStrip));
    if (spec.hasCodes()) {
      Value entries = b.add(b.mul(strips, layout.tilesPerStrip), 1);
      fits = b.andI(fits, sectionFits(layout.tileTable, b.mul(entries, 4)));
      fits = b.andI(fits, atMost(layout.codes, layout.sizeBytes));
    }
  }
  require(b, fits, "expected the sections of a payload inside it");
}

Value mlir::ecf8::isFinite(LaneBuilder &b, const PayloadLayout &layout) {
  Value flags = field(b, layout.payload, DataFlagsOffset, 32);
  return b.compare(Predicate::eq, b.andI(flags, ::ecf8::DataHasNaN | ::ecf8::DataHasInfinity), 0);
}

CodeTables mlir::ecf8::expandCodeLengths(LaneBuilder &b, const HuffmanSpec &spec, const PayloadLayout &layout) {
  const unsigned limit = spec.maxCodeLength;
  const int64_t entries = int64_t(1) << limit;
  IntegerType i8 = b.getI8Type();
  CodeTables tables{b.stackBuffer(entries, i8), b.stackBuffer(entries, i8)};
  Value zero = b.index(0), one = b.index(1), symbolCount = b.index(spec.symbolCount);

  auto lengthOf = [&](Value symbol) { return nibbleOf(b, layout, symbol); };
  auto storeEntry = [&](Value at, Value symbol, Value length) {
    memref::StoreOp::create(b, shiftedSymbol(b, symbol, spec.symbolShift), tables.symbols, ValueRange{at});
    memref::StoreOp::create(b, length, tables.lengths, ValueRange{at});
  };
  OpBuilder::InsertionGuard guard(b);

  // How many symbols there are, and the last one.
  auto count = scf::ForOp::create(b, zero, symbolCount, one, ValueRange{zero, zero});
  b.setInsertionPointToStart(count.getBody());
  {
    Value used = b.compare(Predicate::ne, lengthOf(count.getInductionVar()), 0);
    Value total = b.add(count.getRegionIterArg(0), b.select(used, one, zero));
    Value last = b.select(used, count.getInductionVar(), count.getRegionIterArg(1));
    scf::YieldOp::create(b, ValueRange{total, last});
  }
  b.setInsertionPointAfter(count);
  Value single = b.compare(Predicate::ule, count.getResult(0), 1);

  // Fewer than two symbols: no bits are coded.
  auto branch = scf::IfOp::create(b, TypeRange{b.getIndexType()}, single, /*withElseRegion=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  {
    auto fill = scf::ForOp::create(b, zero, b.index(entries), one);
    b.setInsertionPointToStart(fill.getBody());
    storeEntry(fill.getInductionVar(), count.getResult(1), b.constant(i8, 0));
    b.setInsertionPointToEnd(branch.thenBlock());
    scf::YieldOp::create(b, b.index(entries));
  }

  // Codes in the order of (length, symbol); the entry of a window is its code read from the low end.
  b.setInsertionPointToStart(branch.elseBlock());
  auto byLength = scf::ForOp::create(b, one, b.index(limit + 1), one, ValueRange{zero});
  b.setInsertionPointToStart(byLength.getBody());
  auto bySymbol = scf::ForOp::create(b, zero, symbolCount, one, ValueRange{byLength.getRegionIterArg(0)});
  b.setInsertionPointToStart(bySymbol.getBody());
  {
    Value wanted = b.truncate(b.fromIndex(byLength.getInductionVar(), b.getI32Type()), i8);
    Value length = lengthOf(bySymbol.getInductionVar());
    Value has = b.compare(Predicate::eq, length, wanted);
    Value span = b.shl(one, b.sub(b.index(limit), byLength.getInductionVar()));
    Value begin = bySymbol.getRegionIterArg(0);
    Value end = b.add(begin, b.select(has, span, zero));
    auto fill = scf::ForOp::create(b, begin, b.minU(end, b.index(entries)), one);
    b.setInsertionPointToStart(fill.getBody());
    Value code = b.truncate(b.fromIndex(fill.getInductionVar(), b.getI32Type()), i8);
    Value reversed = b.shrU(b.intrinsic("llvm.bitreverse", i8, code), 8 - limit);
    storeEntry(b.toIndex(reversed), bySymbol.getInductionVar(), length);
    b.setInsertionPointToEnd(bySymbol.getBody());
    scf::YieldOp::create(b, end);
    b.setInsertionPointToEnd(byLength.getBody());
    scf::YieldOp::create(b, bySymbol.getResult(0));
    b.setInsertionPointToEnd(branch.elseBlock());
    scf::YieldOp::create(b, byLength.getResult(0));
  }
  b.setInsertionPointAfter(branch);
  require(b, b.compare(Predicate::eq, branch.getResult(0), entries), "expected a complete prefix code in the payload");
  return tables;
}

CodeTables mlir::ecf8::expandRanks(LaneBuilder &b, const PlanesSpec &spec, const PayloadLayout &layout) {
  constexpr int64_t sizeBytes = 64;
  CodeTables tables{b.stackBuffer(sizeBytes, b.getI8Type()), {}};
  Value zero = b.index(0), one = b.index(1);
  b.storeBytes(b.constant(b.bytes(sizeBytes), 0), tables.symbols, zero);
  // `count` nibbles other than 0 are 1 to `count`, each once, exactly when the sum of their 2^nibble is that of these.
  auto loop = scf::ForOp::create(b, zero, b.index(spec.symbolCount), one, ValueRange{zero, zero});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value symbol = loop.getInductionVar(), sum = loop.getRegionIterArg(0), count = loop.getRegionIterArg(1);
    Value nibble = b.toIndex(nibbleOf(b, layout, symbol));
    memref::StoreOp::create(b, shiftedSymbol(b, symbol, spec.symbolShift), tables.symbols, ValueRange{nibble});
    Value ranked = b.compare(Predicate::ne, nibble, 0);
    sum = b.add(sum, b.select(ranked, b.shl(one, nibble), zero));
    scf::YieldOp::create(b, ValueRange{sum, b.add(count, b.select(ranked, one, zero))});
  }
  Value sum = loop.getResult(0), count = loop.getResult(1);
  Value without = b.compare(Predicate::eq, b.add(sum, 2), b.shl(b.index(2), count));
  require(b, b.andI(without, b.compare(Predicate::ule, count, ::ecf8::rankCount)),
          "expected different ranks without gaps in the payload");
  return tables;
}
