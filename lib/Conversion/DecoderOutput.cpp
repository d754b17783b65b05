// The way out of the order `rows32`: 8 x 8 transpositions of pairs of columns, in vectors of 128 bits, which every
// instruction set has.
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

template <typename Body> void forRange(LaneBuilder &b, Value end, Body body) {
  auto loop = scf::ForOp::create(b, b.index(0), end, b.index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

} // namespace

MatrixWriter::MatrixWriter(LaneBuilder &b, Value matrix) : matrix(matrix) {
  Type elementType = cast<MemRefType>(matrix.getType()).getElementType();
  edge = memref::AllocaOp::create(b, MemRefType::get({32, kBlockColumns}, elementType), b.getI64IntegerAttr(64));
}

void MatrixWriter::store(LaneBuilder &b, Value vectorOfBytes, Value target, ValueRange at) const {
  auto type = cast<VectorType>(vectorOfBytes.getType());
  Type elementType = cast<MemRefType>(target.getType()).getElementType();
  if (elementType != type.getElementType())
    vectorOfBytes = arith::BitcastOp::create(b, VectorType::get(type.getShape(), elementType), vectorOfBytes);
  vector::StoreOp::create(b, vectorOfBytes, target, at);
}

void MatrixWriter::transposeTo(LaneBuilder &b, Value block, Value at, Value target, Value row, Value column) const {
  // Lanes 8l .. 8l + 7 are rows 4l .. 4l + 3 and 16 + 4l .. 16 + 4l + 3; 8 steps are 16 columns.
  forRange(b, b.index(4), [&](Value quarter) {
    Value firstRow = b.add(row, b.shl(quarter, 2));
    Value laneByte = b.add(at, b.shl(quarter, 4));
    forRange(b, b.index(4), [&](Value stepGroup) {
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

void MatrixWriter::writeBlock(LaneBuilder &b, Value block, Value at, Value row, Value column, Value rows,
                              Value columns) const {
  Value whole = b.andI(b.compare(arith::CmpIPredicate::eq, rows, 32),
                       b.compare(arith::CmpIPredicate::eq, columns, kBlockColumns));
  auto branch = scf::IfOp::create(b, TypeRange{}, whole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  transposeTo(b, block, at, matrix, row, column);

  b.setInsertionPointToStart(branch.elseBlock());
  transposeTo(b, block, at, edge, b.index(0), b.index(0));
  forRange(b, rows, [&](Value r) {
    Value targetRow = b.add(row, r);
    Value chunks = b.divU(columns, 16);
    forRange(b, chunks, [&](Value chunk) {
      Value c = b.shl(chunk, 4);
      auto type = VectorType::get({16}, cast<MemRefType>(edge.getType()).getElementType());
      Value bytes = vector::LoadOp::create(b, type, edge, ValueRange{r, c});
      vector::StoreOp::create(b, bytes, matrix, ValueRange{targetRow, b.add(column, c)});
    });
    forRange(b, b.andI(columns, 15), [&](Value c) {
      Value from = b.add(b.shl(chunks, 4), c);
      Value byte = memref::LoadOp::create(b, edge, ValueRange{r, from});
      memref::StoreOp::create(b, byte, matrix, ValueRange{targetRow, b.add(column, from)});
    });
  });
}
