// Whole decode: each warp decodes tiles, group by group, and writes a group's 16 rows of 128 bytes by way of shared
// memory, so that rows are written in one piece.
#include "DeviceKernel.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {
class DecodeKernel {
public:
  DecodeKernel(DeviceBuilder &b, const DeviceSpec &spec, ValueRange arguments, Value area)
      : b(b), feed(b, spec), weight(WeightArguments::of(arguments)), out(arguments[WeightArguments::count]),
        rowStride(arguments[WeightArguments::count + 1]), area(area), stagingAt(spec.tableBytes()), spec(spec) {}

  void emit() {
    Value warpCount = b.shrU(b.threadCount(), 5);
    Value streams = b.add(b.word(stagingAt), b.mul(warpCount, kDecodeStagingBytes));
    feed.enter(weight, area, streams);
    // 16 bytes can be written at once where all rows begin at a multiple of them.
    Value address = LLVM::PtrToIntOp::create(b, b.i64(), out);
    isAligned = b.compare(arith::CmpIPredicate::eq, b.andI(b.orI(address, rowStride), 15), 0);
    Value firstJob, lastJob;
    std::tie(firstJob, lastJob) = feed.jobsOfBlock();
    staging = b.add(b.word(stagingAt), b.mul(feed.warp, kDecodeStagingBytes));
    b.when(b.isLess(firstJob, lastJob), [&] {
      SmallVector<Value> position = feed.begin(firstJob, lastJob, [] {}).pack();
      feed.forJobsBefore(lastJob, position, [&](TileFeed::Position &at) { decode(at); });
    });
  }

private:
  void decode(TileFeed::Position &position) {
    Value firstRow = b.mul(feed.rowTileOf(position.job), DeviceSpec::rowsPerTile);
    Value firstColumn = b.mul(feed.chunkOf(position.job), spec.tileColumns);
    // Where a lane's quads go in the staging area (see DeviceSpec), and from where it writes rows of the matrix.
    Value row = b.shrU(feed.lane, 2), column = b.mul(b.andI(feed.lane, 3), 4);
    Value mine = b.at(area, b.add(staging, b.add(b.mul(row, kDecodeRowBytes), column)));
    feed.decodeTile(position, {}, [&](Value group, ArrayRef<SmallVector<Value>> quads, ValueRange) {
      b.warpBarrier(); // the group before has been read
      for (auto [step, stepQuads] : llvm::enumerate(quads))
        for (auto [i, quad] : llvm::enumerate(stepQuads))
          b.store(quad, b.at(mine, int32_t(8 * (i & 1) * kDecodeRowBytes + 32 * step + 16 * (i / 2))), 4);
      b.warpBarrier();
      writeRows(firstRow, b.add(firstColumn, b.mul(group, DeviceSpec::columnsPerGroup)));
      return SmallVector<Value>();
    });
  }

  /// Writes the staged 16 x 128 bytes: 8 lanes for a row, 4 rows at a time.
  void writeRows(Value firstRow, Value firstColumn) {
    Value piece = b.mul(b.andI(feed.lane, 7), 16), column = b.add(firstColumn, piece);
    Value isWhole = b.andI(isAligned, b.compare(arith::CmpIPredicate::sle, b.add(column, 16), weight.columns));
    for (int64_t first = 0; first < DeviceSpec::rowsPerTile; first += 4) {
      Value rowInTile = b.add(b.shrU(feed.lane, 3), first), row = b.add(firstRow, rowInTile);
      Value from = b.at(area, b.add(staging, b.add(b.mul(rowInTile, kDecodeRowBytes), piece)));
      b.when(b.isLess(row, weight.rows), [&] {
        Value to = b.at(b.at(out, b.mul(b.wide(row), rowStride)), b.wide(column));
        Type vector = b.vectorOf(4, b.i32());
        b.choose(
            isWhole, {},
            [&] {
              b.store(b.load(vector, from, 16), to, 16);
              return SmallVector<Value>();
            },
            [&] {
              Value count = b.minS(b.sub(weight.columns, column), b.word(16));
              b.loop(b.word(0), count, b.word(1), {}, [&](Value i, ValueRange) {
                b.store(b.load(b.getI8Type(), b.at(from, i), 1), b.at(to, i), 1);
                return SmallVector<Value>();
              });
              return SmallVector<Value>();
            });
      });
    }
  }

  DeviceBuilder &b;
  TileFeed feed;
  WeightArguments weight;
  Value out, rowStride, area;
  int64_t stagingAt;
  const DeviceSpec &spec;
  Value staging, isAligned;
};
} // namespace

gpu::GPUFuncOp mlir::ecf8::createDecodeKernel(gpu::GPUModuleOp module, StringRef name, const DeviceSpec &spec) {
  MLIRContext *context = module.getContext();
  SmallVector<Type> types = WeightArguments::getTypes(context);
  types.append({LLVM::LLVMPointerType::get(context, DeviceBuilder::globalSpace), IntegerType::get(context, 64)});
  return createKernel(module, name, types, [&](DeviceBuilder &b, ValueRange arguments, Value area) {
    DecodeKernel(b, spec, arguments, area).emit();
  });
}
