// The contraction of activations in f16 or bf16 with a weight that is decoded into the operands of tensor cores. A
// block works on jobs of one chunk of columns at a time, with the activations of the chunk in shared memory; its warps
// decode a tile each. The sums of a tile are final where there is one chunk; else they are stored, and the warp that
// finishes a row of tiles last adds them up, in the order of the chunks.
#include "DeviceKernel.h"
#include "WeightFragments.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {
class ContractionKernel {
public:
  ContractionKernel(DeviceBuilder &b, const DeviceSpec &spec, const ContractionSpec &contraction, int64_t columnBlocks,
                    ValueRange arguments, Value area)
      : b(b), spec(spec), contraction(contraction), columnBlocks(columnBlocks), feed(b, spec),
        fragments(b, spec, contraction.activations), weight(WeightArguments::of(arguments)), area(area) {
    ValueRange rest = arguments.drop_front(WeightArguments::count);
    activations = rest[0], activationStride = rest[1], activationRows = rest[2];
    out = rest[3], outStride = rest[4];
    rest = rest.drop_front(5);
    if (contraction.scaleKind != ScaleKind::None) {
      scales = rest[0], scaleStride = rest[1], blockRows = rest[2], blockColumns = rest[3];
      rest = rest.drop_front(4);
    }
    partials = rest[0], counters = rest[1];
  }

  static SmallVector<Type> getTypes(MLIRContext *context, const ContractionSpec &contraction) {
    Type pointer = LLVM::LLVMPointerType::get(context, DeviceBuilder::globalSpace);
    Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
    SmallVector<Type> types = WeightArguments::getTypes(context);
    types.append({pointer, i64, i32, pointer, i64});
    if (contraction.scaleKind != ScaleKind::None)
      types.append({pointer, i64, i32, i32});
    types.append({pointer, pointer});
    return types;
  }

  void emit() {
    activationBytes = 8 * columnBlocks * getActivationRowBytes(spec);
    feed.enter(weight, area, b.word(spec.tableBytes() + activationBytes));
    firstActivation = b.mul(b.blockRow(), 8 * columnBlocks);
    std::tie(firstJob, lastJob) = feed.jobsOfBlock();
    b.when(b.isLess(firstJob, lastJob), [&] { emitBlock(); });
  }

private:
  void emitBlock() {
    TileFeed::Position first = feed.begin(firstJob, lastJob);
    Value lastChunk = feed.chunkOf(b.sub(lastJob, b.word(1)));
    b.loop(feed.chunkOf(firstJob), b.add(lastChunk, b.word(1)), b.word(1), first.pack(),
           [&](Value chunk, ValueRange values) {
             b.blockBarrier(); // the activations before are done with
             stageActivations(chunk);
             b.blockBarrier();
             Value end = b.minS(lastJob, b.mul(b.add(chunk, b.word(1)), feed.rowTiles));
             return feed.forJobsBefore(end, values,
                                       [&](TileFeed::Position &position) { multiplyTile(position, chunk); });
           });
  }

  /// Copies the activations of a chunk to shared memory, rows and columns that do not exist as zeros.
  void stageActivations(Value chunk) {
    Value address = LLVM::PtrToIntOp::create(b, b.i64(), activations);
    Value low = b.orI(address, b.mul(activationStride, 2));
    Value isAligned = b.compare(arith::CmpIPredicate::eq, b.andI(low, 15), 0);
    Value firstColumn = b.mul(chunk, spec.tileColumns);
    Value perRow = b.mul(feed.groupsOf(chunk), DeviceSpec::columnsPerGroup / 8);
    Value pieces = b.mul(perRow, 8 * columnBlocks);
    Type vector = b.vectorOf(4, b.i32()), half = b.getI16Type();
    b.loop(b.thread(), pieces, b.threadCount(), {}, [&](Value piece, ValueRange) {
      Value row = b.divU(piece, perRow), eight = b.mul(b.sub(piece, b.mul(row, perRow)), 8);
      Value to =
          b.at(area, b.add(b.add(b.mul(row, getActivationRowBytes(spec)), b.mul(eight, 2)), b.word(spec.tableBytes())));
      Value globalRow = b.add(firstActivation, row), column = b.add(firstColumn, eight);
      Value from =
          b.at(b.at(activations, b.mul(b.mul(b.wide(globalRow), activationStride), 2)), b.mul(b.wide(column), 2));
      Value rowExists = b.isLess(globalRow, activationRows);
      Value isWhole =
          b.andI(b.andI(rowExists, isAligned), b.compare(arith::CmpIPredicate::sle, b.add(column, 8), weight.columns));
      b.choose(
          isWhole, {},
          [&] {
            b.store(b.loadConstant(vector, from, 16), to, 16);
            return SmallVector<Value>();
          },
          [&] {
            b.loop(b.word(0), b.word(8), b.word(1), {}, [&](Value i, ValueRange) {
              Value exists = b.andI(rowExists, b.isLess(b.add(column, i), weight.columns));
              Value bits = b.choose(
                  exists, {half}, [&] { return SmallVector<Value>{b.loadConstant(half, b.at(from, b.mul(i, 2)), 2)}; },
                  [&] { return SmallVector<Value>{b.constant(half, 0)}; })[0];
              b.store(bits, b.at(to, b.mul(i, 2)), 2);
              return SmallVector<Value>();
            });
            return SmallVector<Value>();
          });
      return SmallVector<Value>();
    });
  }

  /// The two rows of the tile that a lane has elements of, the second 8 below the first.
  Value firstRowOf(Value rowTile) { return b.add(b.mul(rowTile, DeviceSpec::rowsPerTile), b.shrU(feed.lane, 2)); }

  /// The scales of the lane's two rows for the columns of a group.
  SmallVector<Value> loadScales(Value rowTile, Value column) {
    SmallVector<Value> result;
    Value blockColumn = b.divU(column, blockColumns);
    for (int64_t i = 0; i < 2; ++i) {
      Value row = b.minS(b.add(firstRowOf(rowTile), b.word(8 * i)), b.sub(weight.rows, b.word(1)));
      Value index = b.add(b.mul(b.wide(b.divU(row, blockRows)), scaleStride), b.wide(blockColumn));
      int64_t size = contraction.scale.getIntOrFloatBitWidth() / 8;
      Value scale = b.loadConstant(contraction.scale, b.at(scales, b.mul(index, size)), size);
      result.push_back(contraction.scale.isF32() ? scale : arith::ExtFOp::create(b, b.getF32Type(), scale).getResult());
    }
    return result;
  }

  void multiplyTile(TileFeed::Position &position, Value chunk) {
    Value rowTile = feed.rowTileOf(position.job);
    SmallVector<Value> sums(4 * columnBlocks, b.zeroFloat());
    // Lane 4n + t reads the activations 4t to 4t + 3 of row n: 8 bytes, without bank conflicts.
    Value mine = b.add(b.mul(b.shrU(feed.lane, 2), getActivationRowBytes(spec)), b.mul(b.andI(feed.lane, 3), 8));
    mine = b.add(mine, b.word(spec.tableBytes()));
    const bool isScaled = contraction.scaleKind != ScaleKind::None;
    sums = feed.decodeTile(position, sums, [&](Value group, ArrayRef<SmallVector<Value>> quads, ValueRange carried) {
      SmallVector<Value> totals(carried), scaleValues;
      if (isScaled) {
        Value column = b.add(b.mul(chunk, spec.tileColumns), b.mul(group, DeviceSpec::columnsPerGroup));
        scaleValues = loadScales(rowTile, column);
      }
      const bool scalesSums = contraction.scalesSums;
      SmallVector<Value> groupSums(totals.size(), b.zeroFloat());
      MutableArrayRef<Value> target = scalesSums ? groupSums : totals;
      Value base = b.at(area, b.add(mine, b.mul(group, DeviceSpec::columnsPerGroup * 2)));
      Type pair = b.vectorOf(2, b.i32());
      for (auto [step, stepQuads] : llvm::enumerate(quads)) {
        auto a = fragments.convert(stepQuads, scalesSums ? ArrayRef<Value>() : scaleValues);
        for (int64_t n = 0; n < columnBlocks; ++n) {
          int32_t offset = 8 * n * getActivationRowBytes(spec) + 64 * step;
          for (int64_t half = 0; half < 2; ++half) {
            Value two = b.load(pair, b.at(base, int32_t(offset + 32 * half)), 8);
            fragments.multiply(a[half], b.element(two, 0), b.element(two, 1), target.slice(4 * n, 4));
          }
        }
      }
      if (scalesSums)
        for (auto [i, total] : llvm::enumerate(totals)) {
          Value scaled = arith::MulFOp::create(b, groupSums[i], scaleValues[i % 4 / 2]);
          total = arith::AddFOp::create(b, total, scaled);
        }
      return totals;
    });
    finish(rowTile, chunk, sums);
  }

  void finish(Value rowTile, Value chunk, ArrayRef<Value> sums) {
    Value isSingle = b.compare(arith::CmpIPredicate::eq, feed.chunks, 1);
    b.choose(
        isSingle, {},
        [&] {
          addToOutput(rowTile, sums);
          return SmallVector<Value>();
        },
        [&] {
          combine(rowTile, chunk, sums);
          return SmallVector<Value>();
        });
  }

  /// Where the lane's sums of a tile are kept. Each chunk has all tiles of rows, each of these all blocks of columns.
  Value partialOf(Value chunk, Value rowTile) {
    Value tiles = b.mul(feed.chunks, feed.rowTiles);
    Value index = b.add(b.mul(b.blockRow(), tiles), b.add(b.mul(chunk, feed.rowTiles), rowTile));
    return b.at(b.at(partials, b.mul(b.wide(index), 512 * columnBlocks)), b.mul(feed.lane, 16));
  }

  void combine(Value rowTile, Value chunk, ArrayRef<Value> sums) {
    Type vector = b.vectorOf(4, b.getF32Type());
    Value mine = partialOf(chunk, rowTile);
    for (int64_t n = 0; n < columnBlocks; ++n) {
      Value four = LLVM::UndefOp::create(b, vector);
      for (int64_t i = 0; i < 4; ++i)
        four = LLVM::InsertElementOp::create(b, four, sums[4 * n + i], b.word(i));
      b.store(four, b.at(mine, int32_t(512 * n)), 16);
    }
    b.deviceFence();
    b.warpBarrier();
    Value counter = b.at(counters, b.mul(b.wide(b.add(b.mul(b.blockRow(), feed.rowTiles), rowTile)), 4));
    Value isFirstLane = b.compare(arith::CmpIPredicate::eq, feed.lane, 0);
    Value count = b.choose(
        isFirstLane, {b.i32()},
        [&]() -> SmallVector<Value> {
          return {LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, counter, b.word(1),
                                            LLVM::AtomicOrdering::monotonic, "device")};
        },
        [&] { return SmallVector<Value>{b.word(0)}; })[0];
    count = b.intrinsic("llvm.nvvm.shfl.sync.idx.i32", b.i32(), {b.word(-1), count, b.word(0), b.word(31)});
    Value isLast = b.compare(arith::CmpIPredicate::eq, b.add(count, 1), feed.chunks);
    b.when(isLast, [&] {
      b.deviceFence();
      SmallVector<Value> totals =
          b.loop(b.word(0), feed.chunks, b.word(1), SmallVector<Value>(sums.size(), b.zeroFloat()),
                 [&](Value part, ValueRange values) {
                   SmallVector<Value> next(values);
                   Value from = partialOf(part, rowTile);
                   for (int64_t n = 0; n < columnBlocks; ++n) {
                     Value four =
                         LLVM::LoadOp::create(b, vector, b.at(from, int32_t(512 * n)), 16, /*isVolatile=*/true);
                     for (int64_t i = 0; i < 4; ++i)
                       next[4 * n + i] = arith::AddFOp::create(b, next[4 * n + i], b.element(four, i));
                   }
                   return next;
                 });
      addToOutput(rowTile, totals);
      b.when(isFirstLane, [&] { b.store(b.word(0), counter, 4); });
    });
  }

  void addToOutput(Value rowTile, ArrayRef<Value> sums) {
    Value row = firstRowOf(rowTile);
    Value column = b.add(firstActivation, b.mul(b.andI(feed.lane, 3), 2));
    for (int64_t n = 0; n < columnBlocks; ++n)
      for (int64_t i = 0; i < 4; ++i) {
        Value r = b.add(row, b.word(8 * (i / 2))), c = b.add(column, b.word(8 * n + i % 2));
        Value exists = b.andI(b.isLess(r, weight.rows), b.isLess(c, activationRows));
        b.when(exists, [&] {
          Value index = b.add(b.mul(b.wide(c), outStride), b.wide(r));
          Value to = b.at(out, b.mul(index, 4));
          Value before = b.load(b.getF32Type(), to, 4);
          b.store(arith::AddFOp::create(b, before, sums[4 * n + i]), to, 4);
        });
      }
  }

  DeviceBuilder &b;
  const DeviceSpec &spec;
  const ContractionSpec &contraction;
  int64_t columnBlocks;
  TileFeed feed;
  WeightFragments fragments;
  WeightArguments weight;
  Value area;
  Value activations, activationStride, activationRows;
  Value out, outStride;
  Value scales, scaleStride, blockRows, blockColumns;
  Value partials, counters;
  int64_t activationBytes = 0;
  Value firstActivation, firstJob, lastJob;
};
} // namespace

gpu::GPUFuncOp mlir::ecf8::createContractionKernel(gpu::GPUModuleOp module, StringRef name, const DeviceSpec &spec,
                                                   const ContractionSpec &contraction, int64_t columnBlocks) {
  SmallVector<Type> types = ContractionKernel::getTypes(module.getContext(), contraction);
  return createKernel(module, name, types, [&](DeviceBuilder &b, ValueRange arguments, Value area) {
    ContractionKernel(b, spec, contraction, columnBlocks, arguments, area).emit();
  });
}
