// The ops of an epilogue on vectors and on scalars.
#include "Epilogue.h"
#include "CanonicalNaN.h"
#include "StepArithmetic.h"
#include "ecf8/Conversion/Decoders.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class EpilogueEmitter {
public:
  EpilogueEmitter(LaneBuilder &b, const ContractionSpec &spec, func::FuncOp function)
      : b(b), spec(spec), out(function.getArgument(0)), extra(function.getArguments().slice(1, spec.extra.size())) {}

  /// Makes `sums`, f32 or vector<16xf32>, elements of the output from [row, column] on.
  void finish(Value sums, Value row, Value column) {
    auto vector = dyn_cast<VectorType>(sums.getType());
    Block &body = spec.epilogue->front();
    IRMapping mapping;
    mapping.map(body.getArgument(0), canonicalizeNaN(b, sums));
    for (auto [argument, matrix] : llvm::zip_equal(body.getArguments().drop_front(), extra))
      mapping.map(argument, load(matrix, row, column, vector));
    for (Operation &op : body.without_terminator())
      clone(op, vector, mapping);
    Value result = mapping.lookup(body.getTerminator()->getOperand(0));
    if (vector)
      vector::StoreOp::create(b, result, out, ValueRange{row, column});
    else
      memref::StoreOp::create(b, result, out, ValueRange{row, column});
  }

private:
  /// The elements of `matrix` for the sums from [row, column] on.
  Value load(Value matrix, Value row, Value column, VectorType shape) {
    auto type = cast<MemRefType>(matrix.getType());
    SmallVector<Value> at{type.getDimSize(0) == 1 ? b.index(0) : row, type.getDimSize(1) == 1 ? b.index(0) : column};
    if (shape && type.getDimSize(1) != 1)
      return vector::LoadOp::create(b, shape.clone(type.getElementType()), matrix, at);
    Value element = memref::LoadOp::create(b, matrix, at);
    return shape ? vector::BroadcastOp::create(b, shape.clone(type.getElementType()), element).getResult() : element;
  }

  /// `op` on scalars as it is, or on vectors of `shape`.
  void clone(Operation &op, VectorType shape, IRMapping &mapping) {
    Operation *copy = b.clone(op, mapping);
    if (!shape)
      return;
    Value result = copy->getResult(0);
    VectorType type = shape.clone(result.getType());
    if (op.hasTrait<OpTrait::ConstantLike>())
      return mapping.map(op.getResult(0), vector::BroadcastOp::create(b, type, result).getResult());
    result.setType(type);
  }

  LaneBuilder &b;
  const ContractionSpec &spec;
  Value out;
  ValueRange extra;
};

/// Puts 32 sums by lane in the order of the weight's rows: lane 2 * i is row i, lane 2 * i + 1 is row 16 + i.
void sortByRow(LaneBuilder &b, Value sums, Value at) {
  auto half = VectorType::get({kHalfStrip}, b.getF32Type());
  Value next = b.add(at, kHalfStrip);
  Value low = vector::LoadOp::create(b, half, sums, ValueRange{at});
  Value high = vector::LoadOp::create(b, half, sums, ValueRange{next});
  SmallVector<int64_t> even, odd;
  for (int64_t i = 0; i < kHalfStrip; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
  }
  vector::StoreOp::create(b, vector::ShuffleOp::create(b, low, high, even), sums, ValueRange{at});
  vector::StoreOp::create(b, vector::ShuffleOp::create(b, low, high, odd), sums, ValueRange{next});
}

} // namespace

func::FuncOp mlir::ecf8::emitEpilogue(func::FuncOp contraction, const ContractionSpec &spec) {
  LaneBuilder b(contraction.getLoc(), contraction.getContext());
  b.setInsertionPointAfter(contraction);
  Type index = b.getIndexType();
  SmallVector<Type> inputs{getKernelMatrixType(spec.result)};
  inputs.append(spec.extra.begin(), spec.extra.end());
  inputs.append({index, index, index, MemRefType::get({ShapedType::kDynamic}, b.getF32Type()), index});
  auto function = func::FuncOp::create(b, (contraction.getName() + "_epilogue").str(), b.getFunctionType(inputs, {}));
  function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());

  ValueRange arguments = function.getArguments().drop_front(1 + spec.extra.size());
  Value row = arguments[0], column = arguments[1], sums = arguments[3], at = arguments[4];
  Value count = b.minU(arguments[2], b.index(kStripRows)), whole = b.andI(count, ~(kHalfStrip - 1));
  sortByRow(b, sums, at);
  EpilogueEmitter emitter(b, spec, function);
  auto half = VectorType::get({kHalfStrip}, b.getF32Type());
  b.forRange(b.index(0), whole, kHalfStrip, [&](Value i) {
    Value own = vector::LoadOp::create(b, half, sums, ValueRange{b.add(at, i)});
    emitter.finish(own, row, b.add(column, i));
  });
  b.forRange(whole, count, 1, [&](Value i) {
    Value own = memref::LoadOp::create(b, sums, ValueRange{b.add(at, i)});
    emitter.finish(own, row, b.add(column, i));
  });
  func::ReturnOp::create(b);
  return function;
}
