// Declarations of contraction functions.
#include "ecf8/Conversion/Contractions.h"
#include "ecf8/Conversion/Decoders.h"
#include "mlir/IR/OperationSupport.h"

using namespace mlir;
using namespace mlir::ecf8;

/// The type of a kernel's argument for an extra operand of this type.
static MemRefType getExtraType(ShapedType type) {
  MemRefType matrix = getKernelMatrixType(type.getElementType());
  SmallVector<int64_t> shape;
  for (int64_t size : type.getShape())
    shape.push_back(size == 1 ? 1 : ShapedType::kDynamic);
  return MemRefType::get(shape, type.getElementType(), matrix.getLayout());
}

static StringRef nameOf(ScaleKind kind) { return kind == ScaleKind::Rows ? "rows" : "blocks"; }

ContractionSpec ContractionSpec::of(ContractOp op) {
  ContractionSpec spec;
  spec.weight = op.getWeightType();
  spec.activations = op.getActivationsType().getElementType();
  spec.result = getElementTypeOrSelf(op.getAccumulator().getType());
  if (op.hasEpilogue())
    spec.epilogue = &op.getEpilogue();
  for (Type type : op.getExtras().getTypes())
    spec.extra.push_back(getExtraType(cast<ShapedType>(type)));
  if (!op.getScale())
    return spec;
  // One row has no other rows to tell it from a block.
  spec.scaleKind = op.getBlock()[0] == 1 ? ScaleKind::Rows : ScaleKind::Blocks;
  spec.scale = cast<ShapedType>(op.getScale().getType()).getElementType();
  spec.scalesSums = op.getScalesSums();
  spec.divides = op.getDivides();
  return spec;
}

ContractionSpec ContractionSpec::ofWeights() const {
  ContractionSpec spec = *this;
  if (scalesSums) {
    spec.scaleKind = ScaleKind::None;
    spec.scale = Type();
    spec.scalesSums = spec.divides = false;
  }
  return spec;
}

FunctionType ContractionSpec::getFunctionType() const {
  MLIRContext *context = weight.getContext();
  Type index = IndexType::get(context);
  SmallVector<Type> inputs{getPayloadType(context), getKernelMatrixType(activations), getKernelMatrixType(result)};
  if (scaleKind != ScaleKind::None)
    inputs.append({getKernelMatrixType(scale), index, index});
  inputs.append(extra.begin(), extra.end());
  inputs.push_back(index);
  return FunctionType::get(context, inputs, {});
}

/// Reads what `kEpilogueAttrName` names into `spec`.
static LogicalResult readEpilogue(func::FuncOp function, ContractionSpec &spec) {
  Attribute attribute = function->getAttr(kEpilogueAttrName);
  if (!attribute)
    return success();
  auto symbol = dyn_cast<FlatSymbolRefAttr>(attribute);
  auto epilogue = symbol ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(function, symbol) : func::FuncOp();
  Type f32 = Float32Type::get(function.getContext());
  if (!epilogue || !epilogue.getBody().hasOneBlock() || epilogue.getNumResults() != 1 ||
      epilogue.getNumArguments() == 0 || epilogue.getArgumentTypes()[0] != f32)
    return function.emitOpError() << "expected '" << kEpilogueAttrName
                                  << "' to name a function of one block that makes a number of a sum, f32, and others",
           failure();
  for (Operation &op : epilogue.getBody().front().without_terminator())
    if (!ContractOp::isValidInEpilogue(&op)) // contract_c10
      return op.emitOpError() << "in an epilogue: expected an elementwise op on numbers, or a constant", failure();
  spec.epilogue = &epilogue.getBody();
  spec.result = epilogue.getResultTypes()[0];
  unsigned first = spec.getFirstExtra();
  for (auto [index, type] : llvm::enumerate(epilogue.getArgumentTypes().drop_front())) {
    auto given = first + index < function.getNumArguments()
                     ? dyn_cast<MemRefType>(function.getArgumentTypes()[first + index])
                     : MemRefType();
    constexpr int64_t anySize[] = {ShapedType::kDynamic, ShapedType::kDynamic};
    ArrayRef<int64_t> shape = given && given.getRank() == 2 ? given.getShape() : ArrayRef(anySize);
    spec.extra.push_back(getExtraType(MemRefType::get(shape, type)));
  }
  return success();
}

FailureOr<ContractionSpec> ContractionSpec::of(func::FuncOp function) {
  ContractionSpec spec;
  auto attribute = function->getAttrOfType<TypeAttr>(kContractionAttrName);
  if (attribute)
    spec.weight = dyn_cast<CompressedType>(attribute.getValue());
  Attribute kindAttribute = function->getAttr(kScaleKindAttrName);
  auto kind = dyn_cast_or_null<StringAttr>(kindAttribute);
  if (kind)
    spec.scaleKind = kind.getValue() == "rows" ? ScaleKind::Rows : ScaleKind::Blocks;
  auto elementType = [&](unsigned index) -> Type {
    auto memref =
        index < function.getNumArguments() ? dyn_cast<MemRefType>(function.getArgumentTypes()[index]) : MemRefType();
    Type type = memref ? memref.getElementType() : Type();
    bool isNumber = type && (type.isF32() || type.isBF16() || type.isF16());
    bool isFP8 = type && index == 1 && CompressedType::isValidElementType(type);
    return isNumber || isFP8 ? type : Type(Float32Type::get(function.getContext()));
  };
  spec.activations = elementType(1);
  spec.result = Float32Type::get(function.getContext());
  if (kind)
    spec.scale = elementType(3);
  spec.scalesSums = function->hasAttr(kScalesSumsAttrName);
  spec.divides = function->hasAttr(kDividesAttrName);
  if ((spec.scalesSums || spec.divides) && !kind)
    return function.emitOpError() << "expected '" << kScaleKindAttrName << "' with '"
                                  << (spec.scalesSums ? kScalesSumsAttrName : kDividesAttrName) << "'",
           failure();
  if (failed(readEpilogue(function, spec)))
    return failure();
  if (!spec.weight || (kindAttribute && !kind) || (kind && kind.getValue() != nameOf(spec.scaleKind)))
    return function.emitOpError() << "expected a compressed type in '" << kContractionAttrName
                                  << "' and 'rows', 'blocks' or nothing in '" << kScaleKindAttrName << "'",
           failure();
  if (function.getFunctionType() != spec.getFunctionType())
    return function.emitOpError() << "expected a contraction type, " << spec.getFunctionType() << ", got "
                                  << function.getFunctionType(),
           failure();
  if (spec.hasFP8Activations() && spec.scale && (!spec.scalesSums || !spec.scale.isF32())) // contract_c13
    return function.emitOpError() << "expected a scale of f32 with '" << kScalesSumsAttrName
                                  << "' for activations of FP8, got " << spec.scale,
           failure();
  if (spec.scale && !spec.scale.isF32() && spec.scale != spec.activations) // contract_c6
    return function.emitOpError() << "expected a scale of f32 or of the activations' element type, got " << spec.scale
                                  << " for " << spec.activations,
           failure();
  return spec;
}

KernelDeclarations KernelDeclarations::of(ModuleOp module) {
  KernelDeclarations declarations;
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isExternal() && function->hasAttr(kDecoderAttrName))
      declarations.decoders.push_back(function);
    else if (function.isExternal() && function->hasAttr(kContractionAttrName))
      declarations.contractions.push_back(function);
  return declarations;
}

/// The function of `module` whose body is the epilogue of `spec`.
static func::FuncOp getOrCreateEpilogue(ModuleOp module, const ContractionSpec &spec) {
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  Block &source = spec.epilogue->front();
  auto type = builder.getFunctionType(source.getArgumentTypes(), spec.result);
  auto created = func::FuncOp::create(builder, module.getLoc(), "ecf8_epilogue", type);
  created.setPrivate();
  IRMapping mapping;
  Block *body = created.addEntryBlock();
  mapping.map(source.getArguments(), body->getArguments());
  builder.setInsertionPointToStart(body);
  for (Operation &op : source.without_terminator())
    builder.clone(op, mapping);
  Operation *end = source.getTerminator();
  func::ReturnOp::create(builder, end->getLoc(), mapping.lookupOrDefault(end->getOperand(0)));
  for (unsigned number = 0;; ++number) {
    std::string name = ("ecf8_epilogue_" + Twine(number)).str();
    Operation *taken = module.lookupSymbol(name);
    if (!taken) {
      created.setSymName(name);
      return created;
    }
    auto existing = dyn_cast<func::FuncOp>(taken);
    if (existing && existing.getFunctionType() == type &&
        OperationEquivalence::isRegionEquivalentTo(&existing.getBody(), &created.getBody(),
                                                   OperationEquivalence::IgnoreLocations)) {
      created.erase();
      return existing;
    }
  }
}

func::FuncOp mlir::ecf8::getOrCreateContraction(ModuleOp module, const ContractionSpec &spec) {
  std::string name;
  llvm::raw_string_ostream stream(name);
  stream << "ecf8_contract_" << spec.weight.getEncoding().getMangledName() << "_" << spec.weight.getElementType() << "_"
         << spec.activations;
  if (spec.scaleKind != ScaleKind::None)
    stream << "_" << spec.scale << nameOf(spec.scaleKind) << (spec.divides ? "_divide" : "")
           << (spec.scalesSums ? "_sums" : "");
  func::FuncOp epilogue = spec.epilogue ? getOrCreateEpilogue(module, spec) : func::FuncOp();
  if (epilogue)
    stream << "_" << epilogue.getName().drop_front(StringRef("ecf8_").size());
  for (MemRefType extra : spec.extra)
    stream << "_" << (extra.getDimSize(0) == 1 ? "1x" : "Mx") << (extra.getDimSize(1) == 1 ? "1" : "N");
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto function = func::FuncOp::create(builder, module.getLoc(), name, spec.getFunctionType());
  function.setPrivate();
  function->setAttr(kContractionAttrName, TypeAttr::get(spec.weight));
  if (spec.scaleKind != ScaleKind::None)
    function->setAttr(kScaleKindAttrName, builder.getStringAttr(nameOf(spec.scaleKind)));
  if (spec.scalesSums)
    function->setAttr(kScalesSumsAttrName, builder.getUnitAttr());
  if (spec.divides)
    function->setAttr(kDividesAttrName, builder.getUnitAttr());
  if (epilogue)
    function->setAttr(kEpilogueAttrName, FlatSymbolRefAttr::get(epilogue.getNameAttr()));
  return function;
}
