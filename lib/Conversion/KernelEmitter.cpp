// Code tables, and the parallel loop over groups of strips.
#include "KernelEmitter.h"
#include "LanePlanes.h"

using namespace mlir;
using namespace mlir::ecf8;

FailureOr<SmallVector<std::unique_ptr<LaneBackend>>>
mlir::ecf8::createLaneBackends(func::FuncOp function, const DecoderSpec &spec, StringRef lanes, StepUse use) {
  SmallVector<std::unique_ptr<LaneBackend>> backends;
  if (isa<HuffmanAttr>(spec.encoding)) {
    if (lanes == "permute")
      backends.push_back(createPermuteLanes(spec.huffman(), use == StepUse::Stored ? 4 : 3));
    if (lanes == "nibble")
      for (unsigned prefixCount : {1, 2})
        backends.push_back(createNibbleLanes(spec.huffman(), prefixCount));
    if (lanes == "nibble" || lanes == "gather")
      backends.push_back(createTableLanes(spec.huffman(), 8));
    if (lanes == "scalar")
      backends.push_back(createTableLanes(spec.huffman(), 1));
  } else if (isa<PlanesAttr>(spec.encoding)) {
    backends.push_back(lanes == "permute"  ? createExpandPlanes(spec.planes())
                       : lanes == "scalar" ? createScalarPlanes(spec.planes())
                                           : createShufflePlanes(spec.planes()));
  } else if (!isa<RawAttr>(spec.encoding)) {
    return function.emitOpError() << "has no decoder for encoding " << spec.encoding, failure();
  }
  return backends;
}

void KernelEmitter::emitForEveryCode(const PayloadLayout &layout) {
  std::optional<CodeTables> bytes;
  if (isa<HuffmanAttr>(spec.encoding))
    bytes = expandCodeLengths(b, spec.huffman(), layout);
  else if (isa<PlanesAttr>(spec.encoding))
    bytes = expandRanks(b, spec.planes(), layout);
  emitWith(0, bytes);
}

/// Emits the tables and the loops of back end number `first`; where it does not apply to every code, of the next one
/// for the others.
void KernelEmitter::emitWith(size_t first, const std::optional<CodeTables> &bytes) {
  lanes = first < backends.size() ? backends[first].get() : nullptr;
  Value buffer = b.stackBuffer(lanes ? lanes->tableBytes() : 1, b.getI8Type());
  if (lanes)
    lanes->expandTables(b, *bytes, buffer);
  Value applies = lanes ? lanes->applies(b, buffer) : Value();
  Value tables = memref::CastOp::create(b, MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), buffer);
  if (!applies)
    return emitLoops(tables);
  auto branch = scf::IfOp::create(b, TypeRange{}, applies, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitLoops(tables);
  b.setInsertionPointToStart(branch.elseBlock());
  emitWith(first + 1, bytes);
}

void KernelEmitter::emitParallel(StringRef suffix, ValueRange operands, Value tables, Value rows,
                                 llvm::function_ref<void(func::FuncOp)> emitBody) {
  Value groups = b.ceilDivU(rows, 32 * stripsPerGroup());
  auto parallel = scf::ParallelOp::create(b, ValueRange{b.index(0)}, ValueRange{groups}, ValueRange{b.index(1)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(parallel.getBody());
  SmallVector<Value> all(operands);
  all.append({tables, parallel.getInductionVars()[0]});

  std::string name = (function.getName() + suffix).str();
  for (auto module = function->getParentOfType<ModuleOp>(); module.lookupSymbol(name);)
    name += "_any";
  func::FuncOp body;
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointAfter(function);
    body = func::FuncOp::create(b, name, b.getFunctionType(ValueRange(all).getTypes(), {}));
    body.setPrivate();
  }
  func::CallOp::create(b, body, all);
  b.setInsertionPointToStart(body.addEntryBlock());
  emitBody(body);
  func::ReturnOp::create(b);
}
