// The sinks of the decode functions. The way out of the order `rows32` goes through a block on the stack and 8 x 8
// transpositions of pairs of columns, in vectors of 128 bits, which every instruction set has.
#include "DecoderOutput.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// Transposes 8 vectors of 8 words: three rounds of interleaving vector i with vector i + 4.
SmallVector<Value> transpose8x8(LaneBuilder &b, SmallVector<Value> in) {
  const int64_t low[] = {0, 8, 1, 9, 2, 10, 3, 11}, high[] = {4, 12, 5, 13, 6, 14, 7, 15};
  for (unsigned round = 0; round < 3; ++round) {
    SmallVector<Value> out;
    for (unsigned i = 0; i < 4; ++i) {
      out.push_back(vector::ShuffleOp::create(b, in[i], in[i + 4], low));
      out.push_back(vector::ShuffleOp::create(b, in[i], in[i + 4], high));
    }
    in = std::move(out);
  }
  return in;
}

/// Writes blocks into a row-major matrix.
class MatrixSink final : public DecodeSink {
public:
  explicit MatrixSink(Value matrix) : matrix(matrix) {}

  void enterFunction(LaneBuilder &b, const MatrixSlice &matrixSlice, unsigned tileCount) override {
    slice = matrixSlice;
    block = b.stackBuffer(tileCount * kBlockBytes, b.getI8Type());
    Type elementType = cast<MemRefType>(matrix.getType()).getElementType();
    edge = memref::AllocaOp::create(b, MemRefType::get({32, kBlockColumns}, elementType), b.getI64IntegerAttr(64));
  }

  void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value>) override {
    Value offset = b.mul(b.sub(place.unitColumn, place.blockColumn), 32);
    b.storeBytes(bytes, block, b.add(offset, 64 * place.step + place.tile * kBlockBytes));
  }

  void closeBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn, MutableArrayRef<Value>) override {
    Value column = b.add(b.sub(place.tileColumn, slice.column), blockColumn);
    Value columns = b.minU(b.sub(place.wanted, blockColumn), b.index(kBlockColumns));
    for (unsigned t = 0; t < place.count; ++t) {
      Value row = b.mul(b.add(place.strip, t), 32);
      Value rows = b.minU(b.sub(slice.rows, row), b.index(32));
      writeBlock(b, b.index(t * kBlockBytes), row, column, rows, columns);
    }
  }

private:
  /// Stores the first `rows` x `columns` elements (at most 32 x 64) of the block at byte `at` of `block` to (`row`,
  /// `column`) of the matrix.
  void writeBlock(LaneBuilder &b, Value at, Value row, Value column, Value rows, Value columns) const;
  void transposeTo(LaneBuilder &b, Value at, Value target, Value row, Value column) const;
  void store(LaneBuilder &b, Value vectorOfBytes, Value target, ValueRange at) const;

  Value matrix;
  MatrixSlice slice;
  Value block; ///< one for each tile in lockstep
  Value edge;  ///< 32 x 64 bytes for blocks that are not whole
};

/// Writes steps where they stand in the order of the format.
class TileOrderSink final : public DecodeSink {
public:
  TileOrderSink(Value buffer, Value columnsPerStrip) : buffer(buffer), columnsPerStrip(columnsPerStrip) {}

  void openTile(LaneBuilder &b, const TilePlace &place, unsigned tile, Value payloadStrip) override {
    tileAt.resize(place.count);
    tileAt[tile] = b.add(b.mul(payloadStrip, b.mul(columnsPerStrip, 32)), b.mul(place.tileColumn, 32));
  }

  void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value>) override {
    Value target = b.add(b.mul(place.unitColumn, 32), 64 * place.step);
    b.storeBytes(bytes, buffer, b.add(tileAt[place.tile], target));
  }

private:
  Value buffer, columnsPerStrip;
  SmallVector<Value> tileAt;
};

} // namespace

std::unique_ptr<DecodeSink> mlir::ecf8::createMatrixSink(Value matrix) { return std::make_unique<MatrixSink>(matrix); }

std::unique_ptr<DecodeSink> mlir::ecf8::createTileOrderSink(Value buffer, Value columnsPerStrip) {
  return std::make_unique<TileOrderSink>(buffer, columnsPerStrip);
}

void MatrixSink::store(LaneBuilder &b, Value vectorOfBytes, Value target, ValueRange at) const {
  auto type = cast<VectorType>(vectorOfBytes.getType());
  Type elementType = cast<MemRefType>(target.getType()).getElementType();
  if (elementType != type.getElementType())
    vectorOfBytes = arith::BitcastOp::create(b, VectorType::get(type.getShape(), elementType), vectorOfBytes);
  vector::StoreOp::create(b, vectorOfBytes, target, at);
}

void MatrixSink::transposeTo(LaneBuilder &b, Value at, Value target, Value row, Value column) const {
  // Lanes 8l .. 8l + 7 are rows 4l .. 4l + 3 and 16 + 4l .. 16 + 4l + 3; 8 steps are 16 columns.
  b.forRange(b.index(4), [&](Value quarter) {
    Value firstRow = b.add(row, b.shl(quarter, 2));
    Value laneByte = b.add(at, b.shl(quarter, 4));
    b.forRange(b.index(4), [&](Value stepGroup) {
      Value source = b.add(laneByte, b.mul(stepGroup, 8 * 64));
      SmallVector<Value> steps;
      for (int64_t i = 0; i < 8; ++i)
        steps.push_back(b.bitcast(b.loadBytes(block, b.add(source, 64 * i), 16), b.words(8)));
      Value targetColumn = b.add(column, b.shl(stepGroup, 4));
      SmallVector<Value> rows = transpose8x8(b, std::move(steps));
      for (int64_t lane = 0; lane < 8; ++lane)
        store(b, b.bitcast(rows[lane], b.bytes(16)), target,
              {b.add(firstRow, lane / 2 + 16 * (lane % 2)), targetColumn});
    });
  });
}

void MatrixSink::writeBlock(LaneBuilder &b, Value at, Value row, Value column, Value rows, Value columns) const {
  Value whole = b.andI(b.compare(arith::CmpIPredicate::eq, rows, 32),
                       b.compare(arith::CmpIPredicate::eq, columns, kBlockColumns));
  auto branch = scf::IfOp::create(b, TypeRange{}, whole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  transposeTo(b, at, matrix, row, column);

  b.setInsertionPointToStart(branch.elseBlock());
  transposeTo(b, at, edge, b.index(0), b.index(0));
  b.forRange(rows, [&](Value r) {
    Value targetRow = b.add(row, r);
    Value chunks = b.divU(columns, 16);
    b.forRange(chunks, [&](Value chunk) {
      Value c = b.shl(chunk, 4);
      auto type = VectorType::get({16}, cast<MemRefType>(edge.getType()).getElementType());
      Value bytes = vector::LoadOp::create(b, type, edge, ValueRange{r, c});
      vector::StoreOp::create(b, bytes, matrix, ValueRange{targetRow, b.add(column, c)});
    });
    b.forRange(b.andI(columns, 15), [&](Value c) {
      Value from = b.add(b.shl(chunks, 4), c);
      Value byte = memref::LoadOp::create(b, edge, ValueRange{r, from});
      memref::StoreOp::create(b, byte, matrix, ValueRange{targetRow, b.add(column, from)});
    });
  });
}
