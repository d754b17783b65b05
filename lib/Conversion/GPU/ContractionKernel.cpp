// The contraction of activations with a weight that is decoded into the operands of tensor cores. A block works on jobs
// of one chunk of columns at a time, with the activations of the chunk in shared memory; its warps decode a tile each.
// The sums of a tile are final where there is one chunk; else they are stored, and the warp that finishes a row of
// tiles last adds them up, in the order of the chunks.
#include "DeviceKernel.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {
class ContractionKernel {
public:
  ContractionKernel(DeviceBuilder &b, const DeviceSpec &spec, const ContractionSpec &contraction, int64_t columnBlocks,
                    ValueRange arguments, Value area)
      : b(b), spec(spec), contraction(contraction), columnBlocks(columnBlocks),
        layout(ActivationLayout::of(spec, contraction.activations)), feed(b, spec, layout.warpsInStep()),
        weight(WeightArguments::of(arguments)), area(area) {
    ValueRange rest = arguments.drop_front(WeightArguments::count);
    auto take = [&] {
      Value first = rest.front();
      rest = rest.drop_front();
      return first;
    };
    activations = take(), activationStride = take(), activationRows = take();
    out = take(), outStride = take();
    if (contraction.scaleKind != ScaleKind::None)
      scales = take(), scaleStride = take(), blockRows = take(), reciprocal = take();
    for (size_t i = 0; i < contraction.extra.size(); ++i) {
      Value extra = take();
      extras.emplace_back(extra, take());
    }
    partials = take(), counters = take();
  }

  static SmallVector<Type> getTypes(MLIRContext *context, const ContractionSpec &contraction) {
    Type pointer = LLVM::LLVMPointerType::get(context, DeviceBuilder::globalSpace);
    Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
    SmallVector<Type> types = WeightArguments::getTypes(context);
    types.append({pointer, i64, i32, pointer, i64});
    if (contraction.scaleKind != ScaleKind::None)
      types.append({pointer, i64, i32, i32});
    for (size_t i = 0; i < contraction.extra.size(); ++i)
      types.append({pointer, i64});
    types.append({pointer, pointer});
    return types;
  }

  void emit() {
    feed.enter(weight, area, b.word(layout.endIn(spec, columnBlocks)));
    firstActivation = b.mul(b.blockRow(), 8 * columnBlocks);
    std::tie(firstJob, lastJob) = feed.jobsOfBlock();
    b.when(b.isLess(firstJob, lastJob), [&] {
      if (!GroupProducts::isFasterWithoutNaN(spec, contraction.activations))
        return emitBlock(/*mayHaveNaN=*/true);
      b.choose(
          feed.hasNaN(), {},
          [&] {
            emitBlock(/*mayHaveNaN=*/true);
            return SmallVector<Value>();
          },
          [&] {
            emitBlock(/*mayHaveNaN=*/false);
            return SmallVector<Value>();
          });
    });
  }

private:
  bool hasBlockScales() const { return contraction.scaleKind == ScaleKind::Blocks; }
  /// Scales of whole rows are applied to finished sums, those of blocks to the sums of each group.
  bool scalesResult() const { return contraction.scalesSums && contraction.scaleKind == ScaleKind::Rows; }
  bool scalesGroups() const { return contraction.scalesSums && hasBlockScales(); }
  bool scalesWeights() const { return contraction.scaleKind != ScaleKind::None && !contraction.scalesSums; }

  void emitBlock(bool mayHaveNaN) {
    products = GroupProducts::create(b, spec, contraction.activations, columnBlocks, area, feed.lane, mayHaveNaN);
    auto stage = [&](Value chunk) {
      stageActivations(chunk);
      products->publish();
    };
    Value firstChunk = feed.chunkOf(firstJob);
    SmallVector<Value> carried{b.mul(b.add(firstChunk, b.word(1)), feed.rowTiles)}; // where the chunk's jobs end
    carried.append(feed.begin(firstJob, lastJob, [&] { stage(firstChunk); }).pack());
    // The jobs of a chunk, and the activations of the next one where there are jobs of it.
    scf::WhileOp::create(
        b, ValueRange(carried).getTypes(), carried,
        [&](OpBuilder &, Location, ValueRange values) {
          SmallVector<Value> next{values[0]};
          next.append(feed.forJobsBefore(b.minS(lastJob, values[0]), values.drop_front(),
                                         [&](TileFeed::Position &position) { multiplyTile(position); }));
          scf::ConditionOp::create(b, b.isLess(next[0], lastJob), next);
        },
        [&](OpBuilder &, Location, ValueRange values) {
          b.blockBarrier(); // the activations before are done with
          stage(feed.chunkOf(values[0]));
          b.blockBarrier();
          SmallVector<Value> next(values);
          next[0] = b.add(next[0], feed.rowTiles);
          scf::YieldOp::create(b, next);
        });
  }

  /// Copies the activations of a chunk to shared memory, rows and columns that do not exist as zeros.
  void stageActivations(Value chunk) {
    const int64_t size = layout.elementBytes, perPiece = 16 / size;
    Value address = LLVM::PtrToIntOp::create(b, b.i64(), activations);
    Value low = b.orI(address, b.mul(activationStride, size));
    Value isAligned = b.compare(arith::CmpIPredicate::eq, b.andI(low, 15), 0);
    Value firstColumn = b.mul(chunk, spec.tileColumns);
    Value perRow = b.mul(feed.groupsOf(chunk), DeviceSpec::columnsPerGroup / perPiece);
    Value pieces = b.mul(perRow, 8 * columnBlocks);
    Type vector = b.vectorOf(4, b.i32()), bits = b.getIntegerType(8 * size);
    b.loop(b.thread(), pieces, b.threadCount(), {}, [&](Value piece, ValueRange) {
      Value row = b.divU(piece, perRow), inChunk = b.mul(b.sub(piece, b.mul(row, perRow)), perPiece);
      Value globalRow = b.add(firstActivation, row), column = b.add(firstColumn, inChunk);
      Value from =
          b.at(b.at(activations, b.mul(b.mul(b.wide(globalRow), activationStride), size)), b.mul(b.wide(column), size));
      Value rowExists = b.isLess(globalRow, activationRows);
      Value isWhole = b.andI(b.andI(rowExists, isAligned),
                             b.compare(arith::CmpIPredicate::sle, b.add(column, perPiece), weight.columns));
      b.choose(
          isWhole, {},
          [&] {
            products->storePiece(row, inChunk, b.loadConstant(vector, from, 16));
            return SmallVector<Value>();
          },
          [&] {
            b.loop(b.word(0), b.word(perPiece), b.word(1), {}, [&](Value i, ValueRange) {
              Value exists = b.andI(rowExists, b.isLess(b.add(column, i), weight.columns));
              Value element = b.choose(
                  exists, {bits},
                  [&] { return SmallVector<Value>{b.loadConstant(bits, b.at(from, b.mul(i, size)), size)}; },
                  [&] { return SmallVector<Value>{b.constant(bits, 0)}; })[0];
              b.store(element, b.at(area, products->offsetOf(row, b.add(inChunk, i))), size);
              return SmallVector<Value>();
            });
            return SmallVector<Value>();
          });
      return SmallVector<Value>();
    });
  }

  /// The two rows of the tile that a lane has elements of, the second 8 below the first.
  Value firstRowOf(Value rowTile) { return b.add(b.mul(rowTile, DeviceSpec::rowsPerTile), b.shrU(feed.lane, 2)); }

  int64_t scaleBytes() const { return contraction.scale.getIntOrFloatBitWidth() / 8; }

  /// Where the rows of scales of the lane's two rows begin. Blocks have whole tiles of rows, so that it is one row.
  SmallVector<Value> scaleRowsOf(Value rowTile) {
    SmallVector<Value> result;
    for (int64_t i = 0; i < (hasBlockScales() ? 1 : 2); ++i) {
      Value row = b.minS(b.add(firstRowOf(rowTile), b.word(8 * i)), b.sub(weight.rows, b.word(1)));
      Value index = hasBlockScales() ? b.divU(row, blockRows) : row;
      result.push_back(b.at(scales, b.mul(b.mul(b.wide(index), scaleStride), scaleBytes())));
    }
    return result;
  }

  Value loadScale(Value address) {
    Value scale = b.loadConstant(contraction.scale, address, scaleBytes());
    return contraction.scale.isF32() ? scale : arith::ExtFOp::create(b, b.getF32Type(), scale).getResult();
  }

  /// The scales of the lane's two rows for the columns of a group.
  SmallVector<Value> loadScales(ArrayRef<Value> scaleRows, Value chunk, Value group) {
    SmallVector<Value> result;
    if (hasBlockScales() && !scaleRows.empty()) {
      // A number of groups divided by those of a block is the upper half of twice the number times the reciprocal.
      Value at = b.add(b.mul(chunk, spec.groupsPerTile()), group);
      Value block = b.truncate(b.shrU(b.mul(b.wide(b.mul(at, 2)), b.wide(reciprocal)), 32), b.i32());
      return SmallVector<Value>(2, loadScale(b.at(scaleRows[0], b.mul(block, scaleBytes()))));
    }
    for (Value row : scaleRows)
      result.push_back(loadScale(row));
    return result;
  }

  void multiplyTile(TileFeed::Position &position) {
    Value job = position.job, rowTile = feed.rowTileOf(job), chunk = feed.chunkOf(job);
    SmallVector<Value> scaleRows, sums(4 * columnBlocks, b.zeroFloat());
    if (scalesWeights() || scalesGroups())
      scaleRows = scaleRowsOf(rowTile);
    sums = feed.decodeTile(position, sums, [&](Value group, ArrayRef<SmallVector<Value>> quads, ValueRange carried) {
      SmallVector<Value> scaleValues = loadScales(scaleRows, chunk, group);
      ArrayRef<Value> ofWeights = scalesWeights() ? ArrayRef<Value>(scaleValues) : ArrayRef<Value>();
      if (!scalesGroups() && products->canContinue())
        return products->multiply(group, quads, ofWeights, SmallVector<Value>(carried));
      SmallVector<Value> totals(carried), zeros(totals.size(), b.zeroFloat());
      SmallVector<Value> groupSums = products->multiply(group, quads, ofWeights, zeros);
      if (scalesGroups())
        applyFactor(groupSums);
      for (auto [i, total] : llvm::enumerate(totals)) {
        if (scalesGroups())
          total = LLVM::FMAOp::create(b, groupSums[i], scaleValues[i % 4 / 2], total);
        else
          total = arith::AddFOp::create(b, total, groupSums[i]);
      }
      return totals;
    });
    if (!scalesGroups())
      applyFactor(sums);
    if (layout.warpsInStep() == 1)
      finish(job, rowTile, sums);
    else
      b.when(feed.hasOwnTile(job), [&] { finish(job, rowTile, sums); });
  }

  /// Of sums and not of their scales, which may be any f32.
  void applyFactor(MutableArrayRef<Value> sums) {
    double factor = scalesWeights() ? 1 : products->sumFactor();
    if (factor == 1)
      return;
    for (Value &sum : sums)
      sum = arith::MulFOp::create(b, sum, arith::ConstantOp::create(b, b.getF32FloatAttr(float(factor))));
  }

  void finish(Value job, Value rowTile, ArrayRef<Value> sums) {
    Value isSingle = b.compare(arith::CmpIPredicate::eq, feed.chunks, 1);
    b.choose(
        isSingle, {},
        [&] {
          writeResult(rowTile, sums);
          return SmallVector<Value>();
        },
        [&] {
          combine(job, rowTile, sums);
          return SmallVector<Value>();
        });
  }

  /// Where the lane's sums of a job are kept, for all blocks of columns.
  Value partialOf(Value job) {
    Value index = b.add(b.mul(b.blockRow(), feed.jobCount()), job);
    return b.at(b.at(partials, b.mul(b.wide(index), 512 * columnBlocks)), b.mul(feed.lane, 16));
  }

  void combine(Value job, Value rowTile, ArrayRef<Value> sums) {
    Type vector = b.vectorOf(4, b.getF32Type());
    Value mine = partialOf(feed.ownJob(job));
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
                   Value from = partialOf(b.add(b.mul(part, feed.rowTiles), rowTile));
                   for (int64_t n = 0; n < columnBlocks; ++n) {
                     Value four =
                         LLVM::LoadOp::create(b, vector, b.at(from, int32_t(512 * n)), 16, /*isVolatile=*/true);
                     for (int64_t i = 0; i < 4; ++i)
                       next[4 * n + i] = arith::AddFOp::create(b, next[4 * n + i], b.element(four, i));
                   }
                   return next;
                 });
      writeResult(rowTile, totals);
      b.when(isFirstLane, [&] { b.store(b.word(0), counter, 4); });
    });
  }

  void writeResult(Value rowTile, ArrayRef<Value> sums) {
    Value row = firstRowOf(rowTile);
    Value column = b.add(firstActivation, b.mul(b.andI(feed.lane, 3), 2));
    SmallVector<Value> scaleValues;
    if (scalesResult())
      for (Value address : scaleRowsOf(rowTile))
        scaleValues.push_back(loadScale(address));
    for (int64_t n = 0; n < columnBlocks; ++n)
      for (int64_t i = 0; i < 4; ++i) {
        Value r = b.add(row, b.word(8 * (i / 2))), c = b.add(column, b.word(8 * n + i % 2));
        Value exists = b.andI(b.isLess(r, weight.rows), b.isLess(c, activationRows));
        b.when(exists, [&] {
          Value sum = sums[4 * n + i];
          if (scalesResult())
            sum = arith::MulFOp::create(b, sum, scaleValues[i / 2]);
          writeElement(c, r, sum);
        });
      }
  }

  /// Element [m, n] of a matrix.
  Value elementOf(Value matrix, Value stride, Value m, Value n, Type type) {
    Value index = b.add(b.mul(b.wide(m), stride), b.wide(n));
    return b.at(matrix, b.mul(index, type.getIntOrFloatBitWidth() / 8));
  }

  void writeElement(Value m, Value n, Value sum) {
    const unsigned size = contraction.result.getIntOrFloatBitWidth() / 8;
    Value to = elementOf(out, outStride, m, n, contraction.result);
    if (!contraction.epilogue)
      return b.store(arith::AddFOp::create(b, b.load(b.getF32Type(), to, 4), sum), to, 4);
    Block &body = contraction.epilogue->front();
    IRMapping mapping;
    mapping.map(body.getArgument(0), sum);
    for (auto [argument, extra, type] : llvm::zip_equal(body.getArguments().drop_front(), extras, contraction.extra)) {
      Value address = elementOf(extra.first, extra.second, type.getDimSize(0) == 1 ? b.word(0) : m,
                                type.getDimSize(1) == 1 ? b.word(0) : n, type.getElementType());
      mapping.map(argument, b.loadConstant(type.getElementType(), address, type.getElementTypeBitWidth() / 8));
    }
    for (Operation &op : body.without_terminator())
      b.clone(op, mapping);
    b.store(mapping.lookup(body.getTerminator()->getOperand(0)), to, size);
  }

  DeviceBuilder &b;
  const DeviceSpec &spec;
  const ContractionSpec &contraction;
  int64_t columnBlocks;
  ActivationLayout layout;
  TileFeed feed;
  std::unique_ptr<GroupProducts> products;
  WeightArguments weight;
  Value area;
  Value activations, activationStride, activationRows;
  Value out, outStride;
  Value scales, scaleStride, blockRows, reciprocal;
  SmallVector<std::pair<Value, Value>> extras; ///< matrices and their row strides
  Value partials, counters;
  Value firstActivation, firstJob, lastJob;
};
} // namespace

gpu::GPUFuncOp mlir::ecf8::createContractionKernel(gpu::GPUModuleOp module, StringRef name, const DeviceSpec &spec,
                                                   const ContractionSpec &contraction, int64_t columnBlocks) {
  SmallVector<Type> types = ContractionKernel::getTypes(module.getContext(), contraction);
  gpu::GPUFuncOp kernel = createKernel(
      module, name, types,
      [&](DeviceBuilder &b, ValueRange arguments, Value area) {
        ContractionKernel(b, spec, contraction, columnBlocks, arguments, area).emit();
      },
      ActivationLayout::of(spec, contraction.activations).alignment);
  // A launch has one block for each multiprocessor; ptxas would spill to make room for a second.
  kernel->setAttr("nvvm.minctasm", OpBuilder(kernel).getI32IntegerAttr(1));
  return kernel;
}
