// Declarations of contraction functions.
#include "ecf8/Conversion/Contractions.h"
#include "ecf8/Conversion/Decoders.h"

using namespace mlir;
using namespace mlir::ecf8;

static StringRef nameOf(ScaleKind kind) { return kind == ScaleKind::Rows ? "rows" : "blocks"; }

ContractionSpec ContractionSpec::of(ContractOp op) {
  ContractionSpec spec;
  spec.weight = op.getWeightType();
  spec.activations = op.getActivationsType().getElementType();
  if (!op.getScale())
    return spec;
  // One row has no other rows to tell it from a block.
  spec.scaleKind = op.getBlock()[0] == 1 ? ScaleKind::Rows : ScaleKind::Blocks;
  spec.scale = cast<ShapedType>(op.getScale().getType()).getElementType();
  spec.scalesSums = op.getScalesSums();
  return spec;
}

ContractionSpec ContractionSpec::ofWeights() const {
  ContractionSpec spec = *this;
  if (scalesSums) {
    spec.scaleKind = ScaleKind::None;
    spec.scale = Type();
    spec.scalesSums = false;
  }
  return spec;
}

FunctionType ContractionSpec::getFunctionType() const {
  MLIRContext *context = weight.getContext();
  Type index = IndexType::get(context);
  SmallVector<Type> inputs{getPayloadType(context), getKernelMatrixType(activations),
                           getKernelMatrixType(Float32Type::get(context))};
  if (scaleKind != ScaleKind::None)
    inputs.append({getKernelMatrixType(scale), index, index});
  inputs.push_back(index);
  return FunctionType::get(context, inputs, {});
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
    return type && (type.isF32() || type.isBF16() || type.isF16()) ? type
                                                                   : Type(Float32Type::get(function.getContext()));
  };
  spec.activations = elementType(1);
  if (kind)
    spec.scale = elementType(3);
  spec.scalesSums = function->hasAttr(kScalesSumsAttrName);
  if (spec.scalesSums && !kind)
    return function.emitOpError() << "expected '" << kScaleKindAttrName << "' with '" << kScalesSumsAttrName << "'",
           failure();
  if (!spec.weight || (kindAttribute && !kind) || (kind && kind.getValue() != nameOf(spec.scaleKind)))
    return function.emitOpError() << "expected a compressed type in '" << kContractionAttrName
                                  << "' and 'rows', 'blocks' or nothing in '" << kScaleKindAttrName << "'",
           failure();
  if (function.getFunctionType() != spec.getFunctionType())
    return function.emitOpError() << "expected a contraction type, " << spec.getFunctionType() << ", got "
                                  << function.getFunctionType(),
           failure();
  if (spec.scale && !spec.scale.isF32() && spec.scale != spec.activations) // contract_c6
    return function.emitOpError() << "expected a scale of f32 or of the activations' element type, got " << spec.scale
                                  << " for " << spec.activations,
           failure();
  return spec;
}

func::FuncOp mlir::ecf8::getOrCreateContraction(ModuleOp module, const ContractionSpec &spec) {
  std::string name;
  llvm::raw_string_ostream stream(name);
  stream << "ecf8_contract_" << spec.weight.getEncoding().getMangledName() << "_" << spec.weight.getElementType() << "_"
         << spec.activations;
  if (spec.scaleKind != ScaleKind::None)
    stream << "_" << spec.scale << nameOf(spec.scaleKind) << (spec.scalesSums ? "_sums" : "");
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
  return function;
}
