// FP8 weights become compressed ones, decoded before their use.
#include "EncodeContent.h"
#include "Loads.h"
#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/Segments.h"
#include "ecf8/Dialect/ECF8/Transforms/ContractedWeights.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Support/DebugStringHelper.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_COMPRESSWEIGHTSPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

static constexpr StringLiteral kCategory = "ecf8-compress-weights";

/// Types of weights: f8E8M0FNU, of scales alone, is none.
static bool isEightBitFloat(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() == 8 && !isa<Float8E8M0FNUType>(type);
}

/// Puts one decode of `value`, an operand of compressed type, before the first of `uses` in value's block, or before
/// the op there that holds it: out of loops, and dominating all. Rewires `uses` to it.
static void decodeBeforeUses(Value value, ArrayRef<OpOperand *> uses) {
  if (uses.empty())
    return;
  Block *block = value.getParentBlock();
  Operation *first = block->mightHaveTerminator() ? block->getTerminator() : nullptr;
  for (OpOperand *use : uses)
    if (Operation *ancestor = block->findAncestorOpInBlock(*use->getOwner());
        ancestor && (!first || ancestor->isBeforeInBlock(first)))
      first = ancestor;
  OpBuilder builder(first);
  Value decoded = DecodeOp::create(builder, value.getLoc(), value).getResult();
  for (OpOperand *use : uses)
    use->set(decoded);
}

/// The body of the function, or of another op isolated from above, that values must not cross.
static Region *getScope(Operation *op) {
  Region *region = op->getParentRegion();
  while (!region->getParentOp()->hasTrait<OpTrait::IsIsolatedFromAbove>())
    region = region->getParentRegion();
  return region;
}

namespace {

struct CompressWeightsPass : public ::mlir::ecf8::impl::CompressWeightsPassBase<CompressWeightsPass> {
  using CompressWeightsPassBase::CompressWeightsPassBase;
  CompressWeightsPass(const CompressWeightsPassOptions &options, WeightDecisionFn decide)
      : CompressWeightsPassBase(options), decide(std::move(decide)) {}

  void runOnOperation() override {
    if (failed(checkOptions()))
      return signalPassFailure();
    SymbolTableCollection symbolTables;
    SymbolUserMap users(symbolTables, getOperation());
    if (codec == "auto" && !decide) // which knows already
      contracted = findContractedGlobals(getOperation());
    for (auto global : getOperation().getOps<GlobalOp>())
      if (failed(compressGlobal(global, users)))
        return signalPassFailure();
    SmallVector<Operation *> constants;
    getOperation()->walk([&](Operation *op) {
      if (isConstantTensor(op))
        constants.push_back(op);
    });
    for (Operation *constant : constants)
      if (failed(compressConstant(constant)))
        return signalPassFailure();
  }

private:
  /// The layout of the codecs in order mma, but for what the options say.
  static std::optional<::ecf8::EncodeOptions> getMmaOptions(StringRef codec) {
    return llvm::StringSwitch<std::optional<::ecf8::EncodeOptions>>(codec)
        .Case("quads", ::ecf8::EncodeOptions::quads())
        .Case("pairs", ::ecf8::EncodeOptions::pairs())
        .Case("classic", ::ecf8::EncodeOptions::classic())
        .Default(std::nullopt);
  }

  /// The encoding of `codec`, which is in order mma, for weights of an element type; null after an error.
  EncodingAttrInterface getMmaEncoding(Type elementType, const ::ecf8::EncodeOptions &defaults,
                                       function_ref<InFlightDiagnostic()> emitError) {
    auto type = isa<Float8E5M2Type>(elementType) ? ::ecf8::ElementType::F8E5M2 : ::ecf8::ElementType::F8E4M3FN;
    int64_t length = maxCodeLength != 0 ? maxCodeLength.getValue() : int64_t(defaults.maxCodeLength);
    int64_t columns = tileColumns != 0 ? tileColumns.getValue() : int64_t(defaults.tileColumns);
    return HuffmanAttr::getChecked(emitError, &getContext(), int64_t(defaults.group),
                                   int64_t(::ecf8::getGroupLayout(type, defaults.group)->rawExponentBits), length,
                                   Stream::segments, Order::mma, columns);
  }

  LogicalResult checkOptions() {
    MLIRContext *context = &getContext();
    auto error = [&] { return getOperation()->emitError() << getArgument() << ": "; };
    if (target != "cpu")
      return error() << "expected target 'cpu', got '" << target.getValue() << "'";
    if (codec == "raw")
      return success(); // the weight's shape decides on the order
    function_ref<InFlightDiagnostic()> emitError = error;
    auto columns = [&](const ::ecf8::EncodeOptions &defaults) {
      return tileColumns != 0 ? tileColumns.getValue() : int64_t(defaults.tileColumns);
    };
    if (codec == "auto" || codec == "planes")
      encoding = PlanesAttr::getChecked(emitError, context, columns(::ecf8::EncodeOptions::planes()));
    else if (codec == "huffman")
      encoding = HuffmanAttr::getChecked(emitError, context, /*group=*/int64_t(1), /*raw_exponent_bits=*/int64_t(0),
                                         maxCodeLength != 0 ? maxCodeLength.getValue() : int64_t(8),
                                         Stream::interleaved, Order::rows32, columns(::ecf8::EncodeOptions::huffman()));
    else if (mma = getMmaOptions(codec); mma) // the weight's element type is part of the encoding
      return success(getMmaEncoding(Float8E4M3FNType::get(context), *mma, emitError) != nullptr);
    else
      return error() << "expected codec 'auto', 'raw', 'huffman', 'planes', 'quads', 'pairs' or 'classic', got '"
                     << codec.getValue() << "'";
    return success(encoding != nullptr);
  }

  EncodingAttrInterface getEncoding(RankedTensorType type) {
    if (mma)
      return getMmaEncoding(type.getElementType(), *mma, [&] { return getOperation()->emitError(); });
    return encoding ? encoding : getRawEncoding(type);
  }

  static RawAttr getRawEncoding(RankedTensorType type) {
    SmallVector<uint64_t> dims(type.getShape());
    auto options = ::ecf8::EncodeOptions::rawFor({dims.data(), dims.size()});
    return RawAttr::get(type.getContext(), static_cast<Order>(options.order), options.tileColumns);
  }

  //===--------------------------------------------------------------------===//
  // Remarks
  //===--------------------------------------------------------------------===//

  static remark::RemarkOpts remarkOptions(StringRef name, StringRef function) {
    return remark::RemarkOpts::name(name).category(kCategory).function(function);
  }

  /// `reason` says why a weight is in tiles, but no smaller; it is empty for others.
  static void remarkCompressed(Location loc, StringRef name, CompressedType type, ElementsAttr payload,
                               const std::string &reason) {
    auto remark = remark::passed(loc, remarkOptions(reason.empty() ? "Compressed" : "Tiled", name));
    remark << remark::metric("Type", Type(type)) << remark::metric("PlainBytes", type.getNumElements());
    if (payload)
      remark << remark::metric(reason.empty() ? "CompressedBytes" : "StoredBytes", getPayloadSizeBytes(payload));
    if (!reason.empty())
      remark << remark::reason("{0}", reason);
  }

  static void remarkLeftAlone(Location loc, StringRef name, const std::string &reason) {
    remark::missed(loc, remarkOptions("LeftAlone", name)) << remark::reason("{0}", reason);
  }

  //===--------------------------------------------------------------------===//
  // Decisions
  //===--------------------------------------------------------------------===//

  /// Why a weight of this type is left as it is, whatever it holds; empty for those to compress.
  std::string getReasonByType(RankedTensorType type) {
    if (!CompressedType::isValidElementType(type.getElementType()))
      return "expected element type 'f8E4M3FN' or 'f8E5M2', got " + debugString(type.getElementType());
    if (type.getRank() > 8)
      return "expected 8 dimensions at most, got " + std::to_string(type.getRank());
    if (type.getNumElements() < minElements)
      return "expected " + std::to_string(minElements) + " elements at least, got " +
             std::to_string(type.getNumElements());
    return "";
  }

  /// The pass's own rule, for a weight of `type` with `content`, which may be null where a file holds it.
  FailureOr<WeightDecision> decideByRule(RankedTensorType type, ElementsAttr content, StringRef name, Location loc,
                                         bool isContracted) {
    WeightDecision decision;
    decision.reason = getReasonByType(type);
    if (!decision.reason.empty())
      return decision;
    decision.encoding = getEncoding(type);
    if (!content)
      return decision;
    auto encode = [&] {
      return encodeContent(content, CompressedType::get(type, decision.encoding), name, [&] { return emitError(loc); });
    };
    auto payload = encode();
    if (failed(payload))
      return failure();
    int64_t size = getPayloadSizeBytes(*payload);
    if (codec == "auto" && size >= type.getNumElements()) {
      decision.reason = "size: no smaller when encoded, " + std::to_string(size) + " bytes of " +
                        std::to_string(type.getNumElements());
      decision.encoding = nullptr;
      if (RawAttr raw = getRawEncoding(type); isContracted && raw.getOrder() == Order::rows32) {
        decision.encoding = raw;
        payload = encode();
        if (failed(payload))
          return failure();
      }
    }
    if (decision.encoding)
      decision.payload = *payload;
    return decision;
  }

  //===--------------------------------------------------------------------===//
  // Globals
  //===--------------------------------------------------------------------===//

  LogicalResult compressGlobal(GlobalOp global, SymbolUserMap &users) {
    auto type = dyn_cast<RankedTensorType>(global.getType());
    if (!type)
      return success(); // compressed already
    StringRef name = global.getSymName();
    if (!isEightBitFloat(type.getElementType())) {
      remark::analysis(global.getLoc(), remarkOptions("NotFP8", name)) << remark::metric("Type", Type(type));
      return success();
    }
    std::optional<SmallVector<GlobalLoadOp>> loads = getLoadsIfAlone(global, users);
    if (!loads) {
      remarkLeftAlone(global.getLoc(), name, "expected loads as a tensor alone, got another use");
      return success();
    }
    ElementsAttr value = global.getValue().value_or(ElementsAttr());
    bool isEncodable = CompressedType::isValidElementType(type.getElementType()) && type.getRank() <= 8;
    FailureOr<WeightDecision> decision =
        decide && isEncodable
            ? decide(global)
            : decideByRule(type, value, (name + "_payload").str(), global.getLoc(), contracted.contains(global));
    if (failed(decision))
      return failure();
    if (!decision->encoding) {
      remarkLeftAlone(global.getLoc(), name, decision->reason);
      return success();
    }
    auto compressed = CompressedType::getChecked([&] { return global.emitError(); }, type.getContext(), type.getShape(),
                                                 type.getElementType(), decision->encoding);
    if (!compressed)
      return failure();
    if (value && !decision->payload) {
      auto payload = encodeContent(value, compressed, (name + "_payload").str(), [&] { return global.emitError(); });
      if (failed(payload))
        return failure();
      decision->payload = *payload;
    }
    global.setType(compressed);
    if (value)
      global.setValueAttr(decision->payload);
    remarkCompressed(global.getLoc(), name, compressed, decision->payload, decision->reason);
    decodeLoads(global, compressed, *loads);
    return success();
  }

  /// One load and one decode per function in place of `loads`.
  static void decodeLoads(GlobalOp global, CompressedType type, ArrayRef<GlobalLoadOp> loads) {
    llvm::MapVector<Region *, SmallVector<GlobalLoadOp>> loadsByScope;
    for (GlobalLoadOp load : loads)
      loadsByScope[getScope(load)].push_back(load);
    for (auto &[scope, scopeLoads] : loadsByScope) {
      OpBuilder builder(&scope->front(), getLoadInsertionPoint(scope->front()));
      Value loaded = GlobalLoadOp::create(builder, scopeLoads.front().getLoc(), type, global.getSymName());
      SmallVector<OpOperand *> uses;
      for (GlobalLoadOp load : scopeLoads)
        for (OpOperand &use : load->getUses())
          uses.push_back(&use);
      decodeBeforeUses(loaded, uses);
      for (GlobalLoadOp load : scopeLoads)
        load.erase();
      if (loaded.use_empty())
        loaded.getDefiningOp()->erase();
    }
  }

  //===--------------------------------------------------------------------===//
  // Constants
  //===--------------------------------------------------------------------===//

  static bool isConstantTensor(Operation *op) {
    if (!op->hasTrait<OpTrait::ConstantLike>() || op->getNumResults() != 1)
      return false;
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    return type && type.hasStaticShape() && isEightBitFloat(type.getElementType());
  }

  LogicalResult compressConstant(Operation *op) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    ElementsAttr content;
    if (!matchPattern(op, m_Constant(&content)) || content.getType() != type)
      return success();
    bool hadUses = !op->use_empty();
    if (failed(evaluateEncodes(op, content)))
      return failure();
    if (hadUses && op->use_empty()) {
      op->erase();
      return success();
    }
    auto function = op->getParentOfType<FunctionOpInterface>();
    StringRef name = function ? StringRef(function.getName()) : "module";
    if (op->use_empty() || content.isSplat()) {
      remarkLeftAlone(op->getLoc(), name, op->use_empty() ? "no use" : "a splat, which a fill writes");
      return success();
    }
    FailureOr<WeightDecision> decision = decideByRule(type, content, "constant_payload", op->getLoc(),
                                                      codec == "auto" && areContracted(op->getResult(0)));
    if (failed(decision))
      return failure();
    if (!decision->encoding) {
      remarkLeftAlone(op->getLoc(), name, decision->reason);
      return success();
    }
    auto compressed = CompressedType::get(type, decision->encoding);
    OpBuilder builder(op);
    Value constant = ConstantOp::create(builder, op->getLoc(), compressed, decision->payload);
    SmallVector<OpOperand *> uses = llvm::to_vector(llvm::make_pointer_range(op->getUses()));
    decodeBeforeUses(constant, uses);
    op->erase();
    remarkCompressed(constant.getLoc(), name, compressed, decision->payload, decision->reason);
    return success();
  }

  /// Replaces each `ecf8.encode` of `op` by its payload.
  static LogicalResult evaluateEncodes(Operation *op, ElementsAttr content) {
    SmallVector<EncodeOp> encodes;
    for (Operation *user : op->getUsers())
      if (auto encode = dyn_cast<EncodeOp>(user))
        encodes.push_back(encode);
    for (EncodeOp encode : llvm::reverse(encodes)) { // uses are listed from the last to the first
      auto payload = encodeContent(content, encode.getType(), "encoded_payload", [&] { return encode.emitError(); });
      if (failed(payload))
        return failure();
      OpBuilder builder(encode);
      Value constant = ConstantOp::create(builder, encode.getLoc(), encode.getType(), *payload);
      encode.getResult().replaceAllUsesWith(constant);
      encode.erase();
    }
    return success();
  }

  WeightDecisionFn decide;
  EncodingAttrInterface encoding;           ///< null for raw and for `mma`
  std::optional<::ecf8::EncodeOptions> mma; ///< of a codec in order mma
  DenseSet<Operation *> contracted;         ///< globals that contractions alone read; only for codec=auto
};

} // namespace

std::unique_ptr<Pass> mlir::ecf8::createCompressWeightsPass(const CompressWeightsPassOptions &options,
                                                            WeightDecisionFn decide) {
  return std::make_unique<CompressWeightsPass>(options, std::move(decide));
}
